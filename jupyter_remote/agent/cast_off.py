"""Content that a sync has replaced or deleted, kept by digest for a while: ``old/DIGEST``.

Who goes back to an earlier version, or puts back what was deleted, need not send it again. Nothing is copied:
a file that goes gets a second name before it loses its own. A digest is a claim here too, because a process
may still write to the file: whoever uses it compares. When to cast off is commit.py's business, where else
content may be found contents.py's.
"""

from __future__ import annotations

import os
import stat
import time
from contextlib import suppress

from .entry import FILE

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from .entry import Entry

# A smaller file is sent again in no time.
SMALLEST = 64 * 1024
_MOST_BYTES = 1 << 30
_SHARE_OF_FREE = 10
_MOST_FILES = 1000
_KEPT_S = 7 * 24 * 3600


class CastOff:
    """The old content of a mirror.

    Args:
        state: the mirror's ``.jupyter-remote``.
    """

    def __init__(self, state: bytes) -> None:
        self._folder = os.path.join(state, b"old")

    def place(self, digest: str) -> bytes:
        """Where content would be."""
        return os.path.join(self._folder, digest.encode("ascii"))

    def digests(self) -> list[str]:
        """What there is."""
        return [name.decode("ascii", "replace") for _, _, name in self._files()]

    def keep(self, place: bytes, entry: Entry, status: os.stat_result) -> bool:
        """Gives the file a second name when it is worth it; it loses its own right afterwards.

        Args:
            place: where it is.
            entry: what it should hold.
            status: what a stat says now. A file with other names is somebody's, who may go on writing to it.
        """
        if (
            entry.kind != FILE
            or entry.size < SMALLEST
            or status.st_nlink != 1
            or not stat.S_ISREG(status.st_mode)
        ):
            return False
        # A file system without hard links, or another one that is mounted there: then it is sent again.
        with suppress(OSError):
            if not os.path.isdir(self._folder):
                os.mkdir(self._folder, 0o700)
            target = self.place(entry.digest)
            with suppress(FileNotFoundError):
                os.unlink(target)
            os.link(place, target, follow_symlinks=False)
            return True
        return False

    def trim(self) -> None:
        """Gives up what is old, and the oldest of what is too much: 1 GB, or a tenth of the free space."""
        files = sorted(self._files())
        if not files:
            return
        try:
            disk = os.statvfs(self._folder)
            free = disk.f_bavail * disk.f_frsize
        except OSError:
            free = 0
        size = sum(size for _, size, _ in files)
        most = min(_MOST_BYTES, (free + size) // _SHARE_OF_FREE)
        count = len(files)
        for cast_off_at, length, name in files:
            if size <= most and count <= _MOST_FILES and time.time() - cast_off_at < _KEPT_S:
                break
            with suppress(OSError):
                os.unlink(os.path.join(self._folder, name))
            size -= length
            count -= 1
        with suppress(OSError):
            os.rmdir(self._folder)

    def clear(self) -> bool:
        """Gives up everything; True when there was something."""
        files = self._files()
        for _, _, name in files:
            with suppress(OSError):
                os.unlink(os.path.join(self._folder, name))
        with suppress(OSError):
            os.rmdir(self._folder)
        return bool(files)

    def _files(self) -> list[tuple[float, int, bytes]]:
        """When it was cast off, its size, its name. Linking changes ctime, and nobody can set it."""
        found = []
        with suppress(OSError):
            for name in os.listdir(self._folder):
                status = os.lstat(os.path.join(self._folder, name))
                found.append((status.st_ctime, status.st_size, name))
        return found
