"""From a study's file to what it brings, in the command's own process and in its workers."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from ablate.errors import UsageError
from ablate.studies.study import Study
from ablate.studies.workload import StudyFile, Workload
from ablate.workloads.custom.declarations import OwnData


def run_file(path: Path) -> ModuleType:
    """Return the module that a study's file makes; modules beside the file can be imported from it.

    Raises UsageError for a file that does not run.
    """
    name = f"ablate_study_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses of the file look their module up there
    beside = str(path.absolute().parent)
    if beside not in sys.path:
        sys.path.append(beside)  # last: a study named like a library must not hide it
    try:
        spec.loader.exec_module(module)
    except UsageError:
        raise
    except (Exception, SystemExit) as error:
        raise UsageError(f"{path} does not run: {type(error).__name__}: {error}") from error
    return module


def placed(workload: Workload, file: Path) -> Workload:
    """Return the workload as `file` brings it: with its name, its version and the way back to it.

    One that is found by its name, or that another study's file brings, stays as it is.
    """
    trainer: Any = workload.train_function
    if isinstance(trainer, str) or workload.study_file:
        return workload
    trainer = trainer.placed(file)
    assert isinstance(workload.data_function, OwnData)
    return replace(
        workload,
        name=workload.name or file.stem,
        version=workload.version or trainer.code,
        train_function=trainer,
        data_function=workload.data_function.placed(file),
        study_file=StudyFile(file, trainer.code),
    )


@lru_cache(maxsize=8)
def workload_of(study_file: StudyFile) -> Workload:
    """Return, in a worker, the workload that a study's file brings.

    Raises UsageError if the file, or other code that trains, is no longer what the command read.
    """
    path = study_file.path
    if not path.is_file():
        raise UsageError(f"a worker finds no {path}: the study's file must lie at the same place on every machine")
    found = placed(run_file(path).study.workload, path)
    if found.study_file != study_file:
        raise UsageError(f"the code of {path} changed while its runs were being made: start the command again")
    return found


def load_study(path: Path) -> Study:
    """Return the study of a file: its `study`, named by the file's stem, asked by its docstring. The file is code.

    Raises UsageError for a file that is not there, does not run, or holds no study.
    """
    if not path.is_file():
        near = ", ".join(str(other) for other in sorted(path.parent.glob("*.py"))) if path.parent.is_dir() else ""
        raise UsageError(f"there is no study file {path}" + (f" (there is: {near})" if near else ""))
    module = run_file(path)
    study = getattr(module, "study", None)
    if not isinstance(study, Study):
        raise UsageError(f"{path} holds no study: it must set `study = Study(...)`")
    question = study.question or inspect.getdoc(module) or ""
    workload = placed(study.workload, path.resolve())
    return replace(study, question=question, name=study.name or path.stem, workload=workload)
