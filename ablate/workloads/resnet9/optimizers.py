"""Optimizers: those of PyTorch, and Muon for convolutional networks."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Muon, Optimizer

from ablate.workloads.resnet9.plan import TrainingPlan

OptimizerType = TypeVar("OptimizerType", bound=Optimizer)

MUON_MOMENTUM = 0.95
"""The momentum of Muon, unless the schedule changes it."""


def without_compiler(optimizer: type[OptimizerType]) -> type[OptimizerType]:
    """Return a subclass of a PyTorch optimizer that computes the same without importing torch.compile.

    The methods of PyTorch's optimizers are wrapped to exclude them from compilation. Their first call imports the
    compiler, which takes three seconds and 150 MB per process, although nothing here compiles an optimizer.
    """
    names = ("add_param_group", "state_dict", "load_state_dict", "step")
    methods = {name: inspect.unwrap(getattr(optimizer, name)) for name in names}
    return type(optimizer.__name__, (optimizer,), methods | {"step": torch.no_grad()(methods["step"])})


class MuonWithAdamW(Optimizer):
    """PyTorch's Muon (Jordan et al., 2024) for four-dimensional parameters, and AdamW for the others.

    Muon orthogonalises the momentum of a matrix. As its authors advise for convolutional networks, it updates the
    filters, each layer's as one matrix of outputs x (inputs * height * width), and AdamW updates norms, biases and the
    classifier. Updates of Muon are scaled to the size of AdamW's, so that both use the same learning rate and the same
    decoupled weight decay (Liu et al., 2025).

    PyTorch's Muon takes matrices only. Its parameters are matrices that share the memory of the filters. `betas[0]` of
    its group is the momentum, so that a schedule of beta1 changes both.
    """

    kinds: ClassVar[tuple[type[Muon], type[AdamW]]] = (Muon, AdamW)

    def __init__(self, parameters: Sequence[nn.Parameter], lr: float, weight_decay: float) -> None:
        self.filters = [parameter for parameter in parameters if parameter.ndim == 4]
        others = [parameter for parameter in parameters if parameter.ndim != 4]
        self.matrices = [nn.Parameter(_matrix(one.detach(), like=one)) for one in self.filters]
        self.parts: dict[str, Optimizer] = {}
        muon, adamw = self.kinds
        if self.matrices:
            self.parts["muon"] = without_compiler(muon)(
                self.matrices, lr, weight_decay=weight_decay, momentum=MUON_MOMENTUM, adjust_lr_fn="match_rms_adamw"
            )
            self.parts["muon"].param_groups[0]["betas"] = (MUON_MOMENTUM,)
        if others:
            self.parts["adamw"] = without_compiler(adamw)(others, lr, weight_decay=weight_decay, fused=True)
        super().__init__(self._groups(), {"lr": lr, "betas": (0.9, 0.999)})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]  # without a closure
        """Update all parameters from their gradients. `closure` is not supported."""
        assert closure is None
        for matrix, parameter in zip(self.matrices, self.filters, strict=True):
            matrix.grad = None if parameter.grad is None else _matrix(parameter.grad, like=parameter)
        for name, part in self.parts.items():
            if name == "muon":
                part.param_groups[0]["momentum"] = part.param_groups[0]["betas"][0]
            part.step()

    def state_dict(self) -> dict[str, Any]:
        """Return the states of both optimizers."""
        return {name: part.state_dict() for name, part in self.parts.items()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the states of both optimizers."""
        for name, part in self.parts.items():
            part.load_state_dict(state_dict[name])
        self.param_groups = self._groups()

    def _groups(self) -> list[dict[str, Any]]:
        """Return the groups of both optimizers, the same objects: a schedule changes them here."""
        return [group for part in self.parts.values() for group in part.param_groups]


def _matrix(values: Tensor, *, like: Tensor) -> Tensor:
    """Return filters or their gradients as a matrix with the columns in the order of the memory of `like`.

    Of `like` itself it is a view. Muon's update of permuted columns is the permuted update.
    """
    if not like.is_contiguous():
        values = values.permute(0, 2, 3, 1)  # channels-last
    return values.flatten(1)


KINDS: Mapping[str, type[Any]] = {
    "sgd": SGD,
    "nesterov": SGD,
    "adam": Adam,
    "adamw": AdamW,
    "muon": MuonWithAdamW,
}
"""The classes of the optimizers by name."""


def make_optimizer(
    parameters: Iterable[nn.Parameter], plan: TrainingPlan, kinds: Mapping[str, type[Any]] = KINDS
) -> Optimizer:
    """Return the plan's optimizer, in PyTorch's fused implementation: one pass over the weights per step.

    Muon has none. Weight decay is an L2 term of the gradient for Adam and SGD, and decoupled for AdamW and Muon.
    """
    values: dict[str, Any] = {}
    if plan.optimizer in ("sgd", "nesterov"):
        values |= {"momentum": 0.9, "nesterov": plan.optimizer == "nesterov"}
    if plan.optimizer != "muon":
        values["fused"] = True
    kind = without_compiler(kinds[plan.optimizer])
    made: Optimizer = kind(list(parameters), plan.lr, weight_decay=plan.weight_decay, **values)
    return made
