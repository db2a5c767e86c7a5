"""Compiled CPU kernels (convolution; batch norm, pooling and ReLU in one pass) and Triton kernels for GPUs.

`compile` compiles the C++ sources for this processor, `convolution` and `norm_pool_relu` wrap them for PyTorch;
`gpu_block` wraps `triton_kernels`.
"""
