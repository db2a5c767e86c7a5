"""Two variants side by side: means over different seeds are said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from ablate.journal.run_journal import Run
from ablate.journal.study_record import PlanEntry, StudyRecord
from ablate.studies.recipe import Recipe
from ablate.tracking.run_names import find_run
from ablate.workflows.compare_runs import Side, SideBySide, find_named_run, find_side
from ablate.workflows.run import command_of
from ablate.workloads.resnet9.workload import WORKLOAD

EMPTY = Run("", "k", "", "", 0, "s", "finished", 0.0, 1.0, {}, {}, (), {}, {}, {})


def side(name: str, seeds: list[int]) -> Side:
    return Side(name, [replace(EMPTY, variant=name, seed=seed) for seed in seeds])


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        ([0, 1, 2], [0, 1, 2], ""),
        ([0], [1], ""),  # two runs, chosen by name
        ([0, 1, 2], [0], "A alone has 1, 2"),
        ([0, 1], [1, 2], "A alone has 0, B alone has 2"),
    ],
)
def test_means_over_different_seeds_are_said(one: list[int], other: list[int], words: str) -> None:
    caution = SideBySide(side("a", one), side("b", other)).caution
    assert caution == (f"The means are over different seeds: {words}" if words else "")


class Store:
    def __init__(self, runs: list[Run], records: Sequence[StudyRecord] = ()) -> None:
        self._runs, self._records = runs, {record.name: record for record in records}

    def runs(self) -> list[Run]:
        return self._runs

    def studies(self) -> list[str]:
        return [*self._records]

    def study(self, name: str) -> StudyRecord:
        return self._records[name]


def runs_of_two_versions() -> list[Run]:
    return [
        replace(EMPTY, name=f"{variant}{seed}{code}", key=code, variant=variant, seed=seed, params={"code": code})
        for code, seeds in (("old", range(3)), ("new", range(2)))
        for variant in ("a", "b")
        for seed in seeds
    ]


def test_a_side_has_runs_of_the_newest_code_only() -> None:
    runs = runs_of_two_versions()
    store = Store(runs)
    pair = SideBySide(*(find_side(name, store) for name in "ab"))  # type: ignore[arg-type]
    assert [run.name for run in pair.a.runs] == ["a0new", "a1new"]
    assert pair.caution == "Left out, since another version of the training code made them: seeds 2 of a and 2 of b"
    older = Store([run for run in runs if run.variant == "a" or run.params["code"] == "old"])
    pair = SideBySide(*(find_side(name, older) for name in "ab"))  # type: ignore[arg-type]
    assert pair.caution.startswith("The runs were made by different versions of the training code. The means are over")


def test_runs_from_before_a_setting_existed_differ_only_in_what_was_chosen() -> None:
    recent = {name: str(value) for name, value in Recipe.of(WORKLOAD).params.items()}  # stores have text
    later = ("activation", "batch_norm.kind", "lr_schedule.shape")
    before = {name: value for name, value in recent.items() if name not in later}
    old, new = (replace(EMPTY, variant=name, params=params) for name, params in (("a", before), ("b", recent)))
    assert SideBySide(Side("a", [old]), Side("b", [new])).differences == {}
    other = replace(new, params={**recent, "lr_schedule.shape": "cosine"})
    differences = SideBySide(Side("a", [old]), Side("b", [other])).differences
    assert differences == {"lr_schedule.shape": ("one-cycle", "cosine")}
    assert command_of(old) == "ablate run --preset notebook --again"
    assert command_of(other) == "ablate run --preset notebook --lr-schedule-shape cosine --again"


def test_a_study_that_returns_to_earlier_code_is_compared_by_its_runs() -> None:
    planned = [PlanEntry("old", "", variant, seed) for variant in "ab" for seed in range(3)]
    store = Store(runs_of_two_versions(), [StudyRecord("s", "", {}, planned)])
    pair = SideBySide(*(find_side(name, store) for name in "ab"))  # type: ignore[arg-type]
    assert [run.name for run in pair.b.runs] == ["b0old", "b1old", "b2old"]
    assert pair.caution == ""


def test_a_run_by_its_title_is_the_one_that_its_study_plans() -> None:
    runs = [replace(run, started=float(place)) for place, run in enumerate(runs_of_two_versions())]
    plan = [PlanEntry("old", "", variant, seed) for variant in "ab" for seed in range(3)]
    store = Named(runs, [StudyRecord("s", "", {}, plan)])
    found = find_named_run("a/s0", store)  # type: ignore[arg-type]
    assert (found.name, found.history) == ("a0old", ({"step": found.started},))
    pair = SideBySide(*(find_side(name, store) for name in ("a/s0", "b/s0")))  # type: ignore[arg-type]
    assert [run.name for side in (pair.a, pair.b) for run in side.runs] == ["a0old", "b0old"]
    assert find_named_run("a0new", store).name == "a0new"  # type: ignore[arg-type]
    assert find_named_run("a/s0", Named(runs)).name == "a0new"  # type: ignore[arg-type]


class Named(Store):
    def find(self, text: str) -> Run:
        found = find_run(text, [(run.name, run) for run in self.runs()])
        assert found is not None
        return replace(found[1], history=self.history(found[1]))

    def history(self, run: Run) -> tuple[Mapping[str, float], ...]:
        return ({"step": run.started},)


def test_mixed_conditions_are_said() -> None:
    gpu = replace(EMPTY, conditions={"device": "cuda", "precision": "bf16"}, environment={"commit": "a" * 40})
    cpu = replace(gpu, conditions={"device": "cpu", "precision": "bf16"}, environment={"commit": "b" * 40})
    caution = SideBySide(Side("a", [gpu]), Side("b", [cpu])).caution
    assert caution == (
        "Mixed conditions: device cpu and cuda. Differences may be due to this. The runs used 2 versions of the code "
        "(aaaaaaaaaa and bbbbbbbbbb)"
    )
    assert SideBySide(Side("a", [gpu]), Side("b", [gpu])).caution == ""


def test_layers_of_different_implementations_are_mixed_conditions() -> None:
    def run(**layers: str) -> Run:
        text = ", ".join(f"{name.replace('_', ' ')} {implementation}" for name, implementation in layers.items())
        return replace(EMPTY, params={"implementations": text or "default"})

    one, narrow = run(conv_A="kernel", norm_A="pytorch"), run(conv_B="pytorch")
    other = run(conv_A="pytorch", norm_A="pytorch")
    assert SideBySide(Side("a", [one]), Side("b", [narrow])).caution == "", "other layers"
    assert SideBySide(Side("a", [run()]), Side("b", [run()])).caution == ""
    assert SideBySide(Side("a", [one]), Side("b", [EMPTY])).caution == "", (
        "PyTorch's operators, which differ in `fused`"
    )
    assert SideBySide(Side("a", [one]), Side("b", [run()])).caution == (
        "Mixed conditions: implementations of layers (default and measured). Differences may be due to this"
    )
    differ = SideBySide(Side("a", [one]), Side("b", [other]))
    assert differ.caution == (
        "Mixed conditions: implementation of conv A (kernel and pytorch). Differences may be due to this"
    )
    assert differ.differences == {}
    both = SideBySide(Side("a", [one]), Side("b", [run(conv_A="pytorch", norm_A="kernel")]))
    assert "conv A (kernel and pytorch) and 1 other layer. " in both.caution
