"""Content that this host has already, by its digest; and what a sync that was cut leaves for the next one.

A digest is a claim until the content has been read: whoever uses it compares. What is done with content is
said in staging.py.
"""

from __future__ import annotations

import os
import shutil
import stat
import time
from contextlib import suppress

from .entry import FILE, encode_path, new_digest
from .mirror_index import RealFolders, is_as_recorded, look

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import BinaryIO, Iterator

    from .cast_off import CastOff
    from .mirror_index import Records

_KEPT_S = 24 * 3600
_DIGITS = frozenset(b"0123456789abcdef")


def tag_of(owner: str) -> bytes:
    """A name of a folder for each owner, whatever the owner is called."""
    digest = new_digest()
    digest.update(owner.encode("utf-8", "surrogatepass"))
    return bytes(digest.hexdigest()[:16].encode("ascii"))


class Received:
    """Content that came with a sync that was cut: ``received/TAG/DIGEST``, whole or the start of it.

    Args:
        state: the mirror's ``.jupyter-remote``.
    """

    def __init__(self, state: bytes) -> None:
        self._folder = os.path.join(state, b"received")

    def sizes(self) -> dict[str, int]:
        """How many bytes there are, by digest."""
        return {digest: status.st_size for _, digest, status in self._files()}

    def take(self, digest: str, place: bytes) -> bool:
        """Moves the content to a place, to be written on; False when there is none."""
        for tag in _names(self._folder):
            path = os.path.join(self._folder, tag, digest.encode("ascii"))
            with suppress(FileNotFoundError):
                os.chmod(path, 0o600)
                os.rename(path, place)
                return True
        return False

    def keep(self, staging: bytes, tag: bytes) -> None:
        """Takes over the files of a staging folder, which are named DIGEST.NUMBER.

        Args:
            tag: of the owner.
        """
        folder = os.path.join(self._folder, tag)
        for name in _names(staging):
            digest = name.partition(b".")[0]
            if len(digest) != 40 or not _DIGITS.issuperset(digest):
                continue
            source, target = os.path.join(staging, name), os.path.join(folder, digest)
            status, known = os.lstat(source), look(target)
            if stat.S_ISREG(status.st_mode) and status.st_size > (known.st_size if known else 0):
                os.makedirs(folder, 0o700, exist_ok=True)
                os.replace(source, target)

    def clear(self, tag: bytes | None = None) -> None:
        """Forgets what an owner's cut syncs brought (everybody's when None), and what is a day old.

        Args:
            tag: of the owner; None for everybody's.
        """
        if tag is None:
            shutil.rmtree(self._folder, ignore_errors=True)
            return
        shutil.rmtree(os.path.join(self._folder, tag), ignore_errors=True)
        for path, _, status in list(self._files()):
            if time.time() - status.st_ctime > _KEPT_S:
                with suppress(FileNotFoundError):
                    os.unlink(path)
        for name in _names(self._folder):
            with suppress(OSError):
                os.rmdir(os.path.join(self._folder, name))
        with suppress(OSError):
            os.rmdir(self._folder)

    def _files(self) -> Iterator[tuple[bytes, str, os.stat_result]]:
        for tag in _names(self._folder):
            folder = os.path.join(self._folder, tag)
            for name in _names(folder):
                path = os.path.join(folder, name)
                status = look(path)
                if status is not None:
                    yield path, name.decode("ascii", "replace"), status


class Contents:
    """Where content can be read on this host.

    Args:
        root: the mirror.
        records: its index.
        cast_off: what it held until lately.
    """

    def __init__(self, root: bytes, records: Records, cast_off: CastOff) -> None:
        self._root = root
        self._records = records
        self._staged: dict[str, bytes] = {}
        self._paths: dict[str, list[str]] = {}
        self._cast_off = cast_off
        self._real = RealFolders(root)

    def add(self, digest: str, place: bytes) -> None:
        """Content that has been staged, and compared."""
        self._staged.setdefault(digest, place)

    def open(self, digest: str) -> BinaryIO | None:
        """Opens a file that should hold it, unbuffered; None when there is none."""
        staged = self._staged.get(digest)
        if staged is not None:
            return _open(staged)
        if not self._paths:
            for path, record in self._records.items():
                if record.entry.kind == FILE:
                    self._paths.setdefault(record.entry.digest, []).append(path)
        for path in self._paths.get(digest, ()):
            place = os.path.join(self._root, encode_path(path))
            with suppress(OSError):
                status = look(place) if self._real.lead_to(path) else None
                if status is not None and is_as_recorded(self._records[path], place, status):
                    return _open(place)
        with suppress(OSError):
            return _open(self._cast_off.place(digest))
        return None


def _open(place: bytes) -> BinaryIO:
    return open(os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb", buffering=0)


def _names(folder: bytes) -> list[bytes]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
