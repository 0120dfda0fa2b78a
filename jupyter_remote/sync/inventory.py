"""The host's list of what its mirror holds, as bytes: received and decompressed within bounds.

What the list says is read in `agent/inventory.py`.
"""

from __future__ import annotations

import zlib

from ..agent import messages as m
from ..agent.inventory import COUNT, DIGEST_SIZE
from ..connection import Stream
from ..errors import ProtocolError

# Compressed and not: some 1,000,000 files. What is compressed is kept until it is known to be whole, so
# that a host that never ends can't fill the memory.
LARGEST = 1 << 25
LARGEST_TEXT = 1 << 28
# Digests don't compress; a list that shrinks more than this holds none.
_LARGEST_RATIO = 64
_ALWAYS_FINE = 1 << 20
_BLOCK = 1 << 18


def read_inventory(stream: Stream) -> tuple[bytes, bytes]:
    """The JSON text of the list, and the digests; closes the stream.

    Raises:
        ProtocolError: it is too large to be true, or not compressed text.
    """
    received = bytearray()
    text_at = unpacked = text_size = 0
    unpacker = zlib.decompressobj()
    try:
        while not isinstance((frame := stream.receive()).message, m.End):
            # Without a payload it would count for nothing, and could come for ever.
            if not isinstance(frame.message, m.Data) or not frame.payload:
                raise ProtocolError(f"a {type(frame.message).__name__} came instead of the list of files")
            received += frame.payload
            if not text_at and len(received) >= COUNT.size:
                text_at = unpacked = COUNT.size + DIGEST_SIZE * COUNT.unpack_from(received)[0]
            if max(len(received), text_at) > LARGEST:
                raise ProtocolError("the host's list of files is too large to be true")
            if not text_at or len(received) <= unpacked:
                continue
            data = bytes(received[unpacked:])
            unpacked = len(received)
            while data:
                text_size += len(unpacker.decompress(data, _BLOCK))
                data = unpacker.unconsumed_tail
                if (
                    text_size > min(LARGEST_TEXT, _ALWAYS_FINE + _LARGEST_RATIO * len(received))
                    or unpacker.unused_data
                ):
                    raise ProtocolError("the host's list of files is too large to be true")
        text_size += len(unpacker.flush())
        text = zlib.decompress(received[text_at:], bufsize=text_size + 1)
        return text, bytes(received[COUNT.size : text_at])
    except zlib.error as error:
        raise ProtocolError(f"the host's list of files is broken: {error}") from None
    finally:
        stream.close()
