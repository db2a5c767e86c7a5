"""Weights files, and classification of images with them.

A weights file is a state dict, as the notebook saves it; names with the prefixes of wrapped models and checkpoints that
contain a state dict are read, too. A `.json` file of the same name describes what the state dict does not contain:
classes, normalisation, image size and components without weights. If it is missing, those of the notebook are used.
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
from ablate.wording import listed
from ablate.workloads.resnet9.model import ACTIVATIONS, ResNet9, net_of
from ablate.workloads.resnet9.plan import Net

WEIGHTS = "weights/resnet9.pth"
"""The artifact path of a run's weights."""

_WITHIN = ("state_dict", "model_state_dict", "model")
"""Names of the state dict within a checkpoint."""

_NET = {"image_size": int, "residual": bool, "dropout": float, "activation": str, "group_size": int}
"""The fields of the network that a state dict does not contain, with their types."""

_LATER = {"activation": "relu", "group_size": 0}
"""Those that the `.json` files of earlier versions do not contain, with the value that they imply."""

_FIRST = "conv1.0.weight"
"""The first name in the state dict of every network."""


@dataclass(frozen=True)
class Classifier:
    """A trained network, its classes and the preprocessing of its images."""

    network: ResNet9
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    image_size: int
    is_described: bool = True
    """Whether the weights have a `.json` file; without it, classes and preprocessing are those of the notebook."""


def save_weights(path: Path, network: ResNet9, dataset: Dataset, net: Net) -> None:
    """Write the state dict, in fp32 on the CPU, and the file that describes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({name: value.cpu().contiguous() for name, value in network.state_dict().items()}, path)
    facts = {"classes": dataset.classes, "mean": dataset.mean, "std": dataset.std, "net": asdict(net)}
    path.with_suffix(".json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def load_classifier(path: Path) -> Classifier:
    """Read a weights file. Code in the file is not executed.

    Raises UserError if the file is not the state dict of a ResNet9.
    """
    with warnings.catch_warnings(action="ignore"):  # PyTorch's warnings about a wrong file, which is refused below
        state = _state_dict(path)
        facts = _facts(path.with_suffix(".json"))
        try:
            net = net_of(state, **facts["net"])
            if "conv1.1.weight" in state and not (net.batch_norm or net.group_size):
                raise UserError(
                    f"{path} has group normalisation: keep its .json file, which has the size of the groups"
                )
            with torch.device("meta"):
                network = ResNet9(net)
            network.to_empty(device="cpu").load_state_dict(state)
        except (KeyError, RuntimeError, IndexError):
            raise UserError(f"{path} is not a ResNet9: its weights have other names or shapes") from None
    if bad := [name for name, value in state.items() if not value.isfinite().all()]:
        raise UserError(f"{path} has values that are NaN or infinite (in {listed(bad, 3)}): its training diverged")
    if net.classes != len(facts["classes"]):
        raise UserError(f"{path} has {net.classes} classes, but its .json file names {len(facts['classes'])}")
    is_described = path.with_suffix(".json").exists()
    return Classifier(network.eval(), facts["classes"], facts["mean"], facts["std"], net.image_size, is_described)


def _state_dict(path: Path) -> dict[str, Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"File {path} not found") from None
    except Exception:  # the unpickler raises exceptions of any type on a damaged file
        raise UserError(f"{path} was refused: it is not a file of PyTorch weights, or it contains code") from None
    if isinstance(state, dict):
        state = next((state[name] for name in _WITHIN if isinstance(state.get(name), dict)), state)
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()) or not state:
        raise UserError(f"{path} contains no state dict: save `model.state_dict()`, not the model")
    return _without_prefixes(state)


def _without_prefixes(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a state dict without the prefix of a wrapped model, such as those of DataParallel and torch.compile."""
    prefix = next((name.removesuffix(_FIRST) for name in state if name.endswith(f".{_FIRST}")), "")
    if not all(name.startswith(prefix) for name in state):
        return state
    return {name.removeprefix(prefix): value for name, value in state.items()}


def _facts(path: Path) -> dict[str, Any]:
    """Return classes, normalisation and architecture, from the `.json` file or those of the notebook."""
    if not path.exists():
        notebook = {"image_size": 32, "residual": True, "dropout": 0.0}
        _, (mean, std) = PUBLISHED[CIFAR10]
        return {"classes": CIFAR10, "mean": mean, "std": std, "net": notebook}
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        net: dict[str, Any] = {name: kind((_LATER | facts["net"])[name]) for name, kind in _NET.items()}
        mean, std = (tuple(float(value) for value in facts[name]) for name in ("mean", "std"))
        if len(mean) != 3 or len(std) != 3:
            raise ValueError("one value per channel")
        if net["activation"] not in ACTIVATIONS:
            raise ValueError("an unknown activation")
        return {
            "classes": tuple(str(name) for name in facts["classes"]),
            "mean": mean,
            "std": std,
            "net": net,
        }
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        raise UserError(f"{path} does not describe weights: delete it to use the classes of the notebook") from None


@torch.no_grad()
def classify(classifier: Classifier, images: Sequence[np.ndarray]) -> np.ndarray:
    """Return class probabilities, one row per image (uint8, 3 x size x size)."""
    mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (classifier.mean, classifier.std))
    batch = (torch.from_numpy(np.stack(images)).float() / 255 - mean) / std
    probabilities: np.ndarray = classifier.network(batch).softmax(1).numpy()
    return probabilities
