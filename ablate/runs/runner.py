"""Make one run of a job. Failures are recorded as the status of the run."""

from __future__ import annotations

import csv
import json
import shutil
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ablate import DISTRIBUTION
from ablate.errors import UserError, is_full_disk
from ablate.interrupts import Terminated
from ablate.journal.journal_lines import SCHEMA, records
from ablate.journal.process_identity import SILENCE, is_alive, this_process
from ablate.journal.run_journal import Journal, Journals, Run, load
from ablate.journal.run_log import Diverged, Pruned, RunLog, RunObserver, mask_printed_output
from ablate.runs import provenance
from ablate.studies.conditions import Conditions
from ablate.studies.job import Job, Outcome, TrainingFailed, TrainingLost
from ablate.workloads.dispatch import device_name, imported_files, train


@dataclass(frozen=True)
class RunOptions:
    """The context of a run: its project, study and tags, and which earlier results may replace it.

    `again` repeats a run that has a result. `mix` reuses results of other devices and precisions.
    """

    project: Path
    study: str = "ablate"
    tags: Mapping[str, str] = field(default_factory=dict)
    again: bool = False
    mix: bool = False


class JournalFollower(Protocol):
    """Delivers journals to the tracking store while they are written."""

    def follow(self, journal: Path) -> None:
        """Deliver `journal` from now on."""


def is_comparable(recorded: Mapping[str, Any], wanted: Conditions) -> bool:
    """Return whether results under both conditions may share a table. The number of threads may differ."""
    same = recorded["device"] == wanted.device and recorded["precision"] == wanted.precision
    return bool(same and recorded.get("compiled", False) == wanted.compiled)


def find_result(journals: Journals, job: Job, *, mix: bool = False) -> Run | None:
    """Return the newest result of the job's recipe on its data.

    Device and precision must match the job's conditions, unless `mix` is set.
    """
    for path in reversed(journals.attempts(job.recipe.key, job.data.fingerprint)):
        run = journals.read(path)
        if run and run.is_result and (mix or is_comparable(run.conditions, job.conditions)):
            return run
    return None


def make_run(
    job: Job,
    journals: Journals,
    options: RunOptions,
    observer: RunObserver | None = None,
    follower: JournalFollower | None = None,
) -> tuple[Run, bool]:
    """Return the run of `job`, and whether it is new.

    If another process is making this run, wait for it. Then reuse its result, resume a killed run from its checkpoint,
    or start a new run.

    Raises:
        KeyboardInterrupt, Terminated, TrainingLost: After the run was recorded as killed.
    """
    with journals.lock(job.recipe.key, job.data.fingerprint):
        found = None if options.again else find_result(journals, job, mix=options.mix)
        if found:
            return found, False
        environment = provenance.environment(options.project, _study_file(job))
        facts = {"gpu": device_name(job), "imports": imported_files(job.recipe.workload)}
        environment |= {name: fact for name, fact in facts.items() if fact}
        with _journal_for(job, journals, environment) as journal:
            _start(journal, job, options, environment)
            if follower:
                follower.follow(journal.path)
            _train(journal, job, RunLog(journal, observer), options.project)
        made = load(journal.path)
    assert made is not None
    return made, True


def _journal_for(job: Job, journals: Journals, environment: Mapping[str, Any]) -> Journal:
    """Return the journal of a killed attempt to resume, or a new journal.

    An attempt is resumed if its code and conditions are the same as now. This process holds the lock, so an attempt
    without an end was left by a dead process. It is closed here, unless another machine may still be working on it.
    """
    key, data = job.recipe.key, job.data.fingerprint
    attempts = journals.attempts(key, data)
    last = journals.read(attempts[-1]) if attempts else None
    if last is None or last.status not in ("killed", "running") or _may_run_elsewhere(last, attempts[-1]):
        return journals.create(key, data)
    if last.conditions == asdict(job.conditions) and last.environment == environment:
        return Journal(attempts[-1])
    if last.status == "running":
        with Journal(attempts[-1]) as abandoned:
            abandoned.write("end", status="killed", error="its process is gone")
    return journals.create(key, data)


def _may_run_elsewhere(run: Run, journal: Path) -> bool:
    """Return whether another machine may be writing an open journal, although this process holds the lock.

    This happens on a shared folder without locks between machines, and with a journal imported by `ablate sync`, which
    has no checkpoint here.
    """
    if run.status != "running" or is_alive(run.process) is not None:
        return False
    return not Journal(journal).checkpoint.exists() or time.time() - journal.stat().st_mtime < SILENCE


def _start(journal: Journal, job: Job, options: RunOptions, environment: Mapping[str, Any]) -> None:
    if journal.path.stat().st_size:
        journal.write("resume", process=this_process())
        return
    recipe = job.recipe
    journal.write(
        "start",
        schema=SCHEMA,
        run=journal.name,
        variant=recipe.label,
        key=recipe.key,
        data=job.data.fingerprint,
        data_name=job.data.name,
        study=options.study,
        tags=dict(options.tags),
        recipe=recipe.as_dict(),
        params=recipe.params,
        metric=recipe.workload.metric.as_dict(),
        floor=job.data.floor,
        conditions=asdict(job.conditions),
        environment=environment,
        process=this_process(),
    )


@dataclass(frozen=True)
class _RunEnd:
    """How a training ended, as the `end` record of its journal has it."""

    status: str
    error: str | None = None
    outcome: Outcome | None = None
    trace: str | None = None


def _train(journal: Journal, job: Job, log: RunLog, project: Path) -> None:
    """Train, and write the end record in every case."""
    started = time.perf_counter()
    try:
        end = _outcome_of_training(job, log)
        if end.status in ("finished", "unstable", "pruned"):
            _write_artifacts(journal, job, log, project)
    except (KeyboardInterrupt, Terminated):
        _write_end(journal, job, _RunEnd("killed", "interrupted"), started)
        raise
    except TrainingLost as reason:
        _write_end(journal, job, _RunEnd("killed", str(reason)), started)
        raise
    except UserError as error:
        end = _RunEnd("failed", str(error))
    except Exception as error:  # a failed variant must not stop the others: it is recorded with its traceback
        if is_full_disk(error):
            with suppress(OSError):  # no fault of the run, which resumes from its checkpoint once there is space
                _write_end(journal, job, _RunEnd("killed", "the disk is full"), started)
            raise
        end = _failure(error)
    _write_end(journal, job, end, started)
    for folder in (journal.checkpoint, journal.working_folder):
        shutil.rmtree(folder, ignore_errors=True)


def _outcome_of_training(job: Job, log: RunLog) -> _RunEnd:
    """Train, and return the end of the run. If the training caught an exception of the log, the run ends as the log."""
    metric = job.recipe.workload.metric.with_floor(job.data.floor)
    try:
        outcome = train(job, log)
    except (Diverged, Pruned) as reason:
        return _RunEnd("pruned" if isinstance(reason, Pruned) else "unstable", str(reason))
    except Exception as error:
        if log.end and not (isinstance(error, TrainingLost) or is_full_disk(error)):
            return _RunEnd(*log.end, trace=traceback.format_exc())
        raise
    if log.pruned is not None:
        return _RunEnd("pruned", log.pruned)
    unstable = log.diverged or metric.unstable_reason(outcome.metrics[metric.tracked])
    return _RunEnd("unstable" if unstable else "finished", unstable or outcome.warning or None, outcome)


def _write_end(journal: Journal, job: Job, end: _RunEnd, started: float) -> None:
    metrics = dict(end.outcome.metrics) if end.outcome else {}
    if end.status == "unstable" and job.data.floor is not None:
        metrics.setdefault(job.recipe.workload.metric.tracked, job.data.floor)
    metrics["time/total_s"] = time.perf_counter() - started
    code = {"code": own.code_digest} if (own := job.recipe.workload.study_file) else {}
    params = {**code, **(end.outcome.params if end.outcome else {})}
    mask_printed_output(journal.files)
    journal.write("end", status=end.status, metrics=metrics, params=params, error=end.error, trace=end.trace)


def _failure(error: Exception) -> _RunEnd:
    """Return the end of a run whose training raised `error`, here or in a process of its own."""
    kind, message, trace = type(error).__name__, str(error), traceback.format_exc()
    if isinstance(error, TrainingFailed):
        kind, message, trace = error.kind, error.message, error.trace
    # NumPy and, for devices, torch have classes of their own; for the CPU, torch has none
    is_memory = isinstance(error, MemoryError) or kind.endswith("MemoryError") or "can't allocate memory" in message
    status = "out_of_memory" if is_memory else "failed"
    return _RunEnd(status, f"{kind}: {message.strip()}".splitlines()[0], trace=trace)


def _study_file(job: Job) -> Path | None:
    own = job.recipe.workload.study_file
    return own.path if own else None


def _write_artifacts(journal: Journal, job: Job, log: RunLog, project: Path) -> None:
    """Write the artifacts of every run: recipe, history as a table, environment, uncommitted changes."""
    start = records(journal.path)[0]  # without secrets
    recipe = json.dumps({**start["recipe"], "key": job.recipe.key}, indent=2)
    log.file("recipe.json").write_text(recipe + "\n", encoding="utf-8")
    names = sorted({name for row in log.history for name in row} - {"step"})
    with log.file("history.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, ["step", *names])
        table.writeheader()
        table.writerows(log.history)
    environment, versions = start["environment"], start["environment"]["versions"].items()
    packages = [f"{DISTRIBUTION if name == 'ablate' else name}=={number}" for name, number in versions]
    facts = [f"# {name}: {environment[name]}" for name in ("platform", "processor", "commit", "dirty")]
    log.file("environment.txt").write_text("\n".join(facts + packages) + "\n", encoding="utf-8")
    if (state := provenance.commit(project, _study_file(job))) and state.diff:
        log.file("diff.patch").write_bytes(state.diff.encode(errors="surrogateescape"))
