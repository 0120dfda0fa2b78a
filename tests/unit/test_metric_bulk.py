"""Many lines read at once say what each says by itself."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_remote import metric_table
from jupyter_remote.metric_blocks import Blocks, unpacked
from jupyter_remote.metric_bulk import BulkParser, Lines
from jupyter_remote.metric_lines import LineParser
from jupyter_remote.metric_table import Table

counts = st.integers(0, 3) | st.integers(0, 2000)
numbers = (
    st.sampled_from(["nan", "-inf", "inf", "NaN", "Infinity", "-Infinity", "5.", ".5", "0", "-0", "007"])
    | st.sampled_from(["1e999", "1e-999", "-0.5", "1e-05", "1700000000.5", "+", "1_0", "٣"])
    | st.floats().map(str)
    | st.floats(0, 1).map("{:.4f}".format)
    | counts.map(str)
    | st.integers(0, 10**20).map(str)
)
values = numbers | st.sampled_from(['"a"', "true", "[1, 05]"]) | numbers.map('{{"acc": {}}}'.format)
# Pieces of lines; a number stands where N or C is, and the rest is the same in all lines of a form.
PIECES = [
    *(
        "loss=N",
        "loss N",
        "acc: N",
        "N%",
        "(N)",
        "=",
        ":",
        "nan",
        "vN",
        "loss@N",
        "ip=10.0.0.C",
        "aC=3",
        "x=N",
    ),
    *(
        "step=C",
        "Epoch C/C",
        "Epoch C:",
        "[C/C]",
        "| C/C [00:C<00:01, Nit/s",
        "12:C:C",
        "iter C",
        "batch: C of C",
    ),
    *("host=gpuC", "Acc@C N", "RESULT_X", "RESULT_XC", "2024-01-0C", "lr=Ns", "lr=N.", "lr=N-5", "user@C=3"),
    *(
        "train_loss_step=N",
        "{'loss': N, 'epoch': N}",
        "val N loss N",
        "\x1b[32mloss=N",
        "INFO",
        "{",
        "}",
        "½=N",
    ),
]
KEYS = ["step", "loss", "time", "ts", "epoch", "iter", "acc", "x", "wall_time"]
words = st.builds(
    lambda pieces, between: between.join(pieces),
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=5),
    st.sampled_from([" ", "  ", ", ", "", "\t", " - "]),
)
objects = st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from("NCV")), min_size=1, max_size=4).map(
    lambda pairs: "{" + ", ".join(f'"{key}": {value}' for key, value in pairs) + "}"
)


@st.composite
def texts(draw: st.DrawFn) -> list[str]:
    forms = draw(st.lists(words | objects | st.text(max_size=20), min_size=1, max_size=3))
    kinds = {"N": numbers, "C": counts.map(str), "V": values}
    chosen = draw(st.lists(st.sampled_from(forms), min_size=1, max_size=30))
    return [
        "".join(draw(kinds[char]) if char in kinds else char for char in form).replace("\n", "")
        for form in chosen
    ]


def moments(lines: Sequence[str]) -> array[float]:
    return array("d", range(len(lines)))


def at_once(parser: BulkParser, lines: list[str], table: Table) -> int:
    """Lines become points as in a reader, through JSON as they are kept; how many lines had a known shape."""
    blocks, at, times, shaped = Blocks(), 0, moments(lines), 0
    for said in parser.read("".join(f"{line}\n" for line in lines)):
        if isinstance(said, Lines):
            blocks.extend(said, times[at : at + len(said.order)], "output")
            at += len(said.order)
            shaped += len(said.order)
        else:
            blocks.add(said, times[at], "output")
            at += 1
    assert at == len(lines)
    table.extend(*unpacked(json.loads(json.dumps(blocks.packed()))))
    return shaped


def one_by_one(parser: LineParser, lines: list[str], table: Table) -> None:
    for line, moment in zip(lines, moments(lines), strict=True):
        for one in parser.line(line):
            step = None if one.step is None or not abs(one.step) < float("inf") else one.step
            table.add(one.name, one.value, step, moment if one.time is None else one.time, "output", one.tags)


def content(table: Table) -> Any:
    points = [(one.name, repr(one.value), one.step, one.time, dict(one.tags)) for one in table]
    curves = [repr(table.series(name, 7)) for name in table.names]
    return points, table.names, repr(table.finals()), table.params(), curves, table.dropped


def check(lines: list[str], cut: int = 0, **wishes: Any) -> int:
    bulk, slow = BulkParser(**wishes), LineParser(**wishes)
    ours, expected = Table(), Table()
    shaped = 0
    for part in (lines[:cut], lines[cut:]):
        shaped += at_once(bulk, part, ours)
        one_by_one(slow, part, expected)
    assert content(ours) == content(expected)
    assert bulk.epoch == slow.epoch
    return shaped


@settings(max_examples=300, deadline=None)
@given(texts(), st.integers(0, 30), st.sampled_from([{}, {"names": ["x*"]}, {"regexes": ["(?P<x>[1-4]+)"]}]))
def test_many_lines_say_what_each_says_by_itself(
    lines: list[str], cut: int, wishes: dict[str, list[str]]
) -> None:
    check(lines, cut, **wishes)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 40), st.integers(1, 6), st.integers(1, 4))
def test_whatever_the_most_points_and_names_are(points: int, names: int, kinds: int) -> None:
    lines = [f"step={n} loss={n} " + " ".join(f"x{n % kinds}{k}=1" for k in range(3)) for n in range(30)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metric_table, "MOST_POINTS", points)
        patch.setattr(metric_table, "MOST_NAMES", names)
        check(lines, 15)


FORMS: dict[str, Callable[[int], str]] = {
    "words": lambda n: f"step={n} loss={1 / (n + 1):.6f} acc=0.5",
    "not always a number": lambda n: f"step={n} loss={['nan', '0.5', '-1e-05', 'inf'][n % 4]}",
    "log": lambda n: (
        f"2026-01-01 12:{n % 60:02}:00,{n:03} INFO Epoch [{n // 9}/10], Step [{n % 9}/9], Loss: {n}.5"
    ),
    "bar": lambda n: (
        f"Epoch {n // 10}:  {n % 10}0%|██   | {n % 10}/10 [00:0{n % 10}<00:02, 3{n}.0it/s, loss={n}.5]"
    ),
    "keras": lambda n: f"{n % 10}/10 ━━━ 1s 5ms/step - accuracy: 0.9 - loss: {n}.5",
    "json": lambda n: json.dumps({"step": n, "loss": n / 7, "time": 1.7e9 + n, "eval": {"acc": n}}),
    "dict": lambda n: str({"loss": n / 7, "learning_rate": 5e-05, "epoch": n / 10}),
    "result": lambda n: f"RESULT_GEMM dtype=fp16 size={n} tflops={n}.5",
    "two": lambda n: f"step={n} loss={n}.5" if n % 2 else f"Epoch {n}/200 val_loss: {n}.5",
    "two that say the same": lambda n: f"step={n} loss={n}.5" if n % 2 else f"INFO step={n} loss={n}",
    "none": lambda n: f"batch: {n} of 200",
}


@pytest.mark.parametrize("form", FORMS)
def test_usual_lines_are_read_at_once(form: str) -> None:
    assert check([FORMS[form](n) for n in range(200)], 100) > 150


def test_points_that_somebody_has_changed_are_refused() -> None:
    blocks = Blocks()
    for n in range(40):
        blocks.add(LineParser().line(f"loss={n} acc={n}"), float(n), "output")
    good = blocks.packed()
    kinds, order = unpacked(good)
    assert order is None and list(kinds[0].columns[0]) == [float(n) for n in range(40)]
    (count, times, steps, columns), (kind,) = good["rows"][0], good["kinds"]
    for row in (
        [41, times, steps, columns],
        [0, [], steps, [[], []]],
        [1 << 60, 1.0, 1.0, [1.0, 1.0]],
        [count, times, steps, columns[:1]],
        [count, "no base64", steps, columns],
        [count, columns[0][:40], steps, columns],
    ):
        with pytest.raises((ValueError, TypeError)):
            unpacked(good | {"rows": [row]})
    two = {"kinds": [kind, kind], "rows": [[1, [0.0], None, [[1.0], [1.0]]]] * 2}
    for wrong in ([0, 0], [0, 2], [0], None):
        with pytest.raises((ValueError, TypeError)):
            unpacked(two | {"order": wrong})
