"""What a cell's output area gets of a run, and when: at once at first, then ten times a second, not too much.

Here belongs pacing: what waits, for how long, and what a later thing makes superfluous. What an event is
shown as is `display.py`'s business, how much of the text is `excerpt.py`'s.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from .allowance import BYTES, MESSAGES, Allowance
from .excerpt import Excerpt, Piece
from .frames import newest_frames
from .live_line import Write, live_line

INTERVAL_S = 0.1
# What is seen of the end of a flood is sent whole each time.
LATEST_INTERVAL_S = 0.25
# A line that has been printed over for minutes needn't move ten times a second: a notebook that is saved
# without a browser keeps every frame. The pause between two is its age divided by this.
FRAMES = 100
SLOWEST_S = 2.0
# So often the two streams may take turns in order; faster turns are sorted by stream, as a local kernel does.
TURNS = 40
TURNS_PER_S = 10

Publish = Callable[..., None]


class Stream(Protocol):
    """What is needed of `sys.stdout`."""

    def write(self, text: str, /) -> object:
        """Shows text."""

    def flush(self) -> None:
        """Holds nothing back."""


class CellOutput:
    """The output area of one cell. Safe to use from several threads.

    Args:
        limit: bytes of text that are shown; None for all.
        all_of_it: how the user comes by all of it, for the line that says how much is left out.
        publish: as `IPython.display.publish_display_data`.
        stream: the stream of a name; what `sys` has when None.
    """

    def __init__(
        self,
        limit: int | None,
        all_of_it: str,
        publish: Publish,
        stream: Callable[[str], Stream] | None = None,
    ) -> None:
        self._limit = limit
        self._all_of_it = all_of_it
        self._publish = publish
        self._stream: Callable[[str], Stream] = stream or (lambda name: getattr(sys, name))
        self._excerpt = Excerpt(limit) if limit is not None else None
        self._live: Write | None = None
        self._live_due = 0.0
        self._before = {"stdout": "\n", "stderr": "\n"}
        self._texts: list[Piece] = []
        self._updates: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {}
        self._clear: Callable[[], None] | None = None
        self._turns = Allowance(TURNS_PER_S, TURNS)
        self._drawing_since: float | None = None
        self._due = self._line_due = self._timed = 0.0
        self._lock = threading.RLock()
        self._later: threading.Timer | None = None

    def text(self, name: str, text: str) -> None:
        """Take what was printed on a stream."""
        with self._lock:
            if text:
                self._texts.append((name, text))
                if "\n" in text:
                    self._due = min(self._due, self._line_due)  # a line waits for no bar
                self._soon()

    def display(self, data: dict[str, Any], metadata: dict[str, Any], transient: dict[str, Any]) -> None:
        """Take a display, which is shown at once, after all that came before it.

        Args:
            metadata, transient: as of a Jupyter message.
        """
        with self._lock:
            self.flush()
            self._send(data, metadata, transient, update=False)

    def update(self, data: dict[str, Any], metadata: dict[str, Any], transient: dict[str, Any]) -> None:
        """Take another state of a display; of several at once the last one is shown.

        Args:
            metadata, transient: as of a Jupyter message.
        """
        with self._lock:
            self._updates[str(transient.get("display_id"))] = (data, metadata, transient)
            self._soon()

    def clear(self, clear: Callable[[], None], *, wait: bool) -> None:
        """Take the wish that the area be cleared: at once, or (`wait`) when the next output comes."""
        with self._lock:
            if wait and self._clear is None:
                self.flush()
            # Otherwise it is cleared before the next output, so nobody would see what waits.
            self._texts.clear()
            self._clear = clear
            self._before = dict.fromkeys(self._before, "\n")
            if not wait:
                self.flush(clear_too=True)

    def between_lines(self) -> bool:
        """Whether what was taken so far ends with whole lines."""
        with self._lock:
            ends = {**self._before, **{name: text[-1] for name, text in self._texts}}
            return all(end == "\n" for end in ends.values())

    def finish(self) -> None:
        """Show what is left: the newest frames, and the end of what was too much."""
        with self._lock:
            self.flush(clear_too=True)
            self._show_end()

    def flush(self, *, clear_too: bool = False) -> None:
        """Show what waits now.

        Args:
            clear_too: also a wish to clear that waits for the next output.
        """
        with self._lock:
            if self._later is not None:
                self._later.cancel()
                self._later = None
            updates, self._updates = self._updates, {}
            if self._texts or clear_too:
                self._clear_now()
            for update in updates.values():
                self._send(*update, update=True)
            texts, self._texts = self._texts, []
            drawn = False
            for name, text in self._in_turn(texts):
                shown = newest_frames(text, self._before[name])
                self._before[name] = text[-1]
                drawn = drawn or ("\r" in shown and "\n" not in shown)
                self._print(name, shown)
            self._settle(drawn)

    def _soon(self) -> None:
        wait = self._due - time.monotonic()
        if wait <= 0:
            self.flush()
        elif self._later is None or self._timed > self._due:
            if self._later is not None:
                self._later.cancel()
            # Nothing more may come for hours, and what came last must be seen.
            self._timed = self._due
            self._later = threading.Timer(wait, self.flush)
            self._later.daemon = True
            self._later.start()

    def _settle(self, drawn: bool) -> None:
        now = time.monotonic()
        if not drawn:
            self._drawing_since = None
        elif self._drawing_since is None:
            self._drawing_since = now
        age = now - self._drawing_since if self._drawing_since is not None else 0.0
        self._line_due = now + INTERVAL_S
        self._due = now + min(max(INTERVAL_S, age / FRAMES), SLOWEST_S)

    def _in_turn(self, texts: list[Piece]) -> list[Piece]:
        """The same text in few pieces: as its order allows, or two when the streams take turns too fast."""
        joined: list[tuple[str, list[str]]] = []
        for name, text in texts:
            if not joined or joined[-1][0] != name:
                joined.append((name, []))
            joined[-1][1].append(text)
        if len(joined) > 2 and not self._turns.spare(len(joined)):
            joined = [
                (name, [text for of, text in texts if of == name])
                for name in dict.fromkeys(name for name, _ in texts)
            ]
        return [(name, "".join(pieces)) for name, pieces in joined]

    def _clear_now(self) -> None:
        clear, self._clear = self._clear, None
        if clear is None:
            return
        MESSAGES.take(1)
        clear()
        if self._limit is not None:
            self._excerpt, self._live = Excerpt(self._limit), None

    def _print(self, name: str, text: str) -> None:
        if self._excerpt is not None:
            text = self._excerpt.add(name, text)
        if text:
            self._write(name, text)
        if self._excerpt is not None and self._excerpt.full:
            self._show_latest(self._excerpt)

    def _write(self, name: str, text: str) -> None:
        MESSAGES.take(1)
        BYTES.take(len(text))
        stream = self._stream(name)
        stream.write(text)
        stream.flush()

    def _show_latest(self, excerpt: Excerpt) -> None:
        now = time.monotonic()
        if now < self._live_due:
            return
        if self._live is None:
            self._live = live_line()
        latest = newest_frames(excerpt.latest())
        BYTES.take(len(latest))
        if self._live is not None:
            self._live(
                f"… the output is long; its last lines, for now (all of it: {self._all_of_it})\n{latest}"
            )
        self._live_due = time.monotonic() + LATEST_INTERVAL_S

    def _show_end(self) -> None:
        excerpt = self._excerpt
        if excerpt is None or not excerpt.full:
            return
        rest = excerpt.rest()
        if self._live is None:
            self._live = live_line()
        if self._live is not None:
            self._live(self._gap(excerpt))
        for name, text in self._in_turn(rest):
            self._write(name, newest_frames(text))
        self._excerpt = None

    def _gap(self, excerpt: Excerpt) -> str:
        if not excerpt.bytes:
            return ""
        return f"… {excerpt.lines:,} lines ({excerpt.bytes / 1e6:,.1f} MB) left out: {self._all_of_it}"

    def _send(
        self, data: dict[str, Any], metadata: dict[str, Any], transient: dict[str, Any], *, update: bool
    ) -> None:
        if not update:
            self._clear_now()
        MESSAGES.take(1)
        BYTES.take(_size(data))
        self._publish(data, metadata, transient=transient, update=update)


def _size(data: dict[str, Any]) -> int:
    return sum(len(value) if isinstance(value, str) else len(json.dumps(value)) for value in data.values())
