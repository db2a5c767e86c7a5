"""Folders of runs: files as Lightning, Hugging Face, Keras and Hydra write them, and other files of metrics."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ablate.errors import UsageError, UserError
from ablate.report.sources.existing_runs import TableOptions
from ablate.report.sources.external_study import study_of
from ablate.report.sources.readers.run_folders import NO_METRICS, read_run_folders
from ablate.report.sources.readers.run_table import UNREADABLE, RunTable

LIGHTNING = """epoch,step,test_acc,train_loss,val_acc
0,1,,0.09134723246097565,
0,3,,,0.5
1,5,,0.018245475366711617,
1,7,,,0.5099999904632568
2,8,0.75,,
"""
STATE = {"global_step": 20, "log_history": [
    {"epoch": 0.5, "loss": 1.25, "learning_rate": 1e-05, "step": 10},
    {"epoch": 0.5, "eval_accuracy": 0.5, "step": 10},
    {"epoch": 1.0, "eval_accuracy": 0.75, "step": 20},
    {"epoch": 1.0, "train_runtime": 12.5, "step": 20},
]}  # fmt: skip


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def values(runs: RunTable, run: str) -> dict[str, list[tuple[float, str]]]:
    return {name: [(step, curve.at(step)) for step in curve.steps] for name, curve in runs.histories[run].items()}


def test_runs_of_wandb_are_read_with_their_own_option(tmp_path: Path) -> None:
    write(tmp_path, "wandb/run-20260101_000000-abc/files/wandb-summary.json", '{"acc": 0.5}')
    write(tmp_path, "wandb/run-20260101_000000-abc/files/config.yaml", "seed:\n  value: 1\n")
    with pytest.raises(UserError, match=r"contains folders of W&B runs and no others. Read them with --wandb"):
        read_run_folders(tmp_path)
    write(tmp_path, "sgd/version_0/metrics.csv", LIGHTNING)
    runs = read_run_folders(tmp_path)
    assert list(runs.table.index) == ["sgd/version_0"]
    assert runs.cautions == ["1 folder of W&B runs not read. Read them with --wandb."]


def test_tensorboard_logs_next_to_files_of_metrics_are_not_runs_without_metrics(tmp_path: Path) -> None:
    for seed in "12":  # Lightning with two loggers
        write(tmp_path, f"{seed}/tensorboard/version_0/events.out.tfevents.1795854833.vm.2440.0", "")
        write(tmp_path, f"{seed}/tensorboard/version_0/hparams.yaml", "lr: 1e-1\n")
    with pytest.raises(UserError, match=r"TensorBoard logs and no files of metrics. Read it with --tensorboard"):
        read_run_folders(tmp_path)
    for seed in "12":
        write(tmp_path, f"{seed}/csv/version_0/metrics.csv", LIGHTNING)
    runs = read_run_folders(tmp_path)
    assert list(runs.table.index) == ["1/csv/version_0", "2/csv/version_0"]
    assert runs.set_aside == {}
    assert runs.cautions == ["2 folders of TensorBoard logs not read. Read them with --tensorboard."]


def test_lightning(tmp_path: Path) -> None:
    write(tmp_path, "sgd/version_0/metrics.csv", LIGHTNING)
    write(tmp_path, "sgd/version_0/hparams.yaml", "lr: 1e-1\nseed: 3\nflag: true\nmodel:\n  depth: 2\n  norm: null\n")
    runs = read_run_folders(tmp_path)
    params = {"params.lr": "1e-1", "params.seed": "3", "params.flag": "true", "params.model.depth": "2"}
    assert runs.table.to_dict("index") == {"sgd/version_0": {**params, "params.model.norm": ""}}
    assert values(runs, "sgd/version_0") == {
        "train_loss": [(1, "0.09134723246097565"), (5, "0.018245475366711617")],
        "val_acc": [(3, "0.5"), (7, "0.5099999904632568")],
        "test_acc": [(8, "0.75")],
    }
    assert (runs.cautions, runs.set_aside, runs.statement) == ([], {}, "metrics: metrics.csv")
    by_epoch = read_run_folders(tmp_path, step_param="epoch")
    assert values(by_epoch, "sgd/version_0")["val_acc"] == [(0, "0.5"), (1, "0.5099999904632568")]


def test_objects_in_yaml_are_not_created(tmp_path: Path) -> None:
    write(tmp_path, "a/metrics.csv", "acc,loss\n0.5,1\n")
    write(tmp_path, "a/hparams.yaml", "kind: !!python/object/apply:os.system ['touch created']\nseed: 1\n")
    assert read_run_folders(tmp_path).table.loc["a", "params.seed"] == "1"
    assert not list(Path.cwd().glob("created"))


def test_hugging_face_counts_the_last_checkpoint(tmp_path: Path) -> None:
    earlier = {"global_step": 10, "log_history": STATE["log_history"][:2]}  # type: ignore[index]
    write(tmp_path, "bert-seed1/checkpoint-20/trainer_state.json", json.dumps(STATE))
    write(tmp_path, "bert-seed1/checkpoint-10/trainer_state.json", json.dumps(earlier))
    write(tmp_path, "bert-seed1/config.json", '{"hidden_size": 16, "architectures": ["A"]}')
    write(tmp_path, "bert-seed1/eval_results.json", '{"eval_accuracy": 0.75}')
    write(tmp_path, "vit-seed1/trainer_state.json", json.dumps(earlier))
    write(tmp_path, "vit-seed1/all_results.json", '{"eval_accuracy": 0.5}')
    runs = read_run_folders(tmp_path)
    assert list(runs.table.index) == ["bert-seed1", "vit-seed1"]
    assert runs.table.loc["bert-seed1"].to_dict() == {"params.hidden_size": "16", "params.architectures": '["A"]'}
    assert values(runs, "bert-seed1")["eval_accuracy"] == [(10, "0.5"), (20, "0.75")]
    assert values(runs, "bert-seed1")["train_runtime"] == [(20, "12.5")]


def test_hugging_face_evaluates_again_after_the_last_checkpoint(tmp_path: Path) -> None:
    """`load_best_model_at_end`, `trainer.evaluate()` and `trainer.save_state()`, as transformers 4.57 writes it."""
    again = {"epoch": 1.0, "eval_accuracy": 0.5, "step": 20}
    final = {"global_step": 20, "log_history": [*STATE["log_history"], again]}  # type: ignore[misc]
    for run in ("a-seed1", "b-seed1"):
        write(tmp_path, f"{run}/trainer_state.json", json.dumps(final))
    write(tmp_path, "b-seed1/checkpoint-20/trainer_state.json", json.dumps(STATE))
    runs = read_run_folders(tmp_path)
    assert values(runs, "a-seed1") == values(runs, "b-seed1")
    assert values(runs, "b-seed1")["eval_accuracy"] == [(10, "0.5"), (20, "0.5")]
    (caution,) = runs.cautions
    assert caution == (
        "2 runs recorded eval_accuracy more than once at a step, and the last value counts: a-seed1, b-seed1."
    )
    write(tmp_path, "a-seed1/trainer_state.json", json.dumps({**final, "global_step": 10}))
    write(tmp_path, "a-seed1/checkpoint-20/trainer_state.json", json.dumps(STATE))  # a run that was continued
    assert values(read_run_folders(tmp_path), "a-seed1")["eval_accuracy"] == [(10, "0.5"), (20, "0.75")]


def test_the_state_of_hugging_face_lacks_a_later_evaluation(tmp_path: Path) -> None:
    state = write(tmp_path, "a-seed1/checkpoint-20/trainer_state.json", json.dumps(STATE))
    results = write(tmp_path, "a-seed1/eval_results.json", '{"epoch": 2.0, "eval_accuracy": 0.75, "eval_runtime": 9}')
    assert read_run_folders(tmp_path).cautions == []
    write(tmp_path, "a-seed1/eval_results.json", '{"eval_accuracy": 0.5, "eval_f1": 0.25}')
    assert read_run_folders(tmp_path).cautions == [
        f"{results} has another eval_accuracy (0.5) than the last one in {state.relative_to(tmp_path / 'a-seed1')} "
        "(0.75), which is read. For the former, use --metrics-file eval_results.json."
    ]
    asked = read_run_folders(tmp_path, metrics_file="eval_results.json")
    assert values(asked, "a-seed1")["eval_accuracy"] == [(0, "0.5")]
    results.rename(results.with_name("metrics.json"))
    with pytest.raises(UsageError, match=r"metrics.json, checkpoint-20/trainer_state.json. Choose one with"):
        read_run_folders(tmp_path)


def test_keras_and_hydra(tmp_path: Path) -> None:
    write(tmp_path, "0/.hydra/config.yaml", "optimizer:\n  name: adam\nseed: 1\n")
    write(tmp_path, "0/.hydra/hydra.yaml", "hydra: {}\n")
    write(tmp_path, "0/training.log", "epoch,acc,val_acc\n0,0.5,0.25\n1,0.75,0.5\n")
    write(tmp_path, "1/.hydra/config.yaml", "optimizer:\n  name: sgd\nseed: 1\n")
    write(tmp_path, "1/csv/version_0/metrics.csv", LIGHTNING)
    runs = read_run_folders(tmp_path)
    assert runs.table.to_dict("index") == {
        "0": {"params.optimizer.name": "adam", "params.seed": "1"},
        "1/csv/version_0": {"params.optimizer.name": "sgd", "params.seed": "1"},
    }
    assert values(runs, "0") == {"acc": [(0, "0.5"), (1, "0.75")], "val_acc": [(0, "0.25"), (1, "0.5")]}


def test_results_and_histories_in_json(tmp_path: Path) -> None:
    write(tmp_path, "a/results.json", '{"test": {"acc": 0.5, "name": "x"}, "lists": [1, "b"]}')
    write(tmp_path, "b/history.json", '{"val_acc": [0.25, 0.5]}')
    write(tmp_path, "c/metrics.jsonl", '{"step": 1, "acc": 0.5}\n{"step": 2, "acc": 0.75}\n{"step": 3, "ac')
    runs = read_run_folders(tmp_path)
    assert values(runs, "a") == {"test.acc": [(0, "0.5")], "lists": [(0, "1.0"), (1, "b")]}
    assert runs.table.to_dict("index")["a"] == {"metrics.test.name": "x"}
    assert values(runs, "b") == {"val_acc": [(0, "0.25"), (1, "0.5")]}
    assert values(runs, "c") == {"acc": [(1, "0.5"), (2, "0.75")]}
    assert runs.cautions == [f"The last line of {tmp_path / 'c' / 'metrics.jsonl'} is incomplete and does not count."]


def test_texts_of_files_with_metrics_are_columns(tmp_path: Path) -> None:
    lines = [{"step": 1, "acc": 0.5, "state": "running"}, {"step": 2, "state": "failed", "error": "CUDA, 1 GB"}]
    write(tmp_path, "a/metrics.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    write(tmp_path, "b/metrics.csv", "step,acc,state\n1,0.25,running\n2,n/a,\n")
    write(tmp_path, "c/results.json", '{"acc": "0.75", "run": {"ok": true}, "state": "done", "error": null}')
    runs = read_run_folders(tmp_path)
    assert runs.table.to_dict("index") == {
        "a": {"metrics.state": "failed", "metrics.error": "CUDA, 1 GB", "metrics.run.ok": ""},
        "b": {"metrics.state": "running", "metrics.error": "", "metrics.run.ok": ""},
        "c": {"metrics.state": "done", "metrics.error": "", "metrics.run.ok": "true"},
    }
    assert {run: values(runs, run) for run in runs.table.index} == {
        "a": {"acc": [(1, "0.5")]}, "b": {"acc": [(1, "0.25")]}, "c": {"acc": [(0, "0.75")]},
    }  # fmt: skip


def test_results_are_no_factors(tmp_path: Path) -> None:
    for variant, acc in (("base", 0.5), ("new", 0.75)):
        for seed in range(3):
            write(tmp_path, f"{variant}/{seed}/config.json", json.dumps({"variant": variant, "seed": seed}))
            results = {"acc": acc + seed / 100, "early": variant == "new", "note": f"{variant} {seed}"}
            write(tmp_path, f"{variant}/{seed}/results.json", json.dumps(results))
    study = study_of("mine", read_run_folders(tmp_path), TableOptions(metric="acc", baseline="base"))
    assert (study.factors, list(study.runs.columns)[-2:]) == ([], ["early", "note"])


def test_half_written_lines_and_repeated_steps_are_cautions(tmp_path: Path) -> None:
    write(tmp_path, "a/metrics.csv", LIGHTNING[:-10])
    write(tmp_path, "b/metrics.csv", "step,acc\n1,0.5\n1,0.25\n")
    write(tmp_path, "c/metrics.csv", "step,acc\n1,0.5\n1,0.5\n")
    runs = read_run_folders(tmp_path)
    assert "test_acc" not in values(runs, "a")
    assert values(runs, "b") == {"acc": [(1, "0.25")]}
    assert [caution.split(" of ")[0] for caution in runs.cautions] == [
        "1 run recorded acc more than once at a step, and the last value counts: b.", "The last line"
    ]  # fmt: skip


def test_lines_without_an_end_count_if_no_file_ends_with_one(tmp_path: Path) -> None:
    write(tmp_path, "a/metrics.csv", "epoch,acc,note\n0,0.5,\n1,0.75,")
    write(tmp_path, "b/metrics.csv", "epoch,acc,note\n0,0.5,\n1,0.25,x")
    runs = read_run_folders(tmp_path)
    assert [values(runs, run)["acc"][-1] for run in "ab"] == [(1, "0.75"), (1, "0.25")]
    assert (runs.cautions, runs.statement) == ([], "metrics: metrics.csv, whose last lines have no line end and count")
    for text in ("epoch,acc,note\n0,0.5,\n1,0.2", "epoch,acc,note\n0,0.5,\n"):
        write(tmp_path, "b/metrics.csv", text)
        runs = read_run_folders(tmp_path)
        assert [values(runs, run)["acc"] for run in "ab"] == [[(0, "0.5")], [(0, "0.5")]]


def test_stable_baselines(tmp_path: Path) -> None:
    csv = "time/iterations,time/total_timesteps,eval/mean_reward\n1,128,\n,200,20.5\n"
    write(tmp_path, "a_seed0/progress.csv", csv)
    write(
        tmp_path, "b_seed0/progress.json", '{"time/total_timesteps": 128}\n{"acc": 1, "time/total_timesteps": 200}\n{"a'
    )
    assert values(read_run_folders(tmp_path), "a_seed0")["eval/mean_reward"] == [(200, "20.5")]
    runs = read_run_folders(tmp_path, metrics_file="progress.json")
    assert values(runs, "b_seed0") == {"acc": [(200, "1.0")]}
    assert ["incomplete" in caution for caution in runs.cautions] == [True]


def test_a_header_that_a_resumed_run_repeats_is_no_row(tmp_path: Path) -> None:
    write(tmp_path, "a/metrics.csv", "epoch,acc\n0,0.5\nepoch,acc\n1,0.75\n")
    assert values(read_run_folders(tmp_path), "a") == {"acc": [(0, "0.5"), (1, "0.75")]}


def test_duplicates_of_two_projects_name_their_folders(tmp_path: Path) -> None:
    for run in ("p/x_s0", "q/x_s0", "p/y_s0", "q/y_s0"):
        write(tmp_path, f"{run}/results.json", '{"acc": 0.5}')
        write(tmp_path, f"{run}/params.json", json.dumps({"method": run[2], "seed": 0}))
    options = TableOptions(metric="acc", variant="method", baseline="x")
    with pytest.raises(UserError, match=r"begin with different folders \(p, q\). Read one folder at a time"):
        study_of("mine", read_run_folders(tmp_path), options)


def test_every_run_is_accounted_for(tmp_path: Path) -> None:
    for variant, acc in (("base", 0.5), ("new", 0.75)):
        for seed in range(3):
            write(tmp_path, f"{variant}/{seed}/config.json", json.dumps({"variant": variant, "seed": seed}))
            write(tmp_path, f"{variant}/{seed}/results.json", json.dumps({"acc": acc + seed / 100 + acc * seed / 999}))
    (tmp_path / "new" / "2" / "results.json").unlink()
    runs = read_run_folders(tmp_path)
    assert runs.set_aside == {NO_METRICS: ["new/2"]}
    study = study_of("mine", runs, TableOptions(metric="acc", baseline="base"))
    assert study.counts.set_aside == {NO_METRICS: 1}
    assert len(study.runs) == 5


def test_runs_with_a_file_that_cannot_be_read_are_set_aside(tmp_path: Path) -> None:
    texts = {
        "a/results.json": '{"acc": 0.', "b/results.json": "0.5", "c/metrics.csv": 'step,acc\n1,"0.5\n',
        "d/trainer_state.json": "{}", "e/checkpoint-2/trainer_state.json": '{"log', "f/config.yaml": "",
        "g/params.yaml": "lr: [", "h/config.json": '{"lr"', "i/metrics.jsonl": '{"acc" 1}\n{"acc": 1}\n',
    }  # fmt: skip
    for name in ("e/trainer_state.json", "e/checkpoint-1/trainer_state.json"):
        write(tmp_path, name, json.dumps(STATE))
    for name in ("f/results.json", "g/metrics.json", "h/0/results.json", "h/1/results.json", "good/results.json"):
        write(tmp_path, name, '{"acc": 0.5}')
    for name, text in texts.items():
        write(tmp_path, name, text)
    runs = read_run_folders(tmp_path)
    assert list(runs.table.index) == ["good"]
    assert runs.set_aside == {UNREADABLE: ["a", "b", "c", "d", "e", "f", "g", "h/0", "h/1", "i"]}
    assert runs.cautions[0].startswith(f"Cannot read {tmp_path / 'a' / 'results.json'} as JSON: ")
    assert runs.cautions[1:] == [
        f"{tmp_path / 'b' / 'results.json'} contains no metrics by name.",
        f"Cannot read {tmp_path / 'c' / 'metrics.csv'} as CSV: unexpected end of data in the row of line 2.",
        f"7 similar warnings in {tmp_path}.",
    ]


def test_an_error_names_the_runs_that_could_not_be_read(tmp_path: Path) -> None:
    for name in ("ppo_seed0", "ppo_seed1"):
        write(tmp_path, f"{name}/results.json", '{"acc": 0.5}')
    write(tmp_path, "a2c_seed0/progress.csv", "")
    with pytest.raises(
        UserError, match=r"another variant. Not read: 1 run with a file that cannot be read: a2c_seed0$"
    ):
        study_of("mine", read_run_folders(tmp_path), TableOptions(metric="acc", baseline="ppo"))


def test_links_within_the_folder_are_no_further_runs(tmp_path: Path) -> None:
    write(tmp_path, "logs/0/results.json", '{"acc": 0.5}')
    write(tmp_path, "disk/1/results.json", '{"acc": 0.5}')
    (tmp_path / "logs" / "latest").symlink_to("0")
    (tmp_path / "logs" / "1").symlink_to("../disk/1")
    assert list(read_run_folders(tmp_path / "logs").table.index) == ["0", "1"]


def test_folders_below_links_to_other_disks_are_read_once(tmp_path: Path) -> None:
    write(tmp_path, "disk/ppo/s0/progress.txt", "Epoch\tEpRet\n1\t5\n2\t7\n")
    write(tmp_path, "logs/sac_s0/progress.txt", "Epoch\tEpRet\n1\t6\n2\t9\n")
    write(tmp_path, "logs/sac_s0/config.json", '{"seed": 0, "logger": {"<Logger object at 0x7fe5>": {"first": true}}}')
    for link, target in {
        "logs/ppo": "disk/ppo",
        "logs/again": "disk",
        "logs/sac_s0/data": "disk",
        "disk/up": "",
    }.items():
        (tmp_path / link).symlink_to(tmp_path / target)
    runs = read_run_folders(tmp_path / "logs")
    assert list(runs.table.index) == ["again/ppo/s0", "sac_s0"]
    assert values(runs, "sac_s0")["EpRet"] == [(1, "6.0"), (2, "9.0")]


def test_an_object_called_config_among_metrics_is_the_configuration(tmp_path: Path) -> None:
    """`final.json` of a public repository, in which it is the only record of the settings."""
    for seed in range(2):
        final = {"seed": seed, "config": {"lr": 0.1, "layers": [8, 8], "stem": "none"}, "final_acc": 0.5, "params_m": 3}
        write(tmp_path, f"{seed}/final.json", json.dumps(final))
    runs = read_run_folders(tmp_path, metrics_file="final.json")
    row = runs.table.loc["0"]
    assert (row["params.config.lr"], row["params.config.layers"], row["params.config.stem"]) == (
        "0.1",
        "[8, 8]",
        "none",
    )
    assert set(values(runs, "0")) == {"seed", "final_acc", "params_m"}
    with pytest.raises(UserError, match=r"Name them with --metrics-file\. Found: final\.json \(2 folders\)$"):
        read_run_folders(tmp_path)


@pytest.mark.parametrize(
    ("files", "error", "message"),
    [
        ({}, UserError, "No files of metrics"),
        ({"a/notes.csv": "a,b\n1,2\n"}, UserError, "Name them with --metrics-file"),
        (
            {"a/metrics.csv": LIGHTNING, "a/results.json": "{}"},
            UsageError,
            "a has several files of metrics: metrics.csv, ",
        ),
        ({"a/metrics.csv": "acc,loss\n1,2\n3,4\n"}, UsageError, r"has no column of steps or epochs.*--runs"),
        ({"a/metrics.csv": "step,loss\nx,2\n3,4\n"}, UserError, "The column step of .* is not a number: 'x'"),
        ({"a/trainer_state.json": "{}"}, UserError, "has no log_history"),
        ({"a/results.json": '{"acc": 1'}, UserError, "Cannot read .*results.json as JSON"),
        ({"a/results.json": "[" * 10**5}, UserError, "Cannot read .*results.json as JSON"),
        (
            {"a/metrics.csv": LIGHTNING, "a/hparams.yaml": "a: " + "[" * 10**4},
            UserError,
            "Cannot read .*hparams.yaml as YAML",
        ),
        ({"a/metrics.csv": LIGHTNING, "a/hparams.yaml": "a: ["}, UserError, "Cannot read .*hparams.yaml as YAML"),
        ({"a/metrics.csv": LIGHTNING, "a/hparams.yaml": "- 1"}, UserError, "contains no parameters by name"),
        (
            {"a/metrics.csv": LIGHTNING, "a/hparams.yaml": "lr: 1", "a/config.json": '{"lr": 2}'},
            UserError,
            "a has two values of lr: 1 in hparams.yaml, 2 in config.json",
        ),
    ],
)
def test_other_folders_are_refused_in_one_line(
    tmp_path: Path, files: dict[str, str], error: type[UserError], message: str
) -> None:
    for name, text in files.items():
        write(tmp_path, name, text)
    with pytest.raises(error, match=message):
        read_run_folders(tmp_path)


def test_a_name_of_files_with_metrics_can_be_given(tmp_path: Path) -> None:
    write(tmp_path, "a/notes.csv", "step,acc\n1,0.5\n")
    write(tmp_path, "a/metrics.csv", LIGHTNING)
    assert values(read_run_folders(tmp_path, metrics_file="notes.csv"), "a") == {"acc": [(1, "0.5")]}
    with pytest.raises(UserError, match="Folder not found"):
        read_run_folders(tmp_path / "none")


@pytest.mark.parametrize("name", ["metrics.csv", "hparams.yaml", "config.json"])
def test_pointers_of_git_lfs_are_not_read(tmp_path: Path, name: str) -> None:
    write(tmp_path, "a/metrics.csv", LIGHTNING)
    write(tmp_path, f"a/{name}", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 625\n")
    with pytest.raises(UserError, match=f"{name} is a Git LFS pointer"):
        read_run_folders(tmp_path)
