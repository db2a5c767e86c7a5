"""The terminal: results go to standard output; progress, warnings and errors to standard error.

Nothing else prints. May import no other folder of the package.
"""

from ablate.console.live import DecodingBar, RunView
from ablate.console.printing import (
    MessageKind,
    decimals,
    duration,
    error,
    info,
    messages_to,
    number,
    print_json,
    result,
    table,
    warn_once,
    warning,
)
from ablate.console.sweeps import SweepView

__all__ = [
    "DecodingBar",
    "MessageKind",
    "RunView",
    "SweepView",
    "decimals",
    "duration",
    "error",
    "info",
    "messages_to",
    "number",
    "print_json",
    "result",
    "table",
    "warn_once",
    "warning",
]
