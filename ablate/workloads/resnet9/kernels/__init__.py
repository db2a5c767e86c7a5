"""Compiled CPU kernels: Winograd convolution, and batch norm, pooling and ReLU in one pass.

`compile` compiles the C++ sources for this processor, `convolution` and `norm_pool_relu` wrap them for PyTorch.
"""

from ablate.workloads.resnet9.kernels.compile import compiler, library
from ablate.workloads.resnet9.kernels.convolution import convolve
from ablate.workloads.resnet9.kernels.norm_pool_relu import can_fuse, conv_norm_relu

__all__ = ["can_fuse", "compiler", "conv_norm_relu", "convolve", "library"]
