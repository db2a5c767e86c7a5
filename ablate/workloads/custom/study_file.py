"""Load a study and its workload from the study file, in the main process and in workers."""

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
from ablate.wording import unknown
from ablate.workloads.custom.declarations import DeclaredData


def import_file(path: Path) -> ModuleType:
    """Import a study file as a module and return it; the file can import modules in its folder.

    Raises UsageError if the file raises an exception.
    """
    name = f"ablate_study_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses defined in the file look up their module
    folder = str(path.absolute().parent)
    if folder not in sys.path:
        sys.path.append(folder)  # at the end: a study with the name of a library must not shadow it
    try:
        spec.loader.exec_module(module)
    except UsageError:
        raise
    except (Exception, SystemExit) as error:
        raise UsageError(f"Cannot run {path}: {type(error).__name__}: {error}") from error
    return module


def bind_to_file(workload: Workload, file: Path) -> Workload:
    """Return a declared workload with its name, its version, and the study file that defines it.

    A built-in workload, and one that another study file defines, is returned unchanged.
    """
    trainer: Any = workload.train_function
    if isinstance(trainer, str) or workload.study_file:
        return workload
    trainer = trainer.bound_to(file)
    assert isinstance(workload.data_function, DeclaredData)
    return replace(
        workload,
        name=workload.name or file.stem,
        version=workload.version or trainer.code_digest,
        train_function=trainer,
        data_function=workload.data_function.bound_to(file),
        study_file=StudyFile(file, trainer.code_digest),
    )


@lru_cache(maxsize=8)
def load_workload(study_file: StudyFile) -> Workload:
    """Return the workload of a study file, in a worker.

    Raises UsageError if the file is missing, or if the training code has changed since the main process loaded it.
    """
    path = study_file.path
    if not path.is_file():
        raise UsageError(f"Study file not found by a worker: {path}. It must have the same path on every machine")
    found = bind_to_file(import_file(path).study.workload, path)
    if found.study_file != study_file:
        raise UsageError(f"The training code of {path} changed during the sweep. Start the command again")
    return found


def load_study(path: Path) -> Study:
    """Return the study of a file, its variable `study`; the file is executed as code.

    The study's name defaults to the stem of the file, its question to the docstring.
    Raises UsageError if the file is missing, raises an exception or defines no study.
    """
    if not path.is_file():
        files = sorted(path.parent.glob("*.py")) if path.parent.is_dir() else []
        raise UsageError(unknown("study file", str(path), map(str, files)))
    module = import_file(path)
    study = getattr(module, "study", None)
    if not isinstance(study, Study):
        raise UsageError(f"{path} defines no study. Add `study = Study(...)`")
    question = study.question or inspect.getdoc(module) or ""
    workload = bind_to_file(study.workload, path.resolve())
    return replace(study, question=question, name=study.name or path.stem, workload=workload)
