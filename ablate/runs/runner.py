"""From a job to a run. Whatever happens is recorded: a failure is a status, never a loss."""

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
from typing import Any

from ablate import DISTRIBUTION
from ablate.errors import DISK_FULL, UserError
from ablate.journal.process_identity import SILENCE, is_alive, this_process
from ablate.journal.run_journal import SCHEMA, Journal, Journals, Run, load, records
from ablate.runs import provenance
from ablate.runs.interrupts import Terminated
from ablate.runs.run_log import Diverged, Pruned, RunLog, Watcher
from ablate.studies.conditions import Conditions
from ablate.studies.job import Job, Outcome, train


@dataclass(frozen=True)
class Purpose:
    """Why a run is made: for which study of which project, with which tags, and whether an earlier answer will do."""

    project: Path
    study: str = "ablate"
    tags: Mapping[str, str] = field(default_factory=dict)
    again: bool = False
    mix: bool = False


def comparable(made_under: Mapping[str, Any], wanted: Conditions) -> bool:
    """Return whether results under both conditions may stand in one table; threads do not matter."""
    same = made_under["device"] == wanted.device and made_under["precision"] == wanted.precision
    return bool(same and made_under.get("compiled", False) == wanted.compiled)


def answer(journals: Journals, job: Job, *, mix: bool = False) -> Run | None:
    """Return the newest result for this recipe on this data, of the same kind of device and precision unless `mix`."""
    for path in reversed(journals.attempts(job.recipe.key, job.data.fingerprint)):
        run = load(path)
        if run and run.is_result and (mix or comparable(run.conditions, job.conditions)):
            return run
    return None


def make(job: Job, journals: Journals, purpose: Purpose, watcher: Watcher) -> tuple[Run, bool]:
    """Return the run that answers `job`, and whether it was made just now.

    Waits for whoever holds the claim; then takes their result, goes on from a killed run's checkpoint, or starts anew.
    KeyboardInterrupt and Terminated pass through, after the run was recorded as killed.
    """
    with journals.lock(job.recipe.key, job.data.fingerprint):
        found = None if purpose.again else answer(journals, job, mix=purpose.mix)
        if found:
            return found, False
        environment = provenance.environment(purpose.project)
        with _journal_for(job, journals, environment) as journal:
            _start(journal, job, purpose, environment)
            watcher.started(journal.path)
            _train(journal, job, RunLog(journal, watcher), purpose.project)
        made = load(journal.path)
    assert made is not None
    return made, True


def _journal_for(job: Job, journals: Journals, environment: Mapping[str, Any]) -> Journal:
    """Return the journal of a killed attempt to go on with, or a new one.

    Gone on with is what the same code made under the same conditions. The claim is ours, so an attempt without an end
    belongs to a process that is gone: it is closed here, unless it may still go on on another machine.
    """
    key, data = job.recipe.key, job.data.fingerprint
    attempts = journals.attempts(key, data)
    last = load(attempts[-1]) if attempts else None
    if last is None or last.status not in ("killed", "running") or _may_live_elsewhere(last, attempts[-1]):
        return journals.create(key, data)
    if last.conditions == asdict(job.conditions) and last.environment == environment:
        return Journal(attempts[-1])
    if last.status == "running":
        with Journal(attempts[-1]) as abandoned:
            abandoned.write("end", status="killed", error="its process is gone")
    return journals.create(key, data)


def _may_live_elsewhere(run: Run, journal: Path) -> bool:
    """Return whether another machine may be writing an open journal, though the claim is ours.

    That is so on a shared folder whose locks do not reach from one machine to the other, and of a journal that
    `ablate sync` brought in: it has no checkpoint here.
    """
    if run.status != "running" or is_alive(run.process) is not None:
        return False
    return not Journal(journal).checkpoint.exists() or time.time() - journal.stat().st_mtime < SILENCE


def _start(journal: Journal, job: Job, purpose: Purpose, environment: Mapping[str, Any]) -> None:
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
        study=purpose.study,
        tags=dict(purpose.tags),
        recipe=recipe.as_dict(),
        params=recipe.params,
        metric=recipe.workload.metric.as_dict(),
        floor=job.data.floor,
        conditions=asdict(job.conditions),
        environment=environment,
        process=this_process(),
    )


def _train(journal: Journal, job: Job, log: RunLog, project: Path) -> None:
    """Train, and write the end record whatever the end is."""
    metric = job.recipe.workload.metric
    started = time.perf_counter()

    def end(status: str, error: str | None = None, outcome: Outcome | None = None, trace: str | None = None) -> None:
        metrics = dict(outcome.metrics) if outcome else {}
        if status == "unstable" and job.data.floor is not None:
            metrics.setdefault(metric.tracked, job.data.floor)
        metrics["time/total_s"] = time.perf_counter() - started
        params = dict(outcome.params) if outcome else {}
        journal.write("end", status=status, metrics=metrics, params=params, error=error, trace=trace)

    try:
        outcome = train(job, log)
        _describe(journal, job, log, project)
    except (Diverged, Pruned) as reason:
        _describe(journal, job, log, project)
        end("unstable" if isinstance(reason, Diverged) else "pruned", str(reason))
    except (KeyboardInterrupt, Terminated):
        end("killed", "interrupted")
        raise
    except UserError as error:
        end("failed", str(error))
    except Exception as error:  # a failed arm must not stop the others: it is recorded with its traceback
        if isinstance(error, OSError) and error.errno in DISK_FULL:
            with suppress(OSError):  # no fault of the run: it goes on from its checkpoint once there is room
                end("killed", "the disk is full")
            raise
        status = "out_of_memory" if _is_out_of_memory(error) else "failed"
        end(status, f"{type(error).__name__}: {error}".splitlines()[0], trace=traceback.format_exc())
    else:
        guessing = metric.with_floor(job.data.floor).at_floor(outcome.metrics[metric.tracked])
        end("unstable" if guessing else "finished", "no better than guessing" if guessing else None, outcome)
    shutil.rmtree(journal.checkpoint, ignore_errors=True)


def _is_out_of_memory(error: Exception) -> bool:
    """Return whether `error` says that memory ran out; torch has its own class for devices and none for the CPU."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or "can't allocate memory" in str(error)
    )


def _describe(journal: Journal, job: Job, log: RunLog, project: Path) -> None:
    """Write the artifacts that every run has: recipe, history as a table, environment, uncommitted changes."""
    log.file("recipe.json").write_text(json.dumps({**job.recipe.as_dict(), "key": job.recipe.key}, indent=2) + "\n")
    names = sorted({name for row in log.history for name in row} - {"step"})
    with log.file("history.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, ["step", *names])
        table.writeheader()
        table.writerows(log.history)
    environment = records(journal.path)[0]["environment"]
    versions = environment["versions"].items()
    packages = [f"{DISTRIBUTION if name == 'ablate' else name}=={number}" for name, number in versions]
    facts = [f"# {name}: {environment[name]}" for name in ("platform", "processor", "commit", "dirty")]
    log.file("environment.txt").write_text("\n".join(facts + packages) + "\n")
    state = provenance.commit(project)
    if state and state.diff:
        log.file("diff.patch").write_text(state.diff)
