"""Weights on disk, and what they say of an image.

A weights file is a bare state dict, as the notebook saves it. Beside it lies a `.json` of the same name with what the
weights do not tell: classes, normalisation, image size, switches. Without that, the notebook's own are taken.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ablate.data import Dataset
from ablate.data.normalisation import CIFAR10, PUBLISHED
from ablate.errors import UserError
from ablate.workloads.resnet9.model import ResNet9, net_of
from ablate.workloads.resnet9.plan import Net

WEIGHTS = "weights/resnet9.pth"
"""The name of the weights among a run's artifacts."""


@dataclass(frozen=True)
class Classifier:
    """A trained network with what it needs to read an image."""

    network: ResNet9
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    image_size: int


def save_weights(path: Path, network: ResNet9, dataset: Dataset, net: Net) -> None:
    """Write the state dict, fp32 on the CPU, and the facts beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({name: value.cpu().contiguous() for name, value in network.state_dict().items()}, path)
    facts = {"classes": dataset.classes, "mean": dataset.mean, "std": dataset.std, "net": asdict(net)}
    path.with_suffix(".json").write_text(json.dumps(facts, indent=2) + "\n")


def load_classifier(path: Path) -> Classifier:
    """Read a weights file; nothing in it is executed.

    Raises UserError for a file that is not a ResNet9's state dict.
    """
    with warnings.catch_warnings(action="ignore"):  # what a wrong file makes PyTorch say; it is refused below
        state = _state_dict(path)
        facts = _facts(path.with_suffix(".json"))
        try:
            net = net_of(state, **facts["net"])
            with torch.device("meta"):
                network = ResNet9(net)
            network.to_empty(device="cpu").load_state_dict(state)
        except (KeyError, RuntimeError, IndexError):
            raise UserError(f"{path} holds no ResNet9: its weights have other names or shapes") from None
    if net.classes != len(facts["classes"]):
        raise UserError(f"{path} tells {net.classes} classes apart, but {len(facts['classes'])} are named beside it")
    return Classifier(network.eval(), facts["classes"], facts["mean"], facts["std"], net.image_size)


def _state_dict(path: Path) -> dict[str, Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"there is no file {path}") from None
    except Exception:  # a damaged file makes the unpickler raise anything
        raise UserError(f"{path} is not a file of PyTorch weights, or one that holds code: refused") from None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"{path} is not a state dict: save `model.state_dict()`, not the model")
    return state


def _facts(path: Path) -> dict[str, Any]:
    """Return classes, normalisation and switches, from the description or those of the notebook."""
    if not path.exists():
        switches = {"image_size": 32, "residual": True, "dropout": 0.0}
        _, (mean, std) = PUBLISHED[CIFAR10]
        return {"classes": CIFAR10, "mean": mean, "std": std, "net": switches}
    try:
        facts = json.loads(path.read_text())
        kinds = {"image_size": int, "residual": bool, "dropout": float}
        mean, std = (tuple(float(value) for value in facts[name]) for name in ("mean", "std"))
        if len(mean) != 3 or len(std) != 3:
            raise ValueError("one value a channel")
        return {
            "classes": tuple(str(name) for name in facts["classes"]),
            "mean": mean,
            "std": std,
            "net": {name: kind(facts["net"][name]) for name, kind in kinds.items()},
        }
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path} does not describe weights: delete it to take the notebook's classes") from None


@torch.no_grad()
def classify(classifier: Classifier, images: Sequence[np.ndarray]) -> np.ndarray:
    """Return the probabilities of the classes, one row an image (uint8, 3 x size x size)."""
    mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (classifier.mean, classifier.std))
    batch = (torch.from_numpy(np.stack(images)).float() / 255 - mean) / std
    probabilities: np.ndarray = classifier.network(batch).softmax(1).numpy()
    return probabilities
