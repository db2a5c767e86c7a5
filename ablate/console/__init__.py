"""The only place that prints: results to standard output, everything else to standard error."""

from ablate.console.live import DecodingBar, RunView
from ablate.console.printing import complain, decimals, duration, emit, prose, result, say, table, warn
from ablate.console.sweeps import SweepView

__all__ = [
    "DecodingBar",
    "RunView",
    "SweepView",
    "complain",
    "decimals",
    "duration",
    "emit",
    "prose",
    "result",
    "say",
    "table",
    "warn",
]
