"""The declaration of a study in words: scale, lines of the study card, limits, commands to reproduce it."""

from __future__ import annotations

import itertools
import math
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from ablate.journal.run_journal import Run
from ablate.report.search_data import CONDITIONAL
from ablate.report.study_data import RunCounts
from ablate.stats.effects.types import Comparison
from ablate.studies.settings import value_text
from ablate.studies.workload import caveats, purposes
from ablate.tracking import PlanEntry, StudyRecord
from ablate.wording import count, in_words, listed, ranges

_NOT_SETTINGS = (
    *("workload", "design", "factors", "baseline", "seeds", "metric", "goal", "margin", "preset", "looks", "code"),
    "tuning", "arms", "all_pairs", "metric.unit",
)  # fmt: skip


def scale_line(record: StudyRecord, runs: Sequence[Run]) -> str:
    """Return the scale of the study for the first line: preset, the settings that determine it, data."""
    name, scale = record.details.get("data", {}).get("name"), record.details.get("scale")
    data = [name] if name else sorted({run.data for run in runs})
    words = f"{record.declared.get('workload', 'workload')}, preset {record.declared.get('preset', 'none')}"
    words += f": {scale}" if scale else ""
    return words + (f"; data {', '.join(data)}" if data else "")


def declared_facts(record: StudyRecord) -> list[tuple[str, str]]:
    """Return the lines of the study card that the declaration determines."""
    declared = record.declared
    settings = [f"{name} {_word(value)}" for name, value in _shared_settings(record).items()]
    meanings = record.details.get("meanings", {})
    components = [
        in_words(str(name)) + (f" ({meanings[name]})" if meanings.get(name) else "")
        for name in declared.get("factors", ())
    ]
    components += [
        f"{name} ({', '.join(map(value_text, levels))}; the first is the baseline's)"
        for name, levels in record.details.get("varied", {}).items()
    ]
    validated = declared.get("validate_on")
    score = "test set, evaluated once, after the last epoch" if validated else "final value of the training"
    protocol = f"one run per recipe and seed; score: {score}"
    if validated == "test":
        protocol += "; curves: the test images; training uses all training images"
    elif validated:
        protocol += "; curves: validation images held out from training"
    described = record.details.get("data", {}).get("description")
    tuning = str(declared.get("tuning", "")).replace(" trials an arm under seeds ", " trials per variant, seeds ")
    return [
        *([("Data", described)] if described else []),
        ("Protocol", protocol),
        ("Components", (", " if not meanings and "varied" not in record.details else "; ").join(components)),
        ("Named arms", "; ".join(_named_arms(record))),
        ("Settings of every variant" + (" (drop-in)" if "tuning" in declared else ""), ", ".join(settings)),
        ("Tuning", tuning),
        ("Training code", str(declared.get("code", ""))),
    ]


def _shared_settings(record: StudyRecord) -> dict[str, Any]:
    """Return the settings that have one value in every variant."""
    differ = {*record.details.get("varied", {}), *itertools.chain(*record.details.get("arm_values", {}).values())}
    return {
        name: value
        for name, value in record.declared.items()
        if name not in _NOT_SETTINGS and name not in differ and not name.startswith("vary.")
    }


def _named_arms(record: StudyRecord) -> list[str]:
    """Return the arms that the study names, with their differences from the baseline."""
    arms: Mapping[str, Mapping[str, Any]] = record.declared.get("arms", {})
    return [f"{arm} ({listed(differences_text(differences), 20)})" for arm, differences in arms.items()]


def differences_text(differences: Mapping[str, Any]) -> list[str]:
    """Return the differences of an arm from the baseline as texts: `lr 0.03`, `augment off`."""
    words = {True: "on", False: "off"}
    return [
        f"{name} {words[value] if isinstance(value, bool) else value_text(value)}"
        for name, value in differences.items()
    ]


def declared_comparisons(record: StudyRecord, results: Mapping[PlanEntry, Run]) -> list[Comparison]:
    """Return the study's comparisons. One of which a pair of runs is older than the record was not planned before."""
    older = _older_runs(record, results)
    seeds = {seed for _, seed in older}
    found = [Comparison.from_dict(row) for row in record.details["comparisons"]]
    return [
        replace(one, planned=False) if any({(one.variant, s), (one.reference, s)} <= older for s in seeds) else one
        for one in found
    ]


def has_older_seed(record: StudyRecord, results: Mapping[PlanEntry, Run]) -> bool:
    """Return whether all runs with a seed are older than the record, and so a part of every average."""
    older = _older_runs(record, results)
    missing = {entry.seed for entry in record.planned_runs if (entry.variant, entry.seed) not in older}
    return not {seed for _, seed in older} <= missing


def _older_runs(record: StudyRecord, results: Mapping[PlanEntry, Run]) -> set[tuple[str, int]]:
    """Return the variants and seeds of the results that are older than the first record of the study."""
    ended = {(entry.variant, entry.seed): run.ended or math.inf for entry, run in results.items()}
    return {pair for pair, end in ended.items() if record.since and end < record.since}


def recorded_facts(record: StudyRecord, counts: RunCounts) -> list[tuple[str, str]]:
    """Return when the study was first recorded, and how many of its results are older than that."""
    if counts.before is None:
        return []
    when = f"{datetime.fromtimestamp(record.since, UTC):%Y-%m-%d %H:%M} UTC"
    if not counts.before:
        return [("Recorded", f"{when}, before the end of any run")]
    late = f"after {counts.before} of {count(counts.results, 'result')}"
    return [("Recorded", f"{when}, {late}, so this record cannot show that the plan was preregistered")]


def declared_limits(record: StudyRecord) -> list[str]:
    """Return the limits that follow from the declaration."""
    lines = []
    if record.declared.get("validate_on") == "test":
        lines.append(
            "Validation used the test images (the notebook's protocol). Nothing was selected by them here, but "
            "choosing settings by these curves would be tuning on the test set."
        )
    if "code" not in record.declared:  # a study's own training has no registry, and could have a built-in's name
        lines += caveats(record.declared.get("workload", ""), record.details.get("factors", ()))
    return [*lines, CONDITIONAL] if record.details.get("tuning") else lines


def declared_purposes(record: StudyRecord, runs: Iterable[Run]) -> dict[str, str]:
    """Return what the factors and the levels in the runs are for, by name, for a built-in workload."""
    if "code" in record.declared:
        return {}
    used: dict[str, set[Any]] = {}
    for run in runs:
        for name, value in run.params.items():
            used.setdefault(name, set()).add(value)
    return purposes(record.declared.get("workload", ""), record.details.get("factors", ()), used)


def reproduction_commands(record: StudyRecord, runs: Sequence[Run]) -> list[str]:
    """Return the commands that repeat a study and its report, on the device and in the precision of `runs`."""
    declared = record.declared
    if command := record.details.get("tuning", {}).get("command"):
        return [command, shlex.join(["ablate", "report", record.name])]
    seeds = list(declared.get("seeds", []))
    counted = str(len(seeds)) if seeds == list(range(len(seeds))) and len(seeds) > 1 else ",".join(ranges(seeds))
    file = [record.details["file"]] if "file" in record.details else ["STUDY.py"] * bool(declared.get("arms"))
    words = ["ablate", "sweep", *file, "--name", record.name, "--design", declared.get("design")]
    words += ["--factors", ",".join(declared.get("factors", []))] if declared.get("factors", [""]) else []
    varied, zipped = record.details.get("varied", {}), record.details.get("zipped", {})
    for name, levels in varied.items():
        words += ["--vary", _combinations(zipped[name]) if name in zipped else _values(name, levels)]
    words += ["--all-pairs"] if declared.get("all_pairs") else []
    words += ["--until-clear"] if declared.get("looks") else ["--seeds", counted + "," * (len(seeds) == 1)]
    words += ["--margin", f"{declared.get('margin'):g}", "--preset", declared.get("preset")]
    if file:  # which contains everything else
        return [shlex.join(map(str, words)), shlex.join(["ablate", "report", record.name])]
    for part in str(declared.get("baseline", "baseline")).split("+"):  # differences from the preset's baseline
        words += [f"--{part.removeprefix('with-')}"] if part.startswith(("with-", "no-")) else []
    chosen = {
        name: value
        for name, value in declared.items()
        if name not in _NOT_SETTINGS and not name.startswith(("design.", "vary."))
    }
    columns = {name: levels for combinations in zipped.values() for name, levels in combinations.items()}
    own = {name: levels[0] for name, levels in {**varied, **columns}.items() if name not in zipped}
    own = {name: value for name, value in own.items() if not isinstance(value, bool)}
    for name, value in {**chosen, **_hyperparameters(runs), **own}.items():
        words += [f"--{name.replace('.', '-').replace('_', '-')}", _word(value)]
    words += [*record.details.get("data", {}).get("flags", []), *_conditions(runs)]
    words += ["--resolution", declared["design.resolution"]] if "design.resolution" in declared else []
    return [shlex.join(map(str, words)), shlex.join(["ablate", "report", record.name])]


def _values(name: str, levels: Iterable[Any]) -> str:
    return f"{name}={','.join(map(value_text, levels))}"


def _combinations(columns: Mapping[str, Sequence[Any]]) -> str:
    """Return the option's text of values that change together: `lr,epochs=0.01:4,0.003:8`."""
    combinations = zip(*columns.values(), strict=True)
    return f"{','.join(columns)}={','.join(':'.join(map(value_text, values)) for values in combinations)}"


def _hyperparameters(runs: Sequence[Run]) -> dict[str, Any]:
    """Return the hyperparameters (`dropout.p`) of all factors that are on in at least one variant."""
    return {name: value for run in runs for name, value in run.params.items() if "." in name}


def _conditions(runs: Sequence[Run]) -> list[str]:
    """Return the flags of device, precision and compilation, if all runs used the same. The CPU needs no flag."""
    used = {(*map(run.conditions.get, ("device", "precision")), run.conditions.get("compiled", False)) for run in runs}
    if len(used) != 1:
        return []
    ((device, precision, compiled),) = used
    flags = ["--device", str(device)] if device not in (None, "cpu") else []
    return [*flags, *(["--precision", str(precision)] if precision else []), *["--compile"] * compiled]


def _word(value: Any) -> str:
    return "all" if value is None else str(value)
