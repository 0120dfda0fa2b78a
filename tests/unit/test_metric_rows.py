"""Rows of files become metrics: many at once say what each says by itself."""

from __future__ import annotations

import json
from array import array
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_remote.metric_blocks import Blocks, unpacked
from jupyter_remote.metric_bulk import Lines
from jupyter_remote.metric_rows import RowParser
from jupyter_remote.metric_table import Table

NAMES = ["step", "epoch", "global_step", "loss", "val/loss", "time", "ts", "host", "", "loss "]
cells = (
    st.sampled_from(
        ["", " ", "nan", "-inf", "1e999", "1_0", " 7 ", "a", "b", "a" * 300, "#", "\x00", '"a', '"1,5"', "٣"]
    )
    | st.sampled_from(["1700000000.5", "1700000001", "12"])
    | st.floats().map(str)
    | st.integers(0, 5).map(str)
)
values = (
    st.floats() | st.integers() | st.booleans() | st.none() | st.sampled_from(["a", "b", "a" * 300])
) | st.sampled_from([10**400, -(10**400), 1.7e9, [1], {"acc": 1, "deep": {"x": 2}}])
ends = st.sampled_from(["\n", "\n", "\n", "\r\n", "\n\n", "\n# 1,2\n", "\n,\n", "\n{\n", "\u2028"])


def points(said: list[Any], moment: float = 7.0) -> list[Any]:
    """All points of a file, as they are kept."""
    blocks = Blocks()
    for one in said:
        if isinstance(one, Lines):
            blocks.extend(one, array("d", [moment]) * len(one.order), "f")
        else:
            blocks.add(one, moment, "f")
    table = Table()

    table.extend(*unpacked(json.loads(json.dumps(blocks.packed()))))
    return [
        (one.name, repr(one.value), repr(one.step), one.time, dict(one.tags))
        for one in map(table.__getitem__, range(len(table)))
    ]


def same(path: str, text: str) -> list[Any]:
    together, alone = RowParser(path), RowParser(path)
    found = points(list(together.read(text)))
    lines = [line for line in text.splitlines() if line.strip()]
    assert found == points([alone.one(line) for line in lines])
    assert together.head == alone.head
    return found


@st.composite
def tables(draw: st.DrawFn) -> str:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5))
    # A column is of one kind mostly, as those of programs are.
    kinds = [draw(st.sampled_from([cells, st.floats().map(str), st.integers(0, 9).map(str)])) for _ in names]
    rows = draw(st.lists(st.tuples(*kinds).map(",".join), max_size=12))
    return "".join(row + draw(ends) for row in [",".join(names), *rows])


@given(tables())
def test_rows_of_csv_at_once_and_one_by_one(text: str) -> None:
    same("a.csv", text)


@st.composite
def objects(draw: st.DrawFn) -> str:
    forms = draw(st.lists(st.lists(st.sampled_from(NAMES), unique=True, max_size=4), min_size=1, max_size=3))
    kinds = {name: draw(st.sampled_from([values, st.floats(), st.integers(0, 9)])) for name in NAMES}
    rows = draw(st.lists(st.sampled_from(forms), max_size=12))
    return "".join(json.dumps({name: draw(kinds[name]) for name in row}) + draw(ends) for row in rows)


@given(objects())
def test_rows_of_json_at_once_and_one_by_one(text: str) -> None:
    same("a.jsonl", text)


@pytest.mark.parametrize(
    ("path", "text", "says"),
    [
        (
            "a.csv",
            'step,loss,name\n1,0.5,a\n2,0.4\n\n3,,b\n4,nan,c\n5,"0.2",d\n',
            [
                ("loss", "0.5", "1.0", {"name": "a"}),
                ("loss", "nan", "4.0", {"name": "c"}),
                ("loss", "0.2", "5.0", {"name": "d"}),
            ],
        ),
        # Lightning writes train and validation in rows of their own.
        (
            "metrics.csv",
            "step,train_loss,val_loss\n0,3,\n1,2,\n1,,4\n2,1,\n",
            [
                ("train_loss", "3.0", "0.0", {}),
                ("train_loss", "2.0", "1.0", {}),
                ("val_loss", "4.0", "1.0", {}),
                ("train_loss", "1.0", "2.0", {}),
            ],
        ),
        # With a step or without: the points stay in order.
        (
            "a.csv",
            "loss,step\n1,\n2,7\n3,\n",
            [("loss", "1.0", "None", {}), ("loss", "2.0", "7.0", {}), ("loss", "3.0", "None", {})],
        ),
        ("a.tsv", "# step\tloss\n1\t2\n# 3\t4\n", [("loss", "2.0", "1.0", {})]),
        # Two halves of a line are none, and two objects in one line neither.
        ("a.jsonl", '{"x": 1}\n[1]\n{"x"\nnull\n{"x": 2}, {"x": 3}\n', [("x", "1.0", "None", {})]),
        (
            "a.jsonl",
            '{"step": 1, "loss": 2}\n{"step": null, "loss": 3, "ok": true}\n',
            [("loss", "2.0", "1.0", {}), ("loss", "3.0", "None", {"ok": "True"})],
        ),
    ],
)
def test_what_rows_say(path: str, text: str, says: list[Any]) -> None:
    assert [(name, value, step, tags) for name, value, step, _, tags in same(path, text)] == says


def test_rows_that_are_too_long_are_left_out() -> None:
    text = "step,loss\n1,2\n" + "x" * 100_000 + "\n3,4\n"
    assert [one[1] for one in points(list(RowParser("a.csv").read(text)))] == ["2.0", "4.0"]


def test_many_rows_are_taken_together() -> None:
    """Which is what makes it quick: a few groups, however many rows."""
    for path, text in (
        ("a.csv", "step,loss,val\n" + "".join(f"{n},{n / 7},\n{n},,1\n" for n in range(500))),
        (
            "a.jsonl",
            "".join(f'{{"step": {n}, "loss": {n / 7}}}\n{{"epoch": 1, "acc": {n}}}\n' for n in range(500)),
        ),
    ):
        (said,) = RowParser(path).read(text)
        assert isinstance(said, Lines)
        assert (len(said.order), len(said.rows)) == (1000, 2)
