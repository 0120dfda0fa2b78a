"""The byte format of a change set: one stream, written as it is read, read as it is written.

Outer layer, segments: a code byte, a 4-byte length, that many bytes. ``Z`` segments are pieces of one
deflate stream (small files compress together), ``R`` segments are plain. Inner layer, what the segments
decode to: for each change a 4-byte length and a JSON header ``[op, path, entry, mtime_ns]``, then, for a
file, exactly as many bytes as its entry says. With a fifth field, ``base`` (a digest, or ""), steps come
instead, that make as many bytes: each an 8-byte offset to copy from and an 8-byte length, or -1 and a length
and that many bytes (see recipe.py). A header of length 0 ends the set, so that a set that was cut short
can't pass for a whole one. Numbers are big-endian.

What the changes mean is said in tree.py; nothing here knows a mirror or a socket.
"""

from __future__ import annotations

import io
import json
import os
import struct
import zlib

from .entry import FILE, BadPath, Entry, TreeError, check_path, new_digest, parse_entry
from .namedtuples import NamedTuple
from .recipe import LITERAL, RECEIVED, STEP, Copy

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import BinaryIO, Callable, Iterable, Iterator, Mapping

    from .recipe import Recipe

PUT, DELETE, CHMOD = "put", "delete", "chmod"

MAX_HEADER = 128 * 1024
MAX_SEGMENT = 1024 * 1024
_BLOCK = 256 * 1024
_FLUSH_AT = 64 * 1024
_LENGTH = struct.Struct(">I")
_SEGMENT = struct.Struct(">cI")
_SAMPLE = 16 * 1024


class PackError(TreeError):
    """The bytes are not a change set, or not a whole one."""


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
) -> Iterator[bytes]:
    """The stream of a change set, in pieces of at most some 256 kB.

    Args:
        changes: the steps, in any order.
        open_content: opens a local file for reading; each is opened once and read at most once.
        recipes: how files are made whose content doesn't come whole, by path.

    Raises:
        ChangedWhileReading: a file is not what its entry says. What was yielded so far is useless.
        OSError: a file can't be read.
    """
    segments = _SegmentWriter()
    for change in changes:
        entry = change.entry
        if change.op != PUT or entry is None or entry.kind != FILE:
            yield from segments.add(_header(change))
            continue
        try:
            content = open_content(change.path)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise ChangedWhileReading(change.path) from None
        recipe = recipes.get(change.path) if recipes else None
        with content:
            base = None if recipe is None else recipe.base
            yield from segments.add(_header(change._replace(mtime_ns=_mtime_of(content), base=base)))
            reader = _CheckedReader(content, change.path, entry)
            if recipe is None:
                plain = None
                while block := reader.read(_BLOCK):
                    if plain is None:
                        plain = _incompressible(block)
                    yield from segments.add(block, plain)
            else:
                for step in recipe.steps(reader.read):
                    if isinstance(step, bytes):
                        yield from segments.add(STEP.pack(LITERAL, len(step)))
                        yield from segments.add(step, _incompressible(step))
                    else:
                        yield from segments.add(STEP.pack(*step))
            reader.check()
    yield from segments.add(_LENGTH.pack(0))
    yield from segments.flush()


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
    segments = _SegmentReader(read)
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
    data = json.dumps(fields, separators=(",", ":")).encode("ascii")
    if len(data) > MAX_HEADER:
        raise BadPath(f"{change.path[:200]!r} is too long to be sent")
    return _LENGTH.pack(len(data)) + data


def _parse_header(data: bytes) -> Change:
    try:
        op, path, raw_entry, mtime_ns, *rest = json.loads(data)
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


def _mtime_of(content: BinaryIO) -> int | None:
    try:
        return os.fstat(content.fileno()).st_mtime_ns
    except io.UnsupportedOperation:
        return None


def _incompressible(first_block: bytes) -> bool:
    if len(first_block) < _SAMPLE:
        return False
    sample = first_block[len(first_block) // 2 :][:_SAMPLE]
    return len(zlib.compress(sample, 1)) > 0.9 * len(sample)


class _CheckedReader:
    """Reads a file once, and notices when it is not what the plan says."""

    def __init__(self, content: BinaryIO, path: str, entry: Entry) -> None:
        self._content = content
        self._path = path
        self._entry = entry
        self._left = entry.size
        self._digest = new_digest()
        self._begun = False

    def read(self, size: int) -> bytes:
        # One byte more than planned is asked for, so that a file that grew is noticed.
        self._begun = True
        block = self._content.read(min(size, self._left + 1))
        self._digest.update(block)
        self._left -= len(block)
        if self._left < 0:
            raise ChangedWhileReading(self._path)
        return block

    def check(self) -> None:
        """After all has been read, or nothing because the host needs nothing."""
        if self._begun and (self._left or self._digest.hexdigest() != self._entry.digest):
            raise ChangedWhileReading(self._path)


class _SegmentWriter:
    def __init__(self) -> None:
        self._deflate = zlib.compressobj(1)
        self._pending: list[bytes] = []
        self._pending_size = 0
        self._unflushed = False

    def add(self, data: bytes, plain: bool = False) -> Iterator[bytes]:
        if plain:
            yield from self.flush()
            yield _SEGMENT.pack(b"R", len(data)) + data
            return
        self._unflushed = True
        self._keep(self._deflate.compress(data))
        if self._pending_size >= _FLUSH_AT:
            yield self._segment()

    def flush(self) -> Iterator[bytes]:
        if self._unflushed:
            self._keep(self._deflate.flush(zlib.Z_SYNC_FLUSH))
            self._unflushed = False
        if self._pending_size:
            yield self._segment()

    def _keep(self, piece: bytes) -> None:
        if piece:
            self._pending.append(piece)
            self._pending_size += len(piece)

    def _segment(self) -> bytes:
        data = _SEGMENT.pack(b"Z", self._pending_size) + b"".join(self._pending)
        self._pending, self._pending_size = [], 0
        return data


class _SegmentReader:
    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._inflate = zlib.decompressobj()
        self._more_inside = False
        self._buffer = b""
        self._at = 0

    def take(self, size: int) -> bytes:
        return b"".join(self.stream(size))

    def stream(self, size: int) -> Iterator[bytes]:
        while size:
            if self._at == len(self._buffer):
                self._fill()
            piece = self._buffer[self._at : self._at + size]
            self._at += len(piece)
            size -= len(piece)
            yield piece

    def steps(self, size: int) -> Iterator[bytes | Copy]:
        is_first = True
        while size:
            offset, length = STEP.unpack(self.take(STEP.size))
            if not 0 < length <= size or offset < RECEIVED or (offset == RECEIVED and not is_first):
                raise PackError(f"a step that can't be: {length} bytes from {offset}, {size} are left")
            size -= length
            is_first = False
            if offset == LITERAL:
                yield from self.stream(length)
            else:
                yield Copy(offset, length)

    def pending(self) -> bool:
        return self._at < len(self._buffer) or bool(self._inflate.unconsumed_tail)

    def _fill(self) -> None:
        self._buffer, self._at = b"", 0
        while not self._buffer:
            if self._more_inside:
                self._decode(self._inflate.unconsumed_tail)
                continue
            code, length = _SEGMENT.unpack(self._exactly(_SEGMENT.size))
            if length > MAX_SEGMENT:
                raise PackError(f"a segment of {length} bytes is over the limit of {MAX_SEGMENT}")
            data = self._exactly(length)
            if code == b"R":
                self._buffer = data
            elif code == b"Z":
                self._decode(data)
            else:
                raise PackError(f"an unknown segment {code!r}")

    def _decode(self, data: bytes) -> None:
        try:
            self._buffer = self._inflate.decompress(data, _BLOCK)
        except zlib.error as error:
            raise PackError(f"a segment can't be decompressed: {error}") from None
        if self._inflate.eof:
            raise PackError("the compressed stream ends too early")
        # zlib may hold back output even when it has taken all its input.
        self._more_inside = len(self._buffer) == _BLOCK or bool(self._inflate.unconsumed_tail)

    def _exactly(self, size: int) -> bytes:
        pieces = []
        while size:
            piece = self._read(size)
            if not piece:
                raise PackError("the change set is cut short")
            pieces.append(piece)
            size -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


# What else travels in segments: the files of a pull (artifacts.py).
SegmentReader = _SegmentReader
SegmentWriter = _SegmentWriter
incompressible = _incompressible
