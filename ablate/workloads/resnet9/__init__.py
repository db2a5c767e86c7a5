"""The built-in workload: a ResNet9 for image classification. All PyTorch code is in this folder.

`workload` declares settings and presets, `factors` the components that can be switched off. A recipe becomes a training
plan (`plan`), which `training` executes with its parts `model`, `augment` and `optim`. `run` executes one run from data
to artifacts. `kernels/` contains the compiled CPU kernels.
"""
