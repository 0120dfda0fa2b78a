"""The beginning and the end of what is printed, by bytes, at whole lines."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_remote.excerpt import LATEST_LINES, LINE_COST, Excerpt


def test_below_the_limit_nothing_is_left_out() -> None:
    excerpt = Excerpt(130)
    assert excerpt.add("stdout", "a" * 49 + "\n") == "a" * 49 + "\n"
    assert not excerpt.full
    assert excerpt.add("stderr", "b\n" * 5) == ""
    assert excerpt.full
    assert (excerpt.rest(), excerpt.lines, excerpt.bytes) == ([("stderr", "b\n" * 5)], 0, 0)


def test_head_and_tail_end_and_begin_with_whole_lines() -> None:
    excerpt = Excerpt(4 * (8 + LINE_COST))
    text = "".join(f"line {number:2}\n" for number in range(50))
    assert excerpt.add("stdout", text) == "line  0\nline  1\n"
    assert excerpt.rest() == [("stdout", "line 48\nline 49\n")]
    assert (excerpt.lines, excerpt.bytes) == (46, 46 * 8)


def test_the_limit_counts_bytes_not_characters() -> None:
    excerpt = Excerpt(6 * (3 + LINE_COST))
    assert excerpt.add("stdout", "ä\n" * 9) == "ä\n" * 3
    assert excerpt.rest() == [("stdout", "ä\n" * 3)]
    assert excerpt.lines == 3


@pytest.mark.parametrize("line", ["\n", "1\n", "line 123456\n", "\x1b[31mred\x1b[0m\n", "x" * 5000 + "\n"])
def test_a_saved_notebook_is_as_small_as_the_limit_says(line: str, tmp_path: Path) -> None:
    excerpt = Excerpt(100_000)
    text = line * (200_000 // len(line))
    head = "".join(excerpt.add("stdout", text[at : at + 7000]) for at in range(0, len(text), 7000))
    shown = head + "".join(text for _, text in excerpt.rest())
    assert excerpt.bytes + len(shown) == len(text)
    output = nbformat.v4.new_output("stream", text=shown)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(outputs=[output])])
    nbformat.write(notebook, tmp_path / "n.ipynb")
    assert 90_000 < (tmp_path / "n.ipynb").stat().st_size < 101_000


def test_a_line_without_end_keeps_its_end() -> None:
    excerpt = Excerpt(20)
    excerpt.add("stdout", "x" * 1000 + "y")
    assert excerpt.rest() == [("stdout", "x" * 9 + "y")]


def test_the_latest_lines_are_few() -> None:
    excerpt = Excerpt(10_000)
    excerpt.add("stdout", "n\n" * 5000)
    assert excerpt.latest() == "n\n" * LATEST_LINES


@given(
    st.integers(0, 60),
    st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.text("aä\n", min_size=1, max_size=30))),
)
def test_what_is_shown_and_what_is_left_out_is_everything(limit: int, pieces: list[tuple[str, str]]) -> None:
    excerpt = Excerpt(limit)
    head = "".join(excerpt.add(name, text) for name, text in pieces)
    tail = "".join(text for _, text in excerpt.rest())
    everything = "".join(text for _, text in pieces)
    assert everything.startswith(head) and everything.endswith(tail)
    shown = len((head + tail).encode())
    assert shown + excerpt.bytes == len(everything.encode()) and shown <= limit
    assert (head + tail).count("\n") + excerpt.lines == everything.count("\n")
