"""A small simulation of the statistics, and checks that it detects broken ones."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from scipy import special

from ablate.report.sections.limits import DATA_SETS, DIVERGENCE, FOLDS, LEVELS, SKEWED, TARGET, UNPAIRED
from ablate.stats.effects import inference, looks, paired_t
from tests import ROOT
from tests.simulation import beyond, levels, studies
from tests.simulation.__main__ import main
from tests.simulation.all_pairs import CELLS as CELLS_OF_PAIRS
from tests.simulation.all_pairs import simulate_pairs
from tests.simulation.beyond import CELLS as CELLS_BEYOND
from tests.simulation.beyond import simulate_beyond
from tests.simulation.coarse import simulate_coarse
from tests.simulation.factorial import CELLS, is_screening, simulate_cell, simulate_factorial
from tests.simulation.levels import CELLS as CELLS_OF_LEVELS
from tests.simulation.levels import simulate_levels
from tests.simulation.page import Simulation, markdown
from tests.simulation.studies import OFTEN, PEEKING, Cell, cells, draw, half_rule, naive_peeking, simulate

REPETITIONS = 4000


PLAIN = [cell for cell in cells([5]) if cell.noise == "normal" and cell.sd_ratio == 1 and not cell.diverges_often]


ENDLESS = [
    cell
    for cell in cells([0])
    if cell.noise == "normal" and cell.sd_ratio == 1 and cell.rho == 0 and not cell.diverges_often
]


def misses(rates):
    return [(row.cell, miss) for row in rates for miss in row.misses]


def test_small_tier_holds_its_limits():
    rates = simulate(cells([5]), REPETITIONS, seed=1)
    assert misses(rates) == []
    assert len(rates) == 72 + len(OFTEN)
    skewed = [row for row in rates if not row.cell.has_limits and row.cell.noise == "skewed"]
    assert max(row.false_difference for row in skewed) > 0.06  # hence no limits, and a line under Limits


def test_until_clear_holds_its_limits_and_saves_runs():
    rates = simulate(ENDLESS, 2000, seed=1)
    assert misses(rates) == []
    (mixed,) = (row for row in rates if row.cell.effects == "mixed" and row.cell.divergence == 0)
    assert mixed.runs < 0.75 * 20 * 8


def test_the_limits_of_a_report_quote_the_committed_simulation():
    page = (ROOT / "reports" / "simulation.md").read_text()
    for words, mode in (
        ("up to {0} of 100 .*up to {1} \\(", "fixed seeds"),
        ("\\({0} where .*\\({1}\\)", "until clear"),
    ):
        row = re.search(rf"^\| {mode}, skewed and unequal .*$", page, re.MULTILINE)
        _, worst_difference, worst_equivalence, _, _ = row[0].strip("| ").split(" | ")[1:]
        rates = [round(100 * float(rate)) for rate in (worst_difference, worst_equivalence)]
        assert re.search(words.format(*rates), SKEWED), (mode, rates)


def test_the_limit_of_divergence_quotes_the_committed_simulation():
    page = (ROOT / "reports" / "simulation.md").read_text()
    rows = re.findall(
        r"^\| (\S+|until clear) \| normal \| 1 \| 0 \| all null \| (\d+)% \|  \| (\S+) ", page, re.MULTILINE
    )
    rates = {(seeds, int(share)): float(rate) for seeds, share, rate in rows}
    assert len(rates) == 4 * len(OFTEN)
    assert max(rate for (_, share), rate in rates.items() if share <= 20) <= 0.06
    assert rates["3", 40] == max(rates.values())
    assert f"up to {100 * rates['3', 40]:.0f} of 100 studies with 3 seeds" in DIVERGENCE


def test_unpaired_runs_and_folds_hold_their_limits():
    few = [cell for cell in CELLS_BEYOND if cell.has_limits and cell.n == 5]
    rates = simulate_beyond(4000, seed=1, cells=few)
    assert [row for row in rates if row.misses] == []
    assert {row.cell.kind for row in rates} == {"unpaired", "folds", "data sets"}


def test_folds_without_the_correction_are_detected(monkeypatch):
    monkeypatch.setattr(beyond, "corrected_t", lambda values, ratio, *rest: paired_t(values, *rest))
    (cell,) = (one for one in CELLS_BEYOND if one.name == "folds, 10, normal, SD ratio 1, all null")
    (rates,) = simulate_beyond(2000, seed=1, cells=[cell])
    assert rates.coverage < 0.9
    assert rates.false_difference > 0.15


def test_the_limits_of_other_repetitions_quote_the_committed_simulation():
    page = (ROOT / "reports" / "simulation.md").read_text()
    pattern = r"^\| (unpaired|folds|data sets) \| \d+ \| \d+ \| (\w+) \| \d \| [\w ]+ \| \S+ \| (\S+) \|"
    rows = re.findall(pattern, page, re.MULTILINE)
    assert len(rows) == len(CELLS_BEYOND)
    worst = {
        (kind, is_skewed): max(
            float(rate) for one, noise, rate in rows if one == kind and (noise == "skewed") == is_skewed
        )
        for kind, is_skewed in itertools.product(("unpaired", "folds", "data sets"), (False, True))
    }
    assert f"up to {100 * worst['unpaired', False]:.0f} of 100 studies" in UNPAIRED
    assert f"up to {100 * worst['unpaired', True]:.0f} if the noise is skewed" in UNPAIRED
    assert worst["folds", False] <= 0.06
    assert f"up to {100 * worst['folds', True]:.0f} of 100 studies" in FOLDS
    assert worst["data sets", False] <= 0.06
    assert f"up to {100 * worst['data sets', True]:.0f} of 100 studies" in DATA_SETS
    targets = re.findall(r"^\| \d+ \| (\w+) \| (0\.\d+) \|$", page, re.MULTILINE)
    assert len(targets) == 9
    assert max(float(share) for noise, share in targets if noise != "skewed") <= 0.06
    assert f"up to {100 * max(float(share) for _, share in targets):.0f} of 100 studies" in TARGET


def test_all_pairs_of_unpaired_runs_hold_their_limits_with_holms_correction_only():
    few = [cell for cell in CELLS_OF_PAIRS if (cell.variants, cell.n, cell.sd_ratio) == (8, 3, 1)]
    rates = simulate_pairs(2000, seed=1, cells=few)
    assert [row for row in rates if row.misses] == []
    assert rates[0].games_howell > 0.07, "the reason why it does not decide verdicts"
    page = (ROOT / "reports" / "simulation.md").read_text().split("\n## All pairs of unpaired runs\n")[1]
    committed = re.findall(r"^\| 8 \| 3 \| normal \| 1 \| (\S+) \| (\S+) \|$", page, re.MULTILINE)
    assert [float(share) for share in committed[0]] == pytest.approx([rates[0].holm, rates[0].games_howell], abs=0.02)


def test_tests_of_levels_hold_their_limits():
    (cell,) = (one for one in CELLS_OF_LEVELS if (one.n, one.noise, one.sd_ratio) == (5, "normal", 1))
    (rates,) = simulate_levels(80, seed=2, cells=[cell])
    assert max(rates.false) <= 0.12  # 80 studies
    assert 0.9 < rates.coverage < 0.99


def test_tests_of_levels_without_holm_are_detected(monkeypatch):
    monkeypatch.setattr(levels, "holm", lambda p: np.asarray(p))
    (rates,) = simulate_levels(40, seed=1, cells=CELLS_OF_LEVELS[6:7])
    assert rates.false[-1] > 0.2


def test_the_committed_simulation_of_levels_holds_its_limits():
    page = (ROOT / "reports" / "simulation.md").read_text().split("## Factors with levels")[1].split("\n## ")[0]
    rows = [row.strip("| ").split(" | ") for row in page.splitlines() if row.startswith("| ") and "seeds" not in row]
    assert len(rows) == len(CELLS_OF_LEVELS)
    equal = [list(map(float, row[3:])) for row in rows if row[2] == "1"]
    assert max(max(row[:-1]) for row in equal) <= 0.06
    unequal = [list(map(float, row[3:])) for row in rows if row[2] != "1"]
    assert max(max(row[4:6]) for row in unequal) <= 0.06  # differences and synergies compare levels, seed by seed
    by_ranks, by_f = (max(max(row[places]) for row in unequal) for places in (slice(0, 2), slice(2, 4)))
    assert f"up to {100 * by_ranks:.0f} of 100 studies" in LEVELS
    assert f"up to {100 * by_f:.0f} by F" in LEVELS


def test_naive_peeking_exceeds_its_limit():
    peeking, tosts = naive_peeking(4000, np.random.default_rng(0))
    assert peeking > PEEKING
    assert 0.23 - 0.02 < peeking < 0.23 + 0.02
    assert 0.11 - 0.02 < tosts < 0.11 + 0.02


@pytest.mark.parametrize("n", [3, 5, 10, 0])
def test_arms_that_diverge_alike_seldom_train_unreliably(n):
    often = [cell for cell in cells([n]) if cell.diverges_often]
    rates = simulate(often, 4000, seed=2)
    assert misses(rates) == []
    assert max(row.false_unreliable for row in rates) <= 0.05
    assert max(row.false_verdict for row in rates if row.cell.divergence < max(OFTEN)) <= 0.06


def test_the_rule_that_was_replaced_is_detected():
    assert 0.26 < half_rule(20_000, np.random.default_rng(0)) < 0.32


def test_instability_without_holm_is_detected(monkeypatch):
    monkeypatch.setattr(studies, "holm", lambda p: p)
    often = [cell for cell in cells([10]) if cell.divergence == max(OFTEN)]
    assert max(row.false_unreliable for row in simulate(often, 4000, seed=2)) > 0.05


@pytest.mark.slow
def test_factorial_designs_hold_their_limits():
    rates = simulate_factorial(25, seed=1)
    screening = [row for row in rates if is_screening(row.cell.design)]
    assert len(screening) == 6
    assert max(row.false_established for row in screening) == 0
    assert min(row.false_difference for row in screening) > 0.7  # components without effect differ, by their aliases
    margin = [row for row in rates if row.cell.synergy == studies.MARGIN]
    assert max(row.false_equivalence for row in margin) <= 0.16  # at most 4 of 25; 1 if judged by half the margin


def test_a_synergy_judged_by_half_of_it_is_detected(monkeypatch):
    from ablate.stats.attribution import fit

    estimates = property(lambda self: self.by_seed)
    monkeypatch.setattr(fit.Fit, "estimates", estimates)
    cell = next(cell for cell in CELLS if cell.design.startswith("resolution IV") and cell.synergy == studies.MARGIN)
    assert simulate_cell(cell, 20, np.random.default_rng(0)).false_equivalence > 0.8


def test_coarse_scores_are_not_called_equivalent_by_chance():
    rates = simulate_coarse(100, seed=1)
    assert [row for row in rates if row.misses] == []
    few = [row for row in rates if row.cell.n <= 10 * row.cell.step]
    assert max(row.false_equivalence for row in few) == 0
    assert max(row.by_test_alone for row in rates) > 0.15  # without the rule
    assert max(row.false_equivalence for row in rates) > 0.02  # with many scores the question can be settled


def test_z_instead_of_t_is_detected(monkeypatch):
    monkeypatch.setattr(inference, "upper_tail", lambda statistic, freedom: special.ndtr(-np.asarray(statistic)))
    monkeypatch.setattr(inference, "quantile", lambda probability, freedom: float(special.ndtri(probability)))
    found = misses(simulate(PLAIN, REPETITIONS, seed=1))
    assert any("coverage" in miss for _, miss in found)
    assert any("false difference" in miss for _, miss in found)
    assert any("false equivalence" in miss for _, miss in found)


def test_missing_holm_is_detected(monkeypatch):
    monkeypatch.setattr(studies, "holm", lambda p: p)
    monkeypatch.setattr(looks, "holm", lambda p: p)
    found = misses(simulate(PLAIN, REPETITIONS, seed=1))
    assert any("false difference" in miss for _, miss in found)
    assert any("false verdict" in miss for _, miss in found)
    assert misses(simulate(ENDLESS, 1000, seed=1))


def test_looks_at_full_alpha_are_detected(monkeypatch):
    class Greedy:
        seeds, alphas = (5, 10, 20), (0.05, 0.05, 0.05)

    monkeypatch.setattr(studies, "Looks", Greedy)
    assert any("false" in miss for _, miss in misses(simulate(ENDLESS, 2000, seed=1)))


@pytest.mark.parametrize("noise", ["normal", "t4", "skewed"])
@pytest.mark.parametrize("rho", [0.0, 0.5])
def test_draws_have_the_stated_moments(noise, rho):
    cell = Cell(5, 4.0, rho, noise, "mixed", 0.0)
    values, diverged = draw(cell, 5, 40_000, np.random.default_rng(2))
    assert not diverged.any()
    first = values[:, :, 0]
    assert first[:, 0].std() == pytest.approx(0.2, rel=0.05)
    assert first[:, 6].std() == pytest.approx(0.8, rel=0.05)
    assert (first[:, 1:] - first[:, :1]).mean(axis=0) == pytest.approx(cell.truth, abs=0.02)
    assert np.corrcoef(first[:, 0], first[:, 3])[0, 1] == pytest.approx(rho, abs=0.03)


def test_divergence_falls_to_the_floor():
    values, diverged = draw(Cell(5, 1.0, 0.0, "normal", "all null", 0.02), 5, 2000, np.random.default_rng(0))
    assert diverged.mean() == pytest.approx(0.02, abs=0.003)
    assert (values[diverged] == studies.FLOOR).all()


def test_contradicted_verdicts():
    truth = np.array([0.0, -0.2, -0.5, -1.0, 1.0])
    wide = np.full((1, 5), 9.0)

    def false(rule):
        codes = np.full((1, 5), inference.CODES[rule])
        return studies.contradicted(codes, -wide, wide, truth)[0].tolist()

    verdicts = inference.Verdict
    assert false(verdicts.LOSS) == [True, True, True, False, True]
    assert false(verdicts.GAIN) == [True, True, True, True, False]
    assert false(verdicts.NEGLIGIBLE) == [True, False, True, True, True]
    assert false(verdicts.NO_EFFECT) == [False, False, True, True, True]
    assert false(verdicts.UNRESOLVED) == [True, False, False, False, False]
    assert false(verdicts.INCONCLUSIVE) == [False] * 5
    codes = np.full((1, 5), inference.CODES[verdicts.UNRESOLVED])
    turned = studies.contradicted(codes, np.full((1, 5), 0.1), wide, truth)[0].tolist()
    assert turned == [True, True, True, True, False]


def test_same_seed_same_rates():
    assert simulate(PLAIN[:2], 50, seed=3) == simulate(PLAIN[:2], 50, seed=3)


def test_command_writes_markdown(tmp_path, capsys):
    output = tmp_path / "deep" / "simulation.md"
    code = main(["--repetitions", "40", "--seeds", "5", "0", "--output", str(output)])
    text = output.read_text(encoding="utf-8")
    assert code in (0, 1)  # forty repetitions are too few for the limits
    assert text.startswith("# Simulation of the statistics\n")
    paired, rest = text.split("\n## Unpaired runs, folds, data sets, targets\n")
    beyond, rest = rest.split("\n## Factors with levels\n")
    of_levels, of_pairs = rest.split("\n## All pairs of unpaired runs\n")
    assert of_pairs.count("\n| 8 | 5 |") == 6
    assert of_levels.count("\n| 5 |") == 6
    assert paired.count("\n| 5 |") == 72 + len(OFTEN)
    assert beyond.count("\n| 5 |") == 3, "targets: one row per kind of noise"
    assert text.count("\n| until clear | normal |") == 24 + len(OFTEN)
    assert text.count("\n| resolution III") == 4
    assert text.count("\n| 100 |") == 12
    assert capsys.readouterr().out == ""
    main(["--repetitions", "10", "--seeds", "5"])
    assert capsys.readouterr().out.startswith("# Simulation of the statistics")
    with pytest.raises(SystemExit):
        main(["--repetitions", "0"])


def test_page_names_the_cells_that_miss():
    row = studies.Rates(PLAIN[0], 0.90, 0.2, 0.0, 0.2, 40.0)
    page = markdown(Simulation([row], [], (0.23, 0.11), 0.01, 10, 1, 0))
    assert "- 5 seeds, normal, SD ratio 1, rho 0, all null, 0%: coverage 0.900 outside 0.94 to 0.96" in page
    assert "false difference 0.200 above 0.06" in page
    assert "- the rule of half of the seeds: only 0.010" in page
