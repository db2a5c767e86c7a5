"""Optimizers whose steps a CUDA graph can replay while learning rate and momentum change.

PyTorch's cannot: the fused kernels take beta1 and momentum as numbers, which a graph would freeze, `alpha=` and
`_foreach_lerp_` read a tensor on the host, and operations per parameter are hundreds of kernels per step. Here the
numbers that change from step to step are computed on the host, in double precision, and sent to the device before it.

Formulas, groups and states are those of PyTorch's optimizers, so that schedules and checkpoints fit both, and weights
differ by rounding only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import sqrt
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Muon, Optimizer

from ablate.workloads.resnet9.optimizers import MuonWithAdamW, make_optimizer, without_compiler
from ablate.workloads.resnet9.plan import TrainingPlan

Closure = Callable[[], float] | None


class Capturable(Optimizer):
    """An optimizer of one group of parameters. `step` reads its numbers from the device; `closure` is not supported.

    A state is loaded before the first step only.
    """

    numbers: Tensor | None = None

    def send(self) -> None:
        """Send the numbers of the next step to the device. Call this before the step or its replay."""
        raise NotImplementedError

    def states(self) -> list[Tensor]:
        """Return what a step changes besides the parameters."""
        return [value for state in self.state.values() for value in state.values()]

    def _send(self, *numbers: float) -> None:
        like = self.param_groups[0]["params"][0]
        values = torch.tensor(numbers, dtype=like.dtype, device="cpu")
        if self.numbers is None:
            self.numbers = torch.empty_like(values, device=like.device)
        self.numbers.copy_(values, non_blocking=True)

    def _received(self) -> tuple[Tensor, ...]:
        assert self.numbers is not None, "`send` comes before `step`"
        return self.numbers.unbind()

    def _state(self, name: str) -> list[Tensor]:
        """Return a state of all parameters. It is zero before the first step."""
        for parameter in self.param_groups[0]["params"]:
            if name not in self.state[parameter]:
                zeros = torch.zeros((), device=parameter.device) if name == "step" else torch.zeros_like(parameter)
                self.state[parameter][name] = zeros
        return [self.state[parameter][name] for parameter in self.param_groups[0]["params"]]

    def _gradients(self, *, decay: float) -> list[Tensor]:
        """Return the gradients, with the L2 term of weight decay."""
        parameters = self.param_groups[0]["params"]
        gradients = [parameter.grad for parameter in parameters]
        return list(torch._foreach_add(gradients, parameters, alpha=decay)) if decay else gradients


class CapturableSGD(Capturable, SGD):
    """Stochastic gradient descent with momentum, Nesterov's if the group says so."""

    def send(self) -> None:
        """Send momentum and learning rate."""
        (group,) = self.param_groups
        self._state("momentum_buffer")
        self._send(group["momentum"], -group["lr"])

    def step(self, closure: Closure = None) -> None:  # type: ignore[override]  # without a closure
        """Update the parameters from their gradients."""
        assert closure is None
        (group,) = self.param_groups
        momentum, minus_lr = self._received()
        gradients, buffers = self._gradients(decay=group["weight_decay"]), self._state("momentum_buffer")
        torch._foreach_mul_(buffers, momentum)
        torch._foreach_add_(buffers, gradients)
        updates = torch._foreach_mul(buffers, momentum if group["nesterov"] else minus_lr)
        if group["nesterov"]:
            torch._foreach_add_(updates, gradients)
            torch._foreach_mul_(updates, minus_lr)
        torch._foreach_add_(group["params"], updates)


class CapturableAdam(Capturable, Adam):
    """Adam. The formulas are in the order of PyTorch's `_multi_tensor_adam`."""

    steps: int | None = None

    def send(self) -> None:
        """Send beta1, the corrections for the bias of the moments, the step size and the decoupled weight decay."""
        (group,) = self.param_groups
        if self.steps is None:
            self.steps = int(self.state[group["params"][0]].get("step", 0))
        self.steps += 1
        for name in ("exp_avg", "exp_avg_sq", "step"):
            self._state(name)
        beta1, beta2 = group["betas"]
        size = group["lr"] / (1 - beta1**self.steps)
        self._send(beta1, 1 - beta1, sqrt(1 - beta2**self.steps), -size, 1 - group["lr"] * group["weight_decay"])

    def step(self, closure: Closure = None) -> None:  # type: ignore[override]  # without a closure
        """Update the parameters from their gradients."""
        assert closure is None
        (group,) = self.param_groups
        beta1, rest, correction, minus_size, shrinking = self._received()
        beta2, decay, is_decoupled = group["betas"][1], group["weight_decay"], group["decoupled_weight_decay"]
        first, second = self._state("exp_avg"), self._state("exp_avg_sq")
        gradients = self._gradients(decay=0 if is_decoupled else decay)
        if decay and is_decoupled:
            torch._foreach_mul_(group["params"], shrinking)
        torch._foreach_add_(self._state("step"), 1)
        torch._foreach_mul_(first, beta1)
        torch._foreach_add_(first, torch._foreach_mul(gradients, rest))
        torch._foreach_mul_(second, beta2)
        torch._foreach_addcmul_(second, gradients, gradients, 1 - beta2)
        divisors = torch._foreach_sqrt(second)
        torch._foreach_div_(divisors, correction)
        torch._foreach_add_(divisors, group["eps"])
        torch._foreach_div_(divisors, minus_size)
        torch._foreach_addcdiv_(group["params"], first, divisors)


class CapturableAdamW(CapturableAdam, AdamW):
    """Adam with decoupled weight decay."""


class CapturableMuon(Capturable, Muon):
    """Muon. PyTorch's computes the updates, for a learning rate of one, of matrices that are zero."""

    def __init__(self, matrices: Iterable[nn.Parameter], lr: float, **values: Any) -> None:
        super().__init__(matrices, lr, **values)
        self.updates: list[Tensor] = [nn.Parameter(torch.zeros_like(one)) for one in self.param_groups[0]["params"]]
        self.muon = without_compiler(Muon)(self.updates, 1.0, **(values | {"weight_decay": 0.0}))

    def send(self) -> None:
        """Send momentum, learning rate and the decoupled weight decay."""
        (group,) = self.param_groups
        for update, buffer in zip(self.updates, self._state("momentum_buffer"), strict=True):
            self.muon.state[update]["momentum_buffer"] = buffer
        self._send(group["betas"][0], group["lr"], 1 - group["lr"] * group["weight_decay"])

    def step(self, closure: Closure = None) -> None:  # type: ignore[override]  # without a closure
        """Update the parameters from their gradients."""
        assert closure is None
        parameters = self.param_groups[0]["params"]
        self.muon.param_groups[0]["momentum"], lr, shrinking = self._received()
        torch._foreach_zero_(self.updates)
        for update, parameter in zip(self.updates, parameters, strict=True):
            update.grad = parameter.grad
        self.muon.step()  # type: ignore[no-untyped-call]  # torch left it untyped
        torch._foreach_mul_(parameters, shrinking)
        torch._foreach_add_(parameters, list(torch._foreach_mul(self.updates, lr)))


class CapturableMuonWithAdamW(Capturable, MuonWithAdamW):
    """Muon for four-dimensional parameters, and AdamW for the others."""

    kinds = (CapturableMuon, CapturableAdamW)

    def send(self) -> None:
        """Send the numbers of both optimizers."""
        for part in self.parts.values():
            assert isinstance(part, Capturable)
            part.send()

    def states(self) -> list[Tensor]:
        """Return the states of both optimizers."""
        return [value for part in self.parts.values() for state in part.state.values() for value in state.values()]


KINDS: Mapping[str, type[Capturable]] = {
    "sgd": CapturableSGD,
    "nesterov": CapturableSGD,
    "adam": CapturableAdam,
    "adamw": CapturableAdamW,
    "muon": CapturableMuonWithAdamW,
}
"""The classes of the optimizers by name."""


def make_capturable(parameters: Iterable[nn.Parameter], plan: TrainingPlan) -> Capturable:
    """Return the plan's optimizer."""
    made = make_optimizer(parameters, plan, KINDS)
    assert isinstance(made, Capturable)
    return made
