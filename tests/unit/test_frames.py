"""Text that prints over itself becomes shorter, and looks the same on a screen."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_remote.frames import newest_frames


def screen(text: str) -> list[str]:
    """What a terminal without colours shows of `text`, and where its cursor stands last."""
    rows: dict[int, str] = {0: ""}
    row = column = 0
    for part in re.finditer(r"\x1b\[(\d*)A|.|\n", text):
        if part[0] == "\n":
            row, column = row + 1, 0
        elif part[0] == "\r":
            column = 0
        elif part[1] is not None:
            row = max(0, row - int(part[1] or 1))
        else:
            line = rows.get(row, "").ljust(column)
            rows[row] = line[:column] + part[0] + line[column + 1 :]
            column += 1
    return [rows.get(number, "").rstrip() for number in range(max(*rows, row) + 1)]


@pytest.mark.parametrize(
    ("text", "newest"),
    [
        ("plain\ntext\r\n", "plain\ntext\r\n"),
        (" 1%\r 2%\r 3%", " 3%"),
        ("10%\r20%\r", "20%\r"),
        ("longest\rmiddle\rab", "middlet\rab"),
        ("longer\r\x1b[Kab", "\x1b[Kab"),
        ("\x1b[31mred\x1b[0m\r\x1b[32mgreen\x1b[0m", "\x1b[32mgreen\x1b[0m"),
        ("\x1b[31mred\x1b[0m\rab", "\x1b[31mred\x1b[0m\rab"),
        ("1/9\x08\x08\x082/9", "2/9"),
        ("\x08\x082", "\x08\x082"),
        ("a\rb\nc\rd\n", "b\nd\n"),
    ],
)
def test_the_newest_frame_is_left(text: str, newest: str) -> None:
    assert newest_frames(text) == newest


def test_a_line_that_was_begun_before_is_printed_over() -> None:
    assert newest_frames("\r 2%\r 3%", before="%") == "\r 3%"
    assert newest_frames("0\r 2%", before="1") == "0\r 2%"
    assert newest_frames(" 2%\r 3%\r", before="\r") == " 3%\r"


def test_nested_bars_keep_one_frame_each() -> None:
    outer, inner = "\router {}", "\n\rinner {}\x1b[A"
    text = "".join(outer.format(i) + inner.format(i) for i in range(100))
    assert newest_frames(text) == "outer 99\ninner 99\x1b[A"


@given(st.lists(st.text("ab\r\n", max_size=9), max_size=9))
def test_in_any_parts_the_screen_is_the_same(parts: list[str]) -> None:
    shown, before = "", "\n"
    for part in filter(None, parts):
        shown += newest_frames(part, before)
        before = part[-1]
    assert screen(shown) == screen("".join(parts))


@given(st.lists(st.sampled_from(["\rab", "\rcd", "\n\ref", "\x1b[A", "\n"]), max_size=12))
def test_moves_between_lines_end_in_the_same_screen(parts: list[str]) -> None:
    text = "start\n" * 12 + "".join(parts)
    shown = "start\n" * 12 + newest_frames("".join(parts))
    assert screen(shown) == screen(text)
