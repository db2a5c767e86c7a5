"""Plan and run a study from Python."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ablate.api.messages import logged_messages
from ablate.api.progress import shown_progress
from ablate.api.resources import ComputeChoice, DataChoice, ExecutionChoice
from ablate.api.sweeps import SweepRequest, SweepResult, check_failures, open_sweep, with_looks
from ablate.api.training_options import SweepOptions, check_options, chosen
from ablate.studies.study import Study
from ablate.workflows.dry_run import announce_sweep
from ablate.workflows.sweep_plan import SweepPlan, plan_of

_KNOWN = SweepOptions.__optional_keys__ | {"jobs"}


def plan_study(study: Study, options: Mapping[str, Any]) -> SweepPlan:
    """Return the plan of a study."""
    with logged_messages():
        return plan_of(open_sweep(*_request(study, options)))


def run_study(study: Study, options: Mapping[str, Any]) -> SweepResult:
    """Train the missing runs of a study. Raises UserError if runs failed."""
    began = time.perf_counter()
    with shown_progress(options.get("progress")):
        session = open_sweep(*_request(study, options))
        announce_sweep(session.study, session.planned, session.executor.slots)
        session.run()
        check_failures(session)
        return SweepResult(session.summary(time.perf_counter() - began))


def _request(study: Study, options: Mapping[str, Any]) -> tuple[Study, SweepRequest]:
    """Return the study with the seeds of its looks, if any, and how its runs are made."""
    check_options(options, _KNOWN)
    request = SweepRequest(
        chosen(DataChoice, options),
        chosen(ComputeChoice, options),
        chosen(ExecutionChoice, options),
        until_clear=options.get("until_clear", False),
        again=options.get("again", False),
        retry_failed=options.get("retry_failed", False),
        tracking_uri=options.get("tracking_uri"),
        offline=options.get("offline", False),
    )
    return (with_looks(study, keep_seeds=study.seeds != Study.seeds) if request.until_clear else study), request
