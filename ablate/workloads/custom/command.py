"""A workload from a command line with placeholders: a program in any language, run without changes."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Self, Unpack

from ablate.cores import thread_limits
from ablate.errors import UsageError, UserError
from ablate.journal.run_log import STDERR, STDOUT
from ablate.stats.metric import Metric
from ablate.studies.job import Job, Log, Outcome
from ablate.studies.recipe import Recipe
from ablate.studies.settings import Value
from ablate.studies.workload import EXIT_CODE, Workload
from ablate.workloads.custom.arguments import CommandDeclaration, WorkloadDeclaration, check_arguments
from ablate.workloads.custom.command_template import CommandTemplate, fill_values
from ablate.workloads.custom.declarations import declared_metric, declared_workload, make_outcome
from ablate.workloads.custom.fingerprint import content_digest, content_files, digest, named_files
from ablate.workloads.custom.hidden_exit_codes import hidden_exit_code
from ablate.workloads.custom.hidden_failures import OutputFiles
from ablate.workloads.custom.levels import command_factors, split_factors
from ablate.workloads.custom.output_parsing import ResultReader, step_metrics
from ablate.workloads.custom.program_runner import Program, TimeLimitExceededError, check_exit_code, running
from ablate.workloads.custom.run_folder import working_folder

_PLACEHOLDERS = ("seed", "threads", "device", "python", "here", "files", "checkpoint")
"""Placeholders as well as settings: interpreter, the study's folder, the folders of artifacts and checkpoint, ..."""


def from_command(command: str, **declaration: Unpack[CommandDeclaration]) -> Workload:
    """Return the workload that trains by running a command.

    Args:
        command: The command line. `{augment:--augment|--no-augment}` declares a factor, on in the baseline unless it is
            listed in `candidates`, and `{optimizer:--opt sgd|--opt adam|--opt muon}` one with as many levels, the
            baseline's first. Further placeholders are `{seed}`, `{threads}`, `{device}` and every setting,
            `{python}` for this interpreter, `{here}` for the run's view of the study file's folder, `{files}` for a
            folder whose files become artifacts, and `{checkpoint}` for a folder that is kept until the run finishes.
        **declaration: The settings, metric and data of the training, and where to read the metric: see
            `CommandDeclaration`.

    Raises:
        UsageError: For an invalid declaration.

    Example:
        >>> from ablate import Metric, from_command
        >>> workload = from_command("{python} train.py --seed {seed} {flip:|--no-flip}", metric=Metric("accuracy"))
        >>> workload.factors.baseline
        ('flip',)
    """
    check_arguments("from_command", declaration, CommandDeclaration)
    template = CommandTemplate.parse(command)
    _check_metric_source(declaration)
    texts = template.factor_texts
    of_levels = [name for name in texts if len(texts[name]) > 2]
    template.check(dict.fromkeys([*_PLACEHOLDERS, *of_levels, *declaration.get("settings", {})]))
    names = WorkloadDeclaration.__optional_keys__
    common: WorkloadDeclaration = {name: declaration[name] for name in names if name in declaration}  # type: ignore[assignment, literal-required]  # the keys of one are keys of the other
    common["factors"] = command_factors(template, declaration)
    levels = split_factors(common["factors"], {})[1]
    trainer = CommandTrainer(
        command,
        declared_metric(declaration),
        json_file=declaration.get("json_file", ""),
        pattern=declaration.get("pattern", ""),
        times=declaration.get("times", 1.0),
        folder=declaration.get("folder", ""),
        environment=declaration.get("environment", {}),
        time_limit=declaration.get("time_limit"),
        logs_to_mlflow=declaration.get("mlflow", False),
        shared_folder=declaration.get("shared_folder", False),
        more_code=tuple(declaration.get("code", ())),
        setting_texts=tuple(str(value) for values in _setting_values(declaration) for value in values),
        levels=levels,
    )
    others, given = (trainer.folder, trainer.json_file, *trainer.environment.values()), declaration.get("factors", {})
    unread = template.unread_names(declaration.get("settings", ()), others)
    help_texts = {name: text for name in levels if isinstance(text := given.get(name), str)}
    return replace(declared_workload(trainer, common, unread, help_texts), inputs_function=trainer.inputs)


def _setting_values(declaration: CommandDeclaration) -> list[Iterable[Value]]:
    presets = declaration.get("presets", {}).values()
    return [values.values() for values in (declaration.get("settings", {}), *presets)]


def _check_metric_source(declaration: CommandDeclaration) -> None:
    file, pattern = declaration.get("json_file", ""), declaration.get("pattern", "")
    if file and pattern:
        raise UsageError("Declare either `json_file` or `pattern`, not both")
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise UsageError(f"Invalid regular expression {pattern!r}: {error}") from None
    if pattern and not groups:
        raise UsageError(f"The pattern {pattern!r} needs a group for the number, as in accuracy: (\\S+)")


@dataclass(frozen=True)
class CommandTrainer:
    """A trainer that runs a program; see `CommandDeclaration`."""

    command: str
    metric: Metric
    json_file: str = ""
    pattern: str = ""
    times: float = 1.0
    folder: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    time_limit: float | None = None
    logs_to_mlflow: bool = False
    shared_folder: bool = False
    more_code: tuple[str, ...] = ()
    setting_texts: tuple[str, ...] = ()
    levels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    file: Path | None = None

    def bound_to(self, file: Path) -> Self:
        """Return this trainer with paths relative to the study file `file`."""
        return replace(self, file=file)

    @cached_property
    def _here(self) -> Path:
        assert self.file is not None
        return self.file.parent

    @property
    def _original(self) -> Path:
        return self._here if "{" in self.folder else self._here / self.folder

    @cached_property
    def _template(self) -> CommandTemplate:
        return CommandTemplate.parse(self.command)

    def inputs(self, recipe: Recipe) -> list[str]:
        """Return the arguments and texts of the command that depend on a recipe; other placeholders are kept."""
        values = {**recipe.settings, "seed": recipe.seed}
        texts = (self.folder, self.json_file, *self.environment.values())
        arguments = self._template.fill(recipe.__getitem__, values, self.levels)
        return [*arguments, *(fill_values(text, values) for text in texts)]

    @cached_property
    def code_digest(self) -> str:
        """The digest of the command, its levels, the source of its metric, and the files that it names."""
        given = [self.command, self.json_file, self.pattern, self.times, self.folder, dict(self.environment)]
        more = ["shared folder"] * self.shared_folder
        if self.levels:  # which name stands for which text
            more.append(json.dumps({name: list(levels) for name, levels in self.levels.items()}))
        return digest([json.dumps(given), content_digest([*self._named_files, *self.more_code], self._here), *more])

    @property
    def code_files(self) -> list[Path]:
        """The files that the command names, and those of `more_code`."""
        return content_files([*self._named_files, *self.more_code], self._here)

    @cached_property
    def _named_files(self) -> list[str]:
        texts = [text for switch in self._template.switches for text in switch.texts]
        texts += [*self.environment.values(), *self.setting_texts]
        words, texts = (
            [fill_values(text, {"here": self._here}) for text in some] for some in (self._template.arguments, texts)
        )
        return named_files(words, texts, self._original)

    @property
    def unread(self) -> Mapping[str, str]:
        """A warning if the command, or a script that it runs, hides the exit code of its program."""
        warning = hidden_exit_code(self._template.arguments, self._here, self._original)
        return {EXIT_CODE: warning} if warning else {}

    @property
    def train_function(self) -> Self:
        """This trainer, which runs the program in a process of its own."""
        return self

    def __call__(self, job: Job, log: Log) -> Outcome:
        """Run the program; JSON lines with a step on its standard output are logged as they are written."""
        _check_folder(self._original)
        with working_folder(job.recipe.workload, log, self._original, self._here) as folder:
            values = self._values(job, log, folder.inside(self._here.resolve()))
            place = folder.path if self._original != self._here else Path(folder.path, fill_values(self.folder, values))
            _check_folder(place)
            return self._run(self._program(job, log, values, place), log, values)

    def _run(self, program: Program, log: Log, values: Mapping[str, object]) -> Outcome:
        began = time.time()
        output = OutputFiles.of({"standard error": program.errors, "standard output": program.output})
        try:
            with running(program) as process:
                for line in process.lines():
                    if step := step_metrics(line):
                        log(step[0], **step[1])
        except TimeLimitExceededError:
            raise UserError(f"The program exceeded its time limit of {self.time_limit:g} seconds") from None
        check_exit_code(process.exit_code, program)
        found = self._read(program, values, began)
        outcome = make_outcome(found, self.metric, "The program", {"code": self.code_digest})
        return replace(outcome, warning=output.hidden_error("the program's exit code is 0"))

    def _values(self, job: Job, log: Log, here: Path) -> dict[str, object]:
        log.checkpoint.mkdir(parents=True, exist_ok=True)
        return {
            **job.recipe.settings,
            "seed": job.recipe.seed,
            "threads": job.conditions.threads,
            "device": job.conditions.device,
            "python": sys.executable,
            "here": here,
            "files": log.file(STDOUT).parent.absolute(),
            "checkpoint": log.checkpoint.absolute(),
        }

    def _program(self, job: Job, log: Log, values: Mapping[str, object], folder: Path) -> Program:
        arguments = self._template.fill(job.recipe.__getitem__, values, self.levels)
        environment = {
            **thread_limits(job.conditions.threads),
            "PYTHONUNBUFFERED": "1",
            **os.environ,
            "PWD": str(folder),
            **(log.mlflow_environment() if self.logs_to_mlflow else {}),
            **{name: fill_values(value, values) for name, value in self.environment.items()},
        }
        executable = str(folder / arguments[0]) if "/" in arguments[0] else arguments[0]
        if shutil.which(executable, path=environment.get("PATH")) is None:
            raise UserError(f"Program not found or not executable: {arguments[0]} (in {folder})")
        return Program(arguments, folder, environment, log.file(STDOUT), log.file(STDERR), self.time_limit)

    def _read(self, program: Program, values: Mapping[str, object], began: float) -> dict[str, float]:
        reader = ResultReader(self.metric, self.times)
        texts = [path.read_text(errors="replace", encoding="utf-8") for path in (program.output, program.errors)]
        if self.pattern:
            return reader.from_pattern(self.pattern, texts)
        if self.json_file:  # clocks of file systems may be coarse
            return reader.from_json_file(program.folder / fill_values(self.json_file, values), began - 1)
        return reader.from_output(texts[0])


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise UserError(f"Working folder of the program not found: {folder}")
