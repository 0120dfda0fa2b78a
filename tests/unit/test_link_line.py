"""What is said of a lost link, and where."""

from __future__ import annotations

import pytest

from jupyter_remote.detached import Window
from jupyter_remote.link_line import LinkLine, link_line
from jupyter_remote.linkstate import LinkState

DOWN = LinkState("dgx01", False, 4, "the connection was lost")
UP = LinkState("dgx01", True, seconds=12.0)


def test_a_line_in_place_is_changed_and_removed() -> None:
    lines: list[str] = []
    line = LinkLine(lines.append)
    line(UP)
    line(DOWN)
    line(LinkState("dgx01", False, 0))
    line(LinkState("dgx01", False, 0, owed=1))
    line(LinkState("dgx01", False, 0, owed=2))
    line(UP)
    line(UP)
    assert lines[0] == "link to dgx01 lost, the run continues there; retry in 4 s"
    assert lines[1] == "link to dgx01 lost, the run continues there; trying again"
    assert (
        "the interrupt goes when it is back (again: end the run then; a third time: stop waiting)" in lines[2]
    )
    assert "the run is ended when it is back (once more: stop waiting)" in lines[3]
    assert lines[4:] == [""]


def test_where_nothing_can_be_changed_it_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    line = LinkLine()
    line(DOWN)
    line(LinkState("dgx01", False, 3))
    line(UP)
    assert capsys.readouterr().err.splitlines() == [
        "link to dgx01 lost, the run continues there",
        "link to dgx01 is back after 12.0 s",
    ]
    assert link_line(DOWN)


def test_a_window_keeps_the_beginning_and_the_end() -> None:
    window = Window(head=10, tail=20)
    text = "".join(f"{i:03}" for i in range(100))
    for at in range(0, 300, 7):
        window.add(text[at : at + 7])
    shown = window.text()
    assert shown.startswith(text[:10]) and shown.endswith(text[-20:])
    assert "270 characters are left out" in shown
    small = Window(head=10, tail=20)
    small.add(text[:30])
    assert small.text() == text[:30]
