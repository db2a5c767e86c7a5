"""Blocks of the network on the CPU: convolutions in a quarter of the multiplications, and norm, pool and ReLU at once.

`convolution.h` and `norm_pool_relu.cpp` compute, `library` compiles them once for this processor, `convolution` and
`function` join them to PyTorch.
"""

from ablate.workloads.resnet9.kernels.compile import compiler, library
from ablate.workloads.resnet9.kernels.convolution import convolve
from ablate.workloads.resnet9.kernels.norm_pool_relu import can_fuse, conv_norm_relu

__all__ = ["can_fuse", "compiler", "conv_norm_relu", "convolve", "library"]
