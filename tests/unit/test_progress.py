"""How far a sync has come: what is counted, when it is told, and how the line looks."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from jupyter_remote import live_line
from jupyter_remote.progress_bar import ProgressBar, bar_line
from jupyter_remote.sync.progress import Meter, Progress


class Clock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_what_is_read_is_counted_and_told_ten_times_a_second_at_most() -> None:
    clock, told = Clock(), []
    meter = Meter(told.append, 1000, 100, clock)
    opening = meter.opening(lambda path: io.BytesIO(b"x" * 10))
    for _ in range(100):
        with opening("a") as file:
            while file.read(4):
                pass
        clock.now += 0.01
    meter.finished()
    assert told[0] == Progress(0, 1000, 0, 100)
    assert told[-1] == Progress(1000, 1000, 100, 100)
    assert 10 <= len(told) <= 12
    assert told == sorted(told)


def test_a_counted_file_is_closed_and_still_tells_its_descriptor(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    opening = Meter(lambda _: None, 5, 1).opening(lambda path: (tmp_path / path).open("rb", buffering=0))
    with opening("a") as file:
        assert os.fstat(file.fileno()).st_size == 5
    assert file.closed


def test_the_line_has_bytes_files_rate_and_time_left() -> None:
    line = bar_line("dgx01", Progress(30 << 20, 90 << 20, 2000, 10000), 3.0)
    assert line == (
        "dgx01 ███████░░░░░░░░░░░░░  33 % · 30.0 MiB of 90.0 MiB · 2,000 of 10,000 files"
        " · 10.0 MiB/s · 6.0 s left"
    )
    assert bar_line("h", Progress(8, 8, 1, 1), 1.0).endswith("100 % · 8 B of 8 B · 1 of 1 files · 8 B/s")
    assert " 50 % " in bar_line("h", Progress(0, 0, 1, 2), 0.0)


def test_it_appears_after_a_second_and_is_gone_at_the_end() -> None:
    clock, lines = Clock(), []
    with ProgressBar("h", lines.append, clock) as bar:
        bar(Progress(0, 100, 0, 1))
        clock.now += 0.99
        bar(Progress(50, 100, 0, 1))
        assert lines == []
        clock.now += 0.02
        bar(Progress(60, 100, 0, 1))
        assert len(lines) == 1 and "60 %" in lines[0]
    assert lines[1:] == [""]


def test_a_quick_sync_shows_nothing() -> None:
    lines: list[str] = []
    with ProgressBar("h", lines.append, Clock()) as bar:
        bar(Progress(0, 100, 0, 1))
        bar(Progress(100, 100, 1, 1))
    assert lines == []


def test_the_line_goes_when_the_sync_fails() -> None:
    clock, lines = Clock(), []
    with pytest.raises(OSError), ProgressBar("h", lines.append, clock) as bar:
        bar(Progress(0, 100, 0, 1))
        clock.now += 2
        bar(Progress(1, 100, 0, 1))
        raise OSError
    assert lines[-1] == ""


def test_without_a_terminal_there_is_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with ProgressBar("h", None, clock) as bar:
        bar(Progress(0, 100, 0, 1))
        clock.now += 2
        bar(Progress(1, 100, 0, 1))
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_a_line_that_is_erased(tmp_path: Path) -> None:
    code = (
        "from jupyter_remote.progress_bar import ProgressBar\n"
        "from jupyter_remote.sync.progress import Progress\n"
        "times = iter([0.0, 2.0])\n"
        "with ProgressBar('h', None, lambda: next(times)) as bar:\n"
        "    bar(Progress(0, 100, 0, 1)); bar(Progress(50, 100, 0, 1))\n"
    )
    outer, inner = pty.openpty()
    environment = {**os.environ, "COLUMNS": "40"}
    subprocess.run([sys.executable, "-c", code], stderr=inner, check=True, env=environment)
    os.close(inner)
    shown = os.read(outer, 10000).decode()
    os.close(outer)
    assert shown.startswith("\r\x1b[Kh ██") and shown.endswith("\r\x1b[K")
    assert len(shown.split("\x1b[K")[1].rstrip("\r")) == 39


def test_a_kernel_gets_one_display_that_is_updated(shell: InteractiveShell) -> None:
    clock = Clock()
    with capture_output() as captured, ProgressBar("h", live_line._display("line"), clock) as bar:
        for done in (0, 50, 75):
            bar(Progress(done, 100, 0, 1))
            clock.now += 2
    assert [output.update for output in captured.outputs] == [False, True, True, True]
    assert len({output.transient["display_id"] for output in captured.outputs}) == 1
    # Nothing at both ends: a notebook that is saved and executed again differs by nothing.
    assert captured.outputs[0].data == captured.outputs[-1].data == {}
