"""The byte format of a change set: one stream, written as it is read, read as it is written.

Outer layer: segments, see segments.py. Inner layer, what these decode to: for each change a 4-byte length and
a JSON header ``[op, path, entry, mtime_ns]``, then, for a file, exactly as many bytes as its entry says. With
a fifth field, ``base`` (a digest, or ""), steps come instead, that make as many bytes: each an 8-byte offset
to copy from and an 8-byte length, or -1 and a length and that many bytes (see recipe.py). A header of length
0 ends the set, so that a set that was cut short can't pass for a whole one. Numbers are big-endian.

What the changes mean is said in tree.py; nothing here knows a mirror or a socket.
"""

from __future__ import annotations

import io
import json
import os
import struct

from .entry import FILE, BadPath, Entry, TreeError, check_path, new_digest, parse_entry
from .namedtuples import NamedTuple
from .recipe import LITERAL, STEP
from .segments import MAX_SEGMENT, PackError, SegmentReader, SegmentWriter, incompressible

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import BinaryIO, Callable, Iterable, Iterator, Mapping

    from .pace import Pace
    from .recipe import Copy, Recipe

__all__ = [
    "CHMOD",
    "DELETE",
    "MAX_HEADER",
    "MAX_SEGMENT",
    "PUT",
    "Change",
    "ChangedWhileReading",
    "PackError",
    "SegmentReader",
    "SegmentWriter",
    "incompressible",
    "pack",
    "unpack",
]

PUT, DELETE, CHMOD = "put", "delete", "chmod"

MAX_HEADER = 128 * 1024
_BLOCK = 256 * 1024
_LENGTH = struct.Struct(">I")
# Hashing a larger file once more takes as long as sending a part of it, and the host does it anyway.
_HASHED_HERE = 1024 * 1024
_ENCODER = json.JSONEncoder(separators=(",", ":"))


class ChangedWhileReading(TreeError):
    """A local file is no longer what the plan says: plan again. ``path`` names it."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path!r} changed while it was read")
        self.path = path


class Change(NamedTuple):
    """One step of a change set.

    Args:
        op: ``put`` (create or replace with ``entry``), ``delete``, or ``chmod`` (to ``entry.mode``).
        path: relative to the workspace.
        entry: what is there afterwards; None for ``delete``.
        mtime_ns: a file's time of modification, filled in by :func:`pack`.
        base: digest of the content that the file is made from, "" when it is made without one; None for a
            file whose content comes whole. Filled in by :func:`pack`.
    """

    op: str
    path: str
    entry: Entry | None = None
    mtime_ns: int | None = None
    base: str | None = None


def pack(
    changes: Iterable[Change],
    open_content: Callable[[str], BinaryIO],
    recipes: Mapping[str, Recipe] | None = None,
    pace: Pace | None = None,
) -> Iterator[bytes]:
    """The stream of a change set, in pieces of at most some 256 kB.

    Args:
        changes: the steps, in any order.
        open_content: opens a local file for reading; each is opened once and read at most once.
        recipes: how files are made whose content doesn't come whole, by path.
        pace: decides whether compressing pays; None for always.

    Raises:
        ChangedWhileReading: a file is not what its entry says. What was yielded so far is useless. A large
            file (1 MiB) may have become another of its size before it was opened: only the host notices that.
        OSError: a file can't be read.
    """
    segments = SegmentWriter(pace)
    for change in changes:
        entry = change.entry
        if change.op != PUT or entry is None or entry.kind != FILE:
            if segments.hold(_header(change)):
                yield from segments.drain()
            continue
        try:
            content = open_content(change.path)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise ChangedWhileReading(change.path) from None
        recipe = recipes.get(change.path) if recipes else None
        with content:
            reader = _CheckedReader(content, change.path, entry)
            base = None if recipe is None else recipe.base
            full = segments.hold(_header(Change(PUT, change.path, entry, reader.mtime_ns, base)))
            if recipe is not None:
                yield from _steps(segments, recipe, reader)
            elif entry.size <= _BLOCK:
                block = reader.whole()
                if incompressible(block):
                    yield from segments.plain(block, len(block))
                elif segments.hold(block) or full:
                    yield from segments.drain()
            else:
                yield from _blocks(segments, reader)
            reader.check()
    segments.hold(_LENGTH.pack(0))
    yield from segments.flush()


def _blocks(segments: SegmentWriter, reader: _CheckedReader) -> Iterator[bytes]:
    plain = None
    while reader.left:
        block = reader.read(_BLOCK)
        if plain is None:
            plain = incompressible(block)
        if plain:
            yield from segments.plain(block, reader.left + len(block))
        else:
            segments.hold(block)
            yield from segments.drain()


def _steps(segments: SegmentWriter, recipe: Recipe, reader: _CheckedReader) -> Iterator[bytes]:
    for step in recipe.steps(reader.read):
        if isinstance(step, bytes):
            segments.hold(STEP.pack(LITERAL, len(step)))
            if incompressible(step):
                yield from segments.plain(step, len(step))
            elif segments.hold(step):
                yield from segments.drain()
        elif segments.hold(STEP.pack(*step)):
            yield from segments.drain()


def unpack(read: Callable[[int], bytes]) -> Iterator[tuple[Change, Iterator[bytes | Copy]]]:
    """The changes of a stream, each with its content (empty unless a file is put).

    Only a change with a ``base`` has pieces that are to be copied.

    Args:
        read: returns at most n bytes, at least one, b"" at the end.

    Contents must be consumed in order; what is left of one is skipped. Content is counted here but not
    hashed. Memory is bounded whatever the stream says.

    Raises:
        PackError: truncated, malformed, or a length over its cap.
        BadPath: a path that must not be written.
    """
    segments = SegmentReader(read)
    while True:
        length = _LENGTH.unpack(segments.take(_LENGTH.size))[0]
        if length == 0:
            break
        if length > MAX_HEADER:
            raise PackError(f"a header of {length} bytes is over the limit of {MAX_HEADER}")
        change = _parse_header(segments.take(length))
        has_content = change.op == PUT and change.entry is not None
        size = change.entry.size if has_content and change.entry else 0
        body = segments.stream(size) if change.base is None else segments.steps(size)
        yield change, body
        for _ in body:
            pass
    if segments.pending():
        raise PackError("bytes follow the end of the change set")


def _header(change: Change) -> bytes:
    fields = change[:4] if change.base is None else change
    data = _ENCODER.encode(fields).encode("ascii")
    if len(data) > MAX_HEADER:
        raise BadPath(f"{change.path[:200]!r} is too long to be sent")
    return _LENGTH.pack(len(data)) + data


def _parse_header(data: bytes) -> Change:
    try:
        op, path, raw_entry, mtime_ns, *rest = json.loads(data.decode("ascii"))
        (base,) = rest or (None,)
        entry = None if raw_entry is None else parse_entry(raw_entry)
    except (ValueError, TypeError, RecursionError) as error:
        raise PackError(f"a malformed header: {error}") from None
    if op not in (PUT, DELETE, CHMOD) or type(path) is not str or (entry is None) != (op == DELETE):
        raise PackError(f"a malformed header: {data[:200]!r}")
    if mtime_ns is not None and (type(mtime_ns) is not int or not -(2**63) <= mtime_ns < 2**63):
        raise PackError(f"not a time: {str(mtime_ns)[:100]}")
    if base is not None and (type(base) is not str or op != PUT or entry is None or entry.kind != FILE):
        raise PackError(f"a malformed header: {data[:200]!r}")
    return Change(op, check_path(path), entry, mtime_ns, base)


class _CheckedReader:
    """Reads a file once, and notices when it is not what the plan says.

    Attributes:
        left: bytes that are still to be read.
        mtime_ns: when the file was written, None when that can't be told.
    """

    def __init__(self, content: BinaryIO, path: str, entry: Entry) -> None:
        self._content = content
        self._path = path
        self._entry = entry
        self._opened = self._state()
        self._digest = None if self._opened and entry.size >= _HASHED_HERE else new_digest()
        self._begun = False
        self.left = entry.size
        self.mtime_ns = self._opened[1] if self._opened else None

    def read(self, size: int) -> bytes:
        # One byte more than planned is asked for, so that a small file that grew is noticed.
        self._begun = True
        block = self._content.read(min(size, self.left + 1))
        if self._digest is not None:
            self._digest.update(block)
        self.left -= len(block)
        if self.left < 0 or (self.left and not block):
            raise ChangedWhileReading(self._path)
        return block

    def whole(self) -> bytes:
        """All of a small file: one system call, as there are many."""
        block = self.read(self.left + 1)
        while self.left:
            block += self.read(self.left + 1)
        return block

    def check(self) -> None:
        """After all has been read, or nothing because the host needs nothing."""
        if not self._begun:
            return
        if self._digest is None:
            is_right = self._state() == self._opened
        else:
            is_right = self._digest.hexdigest() == self._entry.digest
        if self.left or not is_right:
            raise ChangedWhileReading(self._path)

    def _state(self) -> tuple[int, int] | None:
        try:
            status = os.fstat(self._content.fileno())
        except io.UnsupportedOperation:
            return None
        return status.st_size, status.st_mtime_ns
