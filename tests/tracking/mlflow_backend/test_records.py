"""The conversion of journals to plain data for the store."""

from __future__ import annotations

import json
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ablate.tracking.mlflow_backend.records import (
    Batch,
    batches,
    instant,
    merged_batches,
    process_of,
    process_tags,
    text_of,
    value_of,
)

PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()


@given(PLAIN)
def test_a_param_keeps_its_value(value: Any) -> None:
    found = value_of(text_of(value))
    assert found == value
    assert type(found) is type(value)


def test_the_text_of_params() -> None:
    assert [text_of(value) for value in (True, 0.01, 16, "adam", None)] == ["true", "0.01", "16", "adam", "null"]
    assert value_of("3.10") == "3.10", "a version, not a number"
    assert value_of("[" * 6000) == "[" * 6000


@given(
    st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=250),
    st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=250),
    st.integers(0, 2500),
)
def test_merged_batches_hold_everything_once_within_the_limits(
    params: dict[str, str], tags: dict[str, str], count: int
) -> None:
    points = [("loss", float(step), 0, step) for step in range(count)]
    sent = list(merged_batches([Batch(points[: count // 2], params), Batch(points[count // 2 :], tags=tags)]))
    assert [point for batch in sent for point in batch.points] == points
    assert {name: text for batch in sent for name, text in batch.params.items()} == params
    assert {name: text for batch in sent for name, text in batch.tags.items()} == tags
    for batch in sent:
        assert max(len(batch.params), len(batch.tags)) <= 100
        assert 0 < len(batch.points) + len(batch.params) + len(batch.tags) <= 1000


METRICS = st.builds(
    lambda step, value: {"record": "metrics", "step": step, "values": {"loss": value}},
    st.integers(0, 5),
    st.none() | st.floats(),
)
SERIES = st.builds(
    lambda first, values: {"record": "series", "name": "lr_step", "first": first, "values": values},
    st.integers(1, 20),
    st.lists(st.floats(), max_size=5),
)


@given(st.lists(METRICS | SERIES, max_size=12), st.integers(0, 12))
def test_two_deliveries_equal_one_and_repeat_no_step(records: list[dict[str, Any]], middle: int) -> None:
    records = [{**record, "time": float(number)} for number, record in enumerate(records)]

    def sent(delivered: int, upto: int) -> list[str]:
        return [repr(point) for batch in batches(records[:upto], delivered) for point in batch.points]

    once = sent(0, len(records))
    assert sent(0, middle) + sent(middle, len(records)) == once
    places = [(name, step) for batch in batches(records, 0) for name, _, _, step in batch.points]
    assert len(places) == len(set(places))


def test_non_finite_values_are_nan() -> None:
    record = {"record": "metrics", "time": 1.5, "step": 2, "values": {"loss": math.inf, "accuracy": None}}
    (batch,) = batches([record], 0)
    assert [(name, math.isnan(value), time, step) for name, value, time, step in batch.points] == [
        ("loss", True, 1500, 2),
        ("accuracy", True, 1500, 2),
    ]


def test_final_metrics_have_the_step_of_the_last_epoch() -> None:
    end = {"record": "end", "time": 3.0, "status": "killed", "metrics": {"test/accuracy": 0.5}}
    epochs = [{"record": "metrics", "time": 1.0, "step": step, "values": {"loss": 1.0}} for step in (0, 1, 2)]
    records = [*epochs[:2], end, epochs[2]]
    assert list(batches(records, 0))[2].points == [("test/accuracy", 0.5, 3000, 1)]


def test_tags_identify_a_process() -> None:
    process = {"host": "here", "boot": "b", "pid": 7, "started": "123"}
    assert process_of(process_tags(process)) == process
    assert process_of({"ablate.pid": "7"}) == {}


def test_times_are_in_utc() -> None:
    assert instant(0.0) == "1970-01-01T00:00:00+00:00"
    assert json.dumps(instant(1.0))
