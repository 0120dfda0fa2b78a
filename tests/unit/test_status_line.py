"""Where a cell is, once that takes a while."""

from __future__ import annotations

import threading

import pytest

from jupyter_remote.events import Event
from jupyter_remote.status_line import StatusLine, status_words


@pytest.mark.parametrize(
    ("seconds", "line"),
    [
        (None, "h · running"),
        (0.4, "h · running 0:00"),
        (42, "h · running 0:42"),
        (3723, "h · running 1:02:03"),
    ],
)
def test_the_time_is_a_clock(seconds: float | None, line: str) -> None:
    assert status_words("h", "running", seconds) == line


class Lines(list[str]):
    """Lines as they are shown, and a way to wait for one."""

    def __init__(self) -> None:
        self._changed = threading.Condition()

    def write(self, line: str) -> None:
        with self._changed:
            self.append(line)
            self._changed.notify_all()

    def wait_for(self, text: str) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: any(text in line for line in self), 30)


def state(name: str) -> Event:
    return Event(1, 0.0, "state", data={"state": name})


def test_it_follows_the_run_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_remote.status_line._EVERY_S", 0.01)
    lines, seen = Lines(), list[Event]()
    with StatusLine("h", lines.write, appears_after=0.01) as status:
        lines.wait_for("h · connecting")
        status.line("h ███ 30 %")
        take = status.before(seen.append)
        lines.wait_for("h · waiting for the session")
        take(state("running"))
        lines.wait_for("h · running 0:00")
    assert lines[-1] == "" and len(seen) == 1


def test_a_job_that_waits_is_told_of_until_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_remote.status_line._EVERY_S", 0.01)
    lines = Lines()
    with StatusLine("h", lines.write, appears_after=0.01) as status:
        take = status.before(lambda event: None)
        status.job("queued (12 ahead, est. 10:40)")
        lines.wait_for("h · queued (12 ahead, est. 10:40)")
        status.job("")
        lines.wait_for("h · waiting for the session")
        take(state("running"))
        status.job("queued")  # an answer that comes late
        lines.wait_for("h · running 0:00")
    assert "h · queued" not in lines


def test_a_job_that_will_never_start_is_warned_of_once_also_where_no_line_can_be(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with StatusLine("gadi", None) as status:
        for words in (
            "queued (2 ahead)",
            "queued, but will not start: why",
            "queued, but will not start: why",
        ):
            status.job(words)
    assert capsys.readouterr().err == "warning: gadi: queued, but will not start: why\n"


def test_in_a_terminal_it_is_gone_before_anything_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_remote.status_line._EVERY_S", 0.001)
    lines = Lines()
    with StatusLine("h", lines.write, appears_after=0.01) as status:
        take = status.until_output(lambda event: lines.write(f"<{event.kind}>"))
        take(state("running"))
        lines.wait_for("h · running")
        take(Event(2, 0.0, "stdout", "x", b"x"))
        take(state("running"))
    assert lines[-3:] == ["", "<stdout>", "<state>"]


def test_it_waits_for_the_end_of_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_remote.status_line._EVERY_S", 0.01)
    lines = Lines()
    asked, free = threading.Event(), threading.Event()

    def between_lines() -> bool:
        asked.set()
        return free.is_set()

    with StatusLine("h", lines.write, appears_after=3600) as status:
        take = status.before(lambda event: None, between_lines)
        take(state("running"))
        assert lines == []
    assert lines == []
    with StatusLine("h", lines.write, appears_after=0.01) as status:
        status.phase("")
        take = status.before(lambda event: None, between_lines)
        take(state("running"))
        assert asked.wait(30)
        assert not any("running" in line for line in lines)
        free.set()
        lines.wait_for("running")
