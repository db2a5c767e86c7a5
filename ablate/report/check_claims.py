"""Compare the numbers that a text states about a study with its effects."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ablate.report.analysis import analyse
from ablate.report.main_effects import FAMILY
from ablate.report.study_data import StudyData
from ablate.stats.effects import Effect
from ablate.stats.metric import Metric

_NUMBER = r"[-+\N{MINUS SIGN}\N{EN DASH}]?\d+(?:\.\d+)?"
_UNIT = r"(?:percentage[ -]points?|points?|pp|p\.p\.|pts?)\b"
_WITH_UNIT = re.compile(rf"(?<![\w.])({_NUMBER})\s*(?:%-)?{_UNIT}", re.IGNORECASE)
_BY = re.compile(rf"\bby\s+({_NUMBER})(?![\w.%]*\d)")
_INTERVAL = re.compile(rf"\s*\\?\[\s*({_NUMBER})\s*(?:,|to|;)\s*({_NUMBER})\s*\\?\]")
_SIGNED = re.compile(r"(?<![\w.\[,])\s*([-+\N{MINUS SIGN}]\d+(?:\.\d+)?)(?![\w.]*\d)")
_NO_CLAIM = re.compile(
    r"(?:margin of|beyond|detects?|within|at least|at most|more than|less than|under|over|stable in both arms the "
    r"difference is|true difference of|a difference of|SD of?|allows for this is)\s*$",
    re.IGNORECASE,
)
_LOST = re.compile(
    r"\b(?:costs?|lost|loses|lower(?:ed|s)|dropp?(?:ed|s)|reduce[ds]|decrease[ds]|fell|falls|worse|hurts?)\b",
    re.IGNORECASE,
)
_WON = re.compile(
    r"\b(?:gain(?:ed|s)|rais(?:ed|es)|improve[ds]|increase[ds]|rose|rises|better|helps?)\b", re.IGNORECASE
)
_NO_SUBJECT = re.compile(r"\b(?:to|from|against|than|over|like)\s+[`*]*$", re.IGNORECASE)
_DELTA_COLUMNS = re.compile(r"(?i)^\W*(?:difference|delta|\u0394|effect|change)\W*(?:\(.*\))?$")
_BOUND_COLUMNS = {"95 % interval": ("ci_low", "ci_high"), "family-wise interval": ("fw_low", "fw_high")}


@dataclass(frozen=True)
class NumericClaim:
    """A number in a text, its variant, and the number of the study; `what` is `difference` or `interval`."""

    line: int
    text: str
    variant: str
    what: str
    claimed: str
    known: str
    agrees: bool


def check_study(study: StudyData, text: str) -> list[NumericClaim]:
    """Return every number in a text that states a difference of this study, compared with the runs."""
    analysis = analyse(study)
    return check_text(text, [*analysis.effects, *analysis.retuned], study.metric)


def check_text(text: str, effects: Sequence[Effect], metric: Metric) -> list[NumericClaim]:
    """Return every number in `text` that states a difference of one of `effects`, or its interval, in order.

    The check covers sentences and table rows that name a variant or a component. A number agrees if the study's number
    is the same after rounding to as many decimals; the sign counts if the text or its verb gives one.
    """
    names = _names(effects)
    claims: list[NumericClaim] = []
    header: list[str] = []
    for number, line in _lines(text):
        if line.startswith("|"):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
            if all(re.fullmatch(r":?-+:?", cell) for cell in cells):
                continue
            found = _row_claims(number, header, cells, names)
            header = cells if found is None else header
            claims += found or []
        else:
            header = []
            start = 0
            for sentence in re.split(r"(?<=[a-z\])][.;])\s+(?=[A-Z*-])", line):
                start = line.index(sentence, start)
                claims += _sentence_claims(number + line[:start].count("\n"), sentence, names, metric)
    return claims


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield paragraphs and table rows with the number of their first line, without code blocks."""
    paragraph: list[str] = []
    first, fenced = 0, False
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        stripped = line.strip()
        breaks = not stripped or stripped.startswith(("|", "- ", "* ", "#", ">", "```"))
        if breaks and paragraph:
            yield first, "\n".join(paragraph)
            paragraph = []
        if stripped.startswith("```"):
            fenced = not fenced
        elif stripped.startswith("|") and not fenced:
            yield number, stripped
        elif stripped and not fenced:
            first = first if paragraph else number
            paragraph.append(stripped)


def _names(effects: Sequence[Effect]) -> list[tuple[re.Pattern[str], list[Effect]]]:
    """Return patterns of the names of variants and factors, longest first, with their comparisons."""
    spelled: dict[str, list[Effect]] = {_norm(effect.reference): [] for effect in effects}  # not a subject
    for effect in effects:
        for name in dict.fromkeys([effect.variant, effect.factor]):
            spelled.setdefault(_norm(name), []).append(effect)
    ordered = sorted(spelled, key=len, reverse=True)
    return [(re.compile(rf"(?<![\w+-]){re.escape(name)}(?![\w+])"), spelled[name]) for name in ordered if name]


def _norm(text: str) -> str:
    """Return text of the same length in which `batch_norm`, `batch-norm` and `Batch norm` are equal."""
    return re.sub(r"[-_\u2010\u2011`*\\]", " ", text.lower().replace("\N{MINUS SIGN}", "-")).rstrip()


def _mentions(text: str, names: Sequence[tuple[re.Pattern[str], list[Effect]]]) -> list[tuple[int, list[Effect]]]:
    """Return positions of names with their comparisons; a name within a longer one does not count."""
    left, found = _norm(text), []
    for pattern, effects in names:
        found += [(match.start(), effects) for match in pattern.finditer(left) if effects]
        left = pattern.sub(lambda match: "\0" * len(match[0]), left)
    return sorted(found, key=lambda pair: pair[0])


def _which(effects: list[Effect], text: str) -> list[Effect]:
    """Return those of the comparisons with one name that the text means: removed or added, re-tuned, averaged."""
    line = text.lower()
    wanted = {"removed"} if re.search(r"\b(?:remov|without|no[- ])", line) else set()
    wanted |= {"added"} if re.search(r"\b(?:adding|added|only[- ])", line) else set()
    chosen = [effect for effect in effects if effect.change in wanted] or effects
    chosen = [row for row in chosen if (row.evidence.estimand == "re-tuned") == ("re-tuned" in line)] or chosen
    return [row for row in chosen if (row.family == FAMILY) == ("averaged" in line)] or chosen


def _sentence_claims(
    line: int, text: str, names: Sequence[tuple[re.Pattern[str], list[Effect]]], metric: Metric
) -> Iterator[NumericClaim]:
    mentions = [pair for pair in _mentions(text, names) if not _NO_SUBJECT.search(text[: pair[0]])]
    if not mentions:
        return
    pattern = _WITH_UNIT if metric.in_points else _BY
    for match in pattern.finditer(text):
        before = text[: match.start()]
        if _NO_CLAIM.search(before):
            continue
        earlier = [effects for at, effects in mentions if at <= match.start()]
        effects = _which(earlier[-1] if earlier else mentions[0][1], text)
        start = max((found.end() for found in pattern.finditer(before)), default=0)
        sign, turned = _sign(match[1], before[start:])
        place = line + text[: match.start()].count("\n")
        yield _claim(place, text, effects, "difference", match[1], [(effect.delta, sign) for effect in effects])
        bounds = _INTERVAL.match(text, match.end())
        if bounds:
            turns = (turned,) if sign else (False, True)
            yield _interval_claim(place, text, effects, bounds, ("ci_low", "ci_high"), turns)


def _sign(number: str, before: str) -> tuple[int, bool]:
    """Return +1 or -1 if the number or the verb before it has a sign, else 0; and whether a cost of 3 means -3."""
    if number[0] in "-\N{MINUS SIGN}":
        return -1, False
    verbs = [
        *((match.start(), -1) for match in _LOST.finditer(before)),
        *((match.start(), 1) for match in _WON.finditer(before)),
    ]
    if verbs:
        return max(verbs)[1], max(verbs)[1] < 0
    return (1 if number[0] == "+" or re.search(r"\bchanged\b.*\bby\s*$|:\s*$", before) else 0), False


def _row_claims(
    line: int, header: Sequence[str], cells: Sequence[str], names: Sequence[tuple[re.Pattern[str], list[Effect]]]
) -> list[NumericClaim] | None:
    """Return the claims of a table row; None if its first cell does not name a comparison, as in a header."""
    named = [effects for pattern, effects in names if effects and pattern.fullmatch(_norm(cells[0]).strip())]
    if not named or len(header) != len(cells):
        return None
    if not any(_DELTA_COLUMNS.match(name.strip("*` ")) for name in header):
        return []
    effects = _which(named[0], cells[0])
    text, claims = " | ".join(cells), []
    for name, cell in zip(header[1:], cells[1:], strict=True):
        title = name.strip("*` ").lower()
        number = re.match(rf"^\W*?({_NUMBER})", cell)
        if _DELTA_COLUMNS.match(title) and number:
            sign = -1 if number[1][0] in "-\N{MINUS SIGN}" else 1
            claims.append(_claim(line, text, effects, "difference", number[1], [(row.delta, sign) for row in effects]))
        bounds = _INTERVAL.match(cell)
        if title in _BOUND_COLUMNS and bounds:
            claims.append(_interval_claim(line, text, effects, bounds, _BOUND_COLUMNS[title]))
    return claims


def _size(number: str) -> tuple[float, int]:
    """Return a number without its sign, and its decimals."""
    digits = number.lstrip("-+\N{MINUS SIGN}\N{EN DASH}")
    return float(digits), len(digits.partition(".")[2])


def _same(claimed: str, known: float) -> bool:
    """Return whether a claim is `known` rounded to as many decimals, both without sign; ties round either way."""
    size, decimals = _size(claimed)
    return math.isfinite(known) and abs(size - abs(known)) <= 0.5 * 10**-decimals + 1e-9


def _claim(
    line: int, text: str, effects: Sequence[Effect], what: str, claimed: str, known: Sequence[tuple[float, int]]
) -> NumericClaim:
    fits = [
        _same(claimed, value) and (sign == 0 or sign * value >= 0 or _size(claimed)[0] == 0) for value, sign in known
    ]
    place = fits.index(True) if any(fits) else 0
    return NumericClaim(line, text, effects[place].variant, what, claimed, f"{known[place][0]:z.4f}", any(fits))


def _interval_claim(
    line: int,
    text: str,
    effects: Sequence[Effect],
    bounds: re.Match[str],
    columns: tuple[str, str],
    turns: Sequence[bool] = (False,),
) -> NumericClaim:
    """Compare an interval; that of a cost has the opposite signs."""
    ends = [_value(bounds[1]), _value(bounds[2])]
    decimals = min(_size(bounds[1])[1], _size(bounds[2])[1])
    fits, texts = [], []
    for effect in effects:
        low, high = (getattr(effect, column) for column in columns)
        known = [(-high, -low) if turned else (low, high) for turned in turns]
        fits.append(any(_near(ends[0], one, decimals) and _near(ends[1], other, decimals) for one, other in known))
        texts.append(f"[{known[0][0]:z.4f}, {known[0][1]:z.4f}]")
    place = fits.index(True) if any(fits) else 0
    claimed = f"[{bounds[1]}, {bounds[2]}]"
    return NumericClaim(line, text, effects[place].variant, "interval", claimed, texts[place], any(fits))


def _value(number: str) -> float:
    size, _ = _size(number)
    return -size if number[0] in "-\N{MINUS SIGN}\N{EN DASH}" else size


def _near(claimed: float, known: float, decimals: int) -> bool:
    return math.isfinite(known) and abs(claimed - known) <= 0.5 * 10**-decimals + 1e-9
