"""The user's own training as a workload: a Python function (`from_function`) or a command line (`from_command`).

May import `studies` and everything below it. A study file declares the factors, settings, metric and data of its
training; workers import the same file.
"""

from ablate.workloads.custom.command import from_command
from ablate.workloads.custom.function import from_function

__all__ = ["from_command", "from_function"]
