"""The host's list of what its mirror holds, as bytes: received and decompressed within bounds.

What the list says is read in `session.py`.
"""

from __future__ import annotations

import zlib

from ..agent import messages as m
from ..connection import Stream
from ..errors import ProtocolError

# Compressed and not: some 700,000 files. What is compressed is kept until it is known to be whole, so that a
# host that never ends can't fill the memory.
LARGEST = 1 << 25
LARGEST_TEXT = 1 << 28
# Digests don't compress; a list that shrinks more than this holds none.
_LARGEST_RATIO = 64
_ALWAYS_FINE = 1 << 20
_BLOCK = 1 << 18


def read_inventory(stream: Stream) -> bytes:
    """The JSON text of the list; closes the stream.

    Raises:
        ProtocolError: it is too large to be true, or not compressed text.
    """
    received: list[bytes] = []
    size = text_size = 0
    unpacker = zlib.decompressobj()
    try:
        while not isinstance((frame := stream.receive()).message, m.End):
            # Without a payload it would count for nothing, and could come for ever.
            if not isinstance(frame.message, m.Data) or not frame.payload:
                raise ProtocolError(f"a {type(frame.message).__name__} came instead of the list of files")
            received.append(frame.payload)
            size += len(frame.payload)
            data = frame.payload
            while data:
                text_size += len(unpacker.decompress(data, _BLOCK))
                data = unpacker.unconsumed_tail
                allowed = min(LARGEST_TEXT, _ALWAYS_FINE + _LARGEST_RATIO * size)
                if text_size > allowed or size > LARGEST or unpacker.unused_data:
                    raise ProtocolError("the host's list of files is too large to be true")
        text_size += len(unpacker.flush())
        return zlib.decompress(b"".join(received), bufsize=text_size + 1)
    except zlib.error as error:
        raise ProtocolError(f"the host's list of files is broken: {error}") from None
    finally:
        stream.close()
