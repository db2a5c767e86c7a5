"""A loader that compiles the source of a study file at each import."""

from __future__ import annotations

from importlib.machinery import SourceFileLoader
from types import CodeType


class SourceLoader(SourceFileLoader):
    """Import a file without its bytecode in `__pycache__`, and write none.

    Python compares the size of a file and the second of its last change with its bytecode: a file that is edited within
    a second, `lr=0.1` to `lr=0.2`, would be the earlier one.
    """

    def get_code(self, fullname: str) -> CodeType:
        """Return the code of the file as it is now."""
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)
