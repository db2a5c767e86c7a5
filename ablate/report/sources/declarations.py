"""What a study declared, in words: its scale, the lines of its card, the limits that follow from it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from ablate.journal.run_journal import Run
from ablate.report.formats.numbers import in_words
from ablate.report.search_data import CONDITIONAL
from ablate.report.study_data import RunCounts
from ablate.studies.workload import caveats
from ablate.tracking import StudyRecord
from ablate.wording import count

_APART = (
    *("workload", "design", "factors", "baseline", "seeds", "metric", "goal", "margin", "preset", "looks", "code"),
    "tuning",
)


def scale_line(record: StudyRecord, runs: Sequence[Run]) -> str:
    """The scale that a study speaks of, for the first line: preset, the settings that set it, the data."""
    name, said = record.details.get("data", {}).get("name"), record.details.get("scale")
    data = [name] if name else sorted({run.data for run in runs})
    words = f"{record.declared.get('workload', 'workload')}, preset {record.declared.get('preset', 'none')}"
    words += f": {said}" if said else ""
    return words + (f"; data {', '.join(data)}" if data else "")


def declared_facts(record: StudyRecord) -> list[tuple[str, str]]:
    """The lines of the study card that were fixed before the runs."""
    declared = record.declared
    settings = [f"{name} {_word(value)}" for name, value in declared.items() if name not in _APART]
    meanings = record.details.get("meanings", {})
    factors = [
        in_words(str(name)) + (f" ({meanings[name]})" if meanings.get(name) else "")
        for name in declared.get("factors", ())
    ]
    validated = declared.get("validate_on")
    protocol = "one run a recipe and seed; the score is " + (
        "the last epoch's, on the test set, which is scored once" if validated else "what the training ends with"
    )
    if validated == "test":
        protocol += "; curves are of the test images themselves, and all training images train"
    elif validated:
        protocol += "; curves are of validation images held out from training"
    described = record.details.get("data", {}).get("description")
    return [
        *([("Data", described)] if described else []),
        ("Protocol", protocol),
        ("Components in question", (", " if not meanings else "; ").join(factors)),
        ("Settings, the same in every arm" + (", drop-in" if "tuning" in declared else ""), ", ".join(settings)),
        ("Tuning", str(declared.get("tuning", ""))),
        ("Code that trains", str(declared.get("code", ""))),
    ]


def recorded_facts(record: StudyRecord, counts: RunCounts) -> list[tuple[str, str]]:
    """When the study was recorded first, and whether that was before its runs."""
    if counts.before is None:
        return []
    when = f"{datetime.fromtimestamp(record.since, UTC):%Y-%m-%d %H:%M} UTC"
    if not counts.before:
        return [("Recorded", f"{when}, before any of its runs had ended")]
    return [
        (
            "Recorded",
            f"{when}, when {counts.before} of its {count(counts.results, 'result')} were there: that the plan "
            "came before those, this record cannot show",
        )
    ]


def declared_limits(record: StudyRecord) -> list[str]:
    """What the declarations of a study leave open."""
    lines = []
    if record.declared.get("validate_on") == "test":
        lines.append(
            "Validation used the test images (the notebook's protocol): nothing was chosen by them here, but whoever "
            "tunes by these curves tunes on the test set."
        )
    if "code" not in record.declared:  # a study's own training has no registry, and could have a built-in's name
        lines += caveats(record.declared.get("workload", ""), record.details.get("factors", ()))
    return [*lines, CONDITIONAL] if record.details.get("tuning") else lines


def reproducing(record: StudyRecord, runs: Sequence[Run]) -> list[str]:
    """The commands that make a study and its report again, in the precision of `runs`, its results."""
    declared = record.declared
    if command := record.details.get("tuning", {}).get("command"):
        return [command, shlex.join(["ablate", "report", record.name])]
    seeds = list(declared.get("seeds", []))
    counted = str(len(seeds)) if seeds == list(range(len(seeds))) and len(seeds) > 1 else ",".join(map(str, seeds))
    file = [record.details["file"]] if "file" in record.details else []
    words = ["ablate", "sweep", *file, "--name", record.name, "--design", declared.get("design")]
    words += ["--factors", ",".join(declared.get("factors", []))]
    words += ["--until-clear"] if declared.get("looks") else ["--seeds", counted + "," * (len(seeds) == 1)]
    words += ["--margin", f"{declared.get('margin'):g}", "--preset", declared.get("preset")]
    if file:  # it holds all else
        return [shlex.join(map(str, words)), shlex.join(["ablate", "report", record.name])]
    for part in str(declared.get("baseline", "baseline")).split("+"):  # what the baseline has on or off of its own
        words += [f"--{part.removeprefix('with-')}"] if part.startswith(("with-", "no-")) else []
    chosen = {name: value for name, value in declared.items() if name not in _APART and not name.startswith("design.")}
    for name, value in {**chosen, **_knobs(runs)}.items():
        words += [f"--{name.replace('.', '-').replace('_', '-')}", _word(value)]
    words += [*record.details.get("data", {}).get("flags", []), *_precision(runs)]
    words += ["--resolution", declared["design.resolution"]] if "design.resolution" in declared else []
    return [shlex.join(map(str, words)), shlex.join(["ablate", "report", record.name])]


def _knobs(runs: Sequence[Run]) -> dict[str, Any]:
    """The knobs (`dropout.p`) of all factors that some arm has on."""
    return {name: value for run in runs for name, value in run.params.items() if "." in name}


def _precision(runs: Sequence[Run]) -> list[str]:
    """The flags of what `auto` became and of compiled code, where all runs were made alike."""
    made = {(run.conditions.get("precision"), run.conditions.get("compiled", False)) for run in runs}
    if len(made) != 1:
        return []
    ((precision, compiled),) = made
    return [*(["--precision", str(precision)] if precision else []), *["--compile"] * compiled]


def _word(value: Any) -> str:
    return "all" if value is None else str(value)
