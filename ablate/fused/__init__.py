"""Blocks of the network on the CPU: norm, pool and ReLU in two passes over memory each way instead of three to five.

`norm_pool_relu.cpp` computes, `library` compiles it once for this processor, `function` joins it to PyTorch.
"""

from ablate.fused.function import can_fuse, conv_norm_relu
from ablate.fused.library import compiler, library

__all__ = ["can_fuse", "compiler", "conv_norm_relu", "library"]
