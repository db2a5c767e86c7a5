"""Weights files: ours and the notebook's are restored, all others are refused with a one-line error."""

from __future__ import annotations

import contextlib
import io
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from ablate.data import Dataset, Split
from ablate.errors import UserError
from ablate.workloads.resnet9.model import build
from ablate.workloads.resnet9.weights import classify, load_classifier, save_weights
from tests.samples import notebook
from tests.samples.training import bare_net

NET = bare_net(width=3, classes=4, image_size=16, batch_norm=True, residual=True, dropout=0.2)
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)

pytestmark = pytest.mark.usefixtures("one_thread", "global_seed")


def dataset(classes: tuple[str, ...] = ("a", "b", "c", "d")) -> Dataset:
    nothing = Split(np.zeros((0, 3, 16, 16), np.uint8), np.zeros(0, np.int64))
    return Dataset("few", classes, nothing, nothing, MEAN, STD, "0" * 12, "nowhere", "none", Path())


def some_images(size: int, count: int = 5) -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (count, 3, size, size), dtype=np.uint8))


@pytest.mark.parametrize(
    "net",
    [
        NET,
        bare_net(width=2, classes=4, image_size=16),
        bare_net(width=2, classes=4, image_size=32, residual=True),
        bare_net(width=2, classes=4, image_size=32, batch_norm=True, dropout=0.5),
        bare_net(width=4, classes=4, image_size=16, group_size=2, activation="gelu"),
        bare_net(width=2, classes=4, image_size=16, batch_norm=True, residual=True, activation="silu"),
    ],
)
def test_weights_are_restored(net, tmp_path):
    network = build(net, seed=3)
    save_weights(tmp_path / "deep" / "weights.pth", network, dataset(), net)
    classifier = load_classifier(tmp_path / "deep" / "weights.pth")
    assert classifier.classes == ("a", "b", "c", "d")
    assert classifier.is_described
    assert (classifier.mean, classifier.std, classifier.image_size) == (MEAN, STD, net.image_size)
    for name, value in network.state_dict().items():
        assert torch.equal(value, classifier.network.state_dict()[name]), name
    pixels = np.stack(some_images(net.image_size)).astype(np.float32)
    normal = (pixels / 255 - np.reshape(MEAN, (3, 1, 1))) / np.reshape(STD, (3, 1, 1))
    with torch.no_grad():
        expected = network.eval()(torch.from_numpy(normal).float()).softmax(1)
    found = classify(classifier, some_images(net.image_size))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.sum(1), 1, rtol=1e-5)


def test_files_of_earlier_versions_have_a_relu(tmp_path):
    path = tmp_path / "weights.pth"
    save_weights(path, build(NET, seed=3), dataset(), NET)
    description = path.with_suffix(".json")
    facts = json.loads(description.read_text())
    del facts["net"]["activation"], facts["net"]["group_size"]
    description.write_text(json.dumps(facts))
    before = classify(load_classifier(path), some_images(16))
    facts["net"] |= {"activation": "relu", "group_size": 0}
    description.write_text(json.dumps(facts))
    np.testing.assert_array_equal(classify(load_classifier(path), some_images(16)), before)
    facts["net"]["activation"] = "gelu"
    description.write_text(json.dumps(facts))
    assert not np.array_equal(classify(load_classifier(path), some_images(16)), before)
    facts["net"]["activation"] = "mish"
    description.write_text(json.dumps(facts))
    assert "does not describe weights" in refused(path)
    description.write_text("[" * 100_000)
    assert "does not describe weights" in refused(path)


def test_weights_with_group_normalisation_need_their_description(tmp_path):
    path = tmp_path / "weights.pth"
    net = bare_net(width=4, classes=10, group_size=2, residual=True)
    save_weights(path, build(net, seed=3), dataset(), net)
    path.with_suffix(".json").unlink()
    assert "has group normalisation: keep its .json file" in refused(path)


def test_saved_weights_are_a_bare_state_dict_that_the_notebooks_class_loads(tmp_path):
    net = bare_net(width=64, classes=10, batch_norm=True, residual=True, dropout=0.2)
    save_weights(tmp_path / "weights.pth", build(net, seed=0), dataset(), net)
    state = torch.load(tmp_path / "weights.pth", weights_only=True)
    assert all(value.is_contiguous() and value.device.type == "cpu" for value in state.values())
    notebook.ResNet9().load_state_dict(state, strict=True)


@pytest.mark.parametrize("width", [8, 64])
@pytest.mark.parametrize("legacy", [False, True])
def test_the_notebooks_own_file_classifies_as_in_the_notebook(width, legacy, tmp_path):
    network = notebook.ResNet9(width=width).eval()
    path = tmp_path / "cifar-10-resnet9.pth"
    torch.save(network.state_dict(), path, _use_new_zipfile_serialization=not legacy)
    classifier = load_classifier(path)
    assert classifier.classes[:3] == ("airplane", "automobile", "bird")
    assert len(classifier.classes) == 10
    assert not classifier.is_described
    images = some_images(32)
    mean, std = torch.tensor([0.4914, 0.4822, 0.4465]), torch.tensor([0.2023, 0.1994, 0.2010])
    batch = torch.from_numpy(np.stack(images)).float() / 255
    with torch.no_grad():
        expected = network((batch - mean.view(3, 1, 1)) / std.view(3, 1, 1)).softmax(1)
    np.testing.assert_allclose(classify(classifier, images), expected, rtol=1e-3, atol=1e-5)


class Code:
    def __reduce__(self):
        return Path.touch, (Path("executed"),)


def refused(path: Path) -> str:
    """Return the error with which a file is refused."""
    with pytest.raises(UserError) as caught:
        load_classifier(path)
    message = str(caught.value)
    assert "\n" not in message
    assert path.stem in message
    return message


def test_a_file_that_contains_code_is_refused_and_not_executed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Code()))
    torch.save({"conv1.0.weight": Code()}, tmp_path / "zipped.pth")
    for name in ("plain.pth", "zipped.pth"):
        assert "refused" in refused(tmp_path / name)
    assert not (tmp_path / "executed").exists()


def test_a_whole_model_is_refused(tmp_path):
    torch.save(nn.Linear(2, 2), tmp_path / "model.pth")
    refused(tmp_path / "model.pth")


@pytest.mark.parametrize("content", [[1, 2], {"a": 1}, torch.zeros(3), {"epoch": 3, "model": {}}], ids=str)
def test_objects_other_than_state_dicts_are_refused(content, tmp_path):
    torch.save(content, tmp_path / "other.pth")
    assert "state dict" in refused(tmp_path / "other.pth")


@pytest.mark.parametrize(
    "change",
    [
        lambda state: nn.Linear(2, 2).state_dict(),
        lambda state: {},
        lambda state: {name: value for name, value in state.items() if name != "res1.0.0.bias"},
        lambda state: {**state, "extra.weight": torch.zeros(2)},
        lambda state: {**state, "conv4.0.weight": torch.zeros(2, 2, 3, 3)},
        lambda state: {**state, "conv1.0.weight": torch.zeros(())},
        lambda state: {**state, "classifier.3.weight": torch.zeros(())},
        lambda state: {**state, "conv1.0.weight": torch.zeros(0, 3, 3, 3)},
        lambda state: {**state, "conv1.0.weight": torch.zeros(10**7, 1, 1, 1)},
        lambda state: {**state, "module.extra": torch.zeros(2)},
    ],
    ids=["linear", "empty", "missing", "extra", "shape", "scalar", "no-class", "no-width", "huge", "one-prefix"],
)
def test_another_networks_weights_are_refused(change, tmp_path):
    torch.save(change(notebook.ResNet9(width=2).state_dict()), tmp_path / "other.pth")
    refused(tmp_path / "other.pth")


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod.", "model.", "backbone.net."])
@pytest.mark.parametrize("within", ["", "state_dict", "model_state_dict", "model"])
def test_checkpoints_of_wrapped_models_are_read(prefix, within, tmp_path):
    state = notebook.ResNet9(width=2).state_dict()
    content = {f"{prefix}{name}": value for name, value in state.items()}
    torch.save({"epoch": 3, within: content, "loss": 0.5} if within else content, tmp_path / "wrapped.pth")
    found = load_classifier(tmp_path / "wrapped.pth").network.state_dict()
    assert all(torch.equal(value, found[name]) for name, value in state.items())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_diverged_are_named(value, tmp_path):
    state = notebook.ResNet9(width=2).state_dict()
    state["conv2.0.bias"][0] = value
    torch.save(state, tmp_path / "diverged.pth")
    assert "NaN or infinite (in conv2.0.bias)" in refused(tmp_path / "diverged.pth")


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    assert "not found" in refused(tmp_path / "missing.pth")
    (tmp_path / "folder.pth").mkdir()
    refused(tmp_path / "folder.pth")


def weights_file(legacy: bool = False) -> bytes:
    file = io.BytesIO()
    state = notebook.ResNet9(width=2).state_dict()
    torch.save(state, file, _use_new_zipfile_serialization=not legacy)
    return file.getvalue()


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(share, legacy, tmp_path):
    content = weights_file(legacy)
    (tmp_path / "cut.pth").write_bytes(content[: int(share * len(content))])
    refused(tmp_path / "cut.pth")


fuzz = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@fuzz
@given(st.binary(max_size=300))
def test_random_bytes_are_refused(tmp_path, content):
    (tmp_path / "random.pth").write_bytes(content)
    refused(tmp_path / "random.pth")


@fuzz
@given(st.binary(max_size=60), st.sampled_from([b"\x80\x02", b"\x80\x04", b"(", b"]", b"}"]))
def test_random_pickles_are_refused(tmp_path, content, start):
    (tmp_path / "random.pth").write_bytes(start + content + b".")
    refused(tmp_path / "random.pth")


@fuzz
@given(st.floats(0, 0.02), st.binary(min_size=1, max_size=8))
def test_a_damaged_head_is_refused_or_read(tmp_path, where, noise):
    content = bytearray(weights_file(legacy=True))
    place = int(where * len(content))
    content[place : place + len(noise)] = noise
    (tmp_path / "damaged.pth").write_bytes(content)
    with contextlib.suppress(UserError):
        load_classifier(tmp_path / "damaged.pth")


@pytest.mark.parametrize("text", ["", "[]", "{}", "\ufffd", "3"])
def test_an_invalid_description_is_refused(text, tmp_path):
    save_weights(tmp_path / "weights.pth", build(NET, seed=0), dataset(), NET)
    (tmp_path / "weights.json").write_text(text, encoding="utf-8")
    refused(tmp_path / "weights.pth")


@pytest.mark.parametrize(
    "change",
    [
        {"classes": 4},
        {"classes": ["a"]},
        {"mean": [0.5]},
        {"std": "wide"},
        {"net": 3},
        {"net": {"residual": True}},
        {"net": {"residual": True, "image_size": "x", "dropout": 0}},
    ],
    ids=str,
)
def test_an_incomplete_description_is_refused(change, tmp_path):
    save_weights(tmp_path / "weights.pth", build(NET, seed=0), dataset(), NET)
    facts = json.loads((tmp_path / "weights.json").read_text())
    (tmp_path / "weights.json").write_text(json.dumps(facts | change))
    refused(tmp_path / "weights.pth")


def test_the_description_contains_what_the_weights_do_not(tmp_path):
    save_weights(tmp_path / "weights.pth", build(NET, seed=0), dataset(), NET)
    facts = json.loads((tmp_path / "weights.json").read_text())
    assert facts["classes"] == ["a", "b", "c", "d"]
    assert facts["net"]["residual"] is True
    assert facts["net"]["image_size"] == 16


def test_no_dropout_and_fixed_statistics_when_classifying(tmp_path):
    save_weights(tmp_path / "weights.pth", build(NET, seed=0), dataset(), NET)
    classifier = load_classifier(tmp_path / "weights.pth")
    images = some_images(16)
    together = classify(classifier, images)
    alone = np.concatenate([classify(classifier, [image]) for image in images])
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-6)
