"""The plot of average ranks over data sets."""

from __future__ import annotations

from collections.abc import Iterator

from ablate.report.analysis import Analysis
from ablate.report.dataset_analysis import ranks_of
from ablate.report.formats.markdown_text import MOST_ROWS
from ablate.report.plots.render import Plot


def rank_plots(analysis: Analysis) -> Iterator[Plot]:
    """Yield the diagram of critical differences, if there are enough data sets and variants."""
    ranks = ranks_of(analysis.study)
    if ranks is None or len(ranks.ranks) > MOST_ROWS:
        return
    caption = (
        "Average rank of each variant over the data sets, 1 is the best. A bar is as long as the critical difference "
        "of Nemenyi's test: two variants differ if the dot of the second is beyond the bar of the first."
    )
    arguments = {"ranks": ranks.ranks, "difference": ranks.critical_difference, "data_sets": ranks.n}
    yield Plot(
        "ranks", "ranks.png", "Average ranks with the critical difference", caption, "critical_difference", arguments
    )
