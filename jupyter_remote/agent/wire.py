"""Frames on a byte stream: bytes in, messages out, and the other way round.

Nothing here touches a socket, a thread or a clock; the same class serves the client, the agent, the
supervisor and the worker. Layout of a frame (network byte order)::

    kind (1 byte) | stream id (4) | header length (4) | payload length (4) | header: JSON | payload: raw

The header holds the fields of the message, the payload is raw bytes. Both lengths are capped: a frame
over a cap is a :class:`WireError`, never an allocation.
"""

from __future__ import annotations

import json
import struct

from .messages import KINDS, Message, MessageError

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Iterator

# Unprintable on purpose: a login banner or a chatty .bashrc can't contain it by accident.
MAGIC = b"\x00\xf5jupyter-remote\xf5\x00\n"
PREFIX = struct.Struct("!BIII")
MAX_HEADER = 1 << 20
MAX_PAYLOAD = 1 << 20
MAX_BANNER = 1 << 18


class WireError(Exception):
    """The peer sent something that is not a frame of this protocol."""


class Frame:
    """One message as it came: the stream it belongs to, its fields, its raw bytes, its size on the wire."""

    __slots__ = ("message", "payload", "size", "stream")

    def __init__(self, stream: int, message: Message, payload: bytes, size: int = 0) -> None:
        self.stream = stream
        self.message = message
        self.payload = payload
        self.size = size


def encode(stream: int, message: Message, payload: bytes = b"") -> bytes:
    """The bytes of one frame.

    Raises:
        WireError: the header or the payload is over its cap (a fault of the caller).
    """
    header = json.dumps(message.__dict__, separators=(",", ":")).encode("ascii") if message.__dict__ else b""
    if len(header) > MAX_HEADER or len(payload) > MAX_PAYLOAD:
        raise WireError(
            f"{type(message).__name__} is too large: header {len(header)}, payload {len(payload)} bytes"
        )
    return PREFIX.pack(message.kind, stream, len(header), len(payload)) + header + payload


class Decoder:
    """Turns received bytes into frames, however they were cut.

    Args:
        magic: when True, everything before :data:`MAGIC` is skipped and kept in :attr:`banner`.
    """

    def __init__(self, magic: bool = False) -> None:
        self._buffer = bytearray()
        self._waiting_for_magic = magic
        self.banner = b""

    @property
    def started(self) -> bool:
        """Whether the magic bytes have been seen (True at once when none are awaited)."""
        return not self._waiting_for_magic

    def receive(self, data: bytes) -> Iterator[Frame]:
        """Takes bytes and yields every frame that is complete.

        Raises:
            WireError: a length over its cap, an unknown kind, a header that doesn't fit its message,
                or more than 256 KiB of noise before the magic bytes.
        """
        self._buffer += data
        if self._waiting_for_magic and not self._skip_banner():
            return
        while True:
            frame = self._take()
            if frame is None:
                return
            yield frame

    def _skip_banner(self) -> bool:
        at = self._buffer.find(MAGIC)
        if at < 0:
            if len(self._buffer) > MAX_BANNER:
                raise WireError("no agent answered, only other output")
            self.banner = bytes(self._buffer)
            return False
        self.banner = bytes(self._buffer[:at])
        del self._buffer[: at + len(MAGIC)]
        self._waiting_for_magic = False
        return True

    def _take(self) -> Frame | None:
        if len(self._buffer) < PREFIX.size:
            return None
        kind, stream, header_size, payload_size = PREFIX.unpack_from(self._buffer)
        if header_size > MAX_HEADER or payload_size > MAX_PAYLOAD:
            raise WireError(f"a frame of {header_size} + {payload_size} bytes is over the cap")
        if kind not in KINDS:
            raise WireError(f"unknown kind of frame: {kind}")
        end = PREFIX.size + header_size + payload_size
        if len(self._buffer) < end:
            return None
        with memoryview(self._buffer) as view:
            header = bytes(view[PREFIX.size : PREFIX.size + header_size])
            payload = bytes(view[PREFIX.size + header_size : end])
        del self._buffer[:end]
        return Frame(stream, self._message(kind, header), payload, end)

    @staticmethod
    def _message(kind: int, header: bytes) -> Message:
        cls = KINDS[kind]
        try:
            fields = json.loads(header) if header else {}
            if not isinstance(fields, dict):
                raise MessageError("its header is not an object")
            return cls(**fields)
        except (ValueError, TypeError, RecursionError, MessageError) as error:
            raise WireError(f"a broken {cls.__name__}: {error}") from None
