"""How much of what a run prints a cell shows: its beginning and its end. Pure: no clock, no publishing.

All of it is in the log on the host; `cell_output.py` shows what is decided here.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque

# Half of the cell's limit is for the beginning, half for the end.
DEFAULT_LIMIT = 1_000_000
# A saved notebook has every line in a line of its own, indented and quoted, and six bytes for an escape.
LINE_COST = 11
ESCAPE_COST = 5
# What is seen of the end while the run goes on, which is sent several times a second.
LATEST_LINES = 100
LATEST_SIZE = 12_000

Piece = tuple[str, str]


class Excerpt:
    """The beginning and the end of two streams that grow without bound.

    Args:
        limit: bytes of both together, as a saved notebook needs them.
    """

    def __init__(self, limit: int) -> None:
        self._room = limit // 2
        self._limit = limit - limit // 2
        # Cutting a long piece for each short one that comes would be slow, so it is done now and then.
        self._slack = self._limit // 8
        self._tail: deque[Piece] = deque()
        self._cost = 0
        self._begun = False
        self._torn = False
        self.lines = 0
        self.bytes = 0

    @property
    def full(self) -> bool:
        """Whether the beginning is complete: what comes from now on is the end, or left out."""
        return self._begun

    def add(self, name: str, text: str) -> str:
        """Take more text of a stream; return what of it belongs to the beginning."""
        head = ""
        if not self._begun:
            if (cost := _cost(text)) <= self._room:
                self._room -= cost
                return text
            head, text = _split(text, self._room)
            self._begun = True
        if text:
            self._tail.append((name, text))
            self._cost += _cost(text)
            if self._cost > self._limit + self._slack:
                self._trim()
        return head

    def latest(self) -> str:
        """The last lines up to now."""
        pieces: list[str] = []
        size = 0
        for _, text in reversed(self._tail):
            pieces.append(text[-LATEST_SIZE:])
            size += len(pieces[-1])
            if size >= LATEST_SIZE:
                break
        text = "".join(reversed(pieces))[-LATEST_SIZE:]
        return "".join(text.splitlines(keepends=True)[-LATEST_LINES:])

    def rest(self) -> list[Piece]:
        """The end, from a whole line on; what it does not hold is counted in `lines` and `bytes`."""
        self._trim()
        if self._torn and self._tail:
            name, text = self._tail[0]
            end = text.find("\n") + 1
            self._drop(text[:end])
            self._tail[0] = (name, text[end:])
        return list(self._tail)

    def _trim(self) -> None:
        while self._cost > self._limit:
            name, text = self._tail.popleft()
            over = self._cost - self._limit
            # As if all of it cost the same; what is then too much is cut in the next round.
            cut = min(len(text), -(-len(text) * over // _cost(text)))
            if cut < len(text):
                self._tail.appendleft((name, text[cut:]))
            self._drop(text[:cut])

    def _drop(self, text: str) -> None:
        self._torn = not text.endswith("\n")
        self._cost -= _cost(text)
        self.bytes += _size(text)
        self.lines += text.count("\n")


def _split(text: str, cost: int) -> Piece:
    """The beginning of a text, for at most that cost and up to the end of a line where there is one."""
    cut = bisect_right(range(len(text) + 1), cost, key=lambda end: _cost(text[:end])) - 1
    end = text.rfind("\n", 0, cut) + 1
    return text[:end], text[end:]


def _cost(text: str) -> int:
    return _size(text) + LINE_COST * text.count("\n") + ESCAPE_COST * text.count("\x1b")


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
