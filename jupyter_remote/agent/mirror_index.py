"""What a mirror remembers of each file that was put into it, and whether that file is still the same.

Where it is kept is index_log.py's business. Deciding and moving files belongs to commit.py.
"""

from __future__ import annotations

import errno
import os
import stat

from .entry import DIR, FILE, Entry, encode_path
from .namedtuples import NamedTuple

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it

SAME, CHANGED, MISSING = "same", "changed", "missing"


class Record(NamedTuple):
    """One path of the mirror, as it was right after we put it there.

    Args:
        entry: what was put.
        owner: id of the local workspace that put it.
        mtime_ns, inode, mode: of the file on the host, whose file system may round or ignore them.
    """

    entry: Entry
    owner: str
    mtime_ns: int
    inode: int
    mode: int


if TYPE_CHECKING:
    Records = dict[str, Record]
    Journal = dict[str, Record | None]


def record_of(entry: Entry, owner: str, status: os.stat_result) -> Record:
    """The record of something that has just been put in place.

    Args:
        owner: whose sync has put it there.
    """
    mtime_ns = status.st_mtime_ns if entry.kind == FILE else 0
    inode = status.st_ino if entry.kind == FILE else 0
    return Record(entry, owner, mtime_ns, inode, stat.S_IMODE(status.st_mode))


def look(path: bytes) -> os.stat_result | None:
    """``os.lstat``, or None where nothing is."""
    try:
        return os.lstat(path)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG):
            return None
        raise


class RealFolders:
    """Tells which paths are reached through real folders only, so that nothing is done through a link.

    Remembers its answers: make one for each pass over a tree.
    """

    def __init__(self, root: bytes) -> None:
        self._root = root
        self._known: dict[str, bool] = {"": True}

    def lead_to(self, path: str) -> bool:
        """Whether the folder of a path is a real one, and so are those above it."""
        parent = path.rpartition("/")[0]
        known = self._known.get(parent)
        if known is None:
            status = look(os.path.join(self._root, encode_path(parent))) if self.lead_to(parent) else None
            known = self._known[parent] = status is not None and stat.S_ISDIR(status.st_mode)
        return known


def is_as_recorded(record: Record, path: bytes, status: os.stat_result) -> bool:
    """Whether a path is still what we put there, as far as a stat (and a readlink) can tell."""
    entry = record.entry
    if entry.kind == FILE:
        return (
            status.st_mode == stat.S_IFREG | record.mode
            and status.st_size == entry.size
            and status.st_mtime_ns == record.mtime_ns
            and status.st_ino == record.inode
        )
    if entry.kind == DIR:
        return stat.S_ISDIR(status.st_mode) and stat.S_IMODE(status.st_mode) == record.mode
    return stat.S_ISLNK(status.st_mode) and os.readlink(path) == encode_path(entry.target)


def states_of(records: Records, root: bytes) -> dict[str, str]:
    """``same``, ``changed`` or ``missing`` for every path of the index."""
    states = {}
    folders = RealFolders(root)
    start = os.path.join(root, b"")
    parent: str | None = None
    is_real = False
    for path, record in records.items():
        try:
            # Siblings mostly follow each other.
            if path.rpartition("/")[0] != parent:
                is_real, parent = folders.lead_to(path), path.rpartition("/")[0]
            place = start + encode_path(path)
            status = look(place) if is_real else None
            if status is None:
                states[path] = MISSING
            else:
                states[path] = SAME if is_as_recorded(record, place, status) else CHANGED
        except OSError:
            states[path] = CHANGED
    return states
