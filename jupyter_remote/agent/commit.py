"""Putting a staged change set in place, under the mirror's lock.

The one rule: what is on the host and is not what the index says we put there is never overwritten and
never deleted. It is moved aside whole, and reported. Staging, locking and the index belong to tree.py.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from contextlib import suppress

from .entry import DIR, FILE, LINK, STATE_FOLDER, Entry, encode_path, new_digest
from .mirror_index import RealFolders, Record, is_as_recorded, look, record_of
from .namedtuples import NamedTuple
from .pack import CHMOD, DELETE, PUT

TYPE_CHECKING = False  # as in typing
if TYPE_CHECKING:
    from typing import Any, Iterable

    from .cast_off import CastOff
    from .mirror_index import Journal, Records

_OPEN = 0o700


class Staged(NamedTuple):
    """A change whose content (a file's or a link's) lies ready at ``source``.

    Args:
        op, path, entry: as in a :class:`pack.Change`.
        source: None when there is no content.
        seen: time, inode and mode of a file at ``source``, as a :class:`Record` has them; None when they have
            not been asked for.
    """

    op: str
    path: str
    entry: Entry | None
    source: bytes | None
    seen: tuple[int, int, int] | None = None


def journal_of(changes: list[Staged], records: Records, owner: str) -> Journal:
    """What the index will say of every path once the changes are in place.

    Args:
        owner: whose sync it is.
    """
    journal: Journal = {}
    for change in changes:
        known = records.get(change.path)
        if change.op == DELETE:
            journal[change.path] = None
        elif change.source is not None and change.entry is not None:
            journal[change.path] = (
                Record(change.entry, owner, *change.seen)
                if change.seen
                else record_of(change.entry, owner, os.lstat(change.source))
            )
        elif change.op == CHMOD and change.entry is not None and known is not None:
            journal[change.path] = known._replace(entry=change.entry, mode=change.entry.mode)
        elif change.entry is not None:
            journal[change.path] = Record(change.entry, owner, 0, 0, change.entry.mode)
    return journal


def settle(journal: Journal, records: Records, root: bytes) -> Records:
    """The records after a commit that broke off: each journalled path is what it turns out to be."""
    records = dict(records)
    real = RealFolders(root)
    for path, record in journal.items():
        place = os.path.join(root, encode_path(path))
        # A path that can't be looked at must not keep the others from being settled.
        with suppress(OSError):
            status = look(place) if real.lead_to(path) else None
            if record is None and status is None:
                records.pop(path, None)
            if record is not None and status is not None and is_as_recorded(record, place, status):
                records[path] = record
    return records


def otherwise(journal: Journal, records: Records, forgotten: Iterable[str] = ()) -> Journal:
    """What became of the paths that a journal, or the records before it, tell otherwise."""
    found = {path: records.get(path) for path, told in journal.items() if records.get(path) != told}
    found.update((path, records.get(path)) for path in forgotten if path not in journal)
    return found


class Commit:
    """One change set on its way into place.

    ``records``, ``kept``, ``written``, ``deleted`` and ``old`` (digests that were cast off) tell the outcome;
    ``forgotten`` are paths without a change of their own that are in the records no more.

    Args:
        root: the workspace on the host.
        records: the index; a copy is worked on.
        owner: id of the local workspace that the changes come from.
        yields: path -> [size, mtime_ns] of the host's own files that were pulled, edited, and are replaced.
        cast_off: where content of ours that is replaced or deleted is kept for a while.
    """

    def __init__(
        self,
        root: bytes,
        records: Records,
        owner: str,
        yields: dict[str, Any] | None = None,
        cast_off: CastOff | None = None,
    ) -> None:
        self.records = dict(records)
        self.forgotten: set[str] = set()
        self.kept: list[tuple[str, str]] = []
        self.written = 0
        self.deleted = 0
        self._root = root
        self._owner = owner
        self._yields = yields or {}
        self._cast_off = cast_off
        self.old: list[str] = []
        self._checked: set[str] = set()
        self._modes: dict[str, int] = {}
        self._kept_folder = ""
        # Whether a rename changes what a file is known by: found out once, as there are many.
        self._is_seen_anew: bool | None = None

    def run(self, changes: list[Staged]) -> None:
        """Does it all, in an order in which every step finds what it needs.

        Args:
            changes: what is ready to be put in place.

        Raises:
            OSError: a step failed; the steps before it stand, and every file is whole.
        """
        folders = [c for c in changes if c.op == PUT and c.entry is not None and c.entry.kind == DIR]
        try:
            real = RealFolders(self._root)
            for change in sorted((c for c in changes if c.op == DELETE), key=_path, reverse=True):
                self._delete(change.path, real.lead_to(change.path))
            for change in sorted(folders, key=_path):
                self._put_folder(change)
            for change in changes:
                if change.source is not None:
                    self._put(change, change.source)
            real = RealFolders(self._root)
            for change in changes:
                if change.op == CHMOD and real.lead_to(change.path):
                    self._chmod(change)
        finally:
            self._restore_modes()
        for change in folders:
            self._record(change)

    # --- the four kinds of steps ---

    def _delete(self, path: str, is_there: bool) -> None:
        record = self.records.get(path)
        if record is None or record.owner != self._owner:
            return
        place = self._place(path)
        status = look(place) if is_there else None
        if status is None:
            del self.records[path]
        elif self._is_ours(path, place, status):
            self._open_up(_parent(path))
            del self.records[path]
            if stat.S_ISDIR(status.st_mode):
                try:
                    os.rmdir(place)
                except OSError as error:
                    if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                        raise
                    # Files of others are in it: it is their folder from now on.
                    return
            else:
                self._keep_content(place, status, record)
                os.unlink(place)
            self.deleted += 1

    def _put_folder(self, change: Staged) -> None:
        assert change.entry is not None
        self._make_parents(change.path)
        self._checked.discard(change.path)
        if self._make_folder(change.path):
            self.written += 1
        self._modes[change.path] = change.entry.mode

    def _put(self, change: Staged, source: bytes) -> None:
        assert change.entry is not None
        self._make_parents(change.path)
        place = self._place(change.path)
        status = look(place)
        if status is not None and not self._is_ours(change.path, place, status):
            if self._holds(place, status, change.entry):
                if change.entry.kind == FILE and stat.S_IMODE(status.st_mode) != change.entry.mode:
                    os.chmod(place, change.entry.mode)
                self._record(change)
                return
            self._keep_aside(change.path)
        elif status is not None and stat.S_ISDIR(status.st_mode):
            self._remove_folder(change.path)
        elif status is not None:
            self._keep_content(place, status, self.records.get(change.path))
        os.replace(source, place)
        self.written += 1
        if change.seen is None or self._is_seen_anew is True:
            self._record(change)
            return
        record = self.records[change.path] = Record(change.entry, self._owner, *change.seen)
        if self._is_seen_anew is None:
            self._record(change)
            self._is_seen_anew = self.records[change.path] != record

    def _chmod(self, change: Staged) -> None:
        assert change.entry is not None
        place = self._place(change.path)
        status = look(place)
        if status is None or not self._is_ours(change.path, place, status):
            return
        if change.entry.kind == DIR:
            self._modes.pop(change.path, None)
        os.chmod(place, change.entry.mode)
        self.written += 1
        self._record(change)

    # --- what is already there ---

    def _is_ours(self, path: str, place: bytes, status: os.stat_result) -> bool:
        record = self.records.get(path)
        if record is not None and record.owner != self._owner:
            return False
        is_file = stat.S_ISREG(status.st_mode)
        if is_file and self._yields.get(path) == [status.st_size, status.st_mtime_ns]:
            return True
        if record is None:
            return False
        if path in self._modes and stat.S_ISDIR(status.st_mode):
            return record.entry.kind == DIR
        return is_as_recorded(record, place, status)

    def _holds(self, place: bytes, status: os.stat_result, entry: Entry) -> bool:
        """Whether the content is there already, whoever put it."""
        if entry.kind == LINK:
            return stat.S_ISLNK(status.st_mode) and os.readlink(place) == encode_path(entry.target)
        if not stat.S_ISREG(status.st_mode) or status.st_size != entry.size:
            return False
        digest = new_digest()
        try:
            with open(place, "rb") as file:
                for block in iter(lambda: file.read(1 << 18), b""):
                    digest.update(block)
        except PermissionError:
            return False
        return bool(digest.hexdigest() == entry.digest)

    def _keep_aside(self, path: str) -> None:
        if not self._kept_folder:
            self._kept_folder = self._new_kept_folder()
        kept = self._kept_folder + "/" + path
        target = self._place(kept)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        place = self._place(path)
        status = os.lstat(place)
        self._open_up(_parent(path))
        if stat.S_ISDIR(status.st_mode):
            # Moving a folder writes its "..", which a read-only folder refuses.
            os.chmod(place, stat.S_IMODE(status.st_mode) | _OPEN)
        os.rename(place, target)
        if stat.S_ISDIR(status.st_mode):
            os.chmod(target, stat.S_IMODE(status.st_mode))
        self.kept.append((path, kept))
        self.records.pop(path, None)
        self.forgotten.add(path)
        if not stat.S_ISREG(status.st_mode):
            self._forget(path)

    def _keep_content(self, place: bytes, status: os.stat_result, record: Record | None) -> None:
        """Of a file that is about to go, and is what its record says."""
        if self._cast_off is None or record is None or not is_as_recorded(record, place, status):
            return
        if self._cast_off.keep(place, record.entry, status):
            self.old.append(record.entry.digest)

    def _new_kept_folder(self) -> str:
        base = f"{STATE_FOLDER}/kept/{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
        for number in range(1, 10000):
            name = base if number == 1 else f"{base}-{number}"
            try:
                os.makedirs(self._place(name), 0o700)
                return name
            except FileExistsError:
                continue
        raise FileExistsError(base)

    def _remove_folder(self, path: str) -> None:
        self._open_up(_parent(path))
        try:
            os.rmdir(self._place(path))
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            self._keep_aside(path)
        else:
            self._forget(path)

    def _forget(self, path: str) -> None:
        below = path + "/"
        self.records.pop(path, None)
        gone = [p for p in self.records if p.startswith(below)]
        self.forgotten.update(gone, [path])
        for known in gone:
            del self.records[known]
        for seen in [p for p in self._checked if p == path or p.startswith(below)]:
            self._checked.discard(seen)
        for opened in [p for p in self._modes if p == path or p.startswith(below)]:
            del self._modes[opened]

    # --- folders ---

    def _make_parents(self, path: str) -> None:
        parent = _parent(path)
        if parent not in self._checked:
            if parent:
                self._make_parents(parent)
                self._make_folder(parent)
            self._open_up(parent)
            self._checked.add(parent)

    def _make_folder(self, path: str) -> bool:
        """Makes sure of a real folder, never one reached through a link. True when it is new."""
        place = self._place(path)
        status = look(place)
        if status is not None and stat.S_ISDIR(status.st_mode):
            return False
        if status is not None:
            if self._is_ours(path, place, status):
                os.unlink(place)
                self._forget(path)
            else:
                self._keep_aside(path)
        os.mkdir(place, 0o755)
        return True

    def _open_up(self, folder: str) -> None:
        """Lets us write in a folder of ours that is read-only; its mode comes back at the end."""
        if not folder or folder in self._checked:
            return
        place = self._place(folder)
        status = os.lstat(place)
        mode = stat.S_IMODE(status.st_mode)
        if stat.S_ISDIR(status.st_mode) and mode & _OPEN != _OPEN and status.st_uid == os.geteuid():
            self._modes.setdefault(folder, mode)
            os.chmod(place, mode | _OPEN)

    def _restore_modes(self) -> None:
        # Children first: a parent that loses its x would hide them.
        for folder in sorted(self._modes, reverse=True):
            place = self._place(folder)
            status = look(place)
            if status is None or not stat.S_ISDIR(status.st_mode):
                continue
            if stat.S_IMODE(status.st_mode) != self._modes[folder]:
                os.chmod(place, self._modes[folder])

    # --- small things ---

    def _place(self, path: str) -> bytes:
        return os.path.join(self._root, encode_path(path)) if path else self._root

    def _record(self, change: Staged) -> None:
        assert change.entry is not None
        status = os.lstat(self._place(change.path))
        self.records[change.path] = record_of(change.entry, self._owner, status)


def _path(change: Staged) -> str:
    return change.path


def _parent(path: str) -> str:
    return path.rpartition("/")[0]
