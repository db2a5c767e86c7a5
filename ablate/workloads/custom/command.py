"""A workload out of a command with placeholders: a program in any language, or one that nobody may change."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Self, Unpack

from ablate.cores import thread_limits
from ablate.errors import UsageError, UserError
from ablate.stats.metric import Metric
from ablate.studies.job import Job, Log, Outcome
from ablate.studies.workload import Workload
from ablate.workloads.custom import output_parsing
from ablate.workloads.custom.command_template import Template, fill_values
from ablate.workloads.custom.declarations import Declarations, Meaning, metric_of, outcome, workload
from ablate.workloads.custom.fingerprint import content_digest, digest
from ablate.workloads.custom.program_runner import Program, TimeUp, run

OUTPUT, ERRORS = "stdout.txt", "stderr.txt"
"""The artifacts that hold what a program printed."""

_PLACES = ("seed", "threads", "device", "python", "here", "files", "checkpoint")
"""Placeholders beside settings: interpreter, the study's folder, the folders of artifacts and checkpoint."""

_KILLED = 137


class CommandDeclarations(Declarations, total=False):
    """What `from_command` takes beside the command.

    The metric is read from the last JSON line on standard output, unless `json_file` names a file that the program
    writes, or `pattern` a regular expression whose first group is the number; what is read is multiplied by `times`
    (0.01 for percentages). `folder` is where the program runs, relative to the study's file; placeholders may stand in
    `folder`, `json_file` and the values of `environment`. After `time_limit` seconds a run has failed. With `mlflow`
    the program finds its own run in the tracking store (MLFLOW_RUN_ID) and may log to it.
    """

    json_file: str
    pattern: str
    times: float
    folder: str
    environment: Mapping[str, str]
    time_limit: float
    mlflow: bool


def from_command(command: str, **declared: Unpack[CommandDeclarations]) -> Workload:
    """Return the workload that trains by running `command`; see `template` for its placeholders.

    `{augment:--augment|--no-augment}` declares a factor, on in the baseline unless `candidates` names it. `{seed}`,
    `{threads}` and every setting stand for their values, `{python}` for this interpreter, `{here}` for the folder of
    the study's file, `{files}` for a folder whose files are kept with the run, `{checkpoint}` for one that is kept
    until the run is done. Raises UsageError for declarations that do not fit together.
    """
    template = Template.read(command)
    settings = declared.get("settings", {})
    _check_reading(declared)
    template.check(dict.fromkeys([*_PLACES, *settings]))
    base: Declarations = {name: declared[name] for name in Declarations.__optional_keys__ if name in declared}  # type: ignore[assignment, literal-required]  # keys of the one are keys of the other
    meanings: dict[str, Meaning] = {**template.meanings}
    asked = {**declared.get("factors", {}), **declared.get("candidates", {})}
    for name in asked:
        if name not in meanings:
            raise UsageError(f"the command has no {{{name}:on|off}} for the factor {name}")
    candidates = declared.get("candidates", {})
    base["factors"] = {name: asked.get(name, words) for name, words in meanings.items() if name not in candidates}
    trainer = Command(
        command,
        metric_of(declared),
        json_file=declared.get("json_file", ""),
        pattern=declared.get("pattern", ""),
        times=declared.get("times", 1.0),
        folder=declared.get("folder", ""),
        environment=declared.get("environment", {}),
        time_limit=declared.get("time_limit"),
        logs_itself=declared.get("mlflow", False),
        more_code=tuple(declared.get("code", ())),
    )
    return workload(trainer, base)


def _check_reading(declared: CommandDeclarations) -> None:
    file, pattern = declared.get("json_file", ""), declared.get("pattern", "")
    if file and pattern:
        raise UsageError("the metric is read from `json_file` or by `pattern`, not both")
    if file and "{" not in file + declared.get("folder", ""):
        raise UsageError(
            f"runs at the same time would all write {file}: have the program write to {{files}}/{Path(file).name}, "
            "or run in a folder of its own, folder='{files}'"
        )
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise UsageError(f"the pattern {pattern!r} is no regular expression: {error}") from None
    if pattern and not groups:
        raise UsageError(f"the pattern {pattern!r} needs a group for the number: accuracy: ([\\d.]+)")


@dataclass(frozen=True)
class Command:
    """A trainer that runs a program; see `CommandDeclarations`."""

    command: str
    metric: Metric
    json_file: str = ""
    pattern: str = ""
    times: float = 1.0
    folder: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    time_limit: float | None = None
    logs_itself: bool = False
    more_code: tuple[str, ...] = ()
    file: Path | None = None

    def placed(self, file: Path) -> Self:
        """Return this trainer as the study's file brings it."""
        return replace(self, file=file)

    @cached_property
    def _here(self) -> Path:
        assert self.file is not None
        return self.file.parent

    @cached_property
    def _template(self) -> Template:
        return Template.read(self.command)

    @cached_property
    def code(self) -> str:
        """Digits that name the command, how its metric is read, and the content of the files that it names."""
        spelled = json.dumps(
            [self.command, self.json_file, self.pattern, self.times, self.folder, dict(self.environment)]
        )
        words = [fill_values(word, {"here": self._here}) for word in self._template.arguments]
        folder = self._here if "{" in self.folder else self._here / self.folder
        named = [word for word in words if "/" in word or "." in word]
        files = [str(folder / word) for word in named if (folder / word).is_file()]
        return digest([spelled, content_digest([*files, *self.more_code], self._here)])

    def __call__(self, job: Job, log: Log) -> Outcome:
        """Run the program; JSON lines on standard output that name a step are recorded as they come."""
        values = self._values(job, log)
        program = self._program(job, log, values)
        began, lines = time.time(), output_parsing.Lines(program.output)

        def watch() -> None:
            for line in lines.new():
                if found := output_parsing.step_of(line):
                    log(found[0], **found[1])

        try:
            code = run(program, watch)
        except TimeUp:
            raise UserError(f"the program took longer than its {self.time_limit:g} seconds and was ended") from None
        _check_end(code, program)
        found = {name: value * self._factor(name) for name, value in self._read(program, values, began).items()}
        return outcome(found, self.metric, "the program", {"code": self.code})

    def _values(self, job: Job, log: Log) -> dict[str, object]:
        log.checkpoint.mkdir(parents=True, exist_ok=True)
        return {
            **job.recipe.settings,
            "seed": job.recipe.seed,
            "threads": job.conditions.threads,
            "device": job.conditions.device,
            "python": sys.executable,
            "here": self._here,
            "files": log.file(OUTPUT).parent,
            "checkpoint": log.checkpoint,
        }

    def _program(self, job: Job, log: Log, values: Mapping[str, object]) -> Program:
        arguments = self._template.fill(job.recipe.__getitem__, values)
        folder = self._here / fill_values(self.folder, values)
        if not folder.is_dir():
            raise UserError(f"there is no folder {folder} to run the program in")
        environment = {
            **thread_limits(job.conditions.threads),
            "PYTHONUNBUFFERED": "1",
            **os.environ,
            **(log.waiting_run() if self.logs_itself else {}),
            **{name: fill_values(value, values) for name, value in self.environment.items()},
        }
        looked_for = str(folder / arguments[0]) if "/" in arguments[0] else arguments[0]
        if shutil.which(looked_for, path=environment.get("PATH")) is None:
            raise UserError(f"there is no program {arguments[0]} that can be run (from {folder})")
        return Program(arguments, folder, environment, log.file(OUTPUT), log.file(ERRORS), self.time_limit)

    def _read(self, program: Program, values: Mapping[str, object], began: float) -> dict[str, float]:
        output = program.output.read_text(errors="replace")
        if self.pattern:
            errors = program.errors.read_text(errors="replace")
            return {self.metric.name: output_parsing.matched(self.pattern, [output, errors])}
        if self.json_file:
            return output_parsing.json_file(program.folder / fill_values(self.json_file, values), began - 1)
        return output_parsing.last_line(output, self.metric.name)

    def _factor(self, name: str) -> float:
        return self.times if name == self.metric.name else 1.0


def _check_end(code: int, program: Program) -> None:
    """Raise for a program that did not end well."""
    if code == _KILLED:
        raise MemoryError("the program was ended by SIGKILL, as a machine that runs out of memory does")
    if code:
        said = program.errors.read_text(errors="replace").strip() or program.output.read_text(errors="replace").strip()
        last = said.splitlines()[-1][:300] if said else "it printed nothing"
        raise UserError(f"the program ended with exit code {code}: {last}")
