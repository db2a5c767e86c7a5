"""The roles of columns: what is asked for by name is what is read."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from ablate.errors import UsageError
from ablate.report.sources.columns import by_role, find_column, find_roles, metric_name


def table(**columns: list[Any]) -> pd.DataFrame:
    return pd.DataFrame({name.replace("__", "/").replace("DOT", "."): values for name, values in columns.items()})


def read(frame: pd.DataFrame, **asked: Any) -> pd.DataFrame:
    roles = find_roles(frame, **{"variant": None, "seed": "seed", "metric": "acc", "factors": (), **asked})
    found = by_role(frame, roles, ["status"], "line", "baseline")
    return found.rename(columns={metric_name(frame, roles): "METRIC"})


def test_a_metric_with_a_slash_is_not_the_one_with_an_underscore() -> None:
    both = table(variant=["a"], seed=["0"], val__acc=["0.9"], val_acc=["0.1"])
    assert read(both, metric="val/acc")["METRIC"].tolist() == ["0.9"]
    assert read(both, metric="val_acc")["METRIC"].tolist() == ["0.1"]
    one = table(variant=["a"], seed=["0"], val__acc=["0.9"])
    assert read(one, metric="val_acc")["METRIC"].tolist() == ["0.9"]


def test_a_seed_of_another_name_leaves_the_column_seed_alone() -> None:
    found = read(table(variant=["a"], seed=["9"], fold=["3"], acc=["0.9"]), seed="fold")
    assert found["seed"].tolist() == ["3"]
    assert found["seed_2"].tolist() == ["9"]


def test_a_variant_of_another_name_leaves_the_column_variant_alone() -> None:
    found = read(table(variant=["v"], model=["m"], seed=["0"], acc=["0.9"]), variant="model")
    assert (found["variant"].tolist(), found["variant_2"].tolist()) == (["m"], ["v"])


def test_the_metric_may_be_called_like_a_role() -> None:
    for name in ("status", "variant"):
        frame = table(model=["a"], seed=["0"], **{name: ["0.7"]})
        assert read(frame, variant="model", metric=name)["METRIC"].tolist() == ["0.7"]


def test_a_param_does_not_hide_the_metric_of_its_name() -> None:
    frame = table(paramsDOTvariant=["a"], paramsDOTseed=["0"], paramsDOTaccuracy=["top1"], metricsDOTaccuracy=["0.9"])
    found = read(frame, metric="accuracy")
    assert found["METRIC"].tolist() == ["0.9"]
    assert found["params.accuracy"].tolist() == ["top1"]
    assert read(frame, metric="params.accuracy")["METRIC"].tolist() == ["top1"]


def test_a_metric_does_not_hide_the_param_of_its_name() -> None:
    frame = table(metricsDOTmodel=["1"], paramsDOTmodel=["a"], metricsDOTseed=["7"], paramsDOTseed=["0"], acc=["0.9"])
    found = read(frame, variant="model")
    assert (found["variant"].tolist(), found["seed"].tolist()) == (["a"], ["0"])


def test_a_param_and_a_tag_that_differ_are_asked_about() -> None:
    frame = table(paramsDOTmodel=["a", "b"], tagsDOTmodel=["a", "c"], tagsDOTseed=["0", "0"], paramsDOTseed=["0", "0"])
    with pytest.raises(UsageError, match=r"model is a param and a tag .*params\.model or tags\.model"):
        find_column(frame, "model")
    assert find_column(frame, "tags.model") == "tags.model"
    assert find_column(frame, "seed") == "params.seed"


def test_one_column_has_one_role() -> None:
    frame = table(variant=["a"], seed=["0"], acc=["0.9"])
    for asked in ({"variant": "seed"}, {"metric": "seed"}, {"variant": "acc"}):
        with pytest.raises(UsageError, match="cannot be both"):
            read(frame, **asked)


def test_factors_keep_their_names() -> None:
    frame = table(paramsDOTamp=["true"], paramsDOTseed=["0"], seed=["5"], acc=["0.9"], amp=["fast"])
    found = read(frame, factors=("params.amp",), seed="params.seed")
    assert (found["amp"].tolist(), found["seed"].tolist(), found["variant"].tolist()) == (["true"], ["0"], ["baseline"])
    assert found["amp_2"].tolist() == ["fast"]
    assert found["seed_2"].tolist() == ["5"]


def test_no_column_is_lost() -> None:
    frame = table(variant=["1"], seed=["2"], acc=["3"], seed_2=["4"], fold=["5"], paramsDOTacc=["6"], tagsDOTacc=["6"],
                  metricsDOTa__b=["7"], a_b=["8"], status=["9"])  # fmt: skip
    found = read(frame, seed="fold")
    assert sorted(found.iloc[0].tolist()) == ["1", "2", "3", "4", "5", "6", "6", "7", "8"]
    assert len(set(found.columns)) == len(found.columns)
