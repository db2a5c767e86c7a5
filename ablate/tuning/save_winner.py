"""The winner as a study file that `ablate sweep` takes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from ablate.errors import UserError
from ablate.studies.settings import Value
from ablate.studies.study import Study
from ablate.studies.workload import Workload
from ablate.tuning.per_variant import fresh


def study_file(study: Study, chosen: Mapping[str, Value], story: str, folder: Path) -> str:
    """Return the text of a study of the tuned recipe: the same design at the values that were chosen, on fresh seeds.

    `story` says where the values come from, in a line; `folder` is where the file will lie.
    """
    values = {**study.values, **chosen}
    fields = {
        "design": study.design,
        "preset": study.preset,
        "seeds": list(fresh(study).seed_list),
        "margin": study.margin,
        **({"factors": list(study.factors)} if study.factors else {}),
        **({"on": list(study.on)} if study.on else {}),
        **({"off": list(study.off)} if study.off else {}),
        **({"options": dict(study.options)} if study.options else {}),
        "values": values,
    }
    lines = [f"    {name}={_literal(value)}," for name, value in fields.items()]
    imports, trains = _workload_lines(study.workload, folder)
    lines += [f"    workload={trains},"] if trains else []
    question = "Which components matter once the recipe is tuned?"
    head = f'"""{question}\n\n{story}\n"""\n\n{imports}\n'
    return head + "study = Study(\n" + "\n".join(lines) + "\n)\n"


def _workload_lines(workload: Workload, folder: Path) -> tuple[str, str]:
    """Return the imports of a study's file, and what its workload is; nothing for the usual one."""
    usual = "from ablate import Study\n"
    if workload.study_file:
        way = os.path.relpath(workload.study_file.path, folder.absolute())
        more = "from ablate.workloads.custom.study_file import load_study\n"
        return (
            f"from pathlib import Path\n\n{usual}{more}",
            f"load_study(Path(__file__).parent / {_literal(way)}).workload",
        )
    if workload == Study().workload:
        return usual, ""
    return f"{usual}from ablate.studies.workload import find\n", f"find({workload.name!r})"


def save_study(path: Path, text: str) -> None:
    """Write a study file. Raises UserError where that cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"--save {path}: {error.strerror or error}") from error


def check_savable(path: Path) -> None:
    """Raise UserError unless a study file can be written at `path`: better now than after the search."""
    if path.suffix != ".py":
        raise UserError(f"--save takes the path of a study file, ending in .py, not {path}")
    if path.is_dir():
        raise UserError(f"--save {path} is a folder: give a file")


def _literal(value: object) -> str:
    if isinstance(value, Mapping):
        rows = [f"        {_literal(name)}: {_literal(item)},\n" for name, item in value.items()]
        return "{\n" + "".join(rows) + "    }" if rows else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    return json.dumps(value) if isinstance(value, str) else repr(value)
