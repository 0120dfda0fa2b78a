"""A stream of Arrow's that a host has sent, looked through without trusting any of it.

Compressed buffers would be a way to make a few bytes fill the memory, and old versions of pyarrow unpickle an
extension type. What the tables in it are is `agent/variables_arrow.py`'s business.
"""

from __future__ import annotations

import struct

from .agent.parcel import Broken

DICTIONARY, RECORDS = 2, 3  # kinds of messages, from Message.fbs of the Arrow format
PICKLES = b"arrow.py_extension_type"


def check_stream(data: bytearray) -> None:
    """Looks at every message of an Arrow stream without trusting any of it.

    Raises:
        Broken: it is torn, compressed, or would be unpickled.
    """
    at = 0
    try:
        while at < len(data):
            marker, size = struct.unpack_from("<Ii", data, at)
            at += 8
            if marker != 0xFFFFFFFF or size < 0 or at + size > len(data):
                raise Broken("an Arrow stream with a torn message")
            if size == 0:
                return
            metadata = bytes(data[at : at + size])
            at += size + _check_message(metadata)
    except struct.error:
        raise Broken("an Arrow stream that ends within a message") from None
    if at != len(data):
        raise Broken("an Arrow stream that is shorter than it says")


def _check_message(metadata: bytes) -> int:
    """Checks the metadata of one message and returns the size of its body."""
    if PICKLES in metadata:
        raise Broken("an Arrow extension type that is a pickle")
    message = _Table(metadata, struct.unpack_from("<I", metadata)[0])
    kind = message.number(1, "<B")
    if kind in (DICTIONARY, RECORDS):
        batch = message.table(2)
        if kind == DICTIONARY and batch is not None:
            batch = batch.table(1)
        if batch is None or batch.field(3):
            raise Broken("a compressed Arrow stream")
    body = message.number(3, "<q")
    if body < 0:
        raise Broken("an Arrow message of negative size")
    return body


class _Table:
    """A table of a flatbuffer, as far as it is needed here."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at
        self._fields = at - struct.unpack_from("<i", data, at)[0]
        if self._fields < 0:
            raise Broken("a torn Arrow message")

    def field(self, number: int) -> int:
        """Where a field is, 0 when it is not there."""
        place = 4 + 2 * number
        (size,) = struct.unpack_from("<H", self._data, self._fields)
        offset = struct.unpack_from("<H", self._data, self._fields + place)[0] if place < size else 0
        return self._at + offset if offset else 0

    def number(self, number: int, form: str) -> int:
        at = self.field(number)
        return int(struct.unpack_from(form, self._data, at)[0]) if at else 0

    def table(self, number: int) -> _Table | None:
        at = self.field(number)
        return _Table(self._data, at + struct.unpack_from("<I", self._data, at)[0]) if at else None
