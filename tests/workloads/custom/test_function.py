"""Functions of a study file as trainings: executors, outcomes, resuming, declarations."""

from __future__ import annotations

import pickle
import signal
from pathlib import Path

import pytest

from ablate.errors import UsageError
from ablate.runs.executors import ProcessExecutor, make_executor
from ablate.studies.study import Study
from ablate.workloads.custom.study_file import load_study
from ablate.workloads.dispatch import open_data
from tests.samples.custom import LATENCY, artifact, runs_of, written

CAUGHT = "try:\n    log(1, loss=math.nan)\nexcept Exception:\n    pass\n"


def study(folder: Path, text: str = LATENCY) -> Study:
    return load_study(written(folder, text))


def training(body: str, folder: Path, declared: str = "factors={'a': 'b'}, metric=Metric('score')") -> Study:
    """A study of one factor whose training is `body`."""
    lines = ["import math, os, signal", "from ablate import Metric, Range, Study, from_function", ""]
    lines += ["def train(recipe, log):", *(f"    {line}" for line in body.splitlines()), ""]
    lines += [f"study = Study(workload=from_function(train, {declared}), seeds=1)"]
    return study(folder, "\n".join(lines))


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] if name == "ray" else []) for name in ("serial", "processes", "ray")],
)
def test_all_executors_give_the_same_runs(tmp_path: Path, name: str) -> None:
    if name == "ray":
        pytest.importorskip("ray")
    made = runs_of(study(tmp_path).change(seeds=1), tmp_path, make_executor(name, 2))
    latencies = {run.variant: round(run.metrics["final/latency"]) for run in made}
    assert latencies == {"baseline": 100, "no-cache": 130, "no-pool": 102}
    assert {run.status for run in made} == {"finished"}
    first = made[0]
    assert [(row["step"], round(row["latency"])) for row in first.history] == [(1, 100), (2, 50), (3, 33)]
    assert first.params["code"] == study(tmp_path).workload.study_file.code_digest  # type: ignore[union-attr]  # it has one
    assert first.params["steps"] == 3
    assert artifact(tmp_path, first, "output.txt") == "answered under seed 0\n"
    assert artifact(tmp_path, first, "model.txt") == "weights"
    assert not runs_of(study(tmp_path).change(seeds=1), tmp_path), "finished runs are reused"


def test_a_study_has_the_declared_properties(tmp_path: Path) -> None:
    found = study(tmp_path)
    assert (found.name, found.question, found.preset) == ("own", "Which caches matter for latency?", "default")
    assert found.declared["metric"] == "latency"
    assert found.design_as_dict()["meanings"]["pool"] == "shared connections; off: one each"
    assert found.workload.scale_of(found.baseline.settings) == "steps 3"
    assert [recipe.label for recipe in found.recipes()[:3]] == ["baseline", "no-cache", "no-pool"]


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ("raise ValueError('burnt')", "failed", "ValueError: burnt"),
        ("raise SystemExit(3)", "failed", "train exited with code 3"),
        ("raise MemoryError('no room')", "out_of_memory", "MemoryError: no room"),
        ("log(1, loss=math.nan)", "unstable", "loss is not finite"),
        (CAUGHT + "return 1", "unstable", "loss is not finite after epoch 1"),
        (CAUGHT + "log(2, loss=1)\nraise ValueError('input contains NaN')", "unstable", "loss is not finite"),
        ("return {'score': math.inf}", "unstable", "the final score is not finite"),
        ("return None", "failed", "train returned score = None, which is not a number"),
        ("return True", "failed", "train returned score = True, which is not a number"),
        (
            "import numpy\nreturn {'test': {'score': numpy.bool_(1)}}",
            "failed",
            "test.score = True, which is not a number",
        ),
        ("return {'sore': 1}", "failed", "train returned no score, the metric (found: sore)"),
        ("return {'score': 1, 'note': 'good'}", "failed", "note = 'good', which is not a number"),
        ("return recipe['b']", "failed", "Unknown factor or setting 'b'"),
        ("log(1, **{'a=b': 1})", "failed", "Invalid metric name"),
        ("log(0.5, loss=1)", "failed", "log was called with step 0.5, which is not an integer"),
    ],
)
def test_every_outcome_is_recorded(tmp_path: Path, body: str, status: str, error: str) -> None:
    made = runs_of(training(body, tmp_path), tmp_path)
    assert {run.status for run in made} == {status}
    assert error in str(made[0].error)


def test_results_may_be_nested_and_have_any_names(tmp_path: Path) -> None:
    body = "return {'test': {'hits@10': 0.5 + recipe.seed, 'f1': 1}, 'a//b': 2}"
    for name in ("hits@10", "test.hits@10"):
        made = runs_of(
            training(body, tmp_path / name, f"factors={{'a': 'b'}}, metric=Metric({name!r})"), tmp_path / name
        )
        metrics = {key: value for key, value in made[0].metrics.items() if key.startswith("final/")}
        assert metrics == {f"final/{name.replace('@', '_')}": 0.5, "final/test.f1": 1, "final/a/b": 2}
        assert made[0].metric == f"final/{name.replace('@', '_')}"


def test_scores_near_the_floor_are_unstable(tmp_path: Path) -> None:
    declared = "factors={'a': 'b'}, metric=Metric('score'), floor=0.5"
    made = runs_of(training("return 0.9 if recipe['a'] else 0.52", tmp_path, declared), tmp_path)
    assert {run.variant: run.status for run in made} == {"baseline": "finished", "no-a": "unstable"}


def test_a_killed_run_resumes_from_its_checkpoint(tmp_path: Path) -> None:
    body = (
        "place = log.checkpoint / 'step'\n"
        "start = int(place.read_text()) if place.exists() else 0\n"
        "for step in range(start, 4):\n"
        "    log(step, begun=start)\n"
        "    place.write_text(str(step + 1))\n"
        "    if step == 1 and start == 0:\n"
        f"        os.kill(os.getpid(), {int(signal.SIGKILL)})\n"
        "return start / 10\n"
    )
    made = runs_of(training(body, tmp_path), tmp_path, ProcessExecutor(1))
    assert {run.status for run in made} == {"finished"}
    assert {run.metrics["final/score"] for run in made} == {0.2}
    assert [row["begun"] for row in made[0].history] == [0, 0, 2, 2]
    kept = Path(tmp_path / "mlruns" / "journal")
    assert not list(kept.glob("*.checkpoint"))


def test_metrics_of_one_step_are_one_row(tmp_path: Path) -> None:
    made = runs_of(training("log(1, loss=2)\nlog(1, rate=3)\nlog(1, loss=9)\nreturn 1", tmp_path), tmp_path)
    assert made[0].history == ({"step": 1, "loss": 2, "rate": 3},)


def test_a_third_parameter_receives_the_conditions(tmp_path: Path) -> None:
    text = LATENCY.replace("def train(recipe, log):", "def train(recipe, log, conditions):")
    text = text.replace('"memory": 3', '"memory": conditions.threads')
    assert {run.metrics["final/memory"] for run in runs_of(study(tmp_path, text), tmp_path)} == {1}


def test_a_worker_rejects_code_that_has_changed(tmp_path: Path) -> None:
    packed = pickle.dumps(study(tmp_path).workload)
    assert pickle.loads(packed).name == "own"
    written(tmp_path, LATENCY.replace("30 *", "40 *"), "own.py")
    from ablate.workloads.custom.study_file import load_workload

    load_workload.cache_clear()
    with pytest.raises(UsageError, match="changed during the sweep"):
        pickle.loads(packed)


def test_candidates_presets_ranges_and_data(tmp_path: Path) -> None:
    written(tmp_path, "1,2", "table.csv")
    declared = (
        "factors={'a': 'b'}, candidates={'c': 'd'}, metric=Metric('score'), settings={'rate': 0.1, 'fast': True}, "
        "ranges={'rate': Range(0.001, 1, log=True)}, presets={'quick': {'rate': 0.5}}, data=['table.csv']"
    )
    found = training("return recipe['rate']", tmp_path, declared)
    assert found.workload.factors.baseline == ("a",)
    assert found.workload.setting("rate").tunable
    assert found.baseline["fast"] is True
    data = open_data(found.baseline, None)
    assert (data.name, len(data.fingerprint)) == ("table.csv", 12)
    assert found.change(preset="quick").workload.preset("quick").settings["rate"] == 0.5
    with pytest.raises(UsageError, match=r"between 0\.001 and 1"):
        found.baseline.change({"rate": 2.0})


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ("factors={}, metric=Metric('score')", "needs factors"),
        ("factors={'a': 'b'}", "needs a metric"),
        ("factors=['a'], metric=Metric('score')", r"have descriptions: factors=\{'a': 'what it is'\}, not \['a'\]"),
        ("factors='a', metric=Metric('score')", r"have descriptions: factors=\{'a': 'what it is'\}, not 'a'"),
        ("factors={'a': 'b'}, settings=['n'], metric=Metric('score')", r"have values: settings=\{'n': 0.1\}"),
        ("factors={'a': 'b'}, metric='score'", "needs a metric"),
        ("factors={'a-b': 'c'}, metric=Metric('score')", "letters, digits and underscores"),
        ("factors={'a': 'b'}, settings={'a': 1}, metric=Metric('score')", "both as a factor and as a setting"),
        ("factors={'seed': 'b'}, metric=Metric('score')", "seed is reserved"),
        ("factors={'score': 'b'}, metric=Metric('score')", "score is reserved"),
        ("factors={'a': 'b'}, settings={'n': None}, metric=Metric('score')", "setting n needs a value"),
        (
            "factors={'a': 'b'}, ranges={'n': Range(0, 1)}, metric=Metric('score')",
            "Unknown setting 'n'. No setting exists. A range needs",
        ),
        ("factors={'a': 'b'}, metric=Metric('score', goal='low')", "'max' or 'min'"),
        (
            "factors={'a': 'b'}, metric=Metric('val_loss')",
            r'A lower val loss is better.* Metric\("val_loss", goal="min"\)',
        ),
        ("factors={'a': 'b'}, metric=Metric('score'), validation=Metric('ppl')", "A lower ppl is better"),
        (
            "factors={'a': 'b'}, metirc=Metric('score')",
            "Unknown argument of from_function 'metirc'. Did you mean 'metric'?",
        ),
        ("factors={'a': 'b'}, metric=Metric('score'), pattern='x'", "Unknown argument of from_function 'pattern'"),
        ("factors={'a': 'b'}, metric=Metric('score'), floor=10", r"The floor of score is 10, .*unit=\"%\""),
    ],
)
def test_invalid_declarations_give_a_one_line_error(tmp_path: Path, declared: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        training("return 1", tmp_path, declared)
    assert "\n" not in str(caught.value)
