"""What one run prints, as lines with numbers: taken from its events in a thread, read by the pages in ranges.

Which lines a terminal would show is `screen.py`'s business, where they are kept `spool.py`'s.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from typing import Any

from ..events import Event
from .screen import UNCHANGED, Line, Screen
from .spool import Spool

# Lines of an event: who is shown more reads what it shows.
FEW = 200
# Displays are kept in memory, up to so many bytes; later ones are only named.
MOST_DISPLAYS = 64 << 20
_MARKS = {"stdout": "o", "stderr": "e", "traceback": "t", "note": "n"}
_STREAMS = {mark: name for name, mark in _MARKS.items()} | {"t": "stderr"}


class Output:
    """The output of a run, up to now. Safe to use from several threads.

    Args:
        run_id: which run.
        state: of the run, as last known.
        limit: bytes of text that are kept; the oldest lines go.

    Attributes:
        seq: the last event that was taken.
        version: changes with the content.
    """

    def __init__(self, run_id: str, state: str, limit: int) -> None:
        self.run_id = run_id
        self.state = state
        self.complete = False
        self.problem: dict[str, Any] | None = None
        self.error: dict[str, Any] | None = None
        self.seq = 0
        self.version = 0
        self._screen = Screen()
        self._spool = Spool(limit)
        self._displays: list[dict[str, Any]] = []
        self._by_id: dict[str, int] = {}
        self._room = MOST_DISPLAYS
        self._cleared = 0
        # Version -> the first line that changed with it.
        self._changes: deque[list[int]] = deque(maxlen=64)
        self._read = True
        self._lock = threading.Lock()

    def take(self, event: Event) -> None:
        """Takes what happened, in order."""
        with self._lock:
            self.seq = max(self.seq, event.seq)
            if event.kind in ("stdout", "stderr"):
                self._text(event.kind, event.text)
            elif event.kind in ("display", "result", "update_display"):
                self._display(event)
            elif event.kind == "error":
                self.error = dict(event.data)
                self._text("traceback", "".join(f"{one}\n" for one in event.data.get("traceback") or ()))
            elif event.kind == "gap":
                size = int(event.data.get("bytes") or 0)
                self._text("note", f"\n… {size / 1e6:,.1f} MB are left out here: the log was too long\n")
            elif event.kind == "clear_output":
                self._cleared = self._total()
            elif event.kind == "state":
                self.state = str(event.data["state"])
                self._changed(self._total())
            elif event.kind == "end":
                self.state = str(event.data["state"])
                self._keep(self._screen.finish())
                self.complete = True
                self._changed(self._spool.total)

    def tell(self, problem: dict[str, Any] | None, state: str | None = None) -> None:
        """Notes why no more comes now, or (None) that it goes on."""
        with self._lock:
            if problem != self.problem or (state or self.state) != self.state:
                self.problem, self.state = problem, state or self.state
                self._changed(self._total())

    def page(self, from_line: int, count: int) -> dict[str, Any]:
        """``Output`` of rest-api.yml.

        Args:
            from_line: the first line wanted; negative counts from the end.
            count: how many lines at most.
        """
        with self._lock:
            start = from_line if from_line >= 0 else self._total() + from_line
            start = min(max(start, self._spool.first), self._total())
            return {**self._facts(), "from_line": start, "lines": self._lines(start, start + count)}

    def news(self, version: int, settled: int) -> dict[str, Any] | None:
        """``OutputEvent`` for who knows that version, with so many settled lines; None for no news."""
        with self._lock:
            if version == self.version:
                return None
            self._read = True
            lowest = min([first for number, first in self._changes if number > version], default=settled)
            if version == 0 or (self._changes and self._changes[0][0] > version + 1):
                lowest = settled
            start = max(min(lowest, self._total()), self._spool.first)
            event = {"subject": "output", **self._facts(), "from_line": start}
            if self._total() - start <= FEW:
                event["lines"] = self._lines(start, self._total())
            return event

    def display(self, number: int) -> dict[str, Any] | None:
        """What was drawn; None when there is none of that number, or it is not kept."""
        with self._lock:
            if not 0 <= number < len(self._displays):
                return None
            found = self._displays[number]
            return None if found["data"] is None else {"data": found["data"], "metadata": found["metadata"]}

    def cell(self) -> dict[str, Any]:
        """``CellOutputs``, without its host: as a notebook has them, a long text without its middle."""
        with self._lock:
            first, total = max(self._cleared, self._spool.first), self._total()
            spans = (
                [(first, total)] if total - first <= 2 * FEW else [(first, first + FEW), (total - FEW, total)]
            )
            outputs: list[dict[str, Any]] = []
            for span in spans:
                if span is not spans[0]:
                    left = spans[-1][0] - spans[0][1]
                    _add_text(outputs, "stdout", f"… {left:,} lines are left out here …\n")
                for line in self._raw(*span):
                    self._add(outputs, line)
            if self.error is not None:
                fields = {name: self.error.get(name, "") for name in ("ename", "evalue")}
                traceback = list(self.error.get("traceback") or ())
                outputs.append({"output_type": "error", **fields, "traceback": traceback})
            return {"run": self.run_id, "state": self.state, "outputs": outputs, "complete": self.complete}

    def close(self) -> None:
        """Gives its files back."""
        with self._lock:
            self._spool.close()

    # The lock is held.

    def _text(self, stream: str, text: str) -> None:
        self._keep(self._screen.feed(stream, text))

    def _keep(self, settled: list[Line]) -> None:
        if settled:
            self._spool.append([_encode(line) for line in settled])
        first, self._screen.changed = self._screen.changed, UNCHANGED
        self._changed(min(first, self._total()))

    def _changed(self, first: int) -> None:
        if self._read or not self._changes:
            self._read = False
            self.version += 1
            self._changes.append([self.version, first])
        else:
            self._changes[-1][1] = min(self._changes[-1][1], first)

    def _display(self, event: Event) -> None:
        data, metadata = event.data.get("data") or {}, event.data.get("metadata") or {}
        identity = str((event.data.get("transient") or {}).get("display_id") or "")
        size = len(json.dumps(data))
        kept = size <= self._room
        self._room -= size if kept else 0
        shown = {
            "output_type": "execute_result" if event.kind == "result" else "display_data",
            "data": data if kept else None,
            "metadata": metadata,
            "mime": sorted(map(str, data)),
        }
        if event.kind == "update_display":
            if identity in self._by_id:
                self._displays[self._by_id[identity]] = shown
                self._changed(self._spool.total)
            return
        number = len(self._displays)
        self._displays.append(shown)
        if identity:
            self._by_id[identity] = number
        text = data.get("text/plain")
        if isinstance(text, list):
            text = "".join(map(str, text))
        self._keep(self._screen.mark("stdout", str(text or ""), number))

    def _total(self) -> int:
        rows = self._screen.rows
        ends = bool(rows) and not rows[-1].width and rows[-1].display < 0
        return self._spool.total + len(rows) - ends

    def _facts(self) -> dict[str, Any]:
        return {
            "run": self.run_id,
            "first_line": self._spool.first,
            "total": self._total(),
            "settled": self._spool.total,
            "complete": self.complete,
            "state": self.state,
            "problem": self.problem,
        }

    def _raw(self, start: int, stop: int) -> list[Line]:
        found = [_decode(line) for line in self._spool.read(start, stop)]
        low, high = max(start - self._spool.total, 0), min(stop, self._total()) - self._spool.total
        return found + [row.line() for row in self._screen.rows[low : max(high, low)]]

    def _lines(self, start: int, stop: int) -> list[dict[str, Any]]:
        return [self._document(line) for line in self._raw(start, stop)]

    def _document(self, line: Line) -> dict[str, Any]:
        document: dict[str, Any] = {"text": line.text}
        if line.stream != "stdout":
            document["stream"] = "stderr" if line.stream == "traceback" else line.stream
        if line.wrapped:
            document["wrapped"] = True
        if line.display >= 0:
            document["display"] = line.display
            document["mime"] = self._displays[line.display]["mime"]
        return document

    def _add(self, outputs: list[dict[str, Any]], line: Line) -> None:
        if line.display >= 0:
            shown = self._displays[line.display]
            if shown["data"] is not None:
                more = {"execution_count": None} if shown["output_type"] == "execute_result" else {}
                fields = {name: shown[name] for name in ("output_type", "data", "metadata")}
                outputs.append({**fields, **more})
        elif line.stream != "traceback":
            stream = "stderr" if line.stream == "stderr" else "stdout"
            if line.wrapped and outputs and outputs[-1]["output_type"] == "stream":
                outputs[-1]["text"] = outputs[-1]["text"].removesuffix("\n")
            _add_text(outputs, stream, f"{line.text}\n")


def _add_text(outputs: list[dict[str, Any]], stream: str, text: str) -> None:
    if outputs and outputs[-1].get("name") == stream:
        outputs[-1]["text"] += text
    else:
        outputs.append({"output_type": "stream", "name": stream, "text": text})


def _encode(line: Line) -> bytes:
    text = line.text.encode("utf-8", "replace")
    if line.display >= 0:
        return b"d%d:" % line.display + text
    mark = _MARKS.get(line.stream, "o")
    return (mark.upper() if line.wrapped else mark).encode() + text


def _decode(data: bytes) -> Line:
    mark, text = data[:1].decode(), data[1:].decode("utf-8", "replace")
    if mark == "d":
        number, _, text = text.partition(":")
        return Line(text, "stdout", False, int(number))
    stream = "traceback" if mark.lower() == "t" else _STREAMS[mark.lower()]
    return Line(text, stream, mark.isupper())
