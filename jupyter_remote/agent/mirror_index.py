"""What a mirror remembers of the files that were put into it, and the files that memory is kept in.

``index.json`` is the whole memory; ``journal.json`` exists only while a change set is put in place and
says what is about to be true, so that a commit that was killed can be told apart from edits made on the
host. Both are replaced whole. Deciding and moving files belongs to commit.py.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import time
from contextlib import suppress

from .entry import DIR, FILE, Entry, encode_path, parse_entry
from .namedtuples import NamedTuple

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any

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
    """The record of something that has just been put in place."""
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
            stat.S_ISREG(status.st_mode)
            and status.st_size == entry.size
            and status.st_mtime_ns == record.mtime_ns
            and status.st_ino == record.inode
            and stat.S_IMODE(status.st_mode) == record.mode
        )
    if entry.kind == DIR:
        return stat.S_ISDIR(status.st_mode) and stat.S_IMODE(status.st_mode) == record.mode
    return stat.S_ISLNK(status.st_mode) and os.readlink(path) == encode_path(entry.target)


def states_of(records: Records, root: bytes) -> dict[str, str]:
    """``same``, ``changed`` or ``missing`` for every path of the index."""
    states = {}
    folders = RealFolders(root)
    for path, record in records.items():
        place = os.path.join(root, encode_path(path))
        try:
            status = look(place) if folders.lead_to(path) else None
            if status is None:
                states[path] = MISSING
            else:
                states[path] = SAME if is_as_recorded(record, place, status) else CHANGED
        except OSError:
            states[path] = CHANGED
    return states


class IndexFiles:
    """The two files in the state folder (which must exist before something is saved).

    Args:
        folder: the mirror's ``.jupyter-remote``.
    """

    def __init__(self, folder: bytes) -> None:
        self._index = os.path.join(folder, b"index.json")
        self._journal = os.path.join(folder, b"journal.json")
        self._cached: tuple[Any, int, Records] = (None, 0, {})

    def load(self) -> tuple[int, Records]:
        """The generation and the records (not to be modified); (0, {}) when there are none.

        An index that can't be read counts as none: files are then unknown, and unknown files are never
        overwritten or deleted.
        """
        for _ in range(3):
            signature = self._signature()
            if signature is not None and signature == self._cached[0]:
                return self._cached[1], self._cached[2]
            values = _read(self._index)
            try:
                loaded = (signature, int(values["generation"]), _records(values["entries"]))
            except (TypeError, ValueError, KeyError, AttributeError):
                loaded = (signature, 0, {})
            # A stat and a read are not one step: another agent may have replaced the file between them.
            if signature == self._signature():
                self._cached = loaded
                break
        return loaded[1], loaded[2]

    def generation(self) -> int:
        """Two stats when nothing changed. -1, on which no plan is based, while a commit is under way."""
        if os.path.exists(self._journal):
            return -1
        return self.load()[0]

    def save(self, generation: int, records: Records) -> int:
        """Replaces the index and ends the journal. Returns the new generation.

        Generations are also times, so that a mirror that was deleted and made again never comes back to
        a number that some client remembers.
        """
        generation = max(generation + 1, time.time_ns() // 1_000_000)
        _write(self._index, {"generation": generation, "entries": _plain(records)})
        self.end_journal()
        self._cached = (self._signature(), generation, records)
        return generation

    def journal(self) -> Journal | None:
        """What a commit that never ended was about to make true."""
        values = _read(self._journal)
        if values is None:
            return None
        try:
            return {path: None if raw is None else _record(raw) for path, raw in values.items()}
        except (TypeError, ValueError, AttributeError):
            return {}

    def begin_journal(self, journal: Journal) -> None:
        """To be called before the first file of a commit moves."""
        _write(self._journal, _plain(journal))

    def end_journal(self) -> None:
        """To be called when no file has moved, or the index knows of every one that has."""
        with suppress(FileNotFoundError):
            os.unlink(self._journal)

    def _signature(self) -> Any:
        try:
            status = os.stat(self._index)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return status.st_mtime_ns, status.st_ino, status.st_size


def _plain(records: Any) -> dict[str, list[Any] | None]:
    return {path: None if r is None else [*r.entry, *r[1:]] for path, r in records.items()}


def _records(values: dict[str, Any]) -> Records:
    return {path: _record(raw) for path, raw in values.items()}


def _record(raw: Any) -> Record:
    owner, mtime_ns, inode, mode = raw[5:]
    return Record(parse_entry(raw[:5]), owner, mtime_ns, inode, mode)


def _read(path: bytes) -> Any:
    try:
        with open(path, "rb") as file:
            return json.loads(file.read())
    except FileNotFoundError:
        return None
    except ValueError:
        return {}


def _write(path: bytes, values: Any) -> None:
    new = path + b".new"
    try:
        with open(new, "wb") as file:
            file.write(json.dumps(values, separators=(",", ":")).encode("ascii"))
        os.replace(new, path)
    except OSError as error:
        with suppress(OSError):
            os.unlink(new)
        raise OSError(error.errno, error.strerror, os.fsdecode(path)) from error
