"""Results in the output of programs: JSON lines, nested and over several lines, files, patterns; failure reasons."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.errors import UserError
from ablate.journal.run_log import _check_names
from ablate.stats.metric import Metric
from ablate.workloads.custom.output_parsing import ResultReader, failure_reason, step_metrics
from ablate.workloads.custom.result_names import recordable
from ablate.workloads.custom.value_pattern import split_at_group

READER = ResultReader(Metric("score", unit=""))
NESTED = json.dumps({"performance": {"cats_macro_f": 0.7, "tok": 1}, "folds": [{"score": 1}, {"score": 2}]}, indent=2)


def reader(name: str, times: float = 1.0, **more: str) -> ResultReader:
    return ResultReader(Metric(name, **more), times)  # type: ignore[arg-type]  # texts of a metric


@pytest.mark.parametrize(
    ("output", "value"),
    [
        ('{"score": 0.5}\n{"score": 0.25}\nbye', 0.25),
        ('{"score": 0.5}\n{"other": 1}', 0.5),
        ('{"score": 1e-05}', 1e-05),
        ('{"score": "2.5e-05"}', 2.5e-05),
        ('{"score": NaN}', math.nan),
        ('{"score": 0.5}\n{"score": nan}', math.nan),
        ('{"epoch": 3, "score": -inf, "b": nan}', -math.inf),
        ('{\n  "epoch": 1,\n  "score": -nan\n}', math.nan),
        ('{"result": {"score": 3}}', 3),
        ('{"score": 1, "train": {"score": 2}}', 1),
        ('log\n{\n  "a": {\n    "score": 4\n  }\n}\nend', 4),
        ('{"runs": [{"score": 5}]}', 5),
        ('50%|###\r{"score": 6}\r\n', 6),
        ('{"text": "a { brace", "score": 7}', 7),
        ('{not json\n{"score": 8}', 8),
        ('{"score": 0.5}\n[{"score": 9}]', 9),
        ('{"score": 0.5}\n [ {"score": 9} ]\r\n', 9),
        ('{"score": 0.5}\n[\n {\n  "score": nan\n }\n]', math.nan),
        ('{"score": 0.5}\n[[{"score": 9}]]', 9),
        ('{"score": 0.5}\n[{"epoch": 1, "score": 0.75}, {"epoch": 2, "score": 9}]', 9),
        ('[\n{"step": 1, "score": 0.75},\n{"step": 2, "score": 9}\n]', 9),
        ('{"score": 9}\n[1, 2]\n["a"]\nnull\n[{"loss": 1}]', 9),
        ('{"score": 9}\n{"monitor": "score", "lr": 0.1}\n{"text": "the best \'score\' so far"}', 9),
        ('{"test": {"score": 9}, "classes": {"score": {"cat": 1}}}', 9),
        ('{"test": {"score": 9}}\n{"test": {"loss": 1}}\n{"train": null}', 9),
    ],
)
def test_the_last_json_object_with_the_metric_counts(output: str, value: float) -> None:
    found = READER.from_output(output)["score"]
    assert found == value or (math.isnan(found) and math.isnan(value))


def test_nested_results_have_dotted_names() -> None:
    for name in ("cats_macro_f", "performance.cats_macro_f"):
        assert reader(name).from_output(f"training\n{NESTED}\n")[name] == 0.7
    assert reader("folds.1.score").from_output(NESTED) == {
        "folds.1.score": 2, "folds.0.score": 1, "performance.cats_macro_f": 0.7, "performance.tok": 1,
    }  # fmt: skip
    odd = '{"x": 1, "step": 3, "on": true, "deep": {"a@b": 2, "n": null}}'
    assert reader("x").from_output(odd) == {"x": 1, "deep.a@b": 2}
    assert step_metrics(odd) == (3, {"x": 1, "deep.a_b": 2})


@pytest.mark.parametrize(
    ("later", "names"),
    [
        ('{"test": [{"f1": 0.9}]}', "test.0.f1"),
        ('{"test": [{"epoch": 1, "f1": 0.9}, {"epoch": 2, "f1": 0.8}]}', "test.0.f1, test.1.f1"),
        ('{"all": {"test": [{"f1": 0.9}]}}', "all.test.0.f1"),
        ('{"test": [[{"f1": 0.9}]]}', "test.0.0.f1"),
        ('[{"test": [{"f1": 0.9}]}]', "test.0.f1"),
    ],
)
def test_a_dotted_name_within_a_list_is_refused(later: str, names: str) -> None:
    for output in (later, f'{{"test": {{"f1": 0.7}}}}\n{later}'):
        with pytest.raises(UserError) as caught:
            reader("test.f1").from_output(output)
        assert f'"test.f1" is in a list in the standard output: {names}. Print it as a value' in str(caught.value)
        assert f'Metric("{names.rsplit(", ", maxsplit=1)[-1]}")' in str(caught.value)


def test_the_last_step_of_a_list_is_advised() -> None:
    with pytest.raises(UserError, match=r'the last for example: Metric\("history.1.score"\), or print it') as caught:
        READER.from_output('{"history": [{"epoch": 1, "score": 0.1}, {"epoch": 2, "score": 0.2}]}')
    assert "history.0.score, history.1.score" in str(caught.value)


@pytest.mark.parametrize("metric", ["test.f1", "f1"])
@pytest.mark.parametrize(
    ("output", "part"),
    [
        ('{"test": {"f1": 0.7}}\n{"test": null}', "test"),
        ('{"test": {"f1": 0.7}}\n{"test": {}}\n{"done": 1}', "test"),
        ('{"test": {"f1": 0.7}}\n{"test": []}', "test"),
        ('{"test": {"f1": 0.7}}\n{"test": 0.4}', "test"),
        ('{"test": {"f1": 0.7}}\n{"test": "diverged"}', "test"),
        ('{"epoch": 1, "test": {"f1": 0.7}}\n{"epoch": 2, "test": null}', "test"),
        ('[{"epoch": 1, "test": {"f1": 0.7}}, {"epoch": 2, "test": null}]', "test"),
    ],
)
def test_a_later_object_without_values_is_not_skipped(output: str, part: str, metric: str) -> None:
    with pytest.raises(UserError, match=f'The last "{part}" in the standard output has no {metric}'):
        reader(metric).from_output(output)


@pytest.mark.parametrize(
    "later",
    [
        '{"test.f1": null}',
        '{"test": {"f1": null}}',
        '{"test": {"f1": {}}}',
        '{"test": {"f1": [0.4]}}',
        '{"test": {"f1": 1,}}',
    ],
)
def test_a_later_value_of_another_form_is_not_skipped(later: str) -> None:
    with pytest.raises(UserError, match=r"is null|an object with|is \[0.4\]|not in valid JSON"):
        reader("test.f1").from_output('{"test": {"f1": 0.7}}\n' + later)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("done", 'No "score" in the standard output: no JSON line found. Print a line like {"score": 0.93}'),
        ('{"f1": 1, "a": {"b": 2}}', "the last JSON line has f1, a.b."),
        ('{"score": 0.5}\n{"score": null}', '"score" in the standard output is null, which is not a number. Print NaN'),
        ('{"score": "0,93"}', '"0,93", which has a comma'),
        ('{"score": true}', "is true, which is not a number"),
        ('{"score": [1]}', "is [1], which is not a number"),
        ('{"score": "93.1%"}', "is a percentage, but the metric score has no unit"),
        ('{"score": 1' + "0" * 400 + "}", "which int too large"),
        (NESTED, '"score" is ambiguous in the standard output: folds.0.score, folds.1.score. Declare one'),
        (
            '{"score": 0.5}\n{"score": 0.25,}',
            'The last "score" in the standard output is not in valid JSON: {"score": 0.25,}',
        ),
        ('{"score": 0.5}\n{"score": 0.25', "is not in valid JSON"),
        ('{"score": 0.5}\nINFO {"score": 0.25}', "is not in valid JSON"),
        ('{"score": 0.5}\r[12:00] end: {"a": {"score": 0.25}}', "is not in valid JSON"),
        ("{\"score\": 0.5}\n{'score': 0.25}", "is not in valid JSON: {'score': 0.25}. Print JSON in a line of its own"),
        ('{"score": 0.5}\n{\n  "score": 0.25,\n  "b": oops\n}', "is not in valid JSON"),
        ('{"score": 0.5}\n[{"score": 0.25}] done', "is not in valid JSON"),
        ('{"score": 0.5}\n[{"score": 0.25},', "is not in valid JSON"),
        (
            '{"test": {"score": 0.5}}\n{"train": {"score": 1}}',
            "ambiguous in the standard output: test.score, and",
        ),
        ('{"score": 0.5}\n{"train": {"score": 1}}', "ambiguous in the standard output: score, and later train.score"),
        ('{"score": 0.5}\n[{"score": 0.25}, {"score": 1}]', "is ambiguous in the standard output: 0.score, 1.score."),
        ('[\n{"score": 0.25},\n{"score": 1}\n]', "is ambiguous in the standard output: 0.score, 1.score."),
        (
            '{"score": 0.5}\n{"score": {"mean": 0.25}}',
            'score.mean. Declare one of its values: Metric("score.mean")',
        ),
        ('{"score": 0.5}\n{\n "score": {\n  "a": 1,\n  "b": 2\n }\n}', "an object with score.a, score.b."),
        ('{"score": 0.5}\n{"all": {"score": {"value": 0.25}}}', 'Metric("all.score.value")'),
        ('{"score": 0.5}\n{"score": {}}', "an object with no values. Print a number"),
        ('{"score": 0.5}\n{"score": [{"mean": 0.25}]}', 'Metric("score.0.mean")'),
        (
            '{"score": 0.5}\n{"all": [{"name": "score", "value": 0.25}]}',
            'is the text of "all.0.name". Print it as',
        ),
        ('{"score": 0.5}\n{"all": "{\\"score\\": 0.25}"}', 'is in the text of "all". Print it as a number of its own'),
    ],
)
def test_no_earlier_value_replaces_the_last_one(output: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        READER.from_output(output)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"score": 1}', 1),
        ('{\n"a": {"score": 2}\n}\n', 2),
        ('{"score": 3}\n{"score": 4}\n', 4),
        ('{"score": inf}', math.inf),
        ('[{"score": 5}]', 5),
    ],
)
def test_json_files(tmp_path: Path, text: str, value: float) -> None:
    path = tmp_path / "result.json"
    path.write_text(text)
    assert READER.from_json_file(path, 0)["score"] == value


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('{"score": 0.85, "score": 0.1}', "score"),
        ('{"eval": {"score": 0.85}, "eval": {"other": 1}, "score": 1}', "eval"),
        ('{"score": 0.85, "loss": {"a": 1, "b": 2, "a": 3}}', "a"),
        ('{"score": 0.85, "folds": [{"loss": 1, "loss": 2}]}', "loss"),
        ('{"score": NaN, "score": 0.1}', "score"),
        ('{\n "score": 0.5,\n "score": 0.6\n}', "score"),
    ],
)
def test_a_name_with_two_values_is_one_line(text: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(text)
    for read in (lambda: READER.from_output(text), lambda: READER.from_json_file(path, 0)):
        with pytest.raises(UserError, match=f'"{name}" has several values in one JSON object') as caught:
            read()
        assert "\n" not in str(caught.value)


def test_a_name_with_the_same_value_twice_is_read() -> None:
    assert READER.from_output('{"score": 0.85, "score": 0.85}') == {"score": 0.85}
    assert READER.from_output('{"lr": 1, "lr": 2}\n{"score": 0.85}') == {"score": 0.85}


def test_json_files_without_a_result(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    for text, message in (
        ('{"f1": 1}', 'No "score" in .* it has f1'), ("{}", "it has nothing"), ("[1]", "contains no JSON object"),
        ("", "contains no JSON object"),
    ):  # fmt: skip
        path.write_text(text)
        with pytest.raises(UserError, match=message):
            READER.from_json_file(path, 0)
    with pytest.raises(UserError, match="did not write"):
        READER.from_json_file(path, time.time() + 60)
    with pytest.raises(UserError, match="did not write"):
        READER.from_json_file(tmp_path / "none.json", 0)


@given(st.floats(), st.booleans())
def test_what_json_writes_is_read_again(value: float, is_indented: bool) -> None:
    text = json.dumps({"epoch": 3, "inner": {"score": value}}, indent=2 if is_indented else None)
    found = READER.from_output(f"before\n{text}\nafter")["score"]
    assert found == value or (math.isnan(found) and math.isnan(value))


@pytest.mark.parametrize(
    ("pattern", "text", "value"),
    [
        (r"score: (\S+)", "score: 0.5\nscore: 2.5e-05", 2.5e-05),
        (r"score: (\S+)", "score: 0.5\nscore: nan", math.nan),
        (r"score: (\S+)", "score: -0.25, loss: 3", -0.25),
        (r"score: ([\d.]+)", "score: 0.5 loss: nan", 0.5),
        (r"time ([\d.]+)ms", "time 12.5ms", 12.5),
        (r"^score: (\d+)$", "score: 4\nscores: none", 4),
        (r"score ([\d.]+)", "score 0.5\nscore error analysis", 0.5),
        (r"(\S+)$", "error\nscore 0.5", 0.5),
        (r"score: (\S+) \d+", "score: 1 234", 1),
        (r"score: (\S+)", "score: 12 34 1234", 12),
        (r"(?:score: (\S+)|done)", "score: 0.5\ndone", 0.5),
        (r"(?P<name>score): (\S+)", "score: 0.5", None),
        (r"(?x) score: \s (\S+) # (x)", "score: 0.5", 0.5),
    ],
)
def test_the_last_match_of_a_pattern_counts(pattern: str, text: str, value: float | None) -> None:
    if value is None:
        with pytest.raises(UserError, match="matches 'score', which is not a number"):
            READER.from_pattern(pattern, [text])
        return
    found = READER.from_pattern(pattern, [text, "score: 99"])["score"]
    assert found == value or (math.isnan(found) and math.isnan(value))


@pytest.mark.parametrize(
    ("pattern", "text", "message"),
    [
        (r"score: ([\d.]+)", "score: 2.5e-05", "matches '2.5', a part of '2.5e-05'. Let its group"),
        (r"score:\D*([\d.]+)", "score: -0.5", "matches '0.5', a part of '-0.5'"),
        (r"score: ([\d.]+)", "score: 0.5\nscore: nan", "does not match 'nan', the last value in the program's output"),
        (r"score: ([\d.]+)", "score: 0.5\nscore: -0.25", "does not match '-0.25', the last value"),
        (r"score: ([\d.]+)", "score: inf", "does not match 'inf', the last value"),
        (r"score.*?([\d.]+)", "score: 0.5\nscore: nan", "does not match 'nan'"),
        (r"score: ([\d,]+)", "score: 0,93", "matches '0,93', which has a comma that may be"),
        (r"score: ([\d.]+)", "score: 0,93", "matches '0', a part of '0,93'"),
        (r"score: (\S+)", "score: 1,234", "has a comma"),
        (r".*([\d.]+)", "score: 0.93", "matches '3', a part of '0.93'"),
        (r"time: ([\d.]+)", "time: 1m30s", "a part of '1m30s'."),
        (r"score: ([\d.]+)", "score: 0.5\nscore: diverged at step 3", "does not match 'diverged', the last value"),
        (r"score: ([\d.]+)", "score: 0.5\nscore: --\ndone", "does not match '--', the last value"),
        (r"score: (\d+)$", "score: 5\nscore: N/A", "does not match 'N/A', the last value"),
        (r"score: (\S+)", "score: 0.5140\nscore:    nan", "does not match 'nan', the last value"),
        (r"score: (\S+)", "score: 0.5\nscore:\t0.7", "does not match '0.7', the last value"),
        (r"score: ([-\d.e]+)", "score: 0.5\nscore:nan", "does not match 'nan', the last value"),
        (r"score: ([-\d.e]+)", "score: 0.5\nscore: 'nan'", "does not match 'nan', the last value"),
        (r"score: ([-\d.e]+)", "score: 0.5\nscore: [nan]", "does not match 'nan', the last value"),
        (r"score: ([-\d.e]+)", "score: 0.5\nscore: tensor(nan)", "does not match 'nan', the last value"),
        (r"score: *(\S+)", "score: 0.5264\nscore:\n0.8700", "The last 'score:' in the program's output has no"),
        (r"score: (\S+)", "score: 1 234 (best)", "matches '1', a part of '1 234'"),
        (r"score: (\S+)", "nothing", "does not match the program's output"),
        (r"score: (.*)", "score: high", "matches 'high', which is not a number"),
        (r"score: ([\d.]+)%", "score: 93.1%", "which is a percentage, but the metric score has no unit"),
    ],
)
def test_a_pattern_never_reads_another_number(pattern: str, text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        READER.from_pattern(pattern, [text])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "pattern", [r"acc: (\S+)", r"acc: ([\d.]+)", r"acc: ([\d.]+)%", r"acc: ([\d.]+) ?%", r"acc: (\S+)%?"]
)
def test_percentages_of_a_fraction(pattern: str) -> None:
    for text in ("acc: 93.1%", "acc: 93.1% (best)", "acc: 93.1%, loss: 1"):
        assert reader("acc").from_pattern(pattern, [text])["acc"] == pytest.approx(0.931)
        assert reader("acc", 0.01).from_pattern(pattern, [text])["acc"] == pytest.approx(0.931)
        assert reader("acc", unit="%").from_pattern(pattern, [text])["acc"] == 93.1


@pytest.mark.parametrize(
    ("pattern", "parts"),
    [
        (r"a(\S+)b", ("a", "b")),
        (r"(?:a|b)[(](\d(x)?)\)", ("(?:a|b)[(]", r"\)")),
        (r"\((?P<n>.)\)", (r"\(", r"\)")),
        (r"[]()](?#(no)(?<=x)(y)+", ("[]()](?#(no)(?<=x)", "+")),
        (r"(?:a)", None),
        (r"(?x)(a)", None),
        (r"(?i:(a))", ("(?i:", ")")),
    ],
)
def test_the_first_group_of_a_pattern_is_located(pattern: str, parts: tuple[str, str] | None) -> None:
    assert split_at_group(pattern) == parts


def test_step_lines() -> None:
    assert step_metrics('{"epoch": 2, "loss": nan}')[0] == 2  # type: ignore[index]  # it is not None
    assert step_metrics(' {"step": 2, "epoch": 1, "val": {"acc": 0.5}, "note": "x"}') == (2, {"val.acc": 0.5})
    assert step_metrics('{"epoch": 2.0, "loss": 1}') == (2, {"loss": 1})
    assert step_metrics('{"epoch": 0.5, "step": 20, "loss": 1}') == (20, {"loss": 1})
    for line in ("", "{", '{"loss": 1}', '{"epoch": 1.5, "loss": 1}', "[1]", "epoch 1", f'{{"step": {10**20}}}'):
        assert step_metrics(line) is None


HYDRA = """Error executing job with overrides: []
Traceback (most recent call last):
  File "x.py", line 1, in <module>
ValueError: bad shape

Set the environment variable HYDRA_FULL_ERROR=1 for a complete stack trace.
"""

RANKS = "[rank0]: torch.cuda.OutOfMemoryError: full\nRoot cause:\nx.errors.ChildFailedError: \n"
RUST = "thread 'main' panicked at src/main.rs:2:5:\nindex out of bounds\nnote: run with `RUST_BACKTRACE=1`\n"


@pytest.mark.parametrize(
    ("errors", "output", "reason"),
    [
        (HYDRA, "", "ValueError: bad shape"),
        (RANKS, "", "torch.cuda.OutOfMemoryError: full"),
        ("Traceback (most recent call last):\n  File\nAssertionError\n", "", "AssertionError"),
        (
            "usage: train.py\ntrain.py: error: unknown arguments: --foo\n",
            "",
            "train.py: error: unknown arguments: --foo",
        ),
        ("UserWarning: old\n", "Traceback\nKeyError: 'x'\n", "KeyError: 'x'"),
        (
            'Exception in thread "main" java.io.IOException: boom\n\tat Main.main(Main.java:3)\n',
            "",
            "java.io.IOException: boom",
        ),
        (RUST, "", "index out of bounds"),
        ("Error in f(x) : object 'y' not found\nExecution halted\n", "", "Error in f(x) : object 'y' not found"),
        ("no such layer\n", "working\n", "no such layer"),
        ("", "epoch 1\nout of luck\n", "out of luck"),
        ("\x1b[31mValueError: red\x1b[0m\n", "", "ValueError: red"),
        ("", "", "it printed nothing"),
    ],
)
def test_failure_reasons(errors: str, output: str, reason: str) -> None:
    assert failure_reason(errors, output) == reason


@pytest.mark.parametrize(
    ("name", "recorded"),
    [
        ("f1", "f1"), ("hits@10", "hits_10"), ("val/acc", "val/acc"), ("a//b", "a/b"), ("/a/", "a"),
        ("../a", "a"), ("a/./b", "a/b"),        ("F1 (macro)", "F1 _macro_"), ("", "_"), ("..", "_"),
        ("..a/.b", "a/b"), ("x" * 300, "x" * 200), ("präzision", "präzision"),
    ],
)  # fmt: skip
def test_names_are_recorded_as_mlflow_accepts_them(name: str, recorded: str) -> None:
    assert recordable(name) == recorded
    _check_names({f"final/{recorded}": 1.0, recorded: 1.0})


@pytest.mark.parametrize(
    ("pattern", "output", "expected"),
    [
        (r"score:\s*\n\s*(\S+)", "score: 0.5\nscore:\n   0.75\n", 0.75),
        (r"score: (\S+)", "score: 0.5\nscores: 0.6 0.7\n", 0.5),
        (r"loss: .* (\S+)$", "loss: a 0.5\nloss: b 0.7", 0.7),
        (r"acc=(\S+)", "acc=0.5 loss=2\nacc=0.6 loss=1", 0.6),
        (r"(?:final|test) acc ([\d.]+)", "test acc 0.5\nfinal acc 0.75", 0.75),
        (r"\w+: (\S+)", "a: 0.5\nb: 0.6", 0.6),
    ],
)
def test_a_pattern_whose_last_match_is_the_last_value(pattern: str, output: str, expected: float) -> None:
    assert ResultReader(Metric("score")).from_pattern(pattern, [output]) == {"score": expected}
