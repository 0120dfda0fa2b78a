"""What is known of a workspace's files: how each one looked, and what it held then.

Looking again, keeping the answers, and keeping them on disk. Which files there are is said by `rules.py`,
when a look is needed by `scan.py`, what a file holds by `content.py`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from ..agent.entry import FILE, Entry
from . import remembered
from .content import Found, file_entry
from .folder import Mark
from .rules import Skipped

# What opening a file, and a row of the index on disk, cost: in bytes that could be read in that time.
_FILE_COST = 16 << 10
_ROW_COST = 1 << 10
_READ_AT_ONCE = 1 << 20


class Known:
    """The files of one workspace, by path.

    Args:
        root: absolute path of the workspace.
        max_file_size: bytes; larger files are not read.
        index: the file that keeps the digests for the next process; None for no such file.
    """

    def __init__(self, root: str, max_file_size: int, index: Path | None) -> None:
        self._root = root
        self._max_file_size = max_file_size
        self._index = index
        # What was read and is in no index yet, in bytes.
        self._unsaved = 0
        # () for a file that wasn't there.
        self._marks: dict[str, Mark] = {}
        self._what: dict[str, Entry | Skipped] = {}
        #: Files that have to be read in any case: new, too fresh to be told apart by their times, unreadable.
        self.unsettled: set[str] = set()
        #: Files with another name, which may be outside the workspace.
        self.linked: set[str] = set()

    def __contains__(self, path: str) -> bool:
        return path in self._marks or path in self.unsettled

    def get(self, path: str) -> Entry | Skipped | None:
        """What a file held when it was read last."""
        return self._what.get(path)

    def only(self, files: Iterable[str]) -> None:
        """Forgets all but these; those among them that are new have to be read."""
        wanted = set(files)
        for known in (self._marks, self._what):
            for path in known.keys() - wanted:
                del known[path]
        self.unsettled = wanted - self._marks.keys()
        self.linked &= wanted

    def put(self, path: str, found: Found | None) -> None:
        """Notes what was read; None when it couldn't be read."""
        self._what.pop(path, None)
        self._marks.pop(path, None)
        self.unsettled.discard(path)
        if found is not None:
            self._what[path] = found.what
        if found is not None and found.mark is not None:
            self._marks[path] = found.mark
        else:
            self.unsettled.add(path)

    def put_vanished(self, path: str) -> None:
        """Notes that there is nothing."""
        self._what.pop(path, None)
        self.unsettled.discard(path)
        self._marks[path] = ()

    def stale(self, paths: Iterable[str] | None = None) -> dict[str, int]:
        """The files that have to be read, with their sizes.

        Args:
            paths: to be looked at, besides those that have to be read in any case; None for all.
        """
        stale = {}
        known = self._marks
        # The loop that every cell pays for where nobody watches the workspace.
        lstat, prefix, linked = os.lstat, self._root + os.sep, self.linked
        looked = known.items() if paths is None else [(path, known[path]) for path in paths if path in known]
        for path, mark in looked:
            try:
                status = lstat(prefix + path)
            except OSError:
                if mark != ():
                    stale[path] = 0
                continue
            if status.st_nlink != 1:
                linked.add(path)
            if mark != (
                status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_mode
            ):  # fmt: skip
                stale[path] = status.st_size
        for path in self.unsettled:
            stale[path] = 0
            with contextlib.suppress(OSError):
                status = lstat(prefix + path)
                stale[path] = status.st_size
                if status.st_nlink != 1:
                    linked.add(path)
        return stale

    def recall(self) -> None:
        """What a process before this one has read; each file is compared with its mark, as ever."""
        if self._index is None:
            return
        marks, what, limit = self._marks, self._what, self._max_file_size
        for path, mark, digest in remembered.load(self._index, self._root):
            _, _, size, _, mode = mark
            if size <= limit:
                marks[path] = mark
                what[path] = file_entry(mode, size, digest)

    def keep(self, read: Iterable[int]) -> None:
        """Writes the index when reading it all again would take longer than writing.

        So a small edit in a large workspace doesn't cost a large file.

        Args:
            read: sizes of the files that were read since the last call.
        """
        self._unsaved += sum(_FILE_COST + size for size in read if size <= self._max_file_size)
        if self._index is None or self._unsaved <= max(_READ_AT_ONCE, _ROW_COST * len(self._what)):
            return
        rows = []
        for path, mark in self._marks.items():
            what = self._what.get(path)
            if isinstance(what, Entry) and what.kind == FILE:
                rows.append((path, mark, what.digest))
        remembered.save(self._index, self._root, rows)
        self._unsaved = 0
