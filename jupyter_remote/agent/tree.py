"""The host's side of one workspace: take stock of it, and apply change sets to it.

A change set is staged first (slow, without the lock, nothing visible) and put in place afterwards
(fast, under the lock). Killed at any point, a mirror holds whole files only, and its next user finds
out which of them are there. Which files a workspace has is the client's business.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from contextlib import contextmanager, suppress

from .commit import Commit, Staged, journal_of, settle
from .entry import (
    FILE,
    LINK,
    STATE_FOLDER,
    BadContent,
    BadPath,
    Entry,
    Manifest,
    Stale,
    TreeError,
    encode_path,
    new_digest,
)
from .mirror_index import CHANGED, MISSING, SAME, IndexFiles, states_of
from .namedtuples import NamedTuple
from .pack import PUT, Change, unpack

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Callable, Iterator

    from .mirror_index import Records

__all__ = [
    "CHANGED",
    "MISSING",
    "SAME",
    "Applied",
    "BadContent",
    "BadPath",
    "Entry",
    "Inventory",
    "Manifest",
    "Mirror",
    "Stale",
    "TreeError",
]

if TYPE_CHECKING:
    Inventory = dict[str, tuple[Entry, str, str]]
else:  # Python 3.8 can't evaluate that.
    Inventory = dict

# What flock says on file systems that have no locks (Lustre without -o flock, some NFS). The generation
# is still checked there, only not in one step with the commit.
_NO_LOCKS = frozenset((errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL))
_DEAD_AFTER = 24 * 3600


class Applied(NamedTuple):
    """What a change set did.

    Args:
        generation: of the mirror from now on.
        kept: what was in the way and is not ours: (path, where it is kept now), both relative.
        written: files, links and folders put in place, and modes changed.
        deleted: files, links and folders removed.
    """

    generation: int
    kept: list[tuple[str, str]]
    written: int
    deleted: int


class Mirror:
    """A workspace on the host. Cheap to make; keep one to keep its index in memory.

    Args:
        root: absolute path of the workspace; made when the first change set comes.
    """

    def __init__(self, root: str) -> None:
        self._root = encode_path(root)
        self._state = os.path.join(self._root, STATE_FOLDER.encode("ascii"))
        self._index = IndexFiles(self._state)

    def generation(self) -> int:
        """Number of the state we last gave it; 0 for none. Two stats when nothing changed.

        -1, on which no plan is based, while a commit is under way or after one that was killed.
        """
        return self._index.generation()

    def inventory(self) -> tuple[int, Inventory]:
        """The generation, and what we put there: path -> (entry, owner, state).

        ``state`` is ``same``, ``changed`` (by someone on the host) or ``missing``; found by stat, no
        content is read.
        """
        if self._index.generation() < 0:
            with self._locked():
                generation, records = self._load()
        else:
            generation, records = self._index.load()
        states = states_of(records, self._root)
        return generation, {path: (r.entry, r.owner, states[path]) for path, r in records.items()}

    def apply(self, base_generation: int, owner: str, read: Callable[[int], bytes]) -> Applied:
        """Applies a change set: all of it, or nothing unless a step on the disk itself fails.

        Args:
            base_generation: what the change set was planned on.
            owner: id of the local workspace.
            read: the packed stream; at most n bytes, at least one, b"" at the end.

        Raises:
            Stale: the mirror is at another generation. Nothing was done.
            PackError, BadPath, BadContent: the stream can't be used. Nothing was done.
            OSError: the disk is full, a folder may not be written; ``filename`` says which.
        """
        os.makedirs(self._root, 0o755, exist_ok=True)
        os.makedirs(self._state, 0o700, exist_ok=True)
        with self._staging(base_generation) as folder:
            changes = _stage(folder, read)
            if not changes:
                return Applied(base_generation, [], 0, 0)
            with self._locked():
                generation, records = self._load()
                if generation != base_generation:
                    raise Stale(generation)
                try:
                    return self._commit(generation, records, owner, changes)
                except BaseException:
                    # Its room may be what the index needs to be written on a full disk.
                    shutil.rmtree(folder, ignore_errors=True)
                    self._settle()
                    raise

    def _commit(self, generation: int, records: Records, owner: str, changes: list[Staged]) -> Applied:
        journal = journal_of(changes, records, owner)
        self._index.begin_journal(journal)
        commit = Commit(self._root, records, owner)
        commit.run(changes)
        generation = self._index.save(generation, commit.records)
        return Applied(generation, commit.kept, commit.written, commit.deleted)

    def _load(self) -> tuple[int, Records]:
        """The index, after the work of a killed commit has been looked at. Needs the lock."""
        journal = self._index.journal()
        if journal is not None:
            generation, records = self._index.load()
            self._index.save(generation, settle(journal, records, self._root))
        return self._index.load()

    def _settle(self) -> None:
        # If even this fails, the journal is still there for whoever comes next.
        with suppress(OSError):
            self._load()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with open(os.path.join(self._state, b"lock"), "wb") as file:
            _lock(file.fileno(), wait=True)
            yield

    @contextmanager
    def _staging(self, base_generation: int) -> Iterator[bytes]:
        """A folder of our own, held by a lock for as long as we live."""
        parent = os.path.join(self._state, b"staging")
        folder = os.path.join(parent, b"%d-%d" % (time.time_ns(), os.getpid()))
        with self._locked():
            generation, _ = self._load()
            if generation != base_generation:
                raise Stale(generation)
            os.makedirs(parent, 0o700, exist_ok=True)
            _remove_dead(parent)
            os.mkdir(folder, 0o700)
            lock = os.open(os.path.join(folder, b"lock"), os.O_RDWR | os.O_CREAT, 0o600)
            _lock(lock, wait=False)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _stage(folder: bytes, read: Callable[[int], bytes]) -> list[Staged]:
    changes: list[Staged] = []
    seen: set[str] = set()
    for number, (change, body) in enumerate(unpack(read)):
        if change.path in seen:
            raise BadPath(f"{change.path!r} comes twice in one change set")
        seen.add(change.path)
        source = None
        entry = change.entry
        if change.op == PUT and entry is not None and entry.kind != "dir":
            source = os.path.join(folder, b"%s.%d" % (entry.digest.encode("ascii"), number))
            try:
                if entry.kind == LINK:
                    os.symlink(encode_path(entry.target), source)
                elif entry.kind == FILE:
                    _stage_file(source, change, entry, body)
            except OSError as error:
                raise OSError(error.errno, error.strerror, change.path) from error
        changes.append(Staged(change.op, change.path, entry, source))
    return changes


def _stage_file(source: bytes, change: Change, entry: Entry, body: Iterator[bytes]) -> None:
    digest = new_digest()
    with open(source, "wb", buffering=0) as file:
        for block in body:
            digest.update(block)
            view = memoryview(block)
            while view:
                view = view[file.write(view) :]
        os.fchmod(file.fileno(), entry.mode)
        if change.mtime_ns is not None:
            os.utime(file.fileno(), ns=(change.mtime_ns, change.mtime_ns))
    if digest.hexdigest() != entry.digest:
        raise BadContent(f"the content of {change.path!r} is not what its digest says")


def _lock(descriptor: int, wait: bool) -> bool:
    """False when someone else holds it."""
    # Here, because clients without it (Windows) import this module too.
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return wait
    return True


def _remove_dead(parent: bytes) -> None:
    """Removes what killed agents staged: nobody holds the lock, or nobody can and it is old."""
    for name in os.listdir(parent):
        folder = os.path.join(parent, name)
        try:
            with open(os.path.join(folder, b"lock"), "r+b") as file:
                dead = (
                    _lock(file.fileno(), wait=False)
                    or time.time() - os.fstat(file.fileno()).st_mtime > _DEAD_AFTER
                )
        except FileNotFoundError:
            dead = True
        if dead:
            shutil.rmtree(folder, ignore_errors=True)
