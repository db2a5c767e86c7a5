"""Seeds in the names of runs, the names without them, and names that differ only in spelling."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

from ablate.report.sources.equal_values import canonical, is_number
from ablate.stats.effects.seeds import integer
from ablate.wording import count, listed

_SEED = re.compile(r"(?:/s|[/_\-. ,+]?seed[_=\- ]?)(\d+)$", re.IGNORECASE)
"""The end of a name that is a seed even if no param is: `vit/s3`, `vit-seed3`."""

_SEED_AT_END = re.compile(r"(?:[/_\-. ]+s|[/_\-. ,+]*seed)[_=\- ]?(\d+)$", re.IGNORECASE)
"""The end of a name that may be the run's seed: `vit-s16` may be a size, too."""

_SEED_INSIDE = re.compile(
    r"(?:(?:^|[/_\-. ,+])seed[_=\- ]?(\d+)(?=[/,_\-. +]|$)| ?[(\[]seed[_=\- ]?(\d+)[)\]])", re.IGNORECASE
)
"""A seed before further parts of a name: `vit/seed3/logs`, `lr=0.1,seed=3`, `seed_3_vit`, `vit (seed=3)`."""

_STAMP = re.compile(
    r"(?P<default>[A-Z][a-z]{2}\d{2}_\d{2}-\d{2}-\d{2}_)|\d{4}-?\d{2}-?\d{2}[-_T ]?\d{2}[-_:]?\d{2}[-_:]?\d{2}"
)

_LATIN = str.maketrans("АВЕКМНОРСТУХавеорсухіјѕΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "ABEKMHOPCTYXaBeopcyxijsABEZHIKMNOPTYXo")
"""Cyrillic and Greek letters that look like Latin ones."""


def seed_in(name: str) -> str:
    """Return the seed at the end of a name or of the last part that has one; empty if there is none."""
    found = _SEED.search(name) or _last_inside(name)
    return _digits(found) if found else ""


def names_seed(column: str) -> bool:
    """Return whether a column may have the scores of one seed: `seed_1`, `acc_s0`."""
    return bool(_SEED_AT_END.search(f"_{column}"))


def _last_inside(name: str) -> re.Match[str] | None:
    return next(iter(reversed(list(_SEED_INSIDE.finditer(name)))), None)


def _digits(found: re.Match[str]) -> str:
    return str(next(filter(None, found.groups())))


def without_seeds(names: Sequence[str], seeds: Sequence[str]) -> list[str]:
    """Return names without their seeds, if in every name that seems to have a seed it is the seed of that run."""
    ends = [_SEED_AT_END.search(name) or _last_inside(name) for name in names]
    matching = [integer(seed) == integer(_digits(found)) for found, seed in zip(ends, seeds, strict=True) if found]
    if not all(matching):
        return list(names)
    return [_without(name, found) or name if found else name for name, found in zip(names, ends, strict=True)]


def _without(name: str, seed: re.Match[str]) -> str:
    left = name[: seed.start()] + name[seed.end() :]
    return left.lstrip("/,") if seed.start() else left.lstrip("/,_-. +")


def without_times(name: str, host: str = "") -> str:
    """Return the path of a run without a last folder that is a time; unchanged if nothing else is left.

    It is the default of `SummaryWriter()` and of the Trainer of Hugging Face (`runs/Nov27_19-06-31_host`), of which a
    comment behind the `host` is kept, or digits as in `20261127-190631`.
    """
    above, _, last = name.rpartition("/")
    stamp = _STAMP.match(last)
    comment = last[stamp.end() :].removeprefix(host).strip("_-. ") if stamp and stamp["default"] else ""
    if stamp is None or (not stamp["default"] and stamp.end() < len(last)):
        return name
    parent, _, folder = above.rpartition("/")
    above = parent if folder == "runs" and stamp["default"] else above
    return "/".join(filter(None, [above, comment])) or name


def in_one_form(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return names in Unicode's composed form (NFC), and those that are written in several forms."""
    composed = {name: unicodedata.normalize("NFC", name) for name in dict.fromkeys(names)}
    return [composed[name] for name in names], [
        name for name, number in Counter(composed.values()).items() if number > 1
    ]


def similar_names(names: Iterable[str]) -> list[str]:
    """Return a caution for each set of variants whose names look alike, or differ in case or the form of a number."""
    found: dict[str, list[str]] = {}
    texts = {name: f"{name} ({count(number, 'run')})" for name, number in Counter(names).items()}
    for name, text in texts.items():
        found.setdefault(canonical(name) if is_number(name) else _visible(name).casefold(), []).append(text)
    return [
        f"The variants {listed(spellings, 5)} differ only in {_difference(spellings)} and are compared as "
        "different ones. If they are the same, give them one name."
        for spellings in found.values()
        if len(spellings) > 1
    ]


def _visible(name: str) -> str:
    """Return a name as it looks: without invisible characters, with Latin letters for those that look like them."""
    return "".join(letter for letter in name.translate(_LATIN) if unicodedata.category(letter) != "Cf")


def _difference(spellings: Sequence[str]) -> str:
    if any(_visible(spelling) != spelling for spelling in spellings):
        return "letters that look alike or are invisible"
    return "case or in the form of a number"
