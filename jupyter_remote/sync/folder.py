"""Looking at the disk so that a later look can tell whether something changed in between.

A mark is what a later stat is compared with. None means "too fresh to trust": the file system's clock
ticks, and a change within the tick of our look would leave the same times (git calls it racy).
"""

from __future__ import annotations

import os
import stat
import sys
import time
from dataclasses import dataclass

Mark = tuple[int, ...]

# A tick of Linux's coarse clock is 4 to 10 ms; the rest is generosity.
_TICK_NS = 50_000_000
# FAT, HFS+ and old NFS keep whole seconds, FAT only even ones.
_COARSE_TICK_NS = 2_050_000_000


@dataclass(frozen=True)
class Folder:
    """A folder as it was listed.

    Args:
        mark: of the folder itself.
        mode: its permission bits.
        names: what is in it; True for real folders (not for links to some).
    """

    mark: Mark | None
    mode: int
    names: dict[str, bool]


def is_fresh(status: os.stat_result, now_ns: int) -> bool:
    """Whether something may still change without a trace in its times.

    Args:
        status: from a stat.
        now_ns: time, taken before that stat.
    """
    # Nobody can set ctime back; on Windows it is the time of creation and says nothing.
    changed = status.st_mtime_ns if sys.platform == "win32" else status.st_ctime_ns
    return changed > now_ns - (_COARSE_TICK_NS if changed % 1_000_000_000 == 0 else _TICK_NS)


def folder_mark(status: os.stat_result) -> Mark:
    """What tells one state of a folder from another."""
    return status.st_mtime_ns, status.st_ino, status.st_mode


def list_folder(path: str, *, is_root: bool = False) -> Folder:
    """Lists a folder.

    Args:
        path: absolute.
        is_root: the workspace itself may be given by a link.

    Raises:
        NotADirectoryError: it is no folder (a link to one is none either).
        OSError: it can't be read, or it is gone.
    """
    now_ns = time.time_ns()
    status = os.stat(path, follow_symlinks=is_root)
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(path)
    with os.scandir(path) as entries:
        names = {entry.name: entry.is_dir(follow_symlinks=False) for entry in entries}
    mark = None if is_fresh(status, now_ns) else folder_mark(status)
    return Folder(mark, stat.S_IMODE(status.st_mode) & 0o777, names)


def source_mark(path: str) -> Mark | None:
    """The mark of a file that rules come from, () when it isn't there, None when it is too fresh."""
    now_ns = time.time_ns()
    try:
        status = os.stat(path)
    except OSError:
        return ()
    if is_fresh(status, now_ns):
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size, status.st_ctime_ns
