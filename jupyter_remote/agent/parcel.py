"""Variables as one stream of bytes: a header of JSON, numbered buffers, and a digest over both.

Layout: magic, length of the header (8 bytes, network order), the header, the buffers one behind the other; on
the link 32 bytes of SHA-256 behind them, which its two ends make and check. The header has the sizes of the
``buffers``; what else is in it is ``variables.py``'s business.
Nothing is allocated for what a header claims, only for what has come. No files and no sockets here.
"""

from __future__ import annotations

import json
import struct
from hashlib import sha256

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, Callable, Iterable, Iterator

MAGIC = b"jupyter-remote variables 1\n"
LENGTH = struct.Struct("!Q")
DIGEST_SIZE = 32
PIECE = 1 << 17
# Objects made of JSON take some twenty times the room of their text. What is large is in buffers.
MAX_HEADER = 1 << 26


class Refused(Exception):
    """A value that can't be packed, or not be made here. The message is for the user.

    Args:
        message: what it is, and why not.
        hint: what the user can do instead.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Broken(Exception):
    """Bytes that are not a parcel, or not the one that was packed."""


class Parcel:
    """A header and its buffers, ready to be written.

    Args:
        header: JSON values; the sizes of the buffers are added.
        buffers: bytes or views of bytes; none of them is copied.
    """

    def __init__(self, header: dict[str, Any], buffers: list[Any]) -> None:
        # As bytes, because a view counts in items; an empty one can't be cast by old Pythons.
        self._buffers = [memoryview(b if len(b) else b"").cast("B") for b in buffers]
        header = dict(header, buffers=[view.nbytes for view in self._buffers])
        text = json.dumps(header, separators=(",", ":")).encode("ascii")
        if len(text) > MAX_HEADER:
            raise Refused(
                f"there are too many separate objects: {len(text)} bytes of them",
                "Put them into arrays or tables, or into a file of the workspace.",
            )
        self._start = MAGIC + LENGTH.pack(len(text)) + text
        self.size = len(self._start) + sum(view.nbytes for view in self._buffers) + DIGEST_SIZE

    def pieces(self) -> Iterator[Any]:
        """The bytes in order, without the digest, at most 128 KiB at a time."""
        for view in (memoryview(self._start), *self._buffers):
            for at in range(0, view.nbytes, PIECE):
                yield view[at : at + PIECE]


def sealed(pieces: Iterable[Any]) -> Iterator[Any]:
    """The same pieces, and their digest behind them."""
    digest = sha256()
    for piece in pieces:
        digest.update(piece)
        yield piece
    yield digest.digest()


def unsealed(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """What was sealed, without the digest.

    Raises:
        Broken: the digest is wrong; what came before is to be thrown away.
    """
    digest = sha256()
    last = b""
    while True:
        piece = read(PIECE)
        if not piece:
            break
        last += piece
        piece, last = last[:-DIGEST_SIZE], last[-DIGEST_SIZE:]
        digest.update(piece)
        yield piece
    if last != digest.digest():
        raise Broken("its digest is wrong")


def read_parcel(read: Callable[[int], bytes], seal: bool = True) -> tuple[dict[str, Any], list[bytearray]]:
    """The header and the buffers of a parcel, once its digest is found right.

    Args:
        read: returns up to so many bytes; none at the end.
        seal: whether there is a digest.

    Raises:
        Broken: it is no parcel, it was cut, or its bytes were changed.
    """
    digest = sha256() if seal else None
    take = _Taker(read, digest)
    if take(len(MAGIC)) != MAGIC:
        raise Broken("it does not begin as a parcel does")
    (size,) = LENGTH.unpack(take(LENGTH.size))
    if size > MAX_HEADER:
        raise Broken(f"a header of {size} bytes is over the cap")
    try:
        header = json.loads(take(size))
    except (ValueError, RecursionError) as error:
        raise Broken(f"its header can't be read: {type(error).__name__}") from None
    sizes = header.get("buffers") if isinstance(header, dict) else None
    if not isinstance(sizes, list) or any(type(n) is not int or n < 0 for n in sizes):
        raise Broken("its header has no sizes")
    buffers = [take(n) for n in sizes]
    if digest is not None:
        wanted = digest.digest()
        if take(DIGEST_SIZE) != wanted:
            raise Broken("its digest is wrong")
    if read(1):
        raise Broken("there is more behind its end")
    return header, buffers


class _Taker:
    """Takes exactly as many bytes as are asked for, and counts them into the digest."""

    def __init__(self, read: Callable[[int], bytes], digest: Any) -> None:
        self._read = read
        self._digest = digest

    def __call__(self, size: int) -> bytearray:
        taken = bytearray()
        while len(taken) < size:
            piece = self._read(min(size - len(taken), PIECE))
            if not piece:
                raise Broken("it was cut")
            if self._digest is not None:
                self._digest.update(piece)
            taken += piece
        return taken


def read_pieces(pieces: Iterable[bytes]) -> Callable[[int], bytes]:
    """A ``read(n)`` over pieces that come as they like."""
    source = iter(pieces)
    rest = memoryview(b"")

    def read(size: int) -> bytes:
        nonlocal rest
        while not rest:
            piece = next(source, None)
            if piece is None:
                return b""
            rest = memoryview(piece)
        taken, rest = rest[:size], rest[size:]
        return taken  # type: ignore[return-value]

    return read
