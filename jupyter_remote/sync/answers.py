"""What a host answers to a pull, taken apart within bounds: the lines of a list, the files of a stream.

What they mean, and whether they can be true, is said in `pull.py`.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any

from ..agent import messages as m
from ..agent.artifacts import LENGTH, Found
from ..agent.pack import MAX_HEADER, SegmentReader
from ..connection import Stream
from ..errors import ProtocolError
from .partial import WORTH_KEEPING

# A list longer than this is not true: two million files and more.
LARGEST_LIST = 1 << 28
_LARGEST_ROW = 1 << 16
_BATCH = 1000


class Answer:
    """The byte stream of a Fetch's answer, cut into headers and contents.

    Whatever is not one raises a `ProtocolError`, a `TreeError` or a `ValueError`.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._rest = b""
        self._segments = SegmentReader(self._read)

    def header(self) -> list[Any]:
        """The next header."""
        length = LENGTH.unpack(self._segments.take(LENGTH.size))[0]
        if not 0 < length <= MAX_HEADER:
            raise ProtocolError(f"a header of {length} bytes is over the limit")
        values = json.loads(self._segments.take(length))
        if not isinstance(values, list) or not values:
            raise ProtocolError("a header is not a list")
        return values

    def body(self, size: int) -> Iterator[bytes]:
        """The next bytes, so many; to be taken to the last before anything else is."""
        return self._segments.stream(size)

    def finish(self) -> None:
        """Makes sure that nothing follows."""
        if self._rest or self._segments.pending() or not isinstance(self._stream.receive().message, m.End):
            raise ProtocolError("more comes than was asked for")

    def _read(self, size: int) -> bytes:
        while not self._rest:
            frame = self._stream.receive()
            if not isinstance(frame.message, m.Data) or not frame.payload:
                raise ProtocolError("the answer to a pull is cut short")
            self._rest = frame.payload
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece


def rows(stream: Stream) -> Iterator[bytes]:
    """The lines of the answer to a Find, one at a time; closes the stream.

    Raises:
        ProtocolError: the list is too large to be true, cut short or broken.
    """
    unpacker = zlib.decompressobj()
    line, total = b"", 0
    try:
        while not isinstance((frame := stream.receive()).message, m.End):
            if not isinstance(frame.message, m.Data) or not frame.payload:
                raise ProtocolError(f"a {type(frame.message).__name__} came instead of a list")
            data = frame.payload
            while data:
                text = unpacker.decompress(data, _LARGEST_ROW)
                data = unpacker.unconsumed_tail
                if unpacker.unused_data:
                    raise ProtocolError("something follows the host's list of files")
                total += len(text)
                *lines, line = (line + text).split(b"\n")
                if total > LARGEST_LIST or len(line) > _LARGEST_ROW:
                    raise ProtocolError("the host's list of files is too large to be true")
                yield from lines
        line += unpacker.flush()
        if line.strip(b"\n") or not unpacker.eof:
            raise ProtocolError("the host's list of files is cut short")
    except zlib.error as error:
        raise ProtocolError(f"the host's list of files is broken: {error}") from None
    finally:
        stream.close()


def batches(listed: IO[bytes], wanted: Callable[[Found], bool]) -> Iterator[list[Found]]:
    """The rows that are wanted, a few at a time; a large file is the last of its batch."""
    listed.seek(0)
    batch: list[Found] = []
    length = 0
    for row in listed:
        found = Found(*json.loads(row))
        if wanted(found):
            batch.append(found)
            length += len(row)
        if batch and (len(batch) >= _BATCH or length > 1 << 18 or found.size >= WORTH_KEEPING):
            yield batch
            batch, length = [], 0
    if batch:
        yield batch
