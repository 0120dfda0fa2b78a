"""What one path of the workspace holds: its entry, read once, or the reason why it can't be synced.

Nothing is remembered here and no list is made: that is `scan.py`.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from typing import NamedTuple

from ..agent.entry import DIR, FILE, LINK, Entry, new_digest
from .folder import Mark, is_fresh
from .rules import Skipped

_BLOCK = 1 << 20
_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class Vanished(Exception):
    """It was there when the folder was listed."""


class Unsendable(Exception):
    """It belongs to the workspace and can't be sent; the text says which and why."""


class Found(NamedTuple):
    """What a path holds.

    Args:
        mark: to compare a later stat with; None when it has to be looked at again.
        what: the entry, or why there is none.
    """

    mark: Mark | None
    what: Entry | Skipped


def file_mark(status: os.stat_result) -> Mark:
    """What tells one state of a file from another."""
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_mode


def file_entry(st_mode: int, size: int, digest: str) -> Entry:
    """The entry of a file.

    Args:
        st_mode: of its stat.
        size: bytes of its content.
        digest: of its content.
    """
    return Entry(FILE, 0o644 if sys.platform == "win32" else st_mode & 0o777, size, digest)


def folder_entry(mode: int) -> Entry:
    """The entry of a folder.

    Args:
        mode: the file system's.
    """
    return Entry(DIR, 0o755 if sys.platform == "win32" else mode)


def read(root: str, path: str, max_file_size: int) -> Found:
    """Reads a file or a link.

    Args:
        root: absolute path of the workspace.
        path: relative to it.
        max_file_size: bytes; larger files are left out.

    Raises:
        Vanished: it is gone, or has become a folder.
        Unsendable: it can't be read, or it is a link that leads out of the workspace.
    """
    full = os.path.join(root, path)
    now_ns = time.time_ns()
    try:
        status = os.lstat(full)
        mark = None if is_fresh(status, now_ns) else file_mark(status)
        kind = stat.S_IFMT(status.st_mode)
        if kind == stat.S_IFLNK:
            return Found(mark, Entry(LINK, target=os.readlink(full)))
        if kind == stat.S_IFDIR:
            raise Vanished
        if kind != stat.S_IFREG:
            return Found(mark, Skipped(path, f"it is {_KINDS.get(kind, 'not a file')}", "built-in"))
        if status.st_size > max_file_size:
            reason = (
                f"larger than max_file_size ({max_file_size / 1e6:,.0f} MB): {status.st_size / 1e6:,.0f} MB"
            )
            return Found(mark, Skipped(path, reason, "max_file_size"))
        entry, after = _read_file(full, status)
    except (FileNotFoundError, NotADirectoryError):
        raise Vanished from None
    except OSError as error:
        raise Unsendable(f"{path!r} can't be read: {error.strerror}") from error
    # Written to while we read: what we have may be half of each. The next scan reads it again, and a
    # transfer in between notices.
    return Found(mark if file_mark(after) == file_mark(status) else None, entry)


def _read_file(full: str, status: os.stat_result) -> tuple[Entry, os.stat_result]:
    descriptor = os.open(full, _READ)
    try:
        digest, size = new_digest(), 0
        while block := os.read(descriptor, min(_BLOCK, max(status.st_size - size, 0) + 1)):
            digest.update(block)
            size += len(block)
        after = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    return file_entry(status.st_mode, size, digest.hexdigest()), after


def check_link(root: str, path: str, target: str) -> Entry:
    """The entry of a link that stays in the workspace, even where it points to nothing.

    Args:
        root: absolute path of the workspace, links in it resolved.
        path: of the link, relative to the workspace.
        target: as the link has it.

    Raises:
        Unsendable: it leads out, by itself or through another link.
    """
    folder = os.path.dirname(path)
    if os.path.isabs(target):
        # Inside, but by a path that the host doesn't have: the same place, said in relative words.
        inside = os.path.relpath(target, root)
        target = os.path.relpath(inside, folder or ".").replace(os.sep, "/")
    end = os.path.normpath(os.path.join(folder, target))
    resolved = os.path.realpath(os.path.join(root, path))
    if _leaves(end) or _leaves(os.path.relpath(resolved, root)):
        raise Unsendable(f"{path!r} is a link that leads out of the workspace, to {target!r}")
    return Entry(LINK, target=target.replace(os.sep, "/"))


def _leaves(path: str) -> bool:
    return path == os.pardir or path.startswith(os.pardir + os.sep) or os.path.isabs(path)
