"""The built-in workload: a ResNet9 for image classification. All PyTorch code is here.

`factors` declares the components, `plan` collects what they add, `training` is the loop, `model`, `augment` and `optim`
are its parts, `run` makes one run from start to end, `kernels/` holds the compiled CPU kernels.
"""
