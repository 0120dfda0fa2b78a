"""What the worker's ``sys.stdout`` and ``sys.stderr`` are: prompt for a person, cheap for a flood.

Both write to the real file descriptors 1 and 2, so that C code and child processes come out of the same
pipe in order. A line is written at once as long as lines are few; a flood is written in blocks, at least
every 20 ms. Nothing about events or protocols belongs here.
"""

from __future__ import annotations

import io
import os
import sys
import threading
import time

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any

TICK = 0.02
# How long a line without its end, a prompt or a row of dots, waits to be seen.
PARTIAL_TICK = 0.1
# Lines that may be written one by one within a tick before blocks are used.
PROMPT_LINES = 200


class PacedRaw(io.FileIO):
    """The file descriptor, counting how often it is written to."""

    def __init__(self, fd: int, pace: Pace) -> None:
        super().__init__(fd, "wb", closefd=False)
        self._pace = pace

    def write(self, data: Any) -> int:
        """As FileIO's, and lets the pace know."""
        self._pace.count += 1
        if not self._pace.awake:
            self._pace.wake()
        return super().write(data) or 0


class Pace:
    """Switches a pair of text streams between lines and blocks, by how much is printed."""

    def __init__(self) -> None:
        self.count = 0
        self.awake = False
        self.running = False
        self.streams: list[io.TextIOWrapper] = []
        self._event = threading.Event()

    def open(self, fd: int) -> io.TextIOWrapper:
        """A text stream on a file descriptor."""
        buffered = io.BufferedWriter(PacedRaw(fd, self), 1 << 16)
        # backslashreplace: a print must not fail because of a lone surrogate in a file name.
        stream = io.TextIOWrapper(buffered, "utf-8", "backslashreplace", line_buffering=True)
        self.streams.append(stream)
        return stream

    def wake(self) -> None:
        """Something was printed: look at it after a tick."""
        self.awake = True
        self._event.set()

    def start(self) -> None:
        """Begins to look, in a daemon thread, and keeps the order right around forks and child processes."""
        threading.Thread(target=self._watch, name="jupyter-remote-output", daemon=True).start()
        os.register_at_fork(before=self.flush, after_in_child=self._in_child)
        sys.addaudithook(self._audit)

    def begin(self) -> None:
        """A cell starts: from now on half a line is shown too, after a moment."""
        self.running = True
        self._event.set()

    def end(self) -> None:
        """The cell has ended: everything it printed goes out."""
        self.running = False
        self.flush()

    def flush(self) -> None:
        """Writes what is buffered."""
        for stream in self.streams:
            try:
                stream.flush()
            except (OSError, ValueError, RuntimeError):
                pass  # closed by the user's code, or in the middle of a write of this very thread

    def _audit(self, event: str, _args: object) -> None:
        # What was printed before a child process starts must stand before what the child prints.
        if event in ("subprocess.Popen", "os.system", "os.posix_spawn", "os.exec"):
            self.flush()

    def _in_child(self) -> None:
        # The watching thread doesn't exist in a forked child, so nothing may wait for it there.
        self.awake = True
        for stream in self.streams:
            stream.reconfigure(line_buffering=True)

    def _watch(self) -> None:
        while True:
            self._event.wait(PARTIAL_TICK if self.running else None)
            self._event.clear()
            self.flush()
            self._attend()
            self.awake = False
            if self.count:
                self._event.set()

    def _attend(self) -> None:
        blocks = False
        while lines := self._taken():
            if lines > PROMPT_LINES and not blocks:
                blocks = self._buffer_lines(True)
            time.sleep(TICK)
            self.flush()
        if blocks:
            self._buffer_lines(False)

    def _taken(self) -> int:
        count, self.count = self.count, 0
        return count

    def _buffer_lines(self, blocks: bool) -> bool:
        for stream in self.streams:
            try:
                stream.reconfigure(line_buffering=not blocks)
            except (OSError, ValueError):
                pass
        return blocks


def unbuffer_c() -> Any:
    """Makes C's stdout write line by line; returns a function that flushes it, for the end of a cell."""
    try:
        import ctypes

        libc = ctypes.CDLL(None)
        name = "__stdoutp" if sys.platform == "darwin" else "stdout"
        # setvbuf(3); _IOLBF is 1 in glibc, musl and the BSDs.
        libc.setvbuf(ctypes.c_void_p.in_dll(libc, name), None, 1, 0)
        return lambda: libc.fflush(None)
    except (ImportError, OSError, AttributeError, ValueError):
        return lambda: None
