"""Goals of metrics: exact names are known, every other name is asked for."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.stats import known_metrics
from ablate.stats.known_metrics import HIGHER, HIGHER_SHARES, LOSSES, LOWER_SHARES, PARTS, known_metric

LISTS = (HIGHER_SHARES, HIGHER, LOSSES, LOWER_SHARES)


@pytest.mark.parametrize(
    ("name", "goal", "kind"),
    [
        *((name, "max", "share") for name in ("val_acc", "test/accuracy", "metrics.acc", "AUC", "ROC_AUC", "mIoU", "F1",
                                              "acc@1", "top-1", "f1-macro", "best_val_acc", "Acc (%)", "eval_f1",
                                              "val/acc.max", "validation/epoch_accuracy", "val_acc_epoch")),
        *((name, "max", "other") for name in ("BLEU", "psnr", "R2", "eval_reward", "rollout/ep_rew_mean",
                                              "charts/episodic_return", "AverageTestEpRet", "average-episode-return")),
        *((name, "min", "loss") for name in ("val_loss", "valLoss", "Loss", "test_nll", "ppl", "latency_ms", "RMSE",
                                             "brier_score", "bpb", "loss_test", "final_val_loss", "_loss",
                                             "val_loss.min")),
        *((name, "min", "share") for name in ("top1_error", "ece", "EER", "WER", "val_err", "test_error_rate")),
    ],
)  # fmt: skip
def test_common_names_are_known(name: str, goal: str, kind: str) -> None:
    known = known_metric(name)
    assert known is not None
    assert (known.goal, known.kind) == (goal, kind)


@pytest.mark.parametrize(
    "name",
    ["accuracy_loss", "acc_drop", "regret", "score", "value", "neg_log_loss", "neg_mean_squared_error", "-loss",
     "1-acc", "Δacc", "loss_ratio", "acc_std", "test_time", "inaccuracy", "x", "", "test", "reward_loss",
     "error-accuracy", "delta loss", "acc_gap", "accuracy²", "loss/acc", "error_reduction", "non_acc", "seconds"],
)  # fmt: skip
def test_other_names_are_not_guessed(name: str) -> None:
    assert known_metric(name) is None


def test_no_name_is_on_two_lists() -> None:
    for one, other in itertools.combinations(LISTS, 2):
        assert not set(one.split()) & set(other.split())
    assert not {name for names in LISTS for name in names.split()} & set(PARTS.split())


@given(
    part=st.sampled_from(PARTS.split()),
    name=st.sampled_from([name for names in LISTS for name in names.split() if name.isalpha()]),
    separator=st.sampled_from(["_", "/", "-", ".", " "]),
    upper=st.booleans(),
)
def test_the_part_of_the_data_does_not_change_the_goal(part: str, name: str, separator: str, upper: bool) -> None:
    assert known_metric(f"{part}{separator}{name.upper() if upper else name}") == known_metric(name)


@given(word=st.sampled_from(["neg", "delta", "drop", "gap", "std", "ratio", "inverse", "minus"]), before=st.booleans(),
       name=st.sampled_from([name for names in LISTS for name in names.split()]))  # fmt: skip
def test_a_word_that_may_turn_a_metric_around_makes_it_unknown(word: str, before: bool, name: str) -> None:
    assert known_metric(f"{word}_{name}" if before else f"{name}_{word}") is None


def test_names_of_our_default_metrics_are_known() -> None:
    from ablate.report.sources.columns import DEFAULT_METRICS

    assert all(known_metrics.known_metric(name) for name in DEFAULT_METRICS)
