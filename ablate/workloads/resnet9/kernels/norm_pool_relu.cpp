// Batch norm, optional 2 x 2 max pooling and ReLU of channels-last images: two passes over the images forward (moments;
// output) and two backward (sums; gradient), where separate operators need three to five.
//
// Sums are in single precision over a few thousand values and in double precision beyond. Images are always divided
// into the same PARTS, each summed by one thread, so that results do not depend on the number of threads.

#include <algorithm>
#include <cmath>
#include <vector>

#include "vectors.h"

namespace {

// -------------------------------------------------------------------------------------------------------- loops

constexpr Size PARTS = 64;
constexpr Size VALUES_PER_BLOCK = 4096;  // fits into the nearest cache

template <class Work>
void each_part(Size count, int threads, Work work) {
#pragma omp parallel for num_threads(threads) schedule(dynamic)
    for (Size part = 0; part < PARTS; part++) {
        const Size first = count * part / PARTS, last = count * (part + 1) / PARTS;
        if (first < last) work(part, first, last);
    }
}

// Sums two terms over pixels [first, last) for the channels of GROUP vectors.
template <int GROUP, class Terms>
inline void sum_pixels(Size first, Size last, Size channel, int count, double* one, double* other, const Terms& terms) {
    Floats ones[GROUP] = {}, others[GROUP] = {};
    if (count == LANES)
        for (Size pixel = first; pixel < last; pixel++)
            for (int i = 0; i < GROUP; i++) terms(pixel, channel + i * LANES, LANES, ones[i], others[i]);
    else
        for (Size pixel = first; pixel < last; pixel++) terms(pixel, channel, count, ones[0], others[0]);
    for (int i = 0; i < GROUP; i++)
        for (int lane = 0; lane < count; lane++) {
            one[i * LANES + lane] += ones[i][lane];
            other[i * LANES + lane] += others[i][lane];
        }
}

// Returns two sums per channel over all pixels: first the sums of one term, then those of the other.
template <class Terms>
std::vector<double> sums(Size pixels, Size channels, int threads, Terms all_terms) {
    std::vector<double> by_part(PARTS * 2 * channels);
    const Size step = std::max<Size>(1, VALUES_PER_BLOCK / channels);
    each_part(pixels, threads, [&, channels](Size part, Size first, Size last) {
        const Terms terms = all_terms;  // a copy per thread: its pointers stay in registers
        double *one = &by_part[part * 2 * channels], *other = one + channels;
        for (Size begin = first; begin < last; begin += step) {
            const Size end = std::min(last, begin + step);
            Size c = 0;
            for (; c + 4 * LANES <= channels; c += 4 * LANES)
                sum_pixels<4>(begin, end, c, LANES, one + c, other + c, terms);
            for (; c + 2 * LANES <= channels; c += 2 * LANES)
                sum_pixels<2>(begin, end, c, LANES, one + c, other + c, terms);
            for (; c < channels; c += LANES)
                sum_pixels<1>(begin, end, c, std::min<Size>(LANES, channels - c), one + c, other + c, terms);
        }
    });
    std::vector<double> total(2 * channels);
    for (Size part = 0; part < PARTS; part++)
        for (Size i = 0; i < 2 * channels; i++) total[i] += by_part[part * 2 * channels + i];
    return total;
}

// Visits every pixel of the output, LANES channels at a time. `visit` receives the offset of the pixel's window (SIDE x
// SIDE) in the input, its offset in the output, the first channel and the number of lanes.
template <int SIDE, class Visit>
void each_window(Size rows, Size width, Size channels, int threads, Visit visit_any) {
    each_part(rows, threads, [=](Size, Size first, Size last) {
        const Visit visit = visit_any;
        for (Size row = first; row < last; row++)
            for (Size column = 0; column < width; column++) {
                const Size out = (row * width + column) * channels;
                const Size in = (row * SIDE * SIDE * width + column * SIDE) * channels;
                Size c = 0;
                for (; c + LANES <= channels; c += LANES) visit(in + c, out + c, c, LANES);
                if (c < channels) visit(in + c, out + c, c, int(channels - c));
            }
    });
}

// ------------------------------------------------------------------------------------------------------ the block

}  // namespace

// One block of the network, with the same fields as in `norm_pool_relu.py`. Images are rows x width x channels, those
// of a batch stacked; rows and width are those of the output. Pixels are float or BFloat16, all else is float.
struct Block {
    Size rows, width, channels, side, threads;
    const void* input;     // of side * rows x side * width pixels
    void* output;          // its gradient in the backward pass
    void* peaks;           // the maximum of each window of the input (side 2)
    void* places;          // the position of the maximum, 0 to 3, or 4 if the ReLU is zero (side 2), uint16
    void* input_gradient;  // backward only
    const float *weight, *bias;  // of the batch norm
    const float* offset;         // the bias of the convolution, which was not added to the input
    float *running_mean, *running_variance;
    float* terms;  // four per channel: scale, shift, mean, 1 / standard deviation
    float *weight_gradient, *bias_gradient;  // backward only
    double momentum, epsilon;
};

namespace {

// Computes mean and variance of each channel, and from them scale and shift of the batch norm.
template <class Value>
void measure(const Block& block) {
    const Size channels = block.channels, pixels = block.rows * block.width * block.side * block.side;
    const Value* input = (const Value*)block.input;
    std::vector<float> about(channels);  // mean of a sample; differences from it are summed, to lose no digits
    for (Size i = 0; i < 16; i++)
        for (Size c = 0; c < channels; c++) about[c] += load(input + pixels * i / 16 * channels + c, 1)[0] / 16;
    const float* near = about.data();
    const auto total = sums(pixels, channels, (int)block.threads,
        [=](Size pixel, Size channel, int count, Floats& sum, Floats& squares) {
            const Floats difference = load(input + pixel * channels + channel, count) - load(near + channel, count);
            sum += difference;
            squares += difference * difference;
        });
    float *scale = block.terms, *shift = scale + channels, *mean = shift + channels, *inverse = mean + channels;
    for (Size c = 0; c < channels; c++) {
        const double difference = total[c] / pixels;
        const double variance = std::max(0.0, total[channels + c] / pixels - difference * difference);
        const double centre = near[c] + difference, inverse_sd = 1 / std::sqrt(variance + block.epsilon);
        mean[c] = (float)centre;
        inverse[c] = (float)inverse_sd;
        scale[c] = (float)(block.weight[c] * inverse_sd);
        shift[c] = (float)(block.bias[c] - centre * block.weight[c] * inverse_sd);
        const double unbiased = variance * pixels / (pixels - 1);
        block.running_mean[c] += (float)(block.momentum * (centre + block.offset[c] - block.running_mean[c]));
        block.running_variance[c] += (float)(block.momentum * (unbiased - block.running_variance[c]));
    }
}

// output = max(0, maximum over the window of (scale * input + shift)).
template <int SIDE, class Value>
void normalise(const Block& block) {
    const Size channels = block.channels, below = 2 * block.width * channels;
    const Size offsets[4] = {0, channels, below, below + channels};
    const Value* input = (const Value*)block.input;
    Value *output = (Value*)block.output, *peaks = (Value*)block.peaks;
    uint16_t* places = (uint16_t*)block.places;
    const float *scale = block.terms, *shift = scale + channels;
    each_window<SIDE>(block.rows, block.width, channels, (int)block.threads,
        [=](Size in, Size out, Size channel, int count) {
            const Floats times = load(scale + channel, count), plus = load(shift + channel, count);
            Floats peak = load(input + in, count), largest = times * peak + plus;
            if (SIDE == 2) {
                Integers place = {};
                for (int i = 1; i < 4; i++) {
                    const Floats value = load(input + in + offsets[i], count), normal = times * value + plus;
                    const Integers larger = normal > largest;
                    place = larger ? Integers{} + i : place;
                    peak = larger ? value : peak;
                    largest = larger ? normal : largest;
                }
                place = largest > 0.0f ? place : Integers{} + 4;
                store(peaks + out, peak, count);
                put(places + out, narrow((Bits)place), count);
            }
            store(output + out, positive(largest), count);
        });
}

// With g the gradient where the ReLU is not zero, and x' = (input - mean) / sd:
// input_gradient = weight / sd * (g - mean(g) - x' * mean(g * x')), the means over all pixels of a channel.
template <int SIDE, class Value>
void differentiate(const Block& block) {
    const Size channels = block.channels, outputs = block.rows * block.width, below = 2 * block.width * channels;
    const Size offsets[4] = {0, channels, below, below + channels};
    const Value *input = (const Value*)block.input, *gradient = (const Value*)block.output;
    const Value* peaks = SIDE == 2 ? (const Value*)block.peaks : input;
    const uint16_t* places = (const uint16_t*)block.places;
    Value* input_gradient = (Value*)block.input_gradient;
    const float *scale = block.terms, *shift = scale + channels, *mean = shift + channels, *inverse = mean + channels;
    const auto total = sums(outputs, channels, (int)block.threads,
        [=](Size pixel, Size channel, int count, Floats& sum, Floats& products) {
            const Size at = pixel * channels + channel;
            const Floats value = load(peaks + at, count), all = load(gradient + at, count);
            const Floats normal = load(scale + channel, count) * value + load(shift + channel, count);
            const Floats passed = normal > 0.0f ? all : Floats{};
            sum += passed;
            products += passed * (value - load(mean + channel, count));
        });
    std::vector<float> constants(channels), slopes(channels);
    for (Size c = 0; c < channels; c++) {
        const double pixels = (double)outputs * SIDE * SIDE, product = total[channels + c] * inverse[c];
        block.bias_gradient[c] = (float)total[c];
        block.weight_gradient[c] = (float)product;
        const double slope = -scale[c] * product / pixels * inverse[c];
        slopes[c] = (float)slope;
        constants[c] = (float)(-scale[c] * total[c] / pixels - slope * mean[c]);
    }
    const float *constant = constants.data(), *slope = slopes.data();
    each_window<SIDE>(block.rows, block.width, channels, (int)block.threads,
        [=](Size in, Size out, Size channel, int count) {
            const Floats times = load(scale + channel, count), plus = load(shift + channel, count);
            const Floats base = load(constant + channel, count), rise = load(slope + channel, count);
            const Floats passed = times * load(gradient + out, count);
            Integers place = {};
            if (SIDE == 2) place = (Integers)widen(fetch<Halves>(places + out, count));
            for (int i = 0; i < SIDE * SIDE; i++) {
                const Floats value = load(input + in + offsets[i], count);
                const Integers is_on = SIDE == 2 ? place == i : times * value + plus > 0.0f;
                store(input_gradient + in + offsets[i], (is_on ? passed : Floats{}) + base + rise * value, count);
            }
        });
}

template <class Value>
void forward(const Block& block) {
    measure<Value>(block);
    block.side == 2 ? normalise<2, Value>(block) : normalise<1, Value>(block);
}

template <class Value>
void backward(const Block& block) {
    block.side == 2 ? differentiate<2, Value>(block) : differentiate<1, Value>(block);
}

}  // namespace

extern "C" {
void forward_float32(const Block* block) { forward<float>(*block); }
void forward_bfloat16(const Block* block) { forward<BFloat16>(*block); }
void backward_float32(const Block* block) { backward<float>(*block); }
void backward_bfloat16(const Block* block) { backward<BFloat16>(*block); }
}
