"""Conditions on a GPU, without one: precision, kernels, captured gradients, and the name of the device."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from ablate.errors import UsageError
from ablate.studies.conditions import Conditions, RequestedConditions
from ablate.studies.job import Data, Job
from ablate.workloads.dispatch import device_name
from ablate.workloads.resnet9 import devices, run
from ablate.workloads.resnet9.devices import kernel_error, resolve_conditions
from ablate.workloads.resnet9.gradients import CapturedGradients, EagerGradients
from tests.samples.processes import output_of
from tests.samples.training import plan_of, recipe_of, tiny_images


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CUDA device that multiplies in bfloat16, and Triton."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *, including_emulation: not including_emulation)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")
    monkeypatch.setattr(devices, "find_spec", lambda name: name == "triton" or None)


def without_triton(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "find_spec", lambda name: None)


@pytest.mark.usefixtures("gpu")
def test_a_gpu_is_the_default_with_bfloat16_and_its_kernels() -> None:
    assert resolve_conditions(RequestedConditions(threads=2)) == Conditions("cuda", "bf16", 2, fused=True)
    assert not resolve_conditions(RequestedConditions(fused=False)).fused
    assert resolve_conditions(RequestedConditions(precision="fp32")).precision == "fp32"
    assert resolve_conditions(RequestedConditions("cpu")).device == "cpu"


@pytest.mark.usefixtures("gpu")
def test_compiled_trainings_do_not_use_the_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "compiler", lambda: "c++")
    made = resolve_conditions(RequestedConditions("cuda", compiled=True))
    assert (made.compiled, made.fused) == (True, False)
    with pytest.raises(UsageError, match="--fused and --compile exclude each other"):
        resolve_conditions(RequestedConditions("cuda", compiled=True, fused=True))


@pytest.mark.usefixtures("gpu")
def test_without_triton_there_are_no_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    assert kernel_error("cuda") is None
    without_triton(monkeypatch)
    assert kernel_error("cuda") == "Triton is not installed"
    assert not resolve_conditions(RequestedConditions("cuda")).fused
    with pytest.raises(UsageError, match=r"Triton is not installed\. Omit --fused"):
        resolve_conditions(RequestedConditions("cuda", fused=True))


def test_other_devices_have_no_kernels() -> None:
    assert kernel_error("mps") == "No kernels exist for the device 'mps'"
    with pytest.raises(UsageError, match="Device 'cuda:1' is not available"):
        resolve_conditions(RequestedConditions("cuda:1"))


def job(device: str) -> Job:
    return Job(recipe_of(), Data("data", "fingerprint"), Conditions(device, "fp32", 1))


@pytest.mark.usefixtures("gpu")
def test_runs_on_a_gpu_have_its_name() -> None:
    assert device_name(job("cuda")) == "a GPU"
    assert device_name(job("cpu")) is None
    assert device_name(job("mps")) is None


def test_gradients_are_captured_on_a_gpu_only() -> None:
    kinds = {device: type(run.start(plan_of(), tiny_images(), job(device)).gradients) for device in ("cuda", "cpu")}
    assert kinds == {"cuda": CapturedGradients, "cpu": EagerGradients}


@pytest.mark.parametrize("driver", ["nvidia0", "nvidiactl", "nvmap", "kfd", "dxg"])
def test_the_driver_of_a_gpu_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, driver: str) -> None:
    monkeypatch.setattr(devices, "_DEVICES", tmp_path)
    monkeypatch.setattr(devices, "sys", SimpleNamespace(platform="linux", modules={}))
    (tmp_path / "null").touch()
    assert not devices.may_have_gpu()
    assert devices.available_devices() == ("cpu",)
    (tmp_path / driver).touch()
    assert devices.may_have_gpu()
    monkeypatch.setattr(devices, "sys", SimpleNamespace(platform="darwin", modules={}))
    (tmp_path / driver).unlink()
    assert devices.may_have_gpu(), "torch knows of Apple's GPUs"


def test_conditions_and_data_need_no_torch_without_a_gpu(tmp_path: Path) -> None:
    """A finished study is reported in a second instead of two."""
    program = f"""
        import sys
        from pathlib import Path
        from ablate import Recipe, find_workload
        from ablate.data import ImageSource
        from ablate.studies.conditions import RequestedConditions
        from ablate.workloads.dispatch import open_data, resolve_conditions
        from ablate.workloads.resnet9 import devices

        devices._DEVICES = Path({str(tmp_path)!r})
        workload = find_workload("resnet9")
        recipe = Recipe.of(workload, workload.factors, workload.preset("demo").settings)
        data, conditions = open_data(recipe, ImageSource("digits")), resolve_conditions(workload, RequestedConditions())
        print(data.name, conditions.device, "torch" in sys.modules)
    """
    assert output_of(program, fresh=True).split() == ["digits", "cpu", "False"]
