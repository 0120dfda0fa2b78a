"""Making the files of a change set ready, beside the mirror, each compared with its digest.

Putting them in place is commit.py's business; where content comes from that is here already, contents.py's.
"""

from __future__ import annotations

import os
import stat

from .commit import Staged
from .entry import LINK, BadContent, BadPath, TreeError, encode_path, new_digest
from .pack import PUT, unpack
from .recipe import RECEIVED, Copy

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import BinaryIO, Callable, Iterable, Iterator

    from .contents import Contents, Received
    from .entry import Entry
    from .pack import Change

_BLOCK = 256 * 1024
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)


class MissingContent(TreeError):
    """Content that the client believed to be here is not; ``digests`` are those it must not count on."""

    def __init__(self, digests: list[str]) -> None:
        super().__init__(f"{len(digests)} contents are not on the host any more")
        self.digests = digests


class _NotHere(Exception):
    pass


def stage(
    folder: bytes, read: Callable[[int], bytes], contents: Contents, received: Received
) -> list[Staged]:
    """Reads a change set to its end.

    Args:
        folder: where files are made, as DIGEST.NUMBER.
        read: the packed stream.
        contents: what can be copied from.
        received: what an earlier try brought.

    Raises:
        PackError, BadPath, BadContent: the stream can't be used.
        MissingContent: what should be copied is not here; everything else has been staged.
        OSError: with the path of the workspace that it is about.
    """
    changes: list[Staged] = []
    seen: set[str] = set()
    missing: set[str] = set()
    for number, (change, body) in enumerate(unpack(read)):
        if change.path in seen:
            raise BadPath(f"{change.path!r} comes twice in one change set")
        seen.add(change.path)
        source = known = None
        entry = change.entry
        if change.op == PUT and entry is not None and entry.kind != "dir":
            source = b"%s/%s.%d" % (folder, entry.digest.encode("ascii"), number)
            try:
                if entry.kind == LINK:
                    os.symlink(encode_path(entry.target), source)
                elif change.base is None:
                    known = _stage_whole(source, change, entry, body)
                    contents.add(entry.digest, source)
                else:
                    _stage_recipe(source, change, entry, body, contents, received)
                    contents.add(entry.digest, source)
            except _NotHere:
                missing.update(filter(None, (change.base, entry.digest)))
            except OSError as error:
                raise OSError(error.errno, error.strerror, change.path) from error
        changes.append(Staged(change.op, change.path, entry, source, known))
    if missing:
        raise MissingContent(sorted(missing))
    return changes


def _stage_whole(
    source: bytes, change: Change, entry: Entry, body: Iterator[bytes | Copy]
) -> tuple[int, int, int]:
    """A file whose content comes as it is: with as few system calls as there can be, as there are many."""
    digest = new_digest()
    descriptor = os.open(source, _NEW, entry.mode)
    try:
        for block in body:
            digest.update(block)
            _write(descriptor, block)
        seen = _finish(descriptor, change, entry)
    finally:
        os.close(descriptor)
    if digest.hexdigest() != entry.digest:
        raise BadContent(f"the content of {change.path!r} is not what its digest says")
    return seen


def _write(descriptor: int, block: bytes | Copy) -> None:
    assert isinstance(block, bytes)
    written = os.write(descriptor, block)
    if written < len(block):
        view = memoryview(block)[written:]
        while view:
            view = view[os.write(descriptor, view) :]


def _finish(descriptor: int, change: Change, entry: Entry) -> tuple[int, int, int]:
    """Gives a file its mode and its time, and tells what it is then."""
    if change.mtime_ns is not None:
        os.utime(descriptor, ns=(change.mtime_ns, change.mtime_ns))
    status = os.fstat(descriptor)
    # The umask may have taken some.
    if stat.S_IMODE(status.st_mode) != entry.mode:
        os.fchmod(descriptor, entry.mode)
        status = os.fstat(descriptor)
    return status.st_mtime_ns, status.st_ino, stat.S_IMODE(status.st_mode)


def _stage_recipe(
    source: bytes,
    change: Change,
    entry: Entry,
    body: Iterator[bytes | Copy],
    contents: Contents,
    received: Received,
) -> None:
    digest = new_digest()
    base = contents.open(change.base) if change.base else None
    try:
        if change.base and base is None:
            raise _NotHere
        first = next(body, b"")
        is_resumed = isinstance(first, Copy) and first.offset == RECEIVED
        if is_resumed and not received.take(entry.digest, source):
            raise _NotHere
        with open(source, "r+b" if is_resumed else "wb", buffering=0) as file:
            if isinstance(first, Copy) and is_resumed:
                for block in _copied(file, Copy(0, first.length)):
                    digest.update(block)
                file.truncate()
                first = b""
            for block in _blocks(first, body, base):
                digest.update(block)
                _write(file.fileno(), block)
            _finish(file.fileno(), change, entry)
        if digest.hexdigest() != entry.digest:
            raise _NotHere
    except _NotHere:
        # Whatever it holds, it must not be taken for the start of the right content.
        if os.path.lexists(source):
            os.unlink(source)
        raise
    finally:
        if base is not None:
            base.close()


def _blocks(first: bytes | Copy, rest: Iterator[bytes | Copy], base: BinaryIO | None) -> Iterator[bytes]:
    piece: bytes | Copy | None = first
    while piece is not None:
        if isinstance(piece, bytes):
            yield piece
        elif base is None or piece.offset < 0:
            raise _NotHere
        else:
            yield from _copied(base, piece)
        piece = next(rest, None)


def _copied(file: BinaryIO, what: Copy) -> Iterable[bytes]:
    file.seek(what.offset)
    left = what.length
    while left:
        block = file.read(min(_BLOCK, left))
        if not block:
            raise _NotHere
        left -= len(block)
        yield block
