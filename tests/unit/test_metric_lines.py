"""Lines of text become metrics: the forms that count, those that don't, and whatever else a run may print."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_remote.agent.metrics import LONGEST, Lines
from jupyter_remote.metric_lines import PATTERNS, WORDS, Found, LineParser, progress
from jupyter_remote.metric_rows import RowParser

# A line, and of it (name, value, step) each.
FORMS = [
    (
        "RESULT_GEMM gpu=0 dtype=fp16 tflops=812.5 ms=3.2ms",
        [("GEMM.gpu", 0, None), ("GEMM.tflops", 812.5, None), ("GEMM.ms", 3.2, None)],
    ),
    ("RESULT_LOSS 0.3", [("LOSS", 0.3, None)]),
    ("RESULT_LOSS=0.3", [("LOSS", 0.3, None)]),
    ("RESULT_TRAIN step=7 loss=0.3", [("TRAIN.loss", 0.3, 7)]),
    ('{"step": 3, "loss": 0.1, "eval": {"acc": 1}}', [("loss", 0.1, 3), ("eval/acc", 1, 3)]),
    (
        "{'loss': 0.3, 'learning_rate': 5e-05, 'epoch': 1.5}",
        [("loss", 0.3, 1.5), ("learning_rate", 5e-5, 1.5)],
    ),
    ("step 250: train loss 1.9683, val loss 2.0", [("train_loss", 1.9683, 250), ("val_loss", 2, 250)]),
    ("5/10 [=====>.....] - ETA: 0s - loss: 0.3 - acc: 0.9", [("loss", 0.3, 5), ("acc", 0.9, 5)]),
    ("Epoch 3:  40%|████      | 40/100 [00:01<00:02, 30.0it/s, loss=0.3, v_num=1]", [("loss", 0.3, 340)]),
    (
        "Epoch: [0][ 10/5005]\tTime  0.5 ( 1.2)\tLoss 6.9e+00 (7.0)\tAcc@1 0.00",
        [("Loss", 6.9, 10), ("Acc@1", 0, 10)],
    ),
    ("Train Epoch: 1 [640/60000 (1%)]\tLoss: 2.300039", [("Loss", 2.300039, 60640)]),
    ("Epoch [3/10], Step [100/600], Loss: 0.2345", [("Loss", 0.2345, 1300)]),
    ("2024-01-01 12:30:45 INFO step=3 loss=inf lr=1e-4 host=a", [("loss", math.inf, 3), ("lr", 1e-4, 3)]),
    ("trainer/global_step=100 | train/loss=0.2", [("train/loss", 0.2, 100)]),
    ("val_f1 = 0.93", [("val_f1", 0.93, None)]),
    ("[Step 20] loss = 1e999", [("loss", math.inf, 20)]),
    ("acc: 93.1%", [("acc", 93.1, None)]),
    ("loss=0.3.", [("loss", 0.3, None)]),
]
NOTHING = [
    "",
    "a=1 b=2",
    "connecting to port: 8080",
    "12:30:45 it is late",
    "version: 3.0.1 loss=3.0.1",
    "Accuracy: 9000/10000",
    "loss=none of it",
    '{"level": "info", "ts": 1700000000.5, "n": 3}',
    '{"loss": "0.1"}',
    '{"loss": true}',
    '{"loss": 0.1',
    "[1, 2, 3]",
    "{" * 2000 + "}" * 2000,
    "https://example.com/?step=3",
]


def plain(found: list[Found]) -> list[tuple[str, float, float | None]]:
    return [(one.name, one.value, one.step) for one in found]


@pytest.mark.parametrize(("line", "expected"), FORMS, ids=[line[:30] for line, _ in FORMS])
def test_a_form_that_counts(line: str, expected: list[tuple[str, float, float | None]]) -> None:
    assert plain(LineParser().line(line)) == expected
    # The host passes on what counts here, and the rest of the log not.
    block = b"12:30:45 nothing\n" + line.encode() + b"\nand nothing\n"
    assert [text.strip() for text in Lines(PATTERNS, WORDS).find(block)] == [line]


@pytest.mark.parametrize("line", NOTHING, ids=[line[:20] for line in NOTHING])
def test_what_does_not_count(line: str) -> None:
    assert LineParser().line(line) == []


def test_words_that_are_no_numbers_are_tags() -> None:
    found = LineParser().line("RESULT_GEMM dtype=fp16 gpu='H100 NVL' tflops=8")
    assert [(one.name, dict(one.tags)) for one in found] == [
        ("GEMM.tflops", {"result": "GEMM", "dtype": "fp16", "gpu": "H100 NVL"})
    ]


def test_the_bar_of_keras_goes_on_where_the_epoch_before_ended() -> None:
    parser = LineParser()
    bar = "\x1b[1m10/10\x1b[0m \x1b[32m━━━━\x1b[0m 1s 5ms/step - accuracy: 0.9 - loss: {}"
    lines = ["Epoch 1/2", bar.format("0.5"), "Epoch 2/2", bar.format("0.4")]
    found = [one for line in lines for one in parser.line(line) if one.name == "loss"]
    assert plain(found) == [("loss", 0.5, 10), ("loss", 0.4, 20)]


def test_names_that_were_asked_for_count_and_no_others_of_the_line() -> None:
    parser = LineParser(names=["gb_*"])
    assert plain(parser.line("copy gb_in=3 pid=7")) == [("gb_in", 3, None)]
    assert plain(parser.line("step=1 gb_in=3 other=7")) == [("gb_in", 3, 1), ("other", 7, 1)]
    assert parser.line("copy pid=7") == []


def test_a_regular_expression_of_ones_own() -> None:
    parser = LineParser(regexes=[r"(?P<name>\w+) took (?P<value>[\d.]+) s(?: at (?P<step>\d+))?"])
    assert plain(parser.line("copy took 3.5 s at 7")) == [("copy", 3.5, 7)]
    assert plain(LineParser(regexes=[r"(?P<rate>\d+) rows"]).line("wrote 12 rows loss=1")) == [
        ("rate", 12, None),
        ("loss", 1, None),
    ]
    assert LineParser(regexes=["(?P<value>.*)"]).line("no number") == []


@pytest.mark.parametrize(
    ("line", "fraction", "words"),
    [
        ("Epoch 3/10", 0.3, "epoch 3/10"),
        ("Epoch [3/10], Step [100/200]", 0.25, "epoch 3/10, 100/200"),
        (" 40%|████      | 40/100 [00:01<00:02, 30.00it/s]", 0.4, "40/100"),
        ("step 10 of 40", 0.25, "10/40"),
        ("5/10 [=====>.....] - ETA: 0s", 0.5, "5/10"),
        ("100%|██| 7/5", 1.0, "100/100"),
        ("nothing 3/4 of it", None, None),
    ],
)
def test_how_far_a_run_has_come(line: str, fraction: float | None, words: str | None) -> None:
    told = progress(line)
    assert (told.fraction, told.text) == (fraction, words) if told else words is None


names = st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True)
values = st.floats(allow_nan=True, allow_infinity=True)


@given(st.text(max_size=300))
def test_no_text_breaks_it(text: str) -> None:
    for line in (text, f"loss={text}", f"RESULT_{text}", "{" + text + "}", f"step=1 {text}: 0.5"):
        for one in LineParser().line(line):
            assert isinstance(one.value, float)
        progress(line)


@given(st.binary(max_size=2000))
def test_no_bytes_break_it_and_lines_are_lines(block: bytes) -> None:
    for line in Lines(PATTERNS, WORDS).find(block + b"loss=1\n" + block):
        assert "\n" not in line.rstrip("\n")
        LineParser().line(line)


@given(st.dictionaries(names, values, min_size=1), st.integers(0, 10**12))
def test_what_was_written_is_read(metrics: dict[str, float], step: int) -> None:
    written = {f"{name}_loss": value for name, value in metrics.items()}
    rows = RowParser("a.csv")
    header = ",".join(["step", *written])
    texts = {
        "json": LineParser().line(json.dumps({"step": step, **written})),
        "words": LineParser().line(f"step={step} " + " ".join(f"{k}={v}" for k, v in written.items())),
        "csv": rows.one(header) + rows.one(",".join(map(str, [step, *written.values()]))),
    }
    for found in texts.values():
        assert {one.name: repr(one.value) for one in found} == {k: repr(v) for k, v in written.items()}
        assert {one.step for one in found} == {step}


@given(st.one_of(st.integers(), st.recursive(st.none() | st.booleans() | st.integers(), st.lists)))
def test_wrong_types_and_huge_numbers(value: object) -> None:
    for parser in (LineParser(), LineParser(every=True)):
        for one in parser.line(json.dumps({"loss": value, "step": value, "x": {"acc": value}})):
            assert isinstance(one.value, float)
    huge = LineParser().line(f'{{"loss": {10**400}}}')
    assert plain(huge) == [("loss", math.inf, None)]


def test_a_long_line_is_left_out_and_the_next_one_is_not() -> None:
    block = b"loss=1 " + b"x" * LONGEST + b"\nloss=2\n"
    assert list(Lines(PATTERNS, WORDS).find(block)) == ["loss=2\n"]
