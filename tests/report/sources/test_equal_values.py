"""Values in one spelling: numbers, lists in JSON or as Python prints them, and lists as readers write them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ablate.report.sources.equal_values import canonical
from ablate.report.sources.readers.configuration_files import read_configuration
from ablate.report.sources.readers.json_runs import read_json
from ablate.report.sources.readers.run_table import cell
from tests.report.sources.test_name_variants import runs, seeds_of, study


@pytest.mark.parametrize(
    ("spellings", "one"),
    [
        (["0", "0.0", "-0.0", "-0", "0e5", "-0e-40"], "0"),
        (["1e-3", "0.0010", ".001"], "0.001"),
        (["[1]", "[1.0]", "[ 1e0 ]", '["1"]', "['1']", "[1,]"], "[1]"),
        (["[.9,0.999]", "[0.9, 0.9990]"], "[0.9, 0.999]"),
        (['["a", true, null]', "['a', True, None]", "[a,true,null]"], '["a", true, null]'),
        (['{"a":[1.0]}', "{'a': [1]}", "{a: [1]}"], '{"a": [1]}'),
        (["(.9, 1)", "(0.9,1.0)"], "(0.9, 1)"),
        (['["it\'s"]', '["it\\u0027s"]', "['it\\'s']"], '["it\'s"]'),
        (["[]", "[ ]"], "[]"),
        (["0.1", "0.10000000149011612", "0.10000000149", "1.0000000149e-1", "0.100000001490116119384765625"], "0.1"),
        (["-1e-05", "-9.999999747378752e-06"], "-0.00001"),
        (["[0.1, 3]", "[0.10000000149011612, 3.0]"], "[0.1, 3]"),
    ],
)
def test_equal_values(spellings: list[str], one: str) -> None:
    assert {canonical(text) for text in spellings} == {one}


@pytest.mark.parametrize("text", ["[1 2]", "[0, 1)", "[1", "[1]]", "[1], [2", "](1)[", '["a]', "", "[64 64]", "(1]"])
def test_texts_that_are_no_lists_stay(text: str) -> None:
    assert canonical(text) == text


def test_floats_of_32_bits_are_one_value_in_either_precision() -> None:
    generator = np.random.default_rng(22)
    values = generator.normal(size=500).astype(np.float32) * np.float32(10) ** generator.integers(-30, 3, 500)
    values = np.concatenate([values, np.nextafter(values, np.float32(np.inf))]).astype(np.float32)
    found = [canonical(str(value)) for value in values]
    assert [canonical(str(float(value))) for value in values] == found
    assert len(set(found)) == len(set(values.tolist()))


@pytest.mark.parametrize("text", ["0.30000000000000004", "0.1000000015012345", "1234567890.5", "0.123456789"])
def test_other_numbers_keep_their_digits(text: str) -> None:
    assert canonical(text) == text


def test_different_lists_stay_different() -> None:
    texts = [
        "[1, 2]",
        "[12]",
        "[2, 1]",
        "[[1], 2]",
        "[1, [2]]",
        "(1, 2)",
        '["a, b"]',
        '["a", "b"]',
        '["null"]',
        "[null]",
    ]
    assert len(set(map(canonical, texts))) == len(texts)


CONFIGURATION = {"layers": [64, 0.5], "names": ["a", "b"], "nested": [[1], {"on": True, "off": None}]}
CELLS = {"layers": "[64, 0.5]", "names": '["a", "b"]', "nested": '[[1], {"on": true, "off": null}]'}
YAML = 'layers: [64, 0.5]\nnames: [a, "b"]\nnested: [[1], {"on": true, "off": null}]\n'


def test_lists_have_one_text_in_json_and_yaml(tmp_path: Path) -> None:
    (tmp_path / "runs.jsonl").write_text(json.dumps(CONFIGURATION) + "\n")
    (tmp_path / "runs.json").write_text(json.dumps([CONFIGURATION]))
    assert read_json(tmp_path / "runs.jsonl").table.to_dict("records") == [CELLS]
    assert read_json(tmp_path / "runs.json").table.to_dict("records") == [CELLS]
    assert {name: cell(value) for name, value in CONFIGURATION.items()} == CELLS
    (tmp_path / "config.json").write_text(json.dumps(CONFIGURATION))
    assert read_configuration(tmp_path, ["config.json"]) == CELLS
    (tmp_path / "hparams.yaml").write_text(YAML)  # also equal to config.json, or an error of two values
    assert read_configuration(tmp_path, ["config.json", "hparams.yaml"]) == CELLS


@pytest.mark.parametrize("asked", ["layers=[64]", "[64.0]", "layers=[64], wd=[.9, 1]", "wd=[.9,1],layers=[64]"])
def test_variants_by_lists_in_several_spellings(asked: str) -> None:
    first = runs({"layers": "[64]", "wd": "[0.9, 1]"}, {"layers": "[64, 64]", "wd": "[0, 1]"}, seeds=("0", "1"))
    second = runs({"layers": '["64"]', "wd": "[.9,1]"}, {"layers": "[64,64.0]", "wd": "[-0.0,1]"}, seeds=("2", "3"))
    rows = [{**row, "betas": betas} for row, betas in zip([*first, *second], 2 * ["[.5]", "[0.50]"] * 2, strict=True)]
    found = study(rows, baseline=asked, where=("betas=[0.5]",))
    assert seeds_of(found) == {"baseline": [0, 1, 2, 3], "layers=[64, 64]": [0, 1, 2, 3]}
