"""Make the study of a report from the runs that a reader found, whatever their source."""

from __future__ import annotations

from dataclasses import replace

from ablate.report.sources.existing_runs import TableOptions, from_table
from ablate.report.sources.readers.run_table import RunTable
from ablate.report.study_data import StudyData
from ablate.wording import count, listed


def study_of(name: str, runs: RunTable, options: TableOptions) -> StudyData:
    """Return the runs of a reader as the data of a report. Runs that the reader set aside become cautions and counts.

    Raises the errors of `from_table`.
    """
    study = from_table(name, runs.source, runs.table, options, runs.row_word, runs.statement)
    for reason, excluded in runs.set_aside.items():
        study = study.with_cautions(f"{count(len(excluded), 'run')} {reason} excluded: {listed(excluded, 5)}.")
    counts = replace(study.counts, set_aside={reason: len(found) for reason, found in runs.set_aside.items()})
    return replace(study.with_cautions(*runs.cautions), counts=counts)
