// Gradient of the weights of a 3 x 3 convolution of bfloat16 images by AMX: sums over positions of products of gradients
// (left factors) and images shifted by each tap (right factors). Nothing is rounded but the images and gradients.
//
// Results do not depend on the number of threads: images are always divided into the same groups and parts, and each
// sum is computed by one thread.

#include "amx.h"

#ifdef HAS_AMX

#include <vector>

#include "grids.h"

namespace {

constexpr Size PARTS_PER_BLOCK = 12;  // their factors for one panel of channels fit into the nearest cache

// Transposes gradients, positions x channels, to left factors: `to[panel][part]`, each 16 channels x 32 positions.
inline void to_left_factors(const BFloat16* from, Size channels, Size part, Size parts, BFloat16* to) {
    from += part * DEPTH * channels;
    for (Size channel = 0; channel < channels; channel += EDGE) {
        const __mmask16 lanes = lanes16(channels - channel);
        BFloat16* place = to + (channel / EDGE * parts + part) * TILE_VALUES;
        __m512i rows[EDGE];
        for (Size i = 0; i < EDGE; i++) {
            const BFloat16* pair = from + 2 * i * channels + channel;
            rows[i] = interleaved(load16(pair, lanes), load16(pair + channels, lanes));
        }
        transpose(rows);
        for (Size i = 0; i < EDGE; i++) _mm512_store_si512(place + i * DEPTH, rows[i]);
    }
}

// Interleaves the channels of pairs of positions to right factors: `to[panel][parity][part]`. The first pair begins at
// an even position or at an odd one. A factor shifted by two positions is the factor that begins one pair later.
inline void to_right_factors(const BFloat16* from, Size channels, Size part, Size parts, BFloat16* to) {
    from += part * DEPTH * channels;
    for (Size channel = 0; channel < channels; channel += EDGE) {
        const __mmask16 lanes = lanes16(channels - channel);
        BFloat16* even = to + (channel / EDGE * 2 * parts + part) * TILE_VALUES;
        BFloat16* odd = even + parts * TILE_VALUES;
        __m256i first = load16(from + channel, lanes);
        for (Size i = 0; i < EDGE; i++) {
            const BFloat16* pair = from + 2 * i * channels + channel;
            const __m256i second = load16(pair + channels, lanes), third = load16(pair + 2 * channels, lanes);
            _mm512_store_si512(even + i * DEPTH, interleaved(first, second));
            _mm512_store_si512(odd + i * DEPTH, interleaved(second, third));
            first = third;
        }
    }
}

// Sums of products of gradients and images that are shifted by each tap: tiles `[channels out][channels in][tap]`.
struct Sums {
    Size left, right;

    explicit Sums(const Convolution& conv)
        : left(ceiling(conv.out, EDGE)), right(ceiling(conv.in, EDGE) * TAPS * TAPS) {}
    Size tiles() const { return left * right; }
    Size values() const { return tiles() * EDGE * EDGE; }
    Size pairs() const { return left / 2 * ceiling(right, 2); }
    Size products() const { return pairs() + left % 2 * ceiling(right, 4); }
};

inline void add(const float (*values)[EDGE], bool is_first, float* to) {
    for (Size i = 0; i < EDGE; i++) {
        const __m512 more = _mm512_load_ps(values[i]);
        _mm512_store_ps(to + i * EDGE, is_first ? more : _mm512_add_ps(_mm512_load_ps(to + i * EDGE), more));
    }
}

// The factors of the sums: `parts` of gradients, `shifted` parts of images.
struct Factors {
    const BFloat16 *gradients, *images;
    Size parts, shifted;

    const BFloat16* left(Size tile, Size part) const { return gradients + (tile * parts + part) * TILE_VALUES; }
    const BFloat16* right(Size tile, Size part, const Grid& grid) const {
        const Size tap = tile % (TAPS * TAPS), shift = grid.tap(tap / TAPS, tap % TAPS);
        const Size panel = tile / (TAPS * TAPS) * 2 + shift % 2;
        return images + (panel * shifted + part) * TILE_VALUES + shift / 2 * DEPTH;
    }
};

// Adds product number `number` of those into which `all` is divided.
void add_product(const Sums& all, const Grid& grid, Size number, const Factors& factors, Size part, const Depth& depth,
                 bool is_first, float* sums) {
    alignas(64) Products products;
    const bool is_pair = number < all.pairs();
    const Size lefts = is_pair ? 2 : 1, rights = is_pair ? 2 : 4;
    const Size left = is_pair ? number / ceiling(all.right, 2) * 2 : all.left - 1;
    const Size right = is_pair ? number % ceiling(all.right, 2) * 2 : (number - all.pairs()) * 4;
    const BFloat16* gradients[2] = {factors.left(left, part), factors.left(left + lefts - 1, part)};
    const BFloat16* images[4];
    for (Size i = 0; i < rights; i++) images[i] = factors.right(std::min(right + i, all.right - 1), part, grid);
    is_pair ? multiply_two_by_two(gradients, images, depth, products)
            : multiply_one_by_four(gradients[0], images, depth, products);
    for (Size i = 0; i < 4; i++)
        if (right + i % rights < all.right)
            add(products[i], is_first, sums + ((left + i / rights) * all.right + right + i % rights) * EDGE * EDGE);
}

// Sums over groups of images [first, last).
void sum_weight_gradients(const Convolution& conv, const Grid& grid, Size first, Size last, float* sums, int threads) {
    const Sums all(conv);
    const Size parts = ceiling(grid.positions(), DEPTH), shifted = ceiling(parts * DEPTH + grid.tap(TAPS, TAPS), DEPTH);
    const Size image_pixels = conv.height * conv.width;
    const Buffer<BFloat16> padded((shifted * DEPTH + 1) * conv.in), padded_gradients(parts * DEPTH * conv.out);
    const Buffer<BFloat16> left(all.left * parts * TILE_VALUES);
    const Buffer<BFloat16> right(ceiling(conv.in, EDGE) * 2 * shifted * TILE_VALUES);
    const Factors factors{left.get(), right.get(), parts, shifted};
    const Size blocks = all.values() <= 1 << 18 ? ceiling(parts, PARTS_PER_BLOCK) : 1;  // each reads and writes all sums
    std::vector<Size> offsets;
    for (Size part = 0; part < parts; part++) offsets.push_back(part * TILE_VALUES);
#pragma omp parallel num_threads(threads)
    {
        const Tiles tiles;
        for (Size group = first; group < last; group++) {
            const Size begin = group * grid.images;
#pragma omp for schedule(static)
            for (Size i = 0; i < grid.images; i++) {
                BFloat16* images = padded.get() + (grid.lead() + i * grid.image()) * conv.in;
                BFloat16* gradients = padded_gradients.get() + i * grid.image() * conv.out;
                if (begin + i < conv.count) {
                    const Size pixel = (begin + i) * image_pixels;
                    copy_image((const BFloat16*)conv.images + pixel * conv.in, grid, conv.in, images);
                    copy_image((const BFloat16*)conv.output + pixel * conv.out, grid, conv.out, gradients);
                } else {
                    std::memset((void*)images, 0, (grid.image() - grid.pitch()) * conv.in * sizeof(BFloat16));
                    std::memset((void*)gradients, 0, grid.image() * conv.out * sizeof(BFloat16));
                }
            }
#pragma omp for schedule(static)
            for (Size part = 0; part < shifted; part++) {
                to_right_factors(padded.get(), conv.in, part, shifted, right.get());
                if (part < parts) to_left_factors(padded_gradients.get(), conv.out, part, parts, left.get());
            }
            for (Size block = 0; block < blocks; block++) {
                const Size part = parts * block / blocks;
                const Depth depth{64, offsets.data(), parts * (block + 1) / blocks - part};
#pragma omp for schedule(static)
                for (Size i = 0; i < all.products(); i++)
                    add_product(all, grid, i, factors, part, depth, group == first && block == 0, sums);
            }
        }
    }
}

// Adds the sums of all parts, in the order of the weights.
void store_weight_gradient(const Convolution& conv, const float* sums, Size parts) {
    const Sums all(conv);
#pragma omp parallel for num_threads(conv.threads) schedule(static)
    for (Size tile = 0; tile < all.tiles(); tile++) {
        const Size out = tile / all.right * EDGE, right = tile % all.right, tap = right % (TAPS * TAPS);
        const Size in = right / (TAPS * TAPS) * EDGE;
        for (Size i = 0; i < std::min(EDGE, conv.out - out); i++) {
            __m512 sum = _mm512_setzero_ps();
            for (Size part = 0; part < parts; part++)
                sum = _mm512_add_ps(sum, _mm512_load_ps(sums + part * all.values() + (tile * EDGE + i) * EDGE));
            _mm512_mask_storeu_ps(conv.weight_gradient + ((out + i) * TAPS * TAPS + tap) * conv.in + in,
                                  lanes16(conv.in - in), sum);
        }
    }
}

// Computes the gradient of the weights. If they are few, parts of the images are summed by one thread each.
void compute_weight_gradient(const Convolution& conv) {
    const Sums all(conv);
    const Grid grid = grid_of(conv, std::clamp<Size>(conv.in * conv.out / 16, 1024, 4096));
    const Size groups = ceiling(conv.count, grid.images);
    Size parts = 1;
    while (parts < 8 && 2 * parts * all.values() <= (1 << 21) && 4 * parts <= groups) parts *= 2;
    const Buffer<float> sums(parts * all.values());
    const int threads = (int)conv.threads;
#pragma omp parallel for num_threads(parts > 1 ? threads : 1) schedule(dynamic)
    for (Size part = 0; part < parts; part++)
        sum_weight_gradients(conv, grid, groups * part / parts, groups * (part + 1) / parts,
                             sums.get() + part * all.values(), parts > 1 ? 1 : threads);
    store_weight_gradient(conv, sums.get(), parts);
}

}  // namespace

extern "C" {
void convolution_weight_gradient_amx(const Convolution* conv) { compute_weight_gradient(*conv); }
}

#endif
