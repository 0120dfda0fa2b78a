"""How several hosts look at once: an area for each in a notebook, a prefix for each in a terminal.

These are the views of `several.py`; they never wait, interrupt or decide.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO

from .detached import Window
from .display import NotebookSink, gap_line, plain_traceback, status_line
from .live_line import Write, live_line
from .marks import mark

if TYPE_CHECKING:
    from .errors import RemoteError
    from .events import Event
    from .run import Run

# The whole area travels to the front each time: a large one goes less often.
_SHORTEST_S = 0.1
_PER_SECOND = 1 << 20
# Of a line that was written over (progress bars do so), the last state counts.
_OVERWRITTEN = re.compile(r"[^\n]*\r(?!\n)")
_RICH = ("display", "update_display", "result")


class Area:
    """One host's place in the output of a cell: a heading, what it printed, a line on how it stands.

    Args:
        host: its name.
        write: shows a text in place of the one before.
    """

    def __init__(self, host: str, write: Write) -> None:
        self._heading = f"── {host} " + "─" * max(2, 40 - len(host))
        self._write = write
        self._window = Window()
        self._line = ""
        self._stale = True
        self._due = 0.0

    def add(self, text: str) -> None:
        """Takes what was printed."""
        self._window.add(text)
        self._stale = True

    def clear(self) -> None:
        """Forgets what was printed."""
        self._window = Window()
        self._stale = True

    def changed(self) -> None:
        """What its display says besides the text is new."""
        self._stale = True

    def line(self, text: str) -> None:
        """Takes the last line."""
        self._line = text
        self._stale = True

    def settle(self, now: float) -> float | None:
        """Shows it when it is due; returns in how many seconds it will be, None when nothing is new."""
        if not self._stale:
            return None
        if now < self._due:
            return self._due - now
        text = _OVERWRITTEN.sub("", self._window.text())
        if text and not text.endswith("\n"):
            text += "\n"
        self._write(f"{self._heading}\n{text}{self._line}")
        self._stale = False
        self._due = time.monotonic() + max(_SHORTEST_S, len(text) / _PER_SECOND)
        return None


class AreasView:
    """Areas below each other in a notebook; figures and other rich values come after them, by host.

    Args:
        hosts: in their order.
        quiet: no line on how each ended.
        make: makes a place for text that changes, given `about`; as `live_line`.
    """

    def __init__(
        self, hosts: Sequence[str], quiet: bool, make: Callable[..., Write | None] = live_line
    ) -> None:
        self._quiet = quiet
        self._runs: dict[str, Run] = {}
        self._areas = {
            host: Area(host, make(about=partial(self._about, host)) or (lambda text: None)) for host in hosts
        }
        self._sinks = {host: NotebookSink(f"{host}/several") for host in hosts}
        self._last_rich = ""
        for area in self._areas.values():
            area.settle(0.0)  # so that they stand in the order of the hosts

    def _about(self, host: str) -> dict[str, Any]:
        return mark(self._runs.get(host))

    def started(self, host: str, run: Run) -> None:
        """The area tells programs of its run from now on (`marks.py`)."""
        self._runs[host] = run
        self._areas[host].changed()

    def event(self, host: str, event: Event) -> None:
        """Shows an event."""
        area = self._areas[host]
        if event.kind in ("stdout", "stderr"):
            area.add(event.text)
        elif event.kind == "gap":
            area.add(gap_line(event))
        elif event.kind == "error":
            area.add("\n".join(event.data.get("traceback") or []) + "\n")
        elif event.kind == "clear_output":
            area.clear()
        elif event.kind in _RICH:
            self._value(host, event)

    def _value(self, host: str, event: Event) -> None:
        data = event.data.get("data", {})
        if set(data) <= {"text/plain"} and event.kind != "update_display":
            self._areas[host].add(f"{data.get('text/plain', '')}\n")
            return
        from IPython.display import display, publish_display_data

        if self._last_rich != host and event.kind != "update_display":
            publish_display_data({"text/plain": f"{host}:"})  # type: ignore[no-untyped-call]
            self._last_rich = host
        sink = self._sinks[host]
        sink(event)
        if event.kind == "result":
            display(sink.result)  # type: ignore[no-untyped-call]

    def line(self, host: str, text: str) -> None:
        """Shows a line that lasts."""
        self._areas[host].add(text + "\n")

    def passing(self, host: str, text: str) -> None:
        """Shows a line until the next."""
        self._areas[host].line(text)

    def ended(self, host: str, run: Run | None, error: RemoteError | None) -> None:
        """Shows how it ended there."""
        self._areas[host].changed()
        if run is not None and run.done:
            self._areas[host].line("" if self._quiet else status_line(run))
        elif error is not None:
            self._areas[host].line(f"✗ {host} · {error}")

    def settle(self, last: bool = False) -> float | None:
        """Shows the areas that are due, all of them at `last`."""
        now = float("inf") if last else time.monotonic()
        waits = [area.settle(now) for area in self._areas.values()]
        return min((wait for wait in waits if wait is not None), default=None)


class PrefixView:
    """Whole lines in a terminal, each behind its host's name.

    Args:
        hosts: their names.
        quiet: no line on how each ended.
    """

    def __init__(
        self,
        hosts: Sequence[str],
        quiet: bool,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
    ) -> None:
        width = max(map(len, hosts))
        self._quiet = quiet
        self._prefixes = {host: f"{host:<{width}} | " for host in hosts}
        self._streams = {"stdout": stdout or sys.stdout, "stderr": stderr or sys.stderr}
        # What has no end of line yet, by host and stream.
        self._halves: dict[tuple[str, str], bytes] = {}

    def started(self, host: str, run: Run) -> None:
        """Shows nothing: who waits in a terminal sees what is printed."""

    def event(self, host: str, event: Event) -> None:
        """Shows an event."""
        if event.kind in ("stdout", "stderr"):
            self._add(host, event.kind, event.raw)
        elif event.kind == "gap":
            self._whole(host, "stderr", gap_line(event).strip())
        elif event.kind in _RICH:
            text = event.data.get("data", {}).get("text/plain")
            if isinstance(text, str):
                self._whole(host, "stdout", text)
        elif event.kind == "error":
            self._whole(host, "stderr", plain_traceback(event, self._streams["stderr"]))
        elif event.kind == "end":
            for name in self._streams:
                if (host, name) in self._halves:
                    self._add(host, name, b"\n")

    def line(self, host: str, text: str) -> None:
        """Shows a line that lasts."""
        self._whole(host, "stderr", text)

    def passing(self, host: str, text: str) -> None:
        """Shows nothing: a line that changes can't stand between those of other hosts."""

    def ended(self, host: str, run: Run | None, error: RemoteError | None) -> None:
        """Shows how it ended there."""
        if run is not None and run.done:
            if not self._quiet:
                self._whole(host, "stderr", status_line(run))
        elif error is not None:
            self._whole(host, "stderr", f"error: {error}")

    def settle(self, last: bool = False) -> float | None:
        """Nothing is held back but half lines, which end with their run.

        Args:
            last: nothing more will come.
        """
        return None

    def _whole(self, host: str, name: str, text: str) -> None:
        before = b"\n" if (host, name) in self._halves else b""
        data = before + text.encode("utf-8", "backslashreplace")
        self._add(host, name, data if data.endswith(b"\n") else data + b"\n")

    def _add(self, host: str, name: str, data: bytes) -> None:
        *lines, half = (self._halves.pop((host, name), b"") + data).split(b"\n")
        if half:
            self._halves[host, name] = half
        if not lines:
            return
        prefix = self._prefixes[host].encode()
        text = b"".join(prefix + line + b"\n" for line in lines)
        stream = self._streams[name]
        raw = getattr(stream, "buffer", None)
        if raw is None:
            stream.write(text.decode("utf-8", "replace"))
        else:
            stream.flush()
            raw.write(text)
        stream.flush()
