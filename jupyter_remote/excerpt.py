"""How much of what a run prints a cell shows: its beginning and its end. Pure: no clock, no publishing.

All of it is in the log on the host; `cell_output.py` shows what is decided here.
"""

from __future__ import annotations

from collections import deque

# Half of the cell's limit is for the beginning, half for the end.
DEFAULT_LIMIT = 1_000_000
# What is seen of the end while the run goes on, which is sent several times a second.
LATEST_LINES = 100
LATEST_SIZE = 12_000

Piece = tuple[str, str]


class Excerpt:
    """The beginning and the end of two streams that grow without bound.

    Args:
        limit: bytes of both together.
    """

    def __init__(self, limit: int) -> None:
        self._room = limit // 2
        self._limit = limit - limit // 2
        # Cutting a long piece for each short one that comes would be slow, so it is done now and then.
        self._slack = self._limit // 8
        self._tail: deque[Piece] = deque()
        self._size = 0
        self._begun = False
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
            if (size := _size(text)) <= self._room:
                self._room -= size
                return text
            head, text = _split(text, self._room)
            self._begun = True
        if text:
            self._tail.append((name, text))
            self._size += _size(text)
            if self._size > self._limit + self._slack:
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
        if self.bytes and self._tail:
            name, text = self._tail[0]
            end = text.find("\n") + 1
            self._drop(text[:end])
            self._tail[0] = (name, text[end:])
        return list(self._tail)

    def _trim(self) -> None:
        while self._size > self._limit:
            name, text = self._tail.popleft()
            over = self._size - self._limit
            if len(text) > over:
                # Characters of several bytes make this cut a little more than is needed.
                self._tail.appendleft((name, text[over:]))
                text = text[:over]
            self._drop(text)

    def _drop(self, text: str) -> None:
        size = _size(text)
        self._size -= size
        self.bytes += size
        self.lines += text.count("\n")


def _split(text: str, size: int) -> Piece:
    """The beginning of a text, at most `size` bytes and up to the end of a line where there is one."""
    start = text if text.isascii() else text.encode("utf-8", "replace")[:size].decode("utf-8", "ignore")
    end = start.rfind("\n", 0, size) + 1
    return text[:end], text[end:]


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
