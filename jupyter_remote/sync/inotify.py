"""Linux's inotify as a watcher: every folder is watched, and the events are read when a scan asks.

There is no thread, and no file has to be made to know that all events have come: the kernel puts an event
into the queue before the call that caused it returns, so what is in the queue when a scan begins is all
that was done before it. A queue that has run over is thrown away with all that was watched, and
everything counts as changed.

What inotify doesn't tell is looked at by other means: mounts by their list, the workspace itself by its
inode, writes through memory maps by looking at every file that was opened (`writers.py`). Writes through
another name of a file are the scanner's affair, which knows the files that have one.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import weakref
from collections.abc import Iterable, Iterator

from .mounts import is_local, mounts
from .watch import Changes, WatchFailed
from .writers import open_files

_MODIFY, _ATTRIB, _CLOSE_WRITE, _OPEN = 0x2, 0x4, 0x8, 0x20
_MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x40, 0x80, 0x100, 0x200
_DELETE_SELF, _MOVE_SELF = 0x400, 0x800
_UNMOUNT, _OVERFLOW, _IGNORED = 0x2000, 0x4000, 0x8000
_IS_FOLDER = 0x40000000
_ONLY_FOLDERS, _DONT_FOLLOW = 0x01000000, 0x02000000
_NAMES = _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE
_SELF = _DELETE_SELF | _MOVE_SELF | _UNMOUNT
_WANTED = _MODIFY | _ATTRIB | _CLOSE_WRITE | _OPEN | _NAMES | _SELF | _ONLY_FOLDERS | _DONT_FOLLOW
_FLAGS = os.O_CLOEXEC | os.O_NONBLOCK

_HEADER = struct.Struct("iIII")
_AT_ONCE = 1 << 18
# Above that it is cheaper to ask who has files open than to look at all that were opened.
_MANY_OPENED = 1000


def library() -> ctypes.CDLL:
    """The C library, with inotify in it."""
    return ctypes.CDLL(None, use_errno=True)


def sees_everything(root: str) -> bool:
    """Whether a workspace lies where the kernel sees every change."""
    return is_local(root, mounts())


class Inotify:
    """A :class:`~.watch.Watcher`.

    Args:
        root: absolute path of the workspace, links resolved.

    Raises:
        WatchFailed: there is no inotify left for this user.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._libc = library()
        self._followed: set[str] = set()
        self._paths: set[str] = set()
        self._unknown: set[str] = set()
        self._opened: set[str] = set()
        self._start()

    def follow(self, folders: Iterable[str]) -> None:
        """See :class:`~.watch.Watcher`."""
        self._followed = set(folders)
        for folder in self._numbers.keys() - self._followed:
            self._drop(folder)
        self._unknown &= self._followed
        self._add_missing()

    def changes(self) -> Changes | None:
        """See :class:`~.watch.Watcher`."""
        before = frozenset(self._opened)
        # A process that was forked has the same queue, and must not take events from it.
        if os.getpid() != self._process or self._has_moved() or not self._read_all():
            self._restart()
            return None
        self._add_missing()
        if len(self._opened) > _MANY_OPENED:
            # What was opened just now may not be in anybody's list yet.
            self._opened -= before - open_files(self._root)
        changes = Changes(self._paths | self._opened, self._unknown)
        self._paths, self._unknown = set(), set()
        return None if 2 * len(changes.folders) > len(self._followed) else changes

    def close(self) -> None:
        """See :class:`~.watch.Watcher`."""
        self._close()

    def _start(self) -> None:
        self._descriptor: int = self._libc.inotify_init1(_FLAGS)
        if self._descriptor < 0:
            raise WatchFailed(
                f"changes can't be watched ({os.strerror(ctypes.get_errno())}): "
                "raise fs.inotify.max_user_instances, or end kernels that you don't use"
            )
        self._close = weakref.finalize(self, os.close, self._descriptor)
        self._process = os.getpid()
        self._mounts = mounts()
        self._identity = _identity(self._root)
        # By the kernel's number for it, and the other way round.
        self._folders: dict[int, str] = {}
        self._numbers: dict[str, int] = {}
        self._paths = set()
        self._unknown = set()
        self._opened = set()

    def _restart(self) -> None:
        self._close()
        self._start()
        self._add_missing()
        # Everything is looked at now.
        self._unknown = set()

    def _has_moved(self) -> bool:
        """Whether something happened outside the workspace that makes another one of it."""
        listed = mounts()
        if listed != self._mounts:
            if not is_local(self._root, listed):
                raise WatchFailed("changes can't be watched any more: another file system was mounted")
            self._mounts = listed
            return True
        return _identity(self._root) != self._identity

    def _read_all(self) -> bool:
        """Takes what is in the queue; False when it has run over."""
        lost: set[str] = set()
        for number, mask, name in self._events():
            if mask & _OVERFLOW:
                return False
            folder = self._folders.get(number)
            if folder is None:
                continue
            path = (f"{folder}/{name}" if folder else name) if name else folder
            if mask & _OPEN:
                if not mask & _IS_FOLDER:
                    self._opened.add(path)
                continue
            self._paths.add(path)
            if mask & _NAMES:
                self._paths.add(folder)
            if mask & (_SELF | _IGNORED) or (mask & _NAMES and mask & _IS_FOLDER):
                lost.add(path)
        if lost:
            # What has this name now may be another folder, with watches of its own to be set.
            for folder in [folder for folder in self._numbers if _is_in(folder, lost)]:
                self._drop(folder)
        return True

    def _events(self) -> Iterator[tuple[int, int, str]]:
        while True:
            try:
                block = os.read(self._descriptor, _AT_ONCE)
            except BlockingIOError:
                return
            at = 0
            while at < len(block):
                number, mask, _, length = _HEADER.unpack_from(block, at)
                at += _HEADER.size + length
                yield number, mask, os.fsdecode(block[at - length : at].rstrip(b"\0"))

    def _add_missing(self) -> None:
        """Watches what is followed and not watched; before it is looked at, so that nothing gets between."""
        missing = self._followed - self._numbers.keys()
        if not missing:
            return
        first = not self._numbers
        for folder in missing:
            self._unknown.add(folder)
            path = os.fsencode(f"{self._root}/{folder}" if folder else self._root)
            number = self._libc.inotify_add_watch(self._descriptor, path, _WANTED)
            if number >= 0:
                # The same folder by two names: one of these is out of date, or will be tried again.
                if number in self._folders:
                    del self._numbers[self._folders[number]]
                self._folders[number], self._numbers[folder] = folder, number
            elif ctypes.get_errno() in (errno.ENOSPC, errno.ENOMEM):
                raise WatchFailed(
                    f"changes can't be watched ({len(self._followed)} folders are more than this machine "
                    "allows): raise fs.inotify.max_user_watches"
                )
        if first:
            self._opened |= open_files(self._root)

    def _drop(self, folder: str) -> None:
        number = self._numbers.pop(folder)
        if self._folders.pop(number, None) is not None:
            # It may be gone already, which is as well.
            self._libc.inotify_rm_watch(self._descriptor, number)


def _identity(root: str) -> tuple[int, int] | None:
    try:
        status = os.stat(root)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_in(folder: str, places: set[str]) -> bool:
    while folder not in places:
        if not folder:
            return False
        folder = folder.rpartition("/")[0]
    return True
