"""The beginning and the end of what is printed, by bytes, at whole lines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jupyter_remote.excerpt import LATEST_LINES, Excerpt


def test_below_the_limit_nothing_is_left_out() -> None:
    excerpt = Excerpt(100)
    assert excerpt.add("stdout", "a" * 49 + "\n") == "a" * 49 + "\n"
    assert not excerpt.full
    assert excerpt.add("stderr", "b\n" * 20) == ""
    assert excerpt.full
    assert (excerpt.rest(), excerpt.lines, excerpt.bytes) == ([("stderr", "b\n" * 20)], 0, 0)


def test_head_and_tail_end_and_begin_with_whole_lines() -> None:
    excerpt = Excerpt(40)
    text = "".join(f"line {number:2}\n" for number in range(50))
    assert excerpt.add("stdout", text) == "line  0\nline  1\n"
    assert excerpt.rest() == [("stdout", "line 48\nline 49\n")]
    assert (excerpt.lines, excerpt.bytes) == (46, 46 * 8)


def test_the_limit_counts_bytes_not_characters() -> None:
    excerpt = Excerpt(20)
    assert excerpt.add("stdout", "ä\n" * 9) == "ä\n" * 3
    assert len(excerpt.rest()[0][1].encode()) <= 10


def test_a_line_without_end_keeps_its_end() -> None:
    excerpt = Excerpt(20)
    excerpt.add("stdout", "x" * 1000 + "y")
    assert excerpt.rest() == [("stdout", "x" * 9 + "y")]


def test_the_latest_lines_are_few() -> None:
    excerpt = Excerpt(1000)
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
