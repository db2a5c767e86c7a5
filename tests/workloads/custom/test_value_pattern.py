"""The last value of a pattern: within one line, and never that of an earlier line where a later one has none."""

from __future__ import annotations

import time

import pytest

from ablate.errors import UserError
from ablate.stats.metric import Metric
from ablate.workloads.custom.output_parsing import ResultReader

READER = ResultReader(Metric("score", unit=""))
ENDS = ("", " ", "\t", " \r\n", "\n0.3 s per epoch\n", " \n  0 errors", "\r0.3 s", "\n\n7")


@pytest.mark.parametrize(
    ("pattern", "label"),
    [
        (r"score:\s*(\S+)", "score:"), (r"score: *(\S+)", "score:"), (r"score: (\S+)", "score:"),
        (r"score:\s*([-+\d.e]+)", "score:"), (r"score:\s+(.+)", "score:"), (r"^score:\s*(\S+)", "score:"),
        (r"score\s*[:=]\s*(\S+)", "score ="), (r"score= ?(\S+)", "score="), (r"score[:=\s]+(\S+)", "score:"),
        (r"score\s+(\S+)", "score"), (r"best score -> (\S+)", "best score ->"), (r"score\(%\): (\S+)", "score(%):"),
        (r"score:\D*([\d.]+)", "score:"), (r"score:[^\d]*([\d.]+)", "score:"), (r"score.*?([\d.]+)", "score:"),
        (r"(?:final|test) score: (\S+)", "test score:"), (r"score:? ([\d.]+)", "score:"), (r"R2: (\S+)", "R2:"),
        (r"(?<=score: )(\S+)", "score:"), (r"(?i)score: (\S+)", "Score:"), (r"(?i:score: (\S+))", "score:"),
        (r"(?:score: (\S+)|done)", "score:"), (r"done|score: (\S+)", "score:"), (r"score: (\S+) loss: ", "score:"),
        (r"epoch \d+ score: (\S+)", "epoch 7 score:"), (r"^.*score: (\S+)", "INFO score:"), (r"score: (\S*)", "score:"),
    ],
)  # fmt: skip
def test_an_empty_value_never_becomes_another_one(pattern: str, label: str) -> None:
    """The text before the group without a value in its line is a missing value."""
    first = f"{label} 0.5 loss: 1"
    assert READER.from_pattern(pattern, [first.removesuffix(" loss: 1" if ".+" in pattern else "")]) == {"score": 0.5}
    for end in ENDS:
        with pytest.raises(UserError, match="in the program's output has no value in its line") as caught:
            READER.from_pattern(pattern, [f"{first}\n{label}{end}"])
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "text", "message"),
    [
        (r"score: ([\d.]+)", "score: 0.5\nscore: ~0.7", "does not match '~0.7', the last value"),
        (r"score: ([\d.]+)", "score: 0.5\nscore: mean 0.7", "does not match 'mean', the last value"),
        (r"score: ([\d.]+)", "score: 0.5\nscore: not available", "does not match 'not', the last value"),
        (r"score: ([\d.]+)", "score: 0.5\nscore: error analysis", "does not match 'error', the last value"),
        (r"score: ([\d.]+)", 'score: 0.5\nscore: ""', "has no value in its line"),
        (r"score: ([\d.]+)", "score: 0.5\nscore: , loss: 2", "has no value in its line"),
        (r"score: ([\d.]+) \(end\)", "score: 0.5 (end)\nscore:  (end)", "has no value in its line"),
        (r"score: ([\d.]+)? done", "score: 0.5 done\nscore:  done", "has no value in its line"),
        (r"score: ([\d.]+) \(end\)", "score: 0.5 (end)\nscore: pending (end)", "does not match 'pending'"),
        (r"score: ([\d.]+) loss: ([\d.]+)", "score: 0.5 loss: 1\nscore: 0.1 loss: nan", "does not match '0.1'"),
        (r"loss: [\d.]+ score: ([\d.]+)", "loss: 1 score: 0.5\nloss: nan score: 0.1", "does not match '0.1'"),
        (r"loss: \d+\.\d+ score: (\S+)", "loss: 1.2 score: 0.5\nloss: nan score: nan", "does not match 'nan'"),
        (r"score=(\S+) loss", "score=0.5 loss=1\nscore=nan", "does not match 'nan'"),
        (r"score=(\S+) loss", "score=0.5 loss=1\nscore=diverged", "does not match 'diverged'"),
        (r"score=(\S+) loss", "score=0.5 loss=1\nscore=0.7 ", "does not match '0.7'"),
        (r"score=([\d.]+) loss", "score=0.5 loss=1\nscore=pending", "does not match 'pending'"),
        (r"score (\S+) \(n=\d+\)", "score 0.5 (n=3)\nscore nan", "does not match 'nan'"),
        (r"\[test\] score (\S+) \(n=\d+\)", "[test] score 0.5 (n=3)\n[test] score nan", "does not match 'nan'"),
        (r"score: (\S+), loss: \S+", "score: 0.5, loss: 1\nscore: 0.7, loss:", "does not match '0.7'"),
        (r"score: (\S+), loss: \S+", "score: 0.5, loss: 1\nscore: 0.7, loss: \nbye", "does not match '0.7'"),
        (r"(?m)^(\S+) is the score$", "0.5 is the score\n is the score", "has no value in its line"),
        (r"^([\d.]+) is the score$", "0.5 is the score\nnan is the score", "does not match 'nan'"),
        (r"([\d.]+) is the score", "0.5 is the score\nNone is the score", "does not match 'None'"),
        (r"score: (\d+\.\d+|nan|inf)", "score: 0.5\nscore: infeasible", "matches 'inf', a part of 'infeasible'"),
        (r"score: (\d+\.\d+|nan|inf)", "score: information missing", "matches 'inf', a part of 'information'"),
        (r"score: (\d+\.\d+|nan|inf)", "score: nanosecond", "matches 'nan', a part of 'nanosecond'"),
        (r"score: \w*?(\d+\.\d+|nan)", "score: banana", "matches 'nan', a part of 'banana'"),
        (r"score: (-?inf|\d+)", "score: -inference", "matches '-inf', a part of '-inference'"),
        (r"score:\s*\n\s*(\S+)", "score:\n 0.75\nscore:\n", "has no value in its line"),
        (r"Final\n.*score:\s*(\S+)", "Final\nscore: 0.5\nFinal\nscore: \n0.3 s", "has no value in its line"),
        (r"(?s).*score:\s*(\S+)", "score: 0.5\nscore: \n0.3 s", "has no value in its line"),
        (r"score: *(\S+)", "score: <0.50", "matches '<0.50', which is a bound"),
        (r"score: *(\S+)", "score: [0.50, 0.60]", "which begins with '[' and has no ']'"),
        (r"score: *(\S+)", "score: tensor(0.50)", "matches 'tensor(0.50)', which is not a number"),
    ],
)
def test_no_earlier_value_replaces_a_later_one(pattern: str, text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        READER.from_pattern(pattern, [text])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "text", "value"),
    [
        (r"score: *(\S+)", "score: [0.50]", 0.5),
        (r"score: *(\S+)", 'score: "0.50"', 0.5),
        (r"score:\s*(\S+)", "score: 0.1\rscore: 0.5\r", 0.5),
        (r"^score:\s*(\S+)$", "score: 0.1\r\nscore: 0.5\r\nbye\r\n", 0.5),
        (r"score: ([\d.]+) \(end\)", "score: 0.5 (end)\nscore: 0.4 (ema)", 0.5),
        (r"score=(\S+) loss", "score=0.1 loss=1\nscore=0.5 loss=2\nscores are saved", 0.5),
        (r"score: (\S+), loss: \S+", "score: 0.5, loss: 1\nbest loss: 0.3", 0.5),
        (r"([\d.]+) is the score", "0.5 is the score\nthat is the end", 0.5),
        (r"score: (inf|\d+)", "score: infinity", float("inf")),
        (r"score: (inf|\d+)s", "score: infs", float("inf")),
        (r"score(inf|\d+)", "scoreinf", float("inf")),
        (r"score ([\d.]+)", "score 0.5\nscore of the best model is saved", 0.5),
        (r"(?:score: (\S+)|done)", "score: 0.5\nNone\ndone", 0.5),
        (r"score: (\S+)", "score: 0.5\nscores:\n", 0.5),
        (r"score:\s*\n\s*(\S+)", "score:\n\n 0.5\n", 0.5),
        (r"Final\n.*score:\s*(\S+)", "score: 0.1\nFinal\nscore: 0.5\nscore: 0.7", 0.5),
        (r"Final[\s\S]*?score: (\S+)", "Final\nresults:\nscore: 0.5\nscore: 0.7", 0.5),
        (r"\A(\S+)", "0.5\n0.6", 0.5),
        (r"score: (\S+)\s*\Z", "score: 0.1\nscore: 0.5\n\n", 0.5),
        (r"^(\S+)$", "0.5\n\n", 0.5),
        (r"step [\d.]+: score (\S+)", "step 1.5: score 0.1\nstep 2: score 0.5\nstep 3\n", 0.5),
    ],
)
def test_the_last_value_in_its_line(pattern: str, text: str, value: float) -> None:
    assert READER.from_pattern(pattern, [text]) == {"score": value}


def test_long_outputs_are_read_from_their_end() -> None:
    output = "score: 0.5 loss 1.0 of many words\n" * 200_000
    started = time.perf_counter()
    assert READER.from_pattern(r"score:\s*(\S+)", [output]) == {"score": 0.5}
    assert time.perf_counter() - started < 2
