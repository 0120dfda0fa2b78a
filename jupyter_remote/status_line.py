"""The line that says where a cell is: connecting, syncing, waiting for its session, running since when.

It appears when that takes more than a second, and is gone when the run has ended; `display.show_status` then
says how.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from .launchers.job import WILL_NOT_START
from .live_line import Write, live_line
from .marks import mark

if TYPE_CHECKING:
    from .events import Event
    from .follow import Sink
    from .gpu_use import GpuUse
    from .run import Run

WAITING = "waiting for the session"
APPEARS_AFTER_S = 1.0
_EVERY_S = 1.0
# How long a cell runs before it is looked at what its GPUs do.
_GPUS_AFTER_S = 2.0


class StatusLine:
    """Says what a cell is doing, once a second; a context manager, at whose end the line disappears.

    A thread of its own changes it, for nothing may come from the host for hours.

    Args:
        host: its name.
        write: shows a line in place of the one before, "" to remove it; None for where this process is: a
            display in a kernel, nothing elsewhere (a terminal has its own output in the way).
        appears_after: seconds for which nothing is shown.
    """

    def __init__(self, host: str, write: Write | None = None, appears_after: float = APPEARS_AFTER_S) -> None:
        self._host = host
        self._run: Run | None = None
        self._write = write or live_line(kernel_only=True, about=lambda: mark(self._run))
        self._appears_after = appears_after
        self._phase, self._since, self._running = "connecting", 0.0, False
        self._warned = False
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._shown = ""
        self._may_appear: Callable[[], bool] = lambda: True
        self._gpu_use: GpuUse | None = None

    def __enter__(self) -> StatusLine:
        if self._write is not None:
            self._thread = threading.Thread(target=self._tick, name="jupyter-remote status", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        self._show("")
        self._leave_gpus()

    def of(self, run: Run) -> None:
        """From now on the line is about `run`, and says so to programs too (`marks.py`)."""
        self._run = run

    def phase(self, words: str) -> None:
        """What the cell does from now on, for example `syncing`; "" hides the line."""
        with self._lock:
            if words != self._phase:
                self._phase, self._since = words, 0.0

    def line(self, words: str) -> None:
        """Show a line at once, instead of this one; "" gives the place back (`live_line.Write`)."""
        with self._lock:
            self._phase, self._since = "", 0.0
            self._show(words)

    def go(self) -> None:
        """Take the line away for good: something else stands in its place from now on."""
        self._ended.set()
        self.line("")
        self._leave_gpus()

    def gpus(self, use: GpuUse) -> None:
        """From now on the line says what the run's GPUs do; ends with the line."""
        self._gpu_use = use

    def _leave_gpus(self) -> None:
        if self._gpu_use is not None:
            self._gpu_use.close()

    def before(self, sink: Sink, between_lines: Callable[[], bool] = lambda: True) -> Sink:
        """A sink that looks at each event for this line and hands it on.

        Args:
            sink: what shows the events.
            between_lines: whether the line may appear now: below a progress bar it would cut that in two.
        """
        self.phase(WAITING)
        self._may_appear = between_lines

        def take(event: Event) -> None:
            self.event(event)
            sink(event)

        return take

    def until_output(self, sink: Sink) -> Sink:
        """A sink that hands each event on; before the first that shows anything, this line goes for good.

        For a terminal, where the line would stand in the way of what is printed.
        """
        take = self.before(sink)

        def once(event: Event) -> None:
            if event.kind != "state":
                self.go()
            take(event)

        return once

    def event(self, event: Event) -> None:
        """Take an event of the run."""
        state = event.data.get("state") if event.kind == "state" else None
        if state == "running":
            with self._lock:
                self._phase, self._since, self._running = "running", time.monotonic(), True
        elif state == "queued" or state == "starting":
            self.phase(event.data.get("reason") or WAITING)

    def job(self, words: str) -> None:
        """Take how the run's job stands while it waits in a queue; "" once that has started it.

        One that will never start is also warned of on stderr, once: the line may be cut, or not be there.
        """
        with self._lock:
            if not self._running:
                self.phase(words or WAITING)
            if words.startswith(WILL_NOT_START) and not self._warned:
                self._warned = True
                self._show("")
                print(f"warning: {self._host}: {words}", file=sys.stderr, flush=True)

    def _tick(self) -> None:
        wait = self._appears_after
        while not self._ended.wait(wait):
            wait = _EVERY_S
            if self._shown or self._may_appear():
                # A display that can't be sent must not end the cell, and the next one may get through.
                with suppress(Exception):
                    self._show_phase()

    def _show_phase(self) -> None:
        # Under the lock, so that a line that was taken away does not come back.
        with self._lock:
            if self._phase:
                seconds = time.monotonic() - self._since if self._since else None
                looks = self._gpu_use is not None and seconds is not None and seconds >= _GPUS_AFTER_S
                use = self._gpu_use() if looks and self._gpu_use is not None else ""
                self._show(status_words(self._host, self._phase, seconds, use))

    def _show(self, line: str) -> None:
        if self._write is not None and line != self._shown:
            self._shown = line
            self._write(line)


def status_words(host: str, phase: str, seconds: float | None, use: str = "") -> str:
    """Return one line on what a cell is doing: `dgx01 · running 0:42 · GPU 87 % 12.3 GiB`.

    Args:
        phase: what it is doing, in a word or two.
        use: of its GPUs.
    """
    if seconds is None:
        return f"{host} · {phase}"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    clock = f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
    return " · ".join(filter(None, (host, f"{phase} {clock}", use)))
