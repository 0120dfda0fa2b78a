"""What a cell's area gets, in order, and what is spared; the clock of the pacing is the real one."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from jupyter_remote import cell_output
from jupyter_remote.allowance import Allowance
from jupyter_remote.cell_output import CellOutput

Shown = list[tuple[str, Any]]


class Stream:
    """Notes each time that it is written to."""

    def __init__(self, name: str, shown: Shown) -> None:
        self._name, self._shown = name, shown

    def write(self, text: str) -> None:
        self._shown.append((self._name, text))

    def flush(self) -> None:
        pass


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    shown: Shown = []
    monkeypatch.setattr(cell_output, "INTERVAL_S", 3600.0)
    monkeypatch.setattr(cell_output, "SLOWEST_S", 3600.0)
    monkeypatch.setattr(cell_output, "live_line", lambda: lambda line: shown.append(("live", line)))
    return shown


def make(shown: Shown, limit: int | None = None) -> CellOutput:
    def publish(data: dict[str, Any], _: object, *, transient: dict[str, Any], update: bool) -> None:
        shown.append(("update" if update else "display", data["text/plain"]))

    return CellOutput(limit, "%remote logs ID", publish, lambda name: Stream(name, shown))


def plain(text: str) -> dict[str, Any]:
    return {"text/plain": text}


def test_the_first_line_comes_at_once_and_the_rest_together(shown: Shown) -> None:
    area = make(shown)
    for text in ("1\n", "2\n", "3\n"):
        area.text("stdout", text)
    assert shown == [("stdout", "1\n")]
    area.finish()
    assert shown[1:] == [("stdout", "2\n3\n")]


def test_what_waits_is_shown_without_anything_more_coming(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cell_output, "INTERVAL_S", 0.01)
    monkeypatch.setattr(cell_output, "SLOWEST_S", 0.01)
    written = threading.Event()
    area = make(shown)
    monkeypatch.setattr(Stream, "flush", lambda self: written.set() if len(shown) > 1 else None)
    area.text("stdout", "1\n")
    area.text("stdout", "2\n")
    assert written.wait(30)
    assert "".join(text for _, text in shown) == "1\n2\n"


def test_a_line_waits_for_no_bar(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell_output, "INTERVAL_S", 0.01)
    monkeypatch.setattr(cell_output, "FRAMES", 1e-12)  # any bar is old
    written = threading.Event()
    area = make(shown)
    monkeypatch.setattr(Stream, "flush", lambda self: written.set() if len(shown) > 3 else None)
    for frame in ("\r0%", "\r1%", "\r2%"):
        area.text("stderr", frame)
        area.flush()
    area.text("stderr", "\r3%")
    area.text("stdout", "a line\n")
    assert written.wait(30)
    assert ("stdout", "a line\n") in shown


def test_displays_and_text_keep_their_order(shown: Shown) -> None:
    area = make(shown)
    for number in range(3):
        area.text("stdout", f"{number}\n")
        area.text("stderr", f"{number}!\n")
        area.display(plain(f"d{number}"), {}, {})
    assert [text for _, text in shown] == ["0\n", "0!\n", "d0", "1\n", "1!\n", "d1", "2\n", "2!\n", "d2"]


def test_streams_that_take_turns_too_fast_are_sorted(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell_output, "TURNS", 10)
    area = make(shown)
    area.text("stdout", "first\n")
    for _ in range(100):
        area.text("stdout", "o\n")
        area.text("stderr", "e\n")
    area.finish()
    assert shown[1:] == [("stdout", "o\n" * 100), ("stderr", "e\n" * 100)]


def test_of_a_bar_and_of_a_display_the_newest_state_is_shown(shown: Shown) -> None:
    area = make(shown)
    for number in range(101):
        area.text("stderr", f"\r{number:3}%")
        area.update(plain(str(number)), {}, {"display_id": "a"})
    area.finish()
    assert shown[0] == ("stderr", "  0%")
    assert shown[-2:] == [("update", "100"), ("stderr", "\r100%")]
    assert len(shown) <= 4


def test_what_is_cleared_before_it_was_seen_is_not_sent(shown: Shown) -> None:
    area = make(shown)
    area.text("stdout", "0\n")
    for number in range(1, 100):
        area.clear(lambda: shown.append(("clear", None)), wait=True)
        area.text("stdout", f"{number}\n")
    area.finish()
    assert shown == [("stdout", "0\n"), ("clear", None), ("stdout", "99\n")]


def test_a_wish_to_clear_stays_when_nothing_comes(shown: Shown) -> None:
    area = make(shown)
    area.clear(lambda: shown.append(("clear", None)), wait=True)
    assert shown == []
    area.finish()
    assert shown == [("clear", None)]


def test_too_much_text_is_an_end_that_changes_and_then_the_end(shown: Shown) -> None:
    area = make(shown, limit=76)
    for number in range(100):
        area.text("stdout", f"line {number:2}\n")
        area.flush()
    area.finish()
    assert [text for name, text in shown if name == "stdout"] == [
        "line  0\n",
        "line  1\n",
        "line 98\nline 99\n",
    ]
    live = [text for name, text in shown if name == "live"]
    assert live[0].endswith("\nline  2\n") and "%remote logs ID" in live[0]
    assert live[-1] == "… 96 lines (0.0 MB) left out: %remote logs ID"


def test_clearing_makes_room_again(shown: Shown) -> None:
    area = make(shown, limit=76)
    area.text("stdout", "x\n" * 100)
    area.clear(lambda: shown.append(("clear", None)), wait=False)
    area.text("stdout", "new\n")
    area.finish()
    assert shown[-2:] == [("clear", None), ("stdout", "new\n")]


def test_the_status_line_may_not_cut_a_bar(shown: Shown) -> None:
    area = make(shown)
    assert area.between_lines()
    area.text("stderr", "\r1%")
    assert not area.between_lines()
    area.text("stderr", "\r2%\n")
    assert area.between_lines()


def test_an_allowance_waits_for_what_was_taken() -> None:
    now, slept = [0.0], list[float]()
    allowance = Allowance(10, 20, clock=lambda: now[0], sleep=slept.append)
    allowance.take(20)
    assert slept == [] and not allowance.spare(1)
    allowance.take(5)
    assert slept == [0.5]
    now[0] = 1.0
    assert allowance.spare(5) and not allowance.spare(1)


def test_a_line_that_changes_is_nothing_at_both_ends(shell: InteractiveShell) -> None:
    from IPython.utils.capture import capture_output

    from jupyter_remote.live_line import _display

    with capture_output() as captured:
        write = _display("line")
        write("one")
        write("")
    assert [out.data for out in captured.outputs] == [{}, {"text/plain": "one"}, {}]
