"""The lines of a log: what a terminal would show of it, whole or in any pieces, and any range of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_remote.server.screen import HEIGHT, LONGEST, Line, Screen
from jupyter_remote.server.spool import PARTS, STRIDE, Spool

RED, OFF = "\x1b[31m", "\x1b[0m"


def lines(*pieces: str) -> list[Line]:
    screen = Screen()
    settled = [line for piece in pieces for line in screen.feed("stdout", piece)]
    return settled + screen.finish()


def shown(*pieces: str) -> list[str]:
    return [line.text for line in lines(*pieces)]


@pytest.mark.parametrize(
    ("printed", "seen"),
    [
        ("a\nb\nc", ["a", "b", "c"]),
        ("\n\n a\n", ["", "", " a"]),
        ("abc\rX\n", ["Xbc"]),
        ("10%\r20%\r100%\ndone\n", ["100%", "done"]),
        ("long line\rshort\x1b[K\n", ["short"]),
        ("one\r\ntwo\r\n", ["one", "two"]),
        ("ab\x08c\n", ["ac"]),
        ("1\n2\n\x1b[A\x1b[Anew\n", ["new", "2"]),
        ("a: 1%\nb: 1%\x1b[A\ra: 9%\n\rb: 9%\n", ["a: 9%", "b: 9%"]),
        (f"{RED}red\nstill{OFF} no\n", [f"{RED}red{OFF}", f"{RED}still{OFF} no"]),
        ("\x1b[1m\x1b[31mx\x1b[22my\x1b[39mz\n", ["\x1b[1;31mx\x1b[0m\x1b[31my\x1b[0mz"]),
        ("\x1b[38;5;208mo\x1b[38;2;1;2;3mr\x1b[m.\n", ["\x1b[38;5;208mo\x1b[0m\x1b[38;2;1;2;3mr\x1b[0m."]),
        ("\x1b]0;title\x07\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\\n", ["link"]),
        ("bell\x07, nul\x00, tab\tkept\x1b[?25l\n", ["bell, nul, tab\tkept"]),
        ("x" * 5 + "\x1b[3D" + "yy\n", ["xxyyx"]),
    ],
)
def test_a_line_is_what_a_terminal_shows(printed: str, seen: list[str]) -> None:
    assert shown(printed) == seen
    assert shown(*printed) == seen, "in pieces of one character"


@given(
    st.lists(st.sampled_from(["a", "bc\n", "\r", "\n", "\x1b[A", RED, OFF, "\x08", "\x1b[K", "é\n"])),
    st.data(),
)
def test_pieces_make_no_difference(parts: list[str], data: st.DataObject) -> None:
    text = "".join(parts)
    cut = data.draw(st.integers(0, len(text)))
    assert shown(text[:cut], text[cut:]) == shown(text)


def test_many_lines_at_once_are_the_same_as_one_by_one() -> None:
    printed = "part" + "\n".join(f"line {number}" for number in range(5 * HEIGHT)) + "\nrest"
    assert shown("some ", printed) == shown(*printed.join(["some ", ""]).splitlines(keepends=True))
    assert shown("some ", printed)[0] == "some partline 0"


def test_a_line_without_an_end_is_cut_into_rows() -> None:
    cut = lines("z" * (2 * LONGEST + 5) + "\nnext\n")
    assert [(len(line.text), line.wrapped) for line in cut] == [
        (LONGEST, False),
        (LONGEST, True),
        (5, True),
        (4, False),
    ]


def test_only_a_screen_stays_open() -> None:
    screen = Screen()
    settled = screen.feed("stdout", "\n" * (3 * HEIGHT))
    assert len(settled) + len(screen.rows) == 3 * HEIGHT + 1
    assert len(screen.rows) == HEIGHT
    screen.feed("stdout", "\x1b[9999Atop")
    assert screen.rows[0].line().text == "top"


def test_a_display_has_a_line_of_its_own() -> None:
    screen = Screen()
    screen.feed("stderr", "half")
    screen.mark("stdout", "<Figure>\nmore", 0)
    screen.feed("stdout", "after\n")
    found = [(line.text, line.stream, line.display) for line in screen.finish()]
    assert found == [("half", "stderr", -1), ("<Figure>", "stdout", 0), ("after", "stdout", -1)]


@pytest.mark.parametrize("start", [0, 1, STRIDE - 1, STRIDE, 1000, 4990, 5000, 9000])
def test_any_range_is_read(start: int) -> None:
    spool = Spool(1 << 30)
    wanted = [b"%d " % number + b"x" * (number % 7) for number in range(5000)]
    for at in range(0, 5000, 333):
        spool.append(wanted[at : at + 333])
    assert spool.read(start, start + 150) == wanted[start : start + 150]
    spool.close()


def test_of_too_much_the_oldest_goes() -> None:
    spool = Spool(PARTS * 1000)
    for number in range(2000):
        spool.append([b"%06d" % number * 5])
    assert spool.total == 2000
    assert 0 < spool.first < 2000 - 150
    assert spool.read(0, spool.first + 1) == [b"%06d" % spool.first * 5]
    assert spool.read(1999, 2000) == [b"001999" * 5]
    spool.close()
