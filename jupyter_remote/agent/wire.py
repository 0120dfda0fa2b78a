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
_SMALL_PART = 1 << 12
_ENCODER = json.JSONEncoder(separators=(",", ":"))


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
    header = _ENCODER.encode(message.__dict__).encode("ascii") if message.__dict__ else b""
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
        self._waiting_for_magic = magic
        self.banner = b""
        # What there is of a frame that has not come whole: its beginning, then the parts of its payload.
        self._head = bytearray()
        self._opened: tuple[int, int, bytes, int] | None = None
        self._parts: list[bytes | memoryview] = []
        self._missing = 0

    @property
    def started(self) -> bool:
        """Whether the magic bytes have been seen (True at once when none are awaited)."""
        return not self._waiting_for_magic

    def receive(self, data: bytes) -> Iterator[Frame]:
        """Takes bytes and yields every frame that is complete; to be exhausted before the next call.

        Raises:
            WireError: a length over its cap, an unknown kind, a header that doesn't fit its message,
                or more than 256 KiB of noise before the magic bytes.
        """
        if self._waiting_for_magic:
            self._head += data
            if not self._skip_banner():
                return
            data = bytes(self._head)
            self._head.clear()
        at = 0
        while True:
            if self._opened is None:
                at = self._open(data, at)
            if self._opened is None:
                return
            if self._missing and at < len(data):
                at += self._add(memoryview(data)[at : at + self._missing])
            if self._missing:
                return
            yield self._close(self._opened)

    def _skip_banner(self) -> bool:
        at = self._head.find(MAGIC)
        if at < 0:
            if len(self._head) > MAX_BANNER:
                raise WireError("no agent answered, only other output")
            self.banner = bytes(self._head)
            return False
        self.banner = bytes(self._head[:at])
        del self._head[: at + len(MAGIC)]
        self._waiting_for_magic = False
        return True

    def _open(self, data: bytes, at: int) -> int:
        """Reads prefix and header from `at`, as far as they have come; returns where it stopped."""
        if not self._head and len(data) - at >= PREFIX.size:
            end: int = at + PREFIX.size + PREFIX.unpack_from(data, at)[2]
            if len(data) >= end:
                self._opened_by(data[at:end])
                return end
        wanted = PREFIX.size
        if len(self._head) < wanted:
            taken = data[at : at + wanted - len(self._head)]
            self._head += taken
            at += len(taken)
            if len(self._head) < wanted:
                return at
        wanted += self._lengths(self._head)[0]
        taken = data[at : at + wanted - len(self._head)]
        self._head += taken
        if len(self._head) == wanted:
            self._opened_by(bytes(self._head))
            self._head.clear()
        return at + len(taken)

    @staticmethod
    def _lengths(head: bytes | bytearray) -> tuple[int, int]:
        kind: int
        header_size: int
        payload_size: int
        kind, _, header_size, payload_size = PREFIX.unpack_from(head)
        if header_size > MAX_HEADER or payload_size > MAX_PAYLOAD:
            raise WireError(f"a frame of {header_size} + {payload_size} bytes is over the cap")
        if kind not in KINDS:
            raise WireError(f"unknown kind of frame: {kind}")
        return header_size, payload_size

    def _opened_by(self, head: bytes) -> None:
        kind, stream, _, _ = PREFIX.unpack_from(head)
        size = self._lengths(head)[1]
        self._opened = kind, stream, head[PREFIX.size :], size
        self._missing = size

    def _add(self, piece: memoryview) -> int:
        # Many tiny pieces would take many times the room of what they hold.
        if self._parts and len(self._parts[-1]) < _SMALL_PART:
            self._parts[-1] = b"".join((self._parts[-1], piece))
        else:
            self._parts.append(piece)
        self._missing -= len(piece)
        return len(piece)

    def _close(self, opened: tuple[int, int, bytes, int]) -> Frame:
        kind, stream, header, size = opened
        payload = b"".join(self._parts)
        self._opened, self._parts = None, []
        return Frame(stream, self._message(kind, header), payload, PREFIX.size + len(header) + size)

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
