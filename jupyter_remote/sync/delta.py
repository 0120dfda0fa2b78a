"""Finding what a large file has in common with an old one on the host, of which only block digests are known.

Fixed blocks of the old file are looked for where the last match lets expect them, which is one strong digest
for each; where they are not, their first bytes are searched for, which `bytes.find` does at the speed of
memory. So a change, an insertion or a removal costs a block or two, wherever and however many they are. There
is no rolling checksum because a loop over bytes makes 1 MB/s in Python. No file or socket is known here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..agent.recipe import ANCHOR, RECEIVED, ROW, Copy, block_digest, block_size, exactly

_WINDOW = 4 << 20
_LITERAL = 256 * 1024
_FORGET = 1 << 20
# Which blocks after the expected one are searched for: near ones for insertions, far ones for removals.
_AHEAD = (0, 1, 2, 3, 4, 6, 9, 14, 21, 32, 48, 72, 108, 162, 243, 365)
# Of one anchor in one window; more often it is no anchor but filling.
_TRIES = 8
_MOST_SKIPPED = 16


class Table:
    """What the host told of an old file.

    Args:
        size: of that file, in bytes.
        rows: as `agent.recipe.rows` made them.
    """

    def __init__(self, size: int, rows: bytes) -> None:
        self.size = size
        self.block = block_size(size)
        self.count = len(rows) // ROW
        self._rows = rows
        self._digests = [rows[at + ANCHOR : at + ROW] for at in range(0, self.count * ROW, ROW)]
        self._indices = {digest: index for index, digest in reversed(list(enumerate(self._digests)))}

    def anchor(self, index: int) -> bytes:
        """The first bytes of a block.

        Args:
            index: of the block.
        """
        return self._rows[index * ROW : index * ROW + ANCHOR]

    def find(self, block: bytes, expected: int) -> int | None:
        """The block that holds this, the expected one if it does."""
        if len(block) < self.block:
            return None
        digest = block_digest(block)
        if expected < self.count and self._digests[expected] == digest:
            return expected
        return self._indices.get(digest)

    def holds(self, index: int, block: bytes) -> bool:
        """Whether this is that block.

        Args:
            index: of the block.
        """
        return 0 <= index < self.count and block_digest(block) == self._digests[index]


class _Window:
    """The part of a file that is looked at now: read forward only, forgotten from its start."""

    def __init__(self, read: Callable[[int], bytes], start: int) -> None:
        self._read = read
        self._start = start
        self._data = b""
        self._ended = False

    def get(self, at: int, size: int) -> bytes:
        """Bytes from a place on, fewer at the end of the file."""
        end = at + size - self._start
        if end > len(self._data) and not self._ended:
            more = exactly(self._read, max(end - len(self._data), _LITERAL))
            self._ended = not more
            self._data += more
        return self._data[at - self._start : end]

    def forget(self, before: int) -> None:
        # Moving what remains is dear, so not for every block.
        if before - self._start >= _FORGET or before - self._start == len(self._data):
            self._data = self._data[before - self._start :]
            self._start = before


def steps(read: Callable[[int], bytes], table: Table, received: int = 0) -> Iterator[Copy | bytes]:
    """The recipe that makes a file from the old one.

    Args:
        read: ``read(n)`` of the new file from its start.
        table: of the old file.
        received: bytes from its start that the host has from a try that was cut.
    """
    if received:
        yield from skipped(read, received)
    run: Copy | None = None
    for step in _matches(read, table, received):
        if run is not None and isinstance(step, Copy) and step.offset == run.offset + run.length:
            run = Copy(run.offset, run.length + step.length)
            continue
        if run is not None:
            yield run
        run = step if isinstance(step, Copy) else None
        if isinstance(step, bytes):
            yield step
    if run is not None:
        yield run


def skipped(read: Callable[[int], bytes], size: int) -> Iterator[Copy]:
    """Reads what the host has received before, `size` bytes, and says so."""
    left = size
    while left and (block := read(min(_LITERAL, left))):
        left -= len(block)
    yield Copy(RECEIVED, size)


def rest(read: Callable[[int], bytes], received: int) -> Iterator[Copy | bytes]:
    """The recipe of a file of which the host has the start.

    Args:
        received: bytes.
    """
    yield from skipped(read, received)
    while block := read(_LITERAL):
        yield block


def _matches(read: Callable[[int], bytes], table: Table, start: int) -> Iterator[Copy | bytes]:
    window = _Window(read, start)
    at = sent = search_from = start
    expected = -(-start // table.block)
    skip = 1
    while len(block := window.get(at, table.block)) == table.block:
        index = table.find(block, expected)
        if index is None and at >= search_from:
            found = _search(window, table, at, expected)
            if found is not None:
                yield from _literals(window, sent, found[0])
                at, expected, skip = *found, 1
                sent = search_from = at
                continue
            search_from = at + _WINDOW * skip
            skip = min(2 * skip, _MOST_SKIPPED)
        if index is None:
            at += table.block
            if at - sent >= _LITERAL:
                yield from _literals(window, sent, at)
                sent = at
        else:
            yield from _literals(window, sent, at)
            yield Copy(index * table.block, table.block)
            at += table.block
            expected, skip = index + 1, 1
            sent = search_from = at
        window.forget(sent)
    yield from _literals(window, sent, at + len(block))


def _search(window: _Window, table: Table, at: int, expected: int) -> tuple[int, int] | None:
    """Where the file and the old one go on alike: the place here, and the block there."""
    if table.holds(expected + 1, window.get(at + table.block, table.block)):
        return at + table.block, expected + 1
    view = window.get(at, _WINDOW + table.block)
    best: tuple[int, int] | None = None
    for ahead in _AHEAD:
        index = expected + ahead
        if index >= table.count:
            break
        anchor = table.anchor(index)
        if len(set(anchor)) < 3:
            continue
        place = -1
        for _ in range(_TRIES):
            # What begins behind the best match so far is not worth finding.
            end = len(view) if best is None else best[0] + ANCHOR
            place = view.find(anchor, place + 1, end)
            if place < 0:
                break
            if table.holds(index, view[place : place + table.block]):
                best = place, index
                break
    if best is None:
        return None
    place, index = best
    # Only some blocks were searched for: those before the match may be here too.
    while place >= table.block and table.holds(index - 1, view[place - table.block : place]):
        place, index = place - table.block, index - 1
    return at + place, index


def _literals(window: _Window, start: int, end: int) -> Iterator[bytes]:
    while start < end:
        piece = window.get(start, min(_LITERAL, end - start))
        if not piece:
            return
        yield piece
        start += len(piece)
