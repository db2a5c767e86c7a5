"""Measure a figure: both sides alternate; the result is the median of the ratios, with their range."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from statistics import median
from types import TracebackType
from typing import Any, Self

Measurement = Callable[[], float]


@dataclass(frozen=True)
class Figure:
    """A row of the table: the median of `values`, the goal, and details of the measurement."""

    name: str
    against: str
    unit: str
    goal: float
    values: tuple[float, ...]
    detail: str = ""
    at_least: bool = True

    @property
    def value(self) -> float:
        """The median."""
        return median(self.values)

    @property
    def is_met(self) -> bool:
        """Whether the median reaches the goal."""
        return self.value >= self.goal if self.at_least else self.value <= self.goal


class Worker:
    """A measurement in a process of its own, so that the settings of one side do not affect the other.

    `make(**arguments)` is called in that process and returns the measurement. Calling the worker measures once.
    """

    def __init__(self, make: Callable[..., Measurement], **arguments: Any) -> None:
        context = get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, make, arguments))
        self._process.start()
        theirs.close()

    def start(self) -> None:
        """Start a measurement; `result` waits for it."""
        self._connection.send("go")

    def result(self) -> float:
        """Return the result of the measurement."""
        return float(self._connection.recv())

    def __call__(self) -> float:
        """Measure once."""
        self.start()
        return self.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()


def _serve(connection: Connection, make: Callable[..., Measurement], arguments: dict[str, Any]) -> None:
    measure = make(**arguments)
    while True:
        try:
            connection.recv()
        except EOFError:  # the parent has closed the connection
            return
        connection.send(measure())


def alternate(first: Measurement, second: Measurement, rounds: int) -> list[tuple[float, float]]:
    """Return `rounds` pairs, measured alternately in both orders, after a warm-up."""
    pairs = []
    for number in range(rounds + 1):
        if number % 2:
            there = second()
            here = first()
        else:
            here = first()
            there = second()
        pairs.append((here, there))
    return pairs[1:]


def ratios(pairs: list[tuple[float, float]]) -> tuple[float, ...]:
    """Return the ratio of first to second for each round."""
    return tuple(here / there for here, there in pairs)


def medians(pairs: list[tuple[float, float]], unit: str) -> str:
    """Return the medians of both sides as text."""
    here, there = (median(side) for side in zip(*pairs, strict=True))
    return f"{here:,.4g} and {there:,.4g} {unit}"
