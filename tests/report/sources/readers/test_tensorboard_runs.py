"""TensorBoard logs that PyTorch, tensorboardX, TensorFlow and Keras wrote (tests/samples/event_files)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ablate.errors import UserError
from ablate.report.sources.existing_runs import TableOptions
from ablate.report.sources.readers.event_file import CorruptError, read_event_file, records
from ablate.report.sources.readers.run_table import Curve, RunTable
from ablate.report.sources.readers.tensorboard_runs import CORRUPT, EMPTY, as_text, read_tensorboard
from ablate.report.sources.seed_column import with_seeds
from tests import ROOT
from tests.samples.event_log import write_event_log

LOGS = ROOT / "tests" / "samples" / "event_files"
CLEANRL = "CartPole-v1__ppo__3__1700000000"


def cells(runs: RunTable, run: str) -> dict[str, str]:
    return {name: value for name, value in runs.table.loc[run].items() if value}  # type: ignore[misc]


def points(curve: Curve) -> list[tuple[float, str]]:
    return [(step, curve.at(step)) for step in curve.steps]


def test_pytorch_writes_a_run_into_several_folders() -> None:
    runs = read_tensorboard(LOGS / "torch")
    assert list(runs.table.index) == [CLEANRL, "everything"]
    params = {"params.seed": "1", "params.lr": "0.1", "params.opt": "sgd"}
    assert cells(runs, "everything") == {"status": "success", **params}
    curves = runs.histories["everything"]
    assert points(curves["val/acc"]) == [(0, "0.0"), (1, "0.1"), (2, "0.2"), (3, "0.3")]
    assert {name: points(curve) for name, curve in curves.items() if name != "val/acc"} == {
        "hparam/acc": [(0, "0.93")], "loss/parts/kl": [(3, "1.5")], "loss/parts/nll": [(3, "0.25")],
    }  # fmt: skip


def test_arguments_in_a_markdown_table_are_params() -> None:
    runs = read_tensorboard(LOGS / "torch")
    known = {"params.exp_name": "ppo", "params.seed": "3", "params.learning_rate": "0.00025", "status": "no session"}
    assert cells(runs, CLEANRL) == known
    assert points(runs.histories[CLEANRL]["charts/episodic_return"]) == [(100, "100.0"), (200, "200.0")]


def test_a_run_that_continues_replaces_what_it_recorded_again() -> None:
    runs = read_tensorboard(LOGS / "tensorboardx")
    found = points(runs.histories["resumed"]["val/acc"])
    assert found == [(0, "0.25"), (1, "0.25"), (2, "0.5"), (3, "0.5"), (4, "0.5"), (5, "0.5")]
    assert runs.cautions == []


@pytest.mark.parametrize(
    ("folder", "file", "variant"),
    [
        ("vit-seed3/runs/Nov27_19-06-31_node.7", "events.out.tfevents.1795806338.node.7.17584.0", "vit"),
        ("vit-seed3/Nov27_19-06-31_node.7", "events.out.tfevents.1795806338.node.7.17584.0", "vit"),
        ("seed3/Nov27_19-06-31_node.7_lr1", "events.out.tfevents.1795806338.node.7.17584.0", "lr1"),
        ("vit-seed3/20261127-190631", "events.out.tfevents.1795806338.node.17584.0.v2", "vit"),
        ("vit-seed3/20261127-190631-wide", "events.out.tfevents.1795806338.node", "vit/20261127-190631-wide"),
    ],
)
def test_the_time_and_the_host_of_default_folders_name_no_variant(
    tmp_path: Path, folder: str, file: str, variant: str
) -> None:
    """The default folders of `SummaryWriter()`, of the Trainer of Hugging Face and of the examples of TensorFlow."""
    place = tmp_path / "all" / folder
    place.mkdir(parents=True)
    shutil.copy(one_run(tmp_path), place / file)
    runs, options = with_seeds(read_tensorboard(tmp_path / "all"), TableOptions())
    assert (list(runs.table.index), list(runs.names)) == ([folder], [variant])
    assert runs.table[options.seed].tolist() == ["3"]


def test_hyperparameters_of_lightning_without_the_plugin(tmp_path: Path) -> None:
    """`TensorBoardLogger(default_hp_metric=False)` of Lightning 2 writes them to `hparams.yaml` only."""
    one_run(tmp_path)
    hparams = "lr: 0.1\nhidden: !!python/tuple\n- 16\n- 8\ndecay: null\ncfg:\n  depth: 2\nseed: 1\n"
    (tmp_path / "logs" / "resumed" / "hparams.yaml").write_text(hparams)
    runs = read_tensorboard(tmp_path / "logs")
    values = {"lr": "0.1", "hidden": "[16, 8]", "decay": "None", "cfg/depth": "2", "seed": "1"}
    assert cells(runs, "resumed") == {f"params.{name}": value for name, value in values.items()}
    assert runs.statement == "params: hparams.yaml"


def test_the_arguments_of_lightning_cli_complete_the_hyperparameters(tmp_path: Path) -> None:
    """The default logger of `LightningCLI` records no seed, which is in `config.yaml` next to the event files."""
    one_run(tmp_path)
    folder = tmp_path / "logs" / "resumed"
    (folder / "config.yaml").write_text("seed_everything: 3\nmodel:\n  lr: 0.1\n")
    (folder / "hparams.yaml").write_text("lr: 0.1\n")
    runs = read_tensorboard(tmp_path / "logs")
    assert cells(runs, "resumed") == {"params.lr": "0.1", "params.seed_everything": "3", "params.model/lr": "0.1"}
    assert runs.statement == "params: config.yaml, hparams.yaml"
    assert with_seeds(runs, TableOptions())[1].seed == "seed_everything"


def test_tuples_are_lists_as_in_other_files() -> None:
    texts = {"a": "(16,)", "b": "(16, 8)", "c": "f(1, 2)", "d": "(x)", "e": "(1, (2, 3))"}
    assert list(as_text(texts).values()) == ["[16]", "[16, 8]", "f(1, 2)", "(x)", "(1, (2, 3))"]


def test_two_values_at_one_step_are_a_caution(tmp_path: Path) -> None:
    path = one_run(tmp_path)
    shutil.copy(path, f"{path}.copy")
    assert read_tensorboard(tmp_path / "logs").cautions == [], "equal values, as Lightning writes its hp_metric"
    write_event_log(tmp_path / "other" / "run", {"val/acc": [(0, 0.25), (0, 0.5), (0, 0.5), (1, 0.5), (1, 0.5)]})
    (caution,) = read_tensorboard(tmp_path / "other").cautions
    assert caution.startswith(
        "Values were recorded more than once at a step, and the last one counts: run (val/acc: 1)."
    )


def test_tensorflow_writes_tensors_and_keras_a_folder_per_data_set() -> None:
    runs = read_tensorboard(LOGS / "keras")
    assert list(runs.table.index) == ["fit", "scalars"]
    assert list(runs.table.columns) == []
    assert points(runs.histories["scalars"]["acc"]) == [(0, "0.0"), (1, "0.1"), (2, "0.2")]
    assert points(runs.histories["scalars"]["correct"]) == [(0, "0.0"), (1, "100.0"), (2, "200.0")]
    assert {"train/epoch_mae", "validation/epoch_mae"} < runs.histories["fit"].keys()
    assert len(runs.histories["fit"]["validation/epoch_mae"].steps) == 3


def one_run(folder: Path) -> Path:
    """Return the only event file of a copied run with eight values."""
    shutil.copytree(LOGS / "tensorboardx", folder / "logs")
    first, second = sorted((folder / "logs" / "resumed").iterdir())
    second.unlink()
    return first


def test_an_incomplete_last_event_is_a_caution_at_every_byte(tmp_path: Path) -> None:
    path = one_run(tmp_path)
    content = path.read_bytes()
    ends = [end for _, end in records(content)]
    for size in range(ends[1] + 1, len(content)):
        path.write_bytes(content[:size])
        found = read_event_file(path)
        complete = sum(end <= size for end in ends)
        assert found.incomplete == (size not in ends)
        assert len(found.points.get("val/acc", [])) == complete - (len(ends) - 8)
    runs = read_tensorboard(tmp_path / "logs")
    assert runs.cautions[0].startswith("The last event is incomplete in 1 file, whose program was stopped")


def test_a_damaged_byte_is_noticed_wherever_it_is(tmp_path: Path) -> None:
    path = one_run(tmp_path)
    content = path.read_bytes()
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        with pytest.raises(CorruptError, match=r"is damaged after byte \d+"):
            read_event_file(path)


def test_runs_with_damaged_files_and_empty_ones_are_set_aside(tmp_path: Path) -> None:
    path = one_run(tmp_path)
    shutil.copytree(LOGS / "keras", tmp_path / "logs" / "more")
    path.write_bytes(path.read_bytes()[:-3] + b"\0\0\0")
    (tmp_path / "logs" / "empty").mkdir()
    (tmp_path / "logs" / "empty" / "events.out.tfevents.1").touch()
    runs = read_tensorboard(tmp_path / "logs")
    assert runs.set_aside == {CORRUPT: ["resumed"], EMPTY: ["empty"]}
    assert list(runs.table.index) == ["more/fit", "more/scalars"]
    assert "is damaged after byte" in runs.cautions[0]


def test_other_folders_are_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Folder not found"):
        read_tensorboard(tmp_path / "none")
    with pytest.raises(UserError, match="No TensorBoard event files"):
        read_tensorboard(tmp_path)
    (tmp_path / "events.out.tfevents.1").touch()
    with pytest.raises(UserError, match="contain no scalars"):
        read_tensorboard(tmp_path)
    (tmp_path / "events.out.tfevents.1").write_bytes(b"no event file at all")
    with pytest.raises(UserError, match="is damaged after byte 0"):
        read_tensorboard(tmp_path)


def test_two_runs_in_one_folder_are_an_error(tmp_path: Path) -> None:
    for place in ("everything/1795787319.116805", CLEANRL):
        for path in (LOGS / "torch" / place).iterdir():
            shutil.copy(path, tmp_path)
    with pytest.raises(UserError, match=r"has two values of seed: .* Keep the event files of each run in a folder"):
        read_tensorboard(tmp_path)
