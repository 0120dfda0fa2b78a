"""How a file is made from what the host has already: steps that copy, and steps that bring new bytes.

Both ends use this. A recipe's steps are part of a change set (pack.py writes and reads them); following them
is staging.py's business, finding a short recipe is the client's. No digest in here has to be trusted: the
content that comes out is compared with the digest of the whole file.
"""

from __future__ import annotations

import hashlib
import struct

from .namedtuples import NamedTuple

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Callable, Iterable, Iterator

ANCHOR = 16
ROW = ANCHOR + 16
STEP = struct.Struct(">qQ")
# Offsets that are none: new bytes follow; what an earlier try that was cut brought of this very file.
LITERAL, RECEIVED = -1, -2

_SMALLEST_BLOCK = 8 * 1024
_LARGEST_BLOCK = 1024 * 1024
_ENOUGH_BLOCKS = 16 * 1024


class Copy(NamedTuple):
    """A step that brings no bytes.

    Args:
        offset: where in the base it begins, in bytes; RECEIVED (as the first step only) for the start of
            this very file, received by a sync that was cut.
        length: bytes.
    """

    offset: int
    length: int


class Recipe(NamedTuple):
    """How one file is sent.

    Args:
        base: digest of the content that is copied from; "" when none is.
        steps: called with a ``read(n)`` of the file from its start; yields the steps, bytes of at most
            256 kB for what is new.
    """

    base: str
    steps: Callable[[Callable[[int], bytes]], Iterable[Copy | bytes]]


def block_size(size: int) -> int:
    """Bytes of the blocks that a file of this size is compared by: few rows for large files."""
    block = _SMALLEST_BLOCK
    while block < _LARGEST_BLOCK and block * _ENOUGH_BLOCKS < size:
        block *= 2
    return block


def block_digest(block: bytes) -> bytes:
    """16 bytes that tell a block from others."""
    return hashlib.blake2b(block, digest_size=ROW - ANCHOR).digest()


def rows(read: Callable[[int], bytes], size: int) -> Iterator[bytes]:
    """What is told of every whole block of a file: its first bytes, to be searched for, and its digest.

    Args:
        read: of the file, from its start.
        size: bytes it should have; where it has fewer, the rest of the rows match nothing.
    """
    length = block_size(size)
    for _ in range(size // length):
        block = exactly(read, length)
        yield block[:ANCHOR] + block_digest(block) if len(block) == length else bytes(ROW)


def exactly(read: Callable[[int], bytes], size: int) -> bytes:
    """As many bytes as asked for; fewer only at the end."""
    block = read(size)
    if len(block) == size or not block:
        return block
    pieces = [block]
    left = size - len(block)
    while left and (block := read(left)):
        pieces.append(block)
        left -= len(block)
    return b"".join(pieces)
