"""The outer layer of a change set and of a pull's answer: a byte stream, compressed where that pays.

Segments: a code byte, a 4-byte length, that many bytes. ``Z`` segments are pieces of one deflate stream
(small files compress together), ``R`` segments are plain. What the bytes inside mean is said in pack.py and
in artifacts.py; whether compressing pays, in pace.py.
"""

from __future__ import annotations

import struct
import time
import zlib

from .entry import TreeError
from .recipe import LITERAL, RECEIVED, STEP, Copy

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Callable, Iterator

    from .pace import Pace

MAX_SEGMENT = 1024 * 1024
_SEGMENT = struct.Struct(">cI")
_INFLATED = 256 * 1024
# Small pieces are gathered up to this and compressed by one call: a call for each costs more than they do.
_BLOCK = 128 * 1024
_SAMPLE = 16 * 1024


class PackError(TreeError):
    """The bytes are not a change set, or not a whole one."""


def incompressible(first_block: bytes) -> bool:
    """Whether the content that begins so is not worth compressing; never for little of it.

    Args:
        first_block: of the content.
    """
    if len(first_block) < _SAMPLE:
        return False
    sample = first_block[len(first_block) // 2 :][:_SAMPLE]
    return len(zlib.compress(sample, 1)) > 0.9 * len(sample)


class SegmentWriter:
    """Bytes in, pieces of the stream out.

    Args:
        pace: decides whether what could be compressed is; None for always.
    """

    def __init__(self, pace: Pace | None = None) -> None:
        self._deflate = zlib.compressobj(1)
        self._pace = pace
        self._held: list[bytes] = []
        self._held_size = 0
        self._unflushed = False
        self._promised = 0

    def hold(self, data: bytes) -> bool:
        """Takes bytes; True when there are so many that :meth:`drain` should be called."""
        self._held.append(data)
        self._held_size += len(data)
        return self._held_size >= _BLOCK

    def drain(self) -> Iterator[bytes]:
        """What has been taken, compressed or not."""
        if not self._held:
            return
        held, size = self._held, self._held_size
        self._held, self._held_size = [], 0
        if self._pace is None or self._pace.compresses(size):
            yield from self._compressed(b"".join(held))
        else:
            yield from self._sync()
            yield b"".join((_SEGMENT.pack(b"R", size), *held))

    def add(self, data: bytes, plain: bool = False) -> Iterator[bytes]:
        """Takes bytes; ``plain`` ones are not compressed."""
        if plain:
            yield from self.plain(data, len(data))
        elif self.hold(data):
            yield from self.drain()

    def plain(self, data: bytes, left: int) -> Iterator[bytes]:
        """Takes bytes that are not compressed.

        Args:
            data: some of them.
            left: how many there are still, with these. All of them must come, with nothing between.
        """
        while data:
            head = b""
            if not self._promised:
                yield from self.flush()
                if self._pace is not None:
                    self._pace.disturbed()
                # One segment for several pieces, so that most of them needn't be copied behind a head.
                self._promised = min(left, MAX_SEGMENT)
                head = _SEGMENT.pack(b"R", self._promised)
            piece = data[: self._promised]
            self._promised -= len(piece)
            left -= len(piece)
            data = data[len(piece) :]
            yield head + piece if head else piece

    def flush(self) -> Iterator[bytes]:
        """What is left, so that everything added so far can be read."""
        yield from self.drain()
        yield from self._sync()

    def _compressed(self, block: bytes) -> Iterator[bytes]:
        start = time.perf_counter()
        data = self._deflate.compress(block)
        self._unflushed = True
        if self._pace is not None:
            self._pace.compressed(len(data), time.perf_counter() - start)
        if data:
            yield _SEGMENT.pack(b"Z", len(data)) + data

    def _sync(self) -> Iterator[bytes]:
        if self._unflushed:
            self._unflushed = False
            data = self._deflate.flush(zlib.Z_SYNC_FLUSH)
            yield _SEGMENT.pack(b"Z", len(data)) + data


class SegmentReader:
    """Pieces of the stream in, bytes out, in memory that has a bound whatever the stream says.

    Args:
        read: returns at most n bytes, at least one, b"" at the end.
    """

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._inflate = zlib.decompressobj()
        self._more_inside = False
        # What has come and is not used yet, from _raw_at on; what is still to come of an R segment.
        self._raw = b""
        self._raw_at = 0
        self._plain = 0
        # What has been decoded and is not taken yet, from _at to _end; for plain bytes that is _raw itself.
        self._buffer = b""
        self._at = self._end = 0

    def take(self, size: int) -> bytes:
        """Exactly so many bytes; for what is small.

        Raises:
            PackError: the stream ends before, or is broken.
        """
        end = self._at + size
        if end <= self._end:
            data = self._buffer[self._at : end]
            self._at = end
            return data
        return b"".join(self.stream(size))

    def stream(self, size: int) -> Iterator[bytes]:
        """So many bytes, as they come.

        Raises:
            PackError: the stream ends before, or is broken.
        """
        while size:
            if self._at == self._end:
                self._fill()
            end = min(self._at + size, self._end)
            piece = self._buffer[self._at : end]
            self._at = end
            size -= len(piece)
            yield piece

    def steps(self, size: int) -> Iterator[bytes | Copy]:
        """The steps of a recipe that make so many bytes."""
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
        """Whether something has come that was not taken."""
        return self._at < self._end or bool(self._plain) or bool(self._inflate.unconsumed_tail)

    def _fill(self) -> None:
        self._buffer, self._at, self._end = b"", 0, 0
        while self._at == self._end:
            if self._more_inside:
                self._decode(self._inflate.unconsumed_tail)
                continue
            if not self._plain:
                code, length = _SEGMENT.unpack(self._exactly(_SEGMENT.size))
                if length > MAX_SEGMENT:
                    raise PackError(f"a segment of {length} bytes is over the limit of {MAX_SEGMENT}")
                if code == b"Z":
                    self._decode(self._exactly(length))
                    continue
                if code != b"R":
                    raise PackError(f"an unknown segment {code!r}")
                self._plain = length
            if self._plain:
                self._show_plain()

    def _show_plain(self) -> None:
        self._more()
        end = min(self._raw_at + self._plain, len(self._raw))
        self._buffer, self._at, self._end = self._raw, self._raw_at, end
        self._plain -= end - self._raw_at
        self._raw_at = end

    def _decode(self, data: bytes) -> None:
        try:
            self._buffer = self._inflate.decompress(data, _INFLATED)
        except zlib.error as error:
            raise PackError(f"a segment can't be decompressed: {error}") from None
        if self._inflate.eof:
            raise PackError("the compressed stream ends too early")
        self._at, self._end = 0, len(self._buffer)
        # zlib may hold back output even when it has taken all its input.
        self._more_inside = self._end == _INFLATED or bool(self._inflate.unconsumed_tail)

    def _more(self) -> None:
        """Makes sure that there is something raw."""
        if self._raw_at == len(self._raw):
            self._raw, self._raw_at = self._read(MAX_SEGMENT), 0
            if not self._raw:
                raise PackError("the change set is cut short")

    def _exactly(self, size: int) -> bytes:
        pieces = []
        while size:
            self._more()
            piece = self._raw[self._raw_at : self._raw_at + size]
            self._raw_at += len(piece)
            size -= len(piece)
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)
