"""Study records that anything may have written: each is reported, or named as damaged."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import pytest

from ablate.errors import UserError
from ablate.report.analysis import analyse
from ablate.report.sections.document import markdown
from ablate.report.sources.searches import read_searches
from ablate.report.sources.study import from_study
from ablate.tracking import JournalTracker, Project, StudyJournals
from tests.samples.damage import ODD_VALUES, places
from tests.samples.report import record_of, small_study, write_runs
from tests.samples.tracking import new_project

TRIAL = json.loads("""{"number": 0, "state": "complete", "params": {"lr": 0.1}, "values": [0.9], "runs": {"0": "a-b-0"},
    "scores": {"0": 0.9}, "seconds": 1.0, "epochs": 2, "saved": 0, "reused": 0, "is_baseline": true, "error": ""}""")
SEARCH = json.loads("""{"name": "small", "seeds": [0], "pruner": "none", "pruning": "none", "sampler": "TPE",
    "objectives": [{"name": "val", "tracked": "val", "goal": "max", "scale": 100.0, "of_history": true}],
    "space": [{"name": "lr", "low": 0.01, "high": 1, "log": true, "is_integer": false, "words": []}],
    "sampler_seed": 0, "budget": 1, "storage": "small.log", "best": 0, "front": [0], "importances": {"val": {}}}""")
SEARCH["trials"] = [TRIAL]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = new_project(tmp_path_factory.mktemp("foreign"))
    write_runs(small_study(seeds=3), made.journals)
    made.studies.mkdir(exist_ok=True)
    return made


def write_record(project: Project, plain: dict[str, Any]) -> None:
    line = {"record": "study", "time": 1.0, **plain}
    (project.studies / "small.study.jsonl").write_text(json.dumps(line) + "\n")


def recorded() -> dict[str, Any]:
    study = small_study(seeds=3)
    details = {**study.design_as_dict(), "data": {"name": "feed", "description": "x", "flags": []}, "floor": 0.1}
    return record_of(study, details={**details, "tuning": {"searches": {"baseline": SEARCH}}}).as_dict()


def change(plain: dict[str, Any], moments: random.Random) -> None:
    """Change, delete or add one field of what reports read, less often of the plan."""
    part = moments.choice(["declared", "layout", "layout", "layout", "plan"])
    container, key = moments.choice(places({part: plain[part]})[1:])
    choice = moments.random()
    if choice < 0.2:
        del container[key]
    elif choice < 0.3 and isinstance(container, dict):
        container["added"] = 1
    else:
        container[key] = copy.deepcopy(moments.choice(ODD_VALUES))


def check_change(project: Project, seed: int) -> bool:
    plain = json.loads(json.dumps(recorded()))
    change(plain, random.Random(seed))
    write_record(project, plain)
    try:
        study = from_study("small", JournalTracker(project))
    except UserError:
        return False
    markdown(analyse(study), [], []).encode()
    return True


def test_a_changed_record_is_reported_or_named(project: Project) -> None:
    assert len({check_change(project, seed) for seed in range(25)}) == 2


@pytest.mark.slow
def test_thousands_of_changed_records(project: Project) -> None:
    for seed in range(3000):
        check_change(project, seed)


def test_fields_of_newer_versions_are_ignored(project: Project) -> None:
    plain = json.loads(json.dumps(recorded()))
    write_record(project, plain)
    before = from_study("small", JournalTracker(project))
    search = plain["layout"]["tuning"]["searches"]["baseline"]
    for known in (
        *(plain["plan"][0], plain["declared"], plain["layout"], plain["layout"]["comparisons"][0]),
        *(plain["layout"]["metric"], search, search["objectives"][0], search["space"][0], search["trials"][0]),
    ):
        known["added"] = {"by": "a newer version"}
    write_record(project, plain)
    after = from_study("small", JournalTracker(project))
    assert (after.comparisons, after.metric, after.searches) == (before.comparisons, before.metric, before.searches)
    assert after.counts == before.counts


@pytest.mark.parametrize(
    "changes",
    [{"values": []}, {"params": {}}, {"params": {"lr": "x"}}, {"number": 7}],
    ids=lambda changes: next(iter(changes)),
)
def test_an_incomplete_trial_is_named(changes: dict[str, Any]) -> None:
    details = {"tuning": {"searches": {"baseline": {**SEARCH, "trials": [{**TRIAL, **changes}]}}}}
    with pytest.raises(UserError, match=r"The record of the search of baseline is damaged: trial \d is incomplete"):
        read_searches(details)


def test_a_damaged_record_is_not_unknown(project: Project) -> None:
    write_record(project, {**recorded(), "plan": 1})
    with pytest.raises(UserError, match=r"small\.study\.jsonl has invalid lines.*'plan' is missing or invalid"):
        from_study("small", JournalTracker(project))


@pytest.mark.parametrize("status", ["done", "", None, ["finished"]])
def test_a_status_that_no_study_has_is_ignored_and_named(project: Project, status: Any) -> None:
    write_record(project, recorded())
    studies = StudyJournals(project.studies)
    before = studies.read("small")
    studies.add("small", [json.dumps({"record": "status", "time": 2e9, "status": status}).encode()])
    assert studies.read("small") == before
    assert "'status' is missing or invalid" in str(studies.damage("small"))
