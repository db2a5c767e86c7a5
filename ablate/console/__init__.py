"""The only place that prints: results to standard output, everything else to standard error."""

from ablate.console.live import DecodingBar, RunView
from ablate.console.printing import complain, duration, emit, result, say, table, warn

__all__ = ["DecodingBar", "RunView", "complain", "duration", "emit", "result", "say", "table", "warn"]
