"""Write the best trial of a search as a study file for `ablate sweep`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ablate.errors import UserError
from ablate.studies.recipe import Recipe
from ablate.studies.settings import Value
from ablate.studies.study import Study
from ablate.studies.workload import Workload
from ablate.tuning.per_variant import with_final_seeds


def tuned_study(study: Study, chosen: Mapping[str, Value], origin: str, folder: Path) -> str:
    """Return the source of a study file: the same design with the chosen values, on new seeds.

    Args:
        study: The study that was tuned.
        chosen: Values of the best trial.
        origin: One line about the origin of the values, for the docstring.
        folder: The folder of the study file, to which paths are relative.
    """
    preset = study.workload.preset(study.preset)
    everything = Recipe.of(study.workload, study.workload.factors, preset.settings)
    values = everything.effective({**study.values, **chosen})
    fields = {
        "design": study.design,
        "preset": study.preset,
        "seeds": list(with_final_seeds(study).seed_list),
        "margin": study.margin,
        **({"factors": list(study.factors)} if study.factors else {}),
        **({"on": list(study.on)} if study.on else {}),
        **({"off": list(study.off)} if study.off else {}),
        **({"options": dict(study.options)} if study.options else {}),
        **_levels(study, values),
        "values": values,
    }
    lines = [f"    {name}={_literal(value)}," for name, value in fields.items()]
    imports, workload = _workload_source(study.workload, folder)
    lines += [f"    workload={workload},"] if workload else []
    question = "Which components matter once the recipe is tuned?"
    head = f'"""{question}\n\n{origin}\n"""\n\n{imports}\n'
    return head + "study = Study(\n" + "\n".join(lines) + "\n)\n"


def _levels(study: Study, values: Mapping[str, Value]) -> dict[str, Any]:
    """Return the varied values, with those of the tuned baseline, and the named arms of a study."""
    baseline = study.change(values=values).baseline
    vary = {}
    for names, levels in study.vary.items():
        own = tuple(baseline[name] for name in names) if isinstance(names, tuple) else baseline[names]
        known = [*map(tuple, levels)] if isinstance(names, tuple) else [*levels]
        vary[names] = known if own in known else [*known, own]
    arms = {name: dict(differences) for name, differences in study.arms.items()}
    fields = {"vary": vary, "arms": arms, "all_pairs": study.all_pairs}
    return {name: value for name, value in fields.items() if value}


def _workload_source(workload: Workload, folder: Path) -> tuple[str, str]:
    """Return the imports of a study file and the expression for its workload, which is empty for the default one."""
    if workload.study_file:
        path = os.path.relpath(workload.study_file.path, folder.absolute())
        return (
            "from pathlib import Path\n\nfrom ablate import Study, load_study\n",
            f"load_study(Path(__file__).parent / {_literal(path)}).workload",
        )
    if workload == Study().workload:
        return "from ablate import Study\n", ""
    return "from ablate import Study, find_workload\n", f"find_workload({workload.name!r})"


def save_study(path: Path, source: str) -> None:
    """Write a study file. Raises UserError if that fails."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
    except OSError as error:
        raise UserError(f"--save {path}: {error.strerror or error}") from error


def check_save_path(path: Path) -> None:
    """Raise UserError unless a study file can be written to `path`."""
    if path.suffix != ".py":
        raise UserError(f"--save takes the path of a study file, which ends in .py, not {path}")
    if path.is_dir():
        raise UserError(f"--save {path} is a folder. Give a file")


def _literal(value: object) -> str:
    if isinstance(value, Mapping):
        rows = [f"        {_literal(name)}: {_inline(item)},\n" for name, item in value.items()]
        return "{\n" + "".join(rows) + "    }" if rows else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    return json.dumps(value) if isinstance(value, str) else repr(value)


def _inline(value: object) -> str:
    """Return the source of a value on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_literal(name)}: {_literal(item)}" for name, item in value.items()) + "}"
    return _literal(value)
