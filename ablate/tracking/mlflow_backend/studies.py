"""Studies in the store: one parent run each, with the plan and the reports."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress

from ablate.errors import StoreError, UserError
from ablate.journal.process_identity import this_process
from ablate.journal.study_journal import RecordedReport
from ablate.journal.study_lines import check_fields
from ablate.journal.study_record import StudyRecord
from ablate.tracking.mlflow_backend import delivered_size, schema
from ablate.tracking.mlflow_backend.records import (
    Batch,
    instant,
    merged_batches,
    milliseconds,
    process_tags,
    text_of,
)
from ablate.tracking.mlflow_backend.store import Store
from ablate.tracking.mlflow_backend.stored_run import StoredRun, main_first, only_one, status_of
from ablate.wording import unknown


class DamagedPlanError(UserError):
    """The plan of a study in the store is not one that this package wrote."""


def open_study(store: Store, study: StudyRecord) -> str:
    """Record a study; see `StudyTracker.open_study`."""
    now = time.time()
    study = study.without_secrets()
    experiment = store.experiment(study.name)
    found = _named(store, {experiment: study.name}, study.name)
    stored = only_one(found, store.delete) if found else None
    tags, declared = _tags(study, now), {}
    if stored:
        run, earlier = stored.id, None
        with suppress(DamagedPlanError):  # it is replaced
            earlier = _read(store, stored)
        study = study.merged_with(earlier) if earlier else study
        if earlier and stored.tags.get(schema.NOTE, earlier.question) != earlier.question:
            del tags[schema.NOTE]  # the summary of a report, or a user's
        if stored.status != "RUNNING":
            store.reopen(run)
    else:
        new = {**tags, **delivered_size.tags_of_new_run(store)}
        run = store.create(experiment, study.name, milliseconds(now), new)
    if len(found) != 1:  # an earlier record of the study was lost, or is one of several
        for child in store.search({experiment: study.name}, schema.where_tag(schema.KIND, schema.RUN)):
            store.log(child.id, Batch(tags={schema.PARENT_RUN: run}))
    if not (stored and stored.params):  # they cannot be changed
        declared = {name: text_of(value) for name, value in study.declared.items()}
    for batch in merged_batches([Batch(params=declared, tags=tags)]):
        store.log(run, batch)
    store.write_json(run, schema.PLAN, study.as_dict())
    return run


def close_study(store: Store, name: str, status: str) -> None:
    """Record the status of a study; see `StudyTracker.close_study`."""
    stored = _required(store, name)
    store.log(stored.id, Batch(tags={schema.STATUS: status, schema.HEARTBEAT: instant(time.time())}))
    store.close(stored.id, schema.STATUSES[status], milliseconds(time.time()))


def read_study(store: Store, name: str) -> StudyRecord:
    """Return the record of a study; see `StudyTracker.study`."""
    found = _read(store, _required(store, name))
    if found is None:
        raise UserError(f"Study {name!r} has no {schema.PLAN} in the store. `ablate sync` delivers it again")
    return found


def names(store: Store) -> list[str]:
    """Return the names of all studies, the one that was active last at the end."""
    found = store.search(store.experiments(), schema.where_tag(schema.KIND, schema.STUDY))
    found.sort(key=lambda stored: stored.last_heartbeat)
    return list(dict.fromkeys(stored.tags.get(schema.STUDY_NAME, stored.name) for stored in found))


def attach_report(store: Store, name: str, report: RecordedReport) -> None:
    """Store a report with its study; see `StudyTracker.attach_report`."""
    stored = _required(store, name)
    if report.folder:
        store.upload(stored.id, report.folder, schema.REPORT)
    points = [(metric, value, milliseconds(report.time), report.number) for metric, value in report.metrics.items()]
    for batch in merged_batches([Batch(points, tags={schema.NOTE: report.note[: schema.LONGEST_TAG]})]):
        store.log(stored.id, batch)
    store.tag_experiment(store.experiment(name), schema.NOTE, report.note[: schema.LONGEST_DESCRIPTION])


def next_report(store: Store, name: str) -> int:
    """Return the number of reports with metrics that are stored with a study, which is the step of the next one."""
    return 1 + max(map(int, _required(store, name).latest_steps.values()), default=-1)


def confirm_study(store: Store, name: str, size: int) -> str:
    """Record the delivered size of a study's journal; see `StudyTracker.confirm_study`."""
    stored = _required(store, name)
    before = stored.tags.get(schema.DELIVERED, "")  # may be larger: that of another project's journal of this study
    if not before.isdecimal() or int(before) < size:
        delivered_size.confirm(store, stored.id, size)
    return stored.id


def _tags(study: StudyRecord, now: float) -> dict[str, str]:
    return {
        schema.KIND: schema.STUDY,
        schema.STUDY_NAME: study.name,
        schema.STATUS: "running",
        schema.PLANNED_RUNS: str(len(study.planned_runs)),
        schema.FINISHED_RUNS: str(sum(planned.run is not None for planned in study.planned_runs)),
        schema.HEARTBEAT: instant(now),
        schema.NOTE: study.question[: schema.LONGEST_TAG],
        **schema.SOURCE,
        **process_tags(this_process()),
    }


def _read(store: Store, stored: StoredRun) -> StudyRecord | None:
    """Return the record of a study, None if the store has accepted its run but not its plan."""
    try:
        plan = store.download(stored.id, schema.PLAN)
    except StoreError:
        if schema.PLAN in store.listing(stored.id):
            raise
        return None
    try:
        plain = check_fields("study", json.loads(plan.read_bytes()))
        return StudyRecord.from_dict(plain, status_of(stored))
    except (ValueError, TypeError, OSError, RecursionError) as error:
        raise DamagedPlanError(f"{schema.PLAN} of study {stored.name!r} in MLflow is damaged: {error}") from None


def _required(store: Store, name: str) -> StoredRun:
    experiments = store.experiments()
    found = _named(store, experiments, name)
    if here := [stored for stored in found if stored.experiment == name]:
        return main_first(here)[0]
    if found:
        return found[-1]  # in an experiment that a user has renamed
    known = store.search(experiments, schema.where_tag(schema.KIND, schema.STUDY), newest=True)
    raise UserError(unknown("study", name, [stored.name for stored in known]))


def _named(store: Store, experiments: Mapping[str, str], name: str) -> list[StoredRun]:
    """Return the runs of a study in order of start: several if a server has lost answers."""
    found = store.search(experiments, schema.where_tag(schema.KIND, schema.STUDY))
    return [stored for stored in found if stored.tags.get(schema.STUDY_NAME) == name]
