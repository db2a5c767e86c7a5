"""Load a study and its workload from the study file, in the main process, in workers and in the processes of runs."""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.util
import inspect
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from importlib.machinery import PathFinder
from os import PathLike
from pathlib import Path
from tokenize import open as open_source
from types import ModuleType
from typing import Any, NoReturn

from ablate.errors import UsageError
from ablate.interrupts import let_interrupts_end_waits
from ablate.studies.study import Study
from ablate.studies.workload import StudyFile, Workload, relative_path
from ablate.wording import alternatives, unknown, unknown_name
from ablate.workloads.custom import study_process
from ablate.workloads.custom.declarations import DeclaredData, Trainer
from ablate.workloads.custom.source_loader import SourceLoader

STUDY_MODULE = "ablate.workloads.custom.study_module"
STUDY_MODULE_FILE = "ABLATE_STUDY_MODULE"
"""Environment variable with the path of the file that STUDY_MODULE executes."""

_MOVED = {
    "ablate.study": "load_study",
    "ablate.workload": "find_workload as find",
    "ablate.studies.workload": "find_workload as find",
}
"""Modules that study files of older versions import, and what such a file imports from `ablate` instead."""

_loaded: dict[StudyFile, Workload] = {}
"""The workloads whose trainers are in this process."""


def import_file(path: Path) -> ModuleType:
    """Import a study file as a module and return it; the file can import modules in its folder.

    Raises UsageError if the file raises an exception.
    """
    _add_to_path(path.absolute().parent)
    name = f"ablate_study_{path.stem}"
    with _errors_explained(path):
        return _import_source(name, path)


def _import_source(name: str, path: Path) -> ModuleType:
    loader = SourceLoader(name, str(path.absolute()))
    spec = importlib.util.spec_from_file_location(name, loader.path, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses defined in the file look up their module
    loader.exec_module(module)
    return module


def _import_by_name(path: Path) -> ModuleType:
    """Import a study file under a name by which child processes can import it, too, and return its module.

    It is the stem of the file, unless another module has that name.
    """
    _add_to_path(path.parent)
    importlib.invalidate_caches()
    spec = None if "." in path.stem or path.stem in sys.modules else PathFinder.find_spec(path.stem)
    is_free = spec is not None and spec.origin == str(path)
    os.environ[STUDY_MODULE_FILE] = str(path)
    with _errors_explained(path):
        return _import_source(path.stem, path) if is_free else importlib.import_module(STUDY_MODULE)


def _add_to_path(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.append(str(folder))  # at the end: a study with the name of a library must not shadow it


@contextmanager
def _errors_explained(path: Path) -> Iterator[None]:
    """Raise UsageError for an exception in a study file, with the line of the file."""
    try:
        with arguments_explained():
            yield
    except UsageError as error:
        if str(path) in str(error):
            raise
        raise UsageError(f"{_place(path, error)}: {error}") from error
    except SystemExit as error:
        raise UsageError(f"{_place(path, error)} exits with code {error.code} when the file is imported") from error
    except ImportError as error:
        if error.name not in _MOVED:
            raise UsageError(f"Cannot run {_place(path, error)}: {type(error).__name__}: {error}") from error
        raise UsageError(
            f"{path} was written for an older version of ablate. Replace its import from {error.name} with "
            f"`from ablate import {_MOVED[error.name]}`"
        ) from error
    except Exception as error:
        message = error.msg if isinstance(error, SyntaxError) else error
        raise UsageError(f"Cannot run {_place(path, error)}: {type(error).__name__}: {message}") from error


def _place(path: Path, error: BaseException) -> str:
    """Return a study file with the line that an error comes from, if it comes from one."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename) == path.resolve()]
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename) == path.resolve():
        lines.append(error.lineno)
    return f"{path}, line {lines[-1]}" if lines else str(path)


@contextmanager
def arguments_explained() -> Iterator[None]:
    """Raise UsageError where argparse would print its usage and exit."""

    def explain(_parser: argparse.ArgumentParser, message: str) -> NoReturn:
        files = [frame.filename for frame in traceback.extract_stack()]
        caller = next(file for file in reversed(files) if file not in (__file__, argparse.__file__))
        raise UsageError(
            f"{caller} parses command-line arguments, but a study has none ({message}). Call parse_args in a function "
            "that the study does not call, or give it a list: parse_args([])"
        )

    before = argparse.ArgumentParser.error
    argparse.ArgumentParser.error = explain  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        argparse.ArgumentParser.error = before  # type: ignore[method-assign]


def bind_to_file(workload: Workload, file: Path) -> Workload:
    """Return a declared workload with its name, its version, and the study file that defines it.

    A built-in workload, and one that another study file defines, is returned unchanged.
    """
    if isinstance(workload.train_function, str) or workload.study_file:
        return workload
    trainer = _trainer(workload, file)
    assert isinstance(workload.data_function, DeclaredData)
    return replace(
        workload,
        name=workload.name or file.stem,
        version=workload.version or trainer.code_digest,
        train_function=trainer.train_function,
        unread={**workload.unread, **trainer.unread},
        data_function=workload.data_function.bound_to(file),
        study_file=StudyFile(file, trainer.code_digest, tuple(trainer.code_files)),
    )


def _trainer(workload: Workload, file: Path) -> Trainer:
    """Return the trainer of a declared workload, with paths relative to the study file."""
    trainer: Any = workload.train_function
    bound: Trainer = trainer.bound_to(file)
    return bound


@lru_cache(maxsize=8)
def load_workload(study_file: StudyFile) -> Workload:
    """Return the workload of a study file, in a worker. The file is imported by another process, which makes the runs.

    Raises UsageError if the file is missing, or if the training code has changed since the main process loaded it.
    """
    if study_file in _loaded:
        return _loaded[study_file]
    if not study_file.path.is_file():
        raise UsageError(
            f"Study file not found by a worker: {study_file.path}. It must have the same path on every machine"
        )
    return study_process.start_study_process(study_file).workload


def load_trainer(study_file: StudyFile) -> tuple[Workload, Trainer]:
    """Return the workload of a study file and its trainer, for the runs of this process.

    Raises UsageError if the training code has changed since the main process loaded it.
    """
    path = study_file.path
    declared = _import_by_name(path).study.workload
    workload = bind_to_file(declared, path)
    if workload.study_file != study_file:
        raise UsageError(f"The training code of {path} changed during the sweep. Start the command again")
    _loaded[study_file] = workload
    return workload, _trainer(declared, path)


def load_study(path: str | PathLike[str]) -> Study:
    """Return the study that a file defines as its variable `study`; the file is executed as code.

    The study's name defaults to the stem of the file, its question to the docstring.

    Raises:
        UsageError: If the file is missing, raises an exception or defines no study.
    """
    path = Path(path)
    if path.is_dir():
        raise UsageError(f"{path} is a folder, not a study file")
    if not path.is_file():
        files = sorted(path.parent.glob("*.py")) if path.parent.is_dir() else []
        if same := [file for file in (*files, *sorted(Path("experiments").glob("*.py"))) if file.stem == path.stem]:
            raise UsageError(unknown_name("study file", str(path), str(same[0])))
        raise UsageError(unknown("study file", str(path), map(str, files)))
    with _state_restored(path):
        module = import_file(path)
    let_interrupts_end_waits()
    if not isinstance(study := getattr(module, "study", None), Study):
        other = alternatives([name for name, one in vars(module).items() if isinstance(one, Study)] or [""])
        raise UsageError(f"{path} defines no study. {f'Rename {other} to' if other else 'Add'} `study = Study(...)`")
    question = study.question or inspect.getdoc(module) or ""
    workload = bind_to_file(study.workload, path.resolve())
    name, file = study.name or path.stem, relative_path(path.resolve())
    return replace(study, question=question, name=name, workload=workload, file=file)


def in_study_file(path: Path, error: UsageError) -> UsageError:
    """Return the error of a study that its file declares, with the line of the declaration."""
    with open_source(path) as source:
        tree = ast.parse(source.read())
    lines = [
        node.lineno
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and "study" in {ast.unparse(one) for one in _targets(node)}
    ]
    return UsageError(f"{path}, line {lines[-1]}: {error}") if lines else UsageError(f"{path}: {error}")


def _targets(node: ast.Assign | ast.AnnAssign) -> list[ast.expr]:
    return node.targets if isinstance(node, ast.Assign) else [node.target]


@contextmanager
def _state_restored(path: Path) -> Iterator[None]:
    """Let a study file find its own path in `sys.argv`, and undo its changes of `sys.argv` and the working folder."""
    arguments, folder = sys.argv, Path.cwd()
    sys.argv = [str(path)]
    try:
        yield
    finally:
        sys.argv = arguments
        os.chdir(folder)
