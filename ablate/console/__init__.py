"""The terminal: results go to standard output; progress, warnings and errors to standard error.

Nothing else prints. May import no other folder of the package.
"""

from ablate.console.live import DecodingBar, RunView
from ablate.console.printing import decimals, duration, error, info, number, print_json, result, table, warning
from ablate.console.sweeps import SweepView

__all__ = [
    "DecodingBar",
    "RunView",
    "SweepView",
    "decimals",
    "duration",
    "error",
    "info",
    "number",
    "print_json",
    "result",
    "table",
    "warning",
]
