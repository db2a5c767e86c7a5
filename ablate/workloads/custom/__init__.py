"""Workloads that a study brings: a function of its own, or a program with a command line.

`from_function` and `from_command` make them; `declared` holds what both say of factors, settings and data, `identity`
what of their code is part of a run's identity, `loading` how a worker finds them again.
"""

from ablate.workloads.custom.command import from_command
from ablate.workloads.custom.function import from_function

__all__ = ["from_command", "from_function"]
