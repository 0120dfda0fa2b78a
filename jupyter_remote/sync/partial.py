"""A file on its way here: gathered in a private folder, so that a cut costs no byte twice.

Where it goes when it is whole is `target.py`'s business. Two pulls at the same time never write one partial
file: it is locked, and who comes second gets one for itself (on Windows everybody does, and a pull that was
cut begins the file anew).
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from hashlib import blake2b
from typing import Any

from ..agent.artifacts import Found
from ..agent.entry import encode_path, new_digest

BLOCK = 1 << 20
# Below this, beginning anew costs less than looking for the beginning.
WORTH_KEEPING = 1 << 20
_FORGOTTEN_AFTER_S = 7 * 24 * 3600


class Partial:
    """The content of one file as far as it has come.

    Args:
        folder: the private folder; must be there.
        source: where the file comes from.
        found: the file as it was listed: another size or time is another content.
    """

    def __init__(self, folder: str, source: str, found: Found) -> None:
        self.offset = 0
        self._keep = False
        self._digest = new_digest()
        self._descriptor = -1
        key = blake2b(f"{source}\0{found.size}\0{found.mtime_ns}\0".encode("utf-8", "surrogateescape"))
        key.update(encode_path(found.path))
        self.path = os.path.join(folder, key.hexdigest()[:40] + ".part")
        if found.size >= WORTH_KEEPING:
            self._keep = self._claim()
        if not self._keep:
            self.path += f".{os.getpid()}.{time.monotonic_ns()}"
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
            self._descriptor = os.open(self.path, flags, 0o600)
        self.offset = min(os.fstat(self._descriptor).st_size, found.size)

    def rewind(self) -> None:
        """Throws away what came; the file begins anew."""
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        self._digest, self.offset = new_digest(), 0

    def resume(self, offset: int) -> None:
        """Reads what is there up to the offset, and goes on behind it."""
        if offset == 0:
            self.rewind()
            return
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        at = 0
        while at < offset and (block := os.read(self._descriptor, min(BLOCK, offset - at))):
            self._digest.update(block)
            at += len(block)
        self.offset = at

    def write(self, block: bytes) -> None:
        """Adds bytes.

        Args:
            block: what follows on what is there.

        Raises:
            OSError: the disk is full.
        """
        self._digest.update(block)
        view = memoryview(block)
        while view:
            view = view[os.write(self._descriptor, view) :]
        self.offset += len(block)

    def digest(self) -> str:
        """The digest of everything up to here."""
        return str(self._digest.hexdigest())

    def close(self, *, keep: bool) -> None:
        """Ends the writing; without ``keep`` (or when it isn't worth it) the file goes."""
        if self._descriptor < 0:
            return
        # Removed while the lock is held, so that nobody finds it and takes it for a good beginning.
        if not (keep and self._keep and self.offset):
            with contextlib.suppress(OSError):
                os.unlink(self.path)
        self.release()

    def release(self) -> None:
        """The file has been moved to its place: nothing of it is here any more."""
        os.close(self._descriptor)
        self._descriptor = -1

    def _claim(self) -> bool:
        """Whether the file that a pull which was cut has left (or a new one) is ours now."""
        if sys.platform == "win32":
            return False
        import fcntl

        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
        self._descriptor = os.open(self.path, flags, 0o600)
        with contextlib.suppress(OSError):
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # It may have been put in its place between our open and our lock.
            there: Any = os.stat(self.path)
            if os.path.samestat(there, os.fstat(self._descriptor)):
                return True
        os.close(self._descriptor)
        self._descriptor = -1
        return False

    @staticmethod
    def sweep(folder: str) -> None:
        """Removes what nobody came back for in a week, and the folder when nothing is in it."""
        with contextlib.suppress(OSError):
            for name in os.listdir(folder):
                path = os.path.join(folder, name)
                if time.time() - os.lstat(path).st_mtime > _FORGOTTEN_AFTER_S:
                    os.unlink(path)
            os.rmdir(folder)
