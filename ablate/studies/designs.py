"""Experimental designs: pure functions of the baseline and the components in question.

The first arm of every design is the baseline. What is not in question is the same in all arms. A candidate, off in the
baseline, is switched on where a factor of the baseline would be switched off. So regular fractions contain the
baseline; Plackett-Burman designs have it in addition. A component whose value is varied has the baseline's level where
a factor would be unchanged.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

from ablate.errors import UsageError
from ablate.studies.arms import Arm, Component, PlannedContrast, changes
from ablate.studies.fractions import CUSTOMARY, LETTERS, find_generators
from ablate.studies.level_fractions import level_fraction

MOST_RUNS = 10_000


@dataclass(frozen=True)
class Design:
    """The arms of a study, the baseline first, and its planned contrasts.

    Factorial designs have no contrasts: their effects are estimated from all arms. `generators` define a fraction.
    `left_out` describes the impossible combinations, which are not among the arms.
    """

    name: str
    components: tuple[Component, ...]
    arms: tuple[Arm, ...]
    contrasts: tuple[PlannedContrast, ...] = ()
    generators: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the components in question."""
        return tuple(component.name for component in self.components)

    @property
    def factors(self) -> tuple[str, ...]:
        """The factors in question, which are on or off."""
        return tuple(component.name for component in self.components if component.is_factor)


def leave_one_out(baseline: Arm, components: Sequence[Component]) -> Design:
    """Change one component at a time at the baseline: k + 1 arms for k factors.

    >>> from ablate.studies.arms import factors_in_question
    >>> design = leave_one_out(Arm(frozenset("abc")), factors_in_question("abc"))
    >>> [sorted(arm.on) for arm in design.arms]
    [['a', 'b', 'c'], ['b', 'c'], ['a', 'c'], ['a', 'b']]
    >>> [arm.values for arm in leave_one_out(Arm(), [Component("lr", (0.1, 0.2, 0.3))]).arms]
    [(), (('lr', 0.2),), (('lr', 0.3),)]
    """
    return _design("leave-one-out", baseline, components, changes(baseline, components, "leave-one-out"))


def add_one_in(baseline: Arm, components: Sequence[Component]) -> Design:
    """Change one component at a time, with the factors off: k arms, their reference `none`, and the baseline.

    >>> from ablate.studies.arms import factors_in_question
    >>> design = add_one_in(Arm(frozenset("abc")), factors_in_question("abc"))
    >>> [sorted(arm.on) for arm in design.arms]
    [['a', 'b', 'c'], [], ['a'], ['b'], ['c']]
    """
    contrasts = changes(_bare(baseline, components), components, "add-one-in")
    return _design("add-one-in", baseline, components, contrasts)


def both_ways(baseline: Arm, components: Sequence[Component]) -> Design:
    """Combine leave-one-out and add-one-in as one family of 2k comparisons. They differ by the interactions.

    >>> from ablate.studies.arms import factors_in_question
    >>> len(both_ways(Arm(frozenset("abcdefg")), factors_in_question("abcdefg")).arms)
    16
    """
    ends = dict.fromkeys((baseline, _bare(baseline, components)))  # without factors in question, there is one end
    contrasts = [contrast for end in ends for contrast in changes(end, components, "both-ways")]
    return _design("both-ways", baseline, components, contrasts)


def pairs(baseline: Arm, components: Sequence[Component]) -> Design:
    """Change one and two components at a time at the baseline, to estimate interactions there.

    >>> from ablate.studies.arms import factors_in_question
    >>> len(pairs(Arm(frozenset("abcdefg")), factors_in_question("abcdefg")).arms)
    29
    """
    doubles = [
        other.at(one.at(baseline, level), other_level)
        for one, other in itertools.combinations(components, 2)
        for level, other_level in itertools.product(range(1, one.size), range(1, other.size))
    ]
    return _design("pairs", baseline, components, changes(baseline, components, "pairs"), doubles)


def path(baseline: Arm, components: Sequence[Component]) -> Design:
    """Change the components cumulatively, in the given order, and compare each arm with the baseline.

    A component whose value is varied takes its levels one after the other and keeps the last one.

    >>> from ablate.studies.arms import factors_in_question
    >>> design = path(Arm(frozenset("abc")), factors_in_question("cab"))
    >>> [sorted(arm.on) for arm in design.arms]
    [['a', 'b', 'c'], ['a', 'b'], ['b'], []]
    """
    contrasts, arm = changes(baseline, components[:1], "path"), baseline
    for component in components:
        steps = [component.at(arm, level) for level in range(1, component.size)]
        contrasts += [PlannedContrast(step, baseline, "path") for step in steps if arm != baseline]
        arm = steps[-1]
    return _design("path", baseline, components, contrasts)


def factorial(baseline: Arm, components: Sequence[Component]) -> Design:
    """Return all combinations: 2^k arms for k factors, without aliasing.

    >>> from ablate.studies.arms import factors_in_question
    >>> len(factorial(Arm(frozenset("abc")), factors_in_question("abc")).arms)
    8
    """
    sizes = [component.size for component in components]
    check_size(math.prod(sizes))
    return _combined("factorial", baseline, components, itertools.product(*map(range, sizes)))


def fractional(
    baseline: Arm, components: Sequence[Component], resolution: int = CUSTOMARY, runs: int | None = None
) -> Design:
    """Return the smallest regular fraction with at least this resolution, or the best fraction with `runs` arms.

    At resolution IV, main effects are not aliased with two-factor interactions. At V, these are not aliased with each
    other either. With three factors or fewer, resolution IV is the full factorial. With three levels or more of a
    component, the fraction is an orthogonal array, found by search.

    >>> from ablate.studies.arms import factors_in_question
    >>> seven = factors_in_question("abcdefg")
    >>> [len(fractional(Arm(frozenset("abcdefg")), seven, resolution).arms) for resolution in (4, 5)]
    [16, 64]
    """
    if any(component.size > 2 for component in components):
        rows = level_fraction([component.size for component in components], resolution, runs)
        return _combined("fractional", baseline, components, rows)
    generators = find_generators(len(components), resolution, runs)
    if not generators:
        return factorial(baseline, components)
    letters = LETTERS[: len(components)]
    basic = len(components) - len(generators)
    signs = []
    for levels in itertools.product((0, 1), repeat=basic):
        level_of = dict(zip(letters, levels, strict=False))
        generated = [sum(level_of[letter] for letter in word) % 2 for word in generators]  # a product of signs
        signs.append((*levels, *generated))
    return _combined("fractional", baseline, components, signs, generators)


def plackett_burman(baseline: Arm, components: Sequence[Component], *, folded: bool = False) -> Design:
    """Return a screening design (Plackett and Burman, 1946): 12, 20 or 24 arms, doubled if folded, and the baseline.

    >>> from ablate.studies.arms import factors_in_question
    >>> len(plackett_burman(Arm(frozenset("abcdefg")), factors_in_question("abcdefg")).arms)
    13
    """
    count = len(components)
    if more := [component for component in components if component.size > 2]:
        raise UsageError(
            f"The design plackett-burman takes two levels per component, and {more[0].name} has {more[0].size}: use "
            "the design fractional or factorial"
        )
    runs = next((runs for runs in _CYCLES if runs > count), None)
    if runs is None:
        raise UsageError(f"plackett-burman takes at most {max(_CYCLES) - 1} factors, not {count}")
    cycle = [int(sign == "-") for sign in _CYCLES[runs]]
    rows = [cycle[-shift:] + cycle[:-shift] for shift in range(runs - 1)] + [[1] * (runs - 1)]
    if folded:
        rows += [[1 - level for level in row] for row in rows]
    if len({tuple(row[:count]) for row in rows}) < len(rows):  # executed once, they would unbalance the design
        raise UsageError(
            f"plackett-burman repeats runs with {count} factor{'s' * (count > 1)}: use factorial or fractional"
        )
    return _combined("plackett-burman", baseline, components, rows)


_CYCLES = {12: "++-+++---+-", 20: "++--++++-+-+----++-", 24: "+++++-+-++--++--+-+----"}

DESIGNS: Mapping[str, Callable[[Arm, Sequence[Component]], Design]] = {
    "leave-one-out": leave_one_out,
    "add-one-in": add_one_in,
    "both-ways": both_ways,
    "pairs": pairs,
    "factorial": factorial,
    "fractional": fractional,
    "plackett-burman": plackett_burman,
    "path": path,
}


def check_size(runs: int) -> None:
    """Raise UsageError for more runs than a study takes."""
    if runs > MOST_RUNS:
        raise UsageError(
            f"The study would have {runs:,} runs, more than {MOST_RUNS:,}. Leave out seeds, components or levels, or "
            "choose another design"
        )


def _bare(baseline: Arm, components: Sequence[Component]) -> Arm:
    """Return the baseline with all factors in question off."""
    return baseline.without(component.name for component in components if component.is_factor)


def _design(
    name: str,
    baseline: Arm,
    components: Sequence[Component],
    contrasts: Sequence[PlannedContrast],
    more: Iterable[Arm] = (),
) -> Design:
    compared = [arm for contrast in contrasts for arm in (contrast.reference, contrast.arm)]
    arms = dict.fromkeys([baseline, *compared, *more])  # in order, without duplicates
    return Design(name, tuple(components), tuple(arms), tuple(contrasts))


def _combined(
    name: str,
    baseline: Arm,
    components: Sequence[Component],
    rows: Iterable[Sequence[int]],
    generators: tuple[str, ...] = (),
) -> Design:
    """Return the design whose rows have a level for each component; further levels in a row are ignored."""
    arms = [
        reduce(lambda arm, pair: pair[0].at(arm, pair[1]), zip(components, row, strict=False), baseline) for row in rows
    ]
    return Design(name, tuple(components), tuple(dict.fromkeys([baseline, *arms])), generators=generators)
