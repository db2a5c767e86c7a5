"""The variants of existing runs that were named by the configuration keys in which the runs differ."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ablate.errors import UsageError
from ablate.stats.effects.seeds import read_seeds, spans
from ablate.wording import count, listed

MOST_SHOWN = 30
NOT_SET = "not set"


@dataclass(frozen=True)
class Key:
    """A configuration key that names variants.

    Attributes:
        column: Name of the column.
        short: Its name in the names of variants.
        linked: Names of other keys, each value of which goes with one value of this key.
        spellings: Values that are written in several ways: `0.001 = 1e-3`.
        texts: The shortest spelling of each number, by its usual one.
    """

    column: str
    short: str
    linked: Sequence[str] = ()
    spellings: Sequence[str] = ()
    texts: Mapping[str, str] = field(default_factory=dict)

    def text(self, value: str) -> str:
        """Return the key with a value: `lr=1e-5`."""
        return f"{self.short}={self.texts.get(value, value) or NOT_SET}"


@dataclass(frozen=True)
class Configuration:
    """One configuration: its name as a variant, its values in words, the number of its runs, their seeds."""

    variant: str
    values: str
    runs: int
    seeds: Sequence[str]


@dataclass(frozen=True)
class FoundVariants:
    """The variants that were found.

    Attributes:
        keys: The keys that name them.
        configurations: The variants, the baseline first; without a baseline their names are empty.
        left_out: Names of keys that also differ, but name no variants, by reason.
        options: The words of the command line that ask for these variants explicitly.
        is_asked: Whether the keys were given.
        origin: How the baseline was chosen.
    """

    keys: Sequence[Key]
    configurations: Sequence[Configuration]
    left_out: Mapping[str, Sequence[str]] = field(default_factory=dict)
    options: Sequence[str] = ()
    is_asked: bool = False
    origin: str = ""

    @property
    def table(self) -> tuple[list[str], list[list[str]]]:
        """Columns and rows of the table on the terminal; of many variants the first ones."""
        columns = ["variant", "configuration", "runs", "seeds"]
        rows = [
            [one.variant or "?", one.values, str(one.runs), spans(read_seeds(one.seeds) or one.seeds)]
            for one in self.configurations[:MOST_SHOWN]
        ]
        return columns, rows

    @property
    def lines(self) -> list[str]:
        """What belongs to the table: further variants, keys that go together, keys left out, the explicit options."""
        rest = len(self.configurations) - MOST_SHOWN
        found = [f"... and {count(rest, 'more variant')}"] if rest > 0 else []
        found += [f"{key.short} always varies together with {listed(key.linked, 5)}" for key in self.keys if key.linked]
        found += [f"One value of {key.short}: {listed(key.spellings, 5)}" for key in self.keys if key.spellings]
        if self.left_out:
            reasons = "; ".join(f"{listed(names, 5)} ({reason})" for reason, names in self.left_out.items())
            found.append(f"Keys that differ and do not name variants: {reasons}")
        if not self.is_asked:
            found.append(f"Explicitly: {shlex.join(self.options)}")
        return found

    @property
    def statement(self) -> str:
        """How the variants were named, for the answer."""
        keys = listed([key.short for key in self.keys], 8)
        linked = [f"{key.short} with {listed(key.linked, 3)}" for key in self.keys if key.linked]
        spelled = [f"{key.short}: {listed(key.spellings, 3)}" for key in self.keys if key.spellings]
        together = f" (always together: {'; '.join(linked)})" if linked else ""
        together += f" (equal numbers: {'; '.join(spelled)})" if spelled else ""
        how = "" if self.is_asked else ", the keys that differ between runs"
        return f"variants by {keys}{how}{together}; baseline: {self.configurations[0].values} ({self.origin})"


class UnclearVariantsError(UsageError):
    """Variants were found, but something must be chosen. `found` is the table for the user."""

    def __init__(self, message: str, found: FoundVariants) -> None:
        super().__init__(message)
        self.found = found
