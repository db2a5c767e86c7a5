"""Designs: their arms, and their aliasing by brute force."""

from __future__ import annotations

import itertools
import math

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ablate.errors import UsageError
from ablate.stats.attribution import alias_groups, orthogonal_part, resolution
from ablate.studies import designs
from ablate.studies.arms import Arm, factors_in_question
from ablate.studies.designs import DESIGNS, Design, fractional, plackett_burman
from ablate.studies.fractions import word_lengths

SEVEN = factors_in_question("abcdefg")
FULL = Arm(frozenset("abcdefg"))


def table(design: Design) -> pd.DataFrame:
    rows = [{name: name in arm.on for name in design.factors} for arm in design.arms]
    return orthogonal_part(pd.DataFrame(rows))


@pytest.mark.parametrize(
    ("name", "arms", "comparisons"),
    [
        ("leave-one-out", 8, 7),
        ("add-one-in", 9, 7),
        ("both-ways", 16, 14),
        ("pairs", 29, 7),
        ("factorial", 128, 0),
        ("fractional", 16, 0),
        ("plackett-burman", 13, 0),
        ("path", 8, 7),
    ],
)
def test_run_counts_for_seven(name: str, arms: int, comparisons: int) -> None:
    design = DESIGNS[name](FULL, SEVEN)
    assert (len(design.arms), len(design.contrasts)) == (arms, comparisons)


@given(st.sampled_from(sorted(DESIGNS)), st.sets(st.sampled_from("abcdefgh"), min_size=2, max_size=6), st.data())
def test_properties_of_every_design(name: str, factors: set[str], data: st.DataObject) -> None:
    """The baseline is first, arms are unique, other factors are unchanged, and contrasts compare arms of the design."""
    on = data.draw(st.sets(st.sampled_from("abcdefghij")).map(frozenset))
    order = data.draw(st.permutations(sorted(factors)))
    if name == "plackett-burman":
        order = [*order, *"stuvw"]  # with fewer factors, its runs are not unique
        factors |= set("stuvw")
    design = DESIGNS[name](Arm(on), factors_in_question(order))
    assert design.arms[0] == Arm(on)
    assert len(set(design.arms)) == len(design.arms)
    assert all(arm.on - factors == on - factors for arm in design.arms)
    for contrast in design.contrasts:
        assert {contrast.arm, contrast.reference} <= set(design.arms)
        if contrast.factor:
            assert contrast.arm.on ^ contrast.reference.on == {contrast.factor}


def test_candidates_are_switched_on_where_others_go_off() -> None:
    arms = designs.leave_one_out(Arm(frozenset("ab")), factors_in_question("abx")).arms
    assert [arm.on for arm in arms] == list(map(frozenset, ("ab", "b", "a", "abx")))


@pytest.mark.parametrize(("count", "wanted"), list(itertools.product(range(3, 9), (3, 4, 5))))
def test_fractions_have_the_requested_resolution(count: int, wanted: int) -> None:
    names = "abcdefgh"[:count]
    if wanted > max(count, 4):
        with pytest.raises(UsageError, match=f"{count} factors has a resolution of at most {count}, not {wanted}"):
            fractional(Arm(frozenset(names)), factors_in_question(names), wanted)
        return
    design = fractional(Arm(frozenset(names)), factors_in_question(names), wanted)
    found = resolution(table(design))
    assert found is None or found >= wanted
    if design.generators:
        assert found == min(word_lengths(count, design.generators))
        assert len(table(design)) == 2 ** (count - len(design.generators))
    else:
        assert len(design.arms) == 2**count


def test_the_sixteen_runs_for_seven() -> None:
    """Resolution IV: main effects are clear, pairs alias in seven triples. Includes the full and the bare recipe."""
    design = fractional(FULL, SEVEN)
    groups = [group for group in alias_groups(table(design)) if group.order == 2]
    triples = {frozenset("".join(term) for term in group.terms) for group in groups}
    wanted = "ab=ce=fg ac=be=dg ad=cg=ef ae=bc=df af=bg=de ag=bf=cd bd=cf=eg"
    assert triples == {frozenset(triple.split("=")) for triple in wanted.split()}
    assert all(len(group.terms) == 1 for group in alias_groups(table(design)) if group.order == 1)
    assert {FULL, Arm()} <= set(design.arms)


def test_the_thirty_two_runs_for_seven() -> None:
    design = fractional(FULL, SEVEN, runs=32)
    groups = [group for group in alias_groups(table(design)) if group.order == 2]
    aliased = {frozenset("".join(term) for term in group.terms) for group in groups if len(group.terms) > 1}
    assert aliased == {frozenset(pair.split("=")) for pair in ("ce=fg", "cf=eg", "cg=ef")}
    assert resolution(table(design)) == 4


def test_no_regular_thirty_two_runs_of_resolution_five_for_seven() -> None:
    assert len(fractional(FULL, SEVEN, 5).arms) == 64
    assert resolution(table(fractional(FULL, SEVEN, 5))) == 7


@pytest.mark.parametrize(("count", "runs"), [(7, 12), (11, 12), (12, 20), (19, 20), (23, 24)])
@pytest.mark.parametrize("folded", [False, True])
def test_plackett_burman_is_orthogonal(count: int, runs: int, folded: bool) -> None:
    names = [f"f{i}" for i in range(count)]
    design = plackett_burman(Arm(frozenset(names)), factors_in_question(names), folded=folded)
    assert len(table(design)) == runs * (2 if folded else 1)
    assert resolution(table(design)) == (4 if folded else 3)


def test_designs_that_do_not_exist_are_refused() -> None:
    names = [f"f{i}" for i in range(24)]
    with pytest.raises(UsageError, match="at most 23"):
        plackett_burman(Arm(frozenset(names)), factors_in_question(names))
    with pytest.raises(UsageError, match="repeats runs with 4 factors"):
        plackett_burman(Arm(frozenset("abcd")), factors_in_question("abcd"))
    with pytest.raises(UsageError, match="has 4, 8"):
        fractional(FULL, SEVEN, runs=12)
    with pytest.raises(UsageError, match="at most 7, not 9"):
        fractional(FULL, SEVEN, 9)
    assert len(fractional(FULL, SEVEN, 7).arms) == 64


@pytest.mark.parametrize("on", ["abcdefg", "acegikm"])
@pytest.mark.parametrize(
    ("options", "runs", "wanted"),
    [
        ({"resolution": 3}, 16, 3),
        ({"resolution": 4}, 32, 4),
        ({"runs": 64}, 64, 4),
        (None, 20, 3),
        ({"folded": True}, 40, 4),
    ],
)
def test_baselines_with_factors_on_and_off_are_screened_alike(
    on: str, options: dict[str, int] | None, runs: int, wanted: int
) -> None:
    """Fourteen factors, some of them candidates: the resolution by brute force, and the baseline among the arms."""
    names = "abcdefghijklmn"
    screens = options is None or "folded" in options
    design = (plackett_burman if screens else fractional)(
        Arm(frozenset(on)), factors_in_question(names), **(options or {})
    )
    part = table(design)
    assert len(part) == runs
    assert resolution(part) == wanted
    assert len(design.arms) in (runs, runs + 1)
    mains = [group for group in alias_groups(part) if group.order == 1]
    assert len(mains) == 14, "no main effect is aliased with another"
    assert wanted == 3 or all(len(group.terms) == 1 and not group.partial for group in mains)


@settings(max_examples=20)
@given(st.sets(st.sampled_from("abcdefgh")).map(frozenset), st.integers(5, 8), st.sampled_from([3, 4, 5]))
def test_a_fraction_contains_the_baseline_and_keeps_its_size(on: frozenset[str], count: int, wanted: int) -> None:
    names = "abcdefgh"[:count]
    design = fractional(Arm(on), factors_in_question(names), wanted)
    assert len(design.arms) == len(fractional(Arm(frozenset(names)), factors_in_question(names), wanted).arms)
    found = resolution(table(design))
    assert found is None or found >= wanted


def test_a_fraction_with_too_few_runs_is_refused() -> None:
    with pytest.raises(UsageError, match="4 runs are too few for 7 factors"):
        fractional(FULL, SEVEN, runs=4)
    assert len(fractional(FULL, SEVEN, runs=128).arms) == 128


@given(st.integers(2, 7))
def test_pairs_count(count: int) -> None:
    names = SEVEN[:count]
    assert len(DESIGNS["pairs"](Arm(frozenset(one.name for one in names)), names).arms) == 1 + count + math.comb(
        count, 2
    )
