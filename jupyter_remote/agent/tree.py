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

from .cast_off import CastOff
from .commit import Commit, Staged, journal_of, otherwise, settle
from .contents import Contents, Received, tag_of
from .entry import STATE_FOLDER, BadContent, BadPath, Entry, Manifest, Stale, TreeError, encode_path
from .index_log import IndexLog, is_settled
from .mirror_index import CHANGED, MISSING, SAME, states_of
from .namedtuples import NamedTuple
from .pack import PackError
from .recipe import rows
from .staging import MissingContent, stage

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, Callable, Iterator

    from .index_log import Memory

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
    "MissingContent",
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
        old: digests of what was replaced or deleted, and can be had for a while.
    """

    generation: int
    kept: list[tuple[str, str]]
    written: int
    deleted: int
    old: list[str]


class Mirror:
    """A workspace on the host. Cheap to make; keep one to keep its index in memory.

    Args:
        root: absolute path of the workspace; made when the first change set comes.
    """

    def __init__(self, root: str) -> None:
        self._root = encode_path(root)
        self._state = os.path.join(self._root, STATE_FOLDER.encode("ascii"))
        self._index = IndexLog(self._state)
        self._staging_folder = os.path.join(self._state, b"staging")
        self._received = Received(self._state)
        self._cast_off = CastOff(self._state)

    def generation(self) -> int:
        """Number of the state we last gave it; 0 for none. One stat when nothing changed.

        -1, on which no plan is based, while a commit is under way or after one that was killed.
        """
        memory = self._index.load()
        return memory.generation if is_settled(memory) else -1

    def inventory(self) -> tuple[int, Inventory]:
        """The generation, and what we put there: path -> (entry, owner, state).

        ``state`` is ``same``, ``changed`` (by someone on the host) or ``missing``; found by stat, no
        content is read.
        """
        memory = self._index.load()
        if not is_settled(memory):
            with self._locked():
                memory = self._load()
        states = states_of(memory.records, self._root)
        return memory.generation, {p: (r.entry, r.owner, states[p]) for p, r in memory.records.items()}

    def manifest(self) -> tuple[int, dict[str, list[Any]]]:
        """The generation, and what we put there, without a look at it; -1 while a commit is under way."""
        memory = self._index.load()
        if not is_settled(memory):
            return -1, {}
        return memory.generation, {path: list(record.entry) for path, record in memory.records.items()}

    def received(self) -> dict[str, int]:
        """Content that syncs which were cut have left here: digest -> how many bytes from its start."""
        if os.path.isdir(self._staging_folder) and os.listdir(self._staging_folder):
            with self._locked():
                self._bury()
        return self._received.sizes()

    def old(self) -> list[str]:
        """Digests of what syncs have replaced or deleted lately, and that is still here."""
        return self._cast_off.digests()

    def blocks(self, contents: list[tuple[str, int]]) -> Iterator[bytes]:
        """What is told of the blocks of contents (digest, size), so that only changed ones are sent.

        For each: a byte, 1 when it is here, then the rows of :func:`recipe.rows`.
        """
        here = Contents(self._root, self._index.load().records, self._cast_off)
        for digest, size in contents:
            file = here.open(digest)
            if file is None:
                yield b"\0"
                continue
            with file:
                yield b"\1"
                yield from rows(file.read, size)

    def was_put(self, path: str, digest: str, target: str) -> bool:
        """Whether this content, or link, is what a sync last put at a path, whatever is there now.

        Args:
            digest, target: of the content, and where the link leads; "" of the other kind.
        """
        record = self._index.load()[1].get(path)
        return record is not None and (record.entry.digest, record.entry.target) == (digest, target)

    def apply(
        self,
        base_generation: int,
        owner: str,
        read: Callable[[int], bytes],
        yields: dict[str, Any] | None = None,
    ) -> Applied:
        """Applies a change set: all of it, or nothing unless a step on the disk itself fails.

        Args:
            base_generation: what the change set was planned on.
            owner: id of the local workspace.
            read: the packed stream; at most n bytes, at least one, b"" at the end.
            yields: path -> [size, mtime_ns] of the host's own files that may be replaced.

        Raises:
            Stale: the mirror is at another generation. Nothing was done.
            PackError, BadPath, BadContent: the stream can't be used. Nothing was done.
            MissingContent: what should be copied is not here any more. Nothing was done.
            OSError: the disk is full, a folder may not be written; ``filename`` says which.
        """
        os.makedirs(self._root, 0o755, exist_ok=True)
        os.makedirs(self._state, 0o700, exist_ok=True)
        with self._staging(base_generation, tag_of(owner)) as folder:
            here = Contents(self._root, self._index.load().records, self._cast_off)
            changes = stage(folder, read, here, self._received)
            if not changes:
                return Applied(base_generation, [], 0, 0, [])
            with self._locked():
                memory = self._load()
                if memory.generation != base_generation:
                    raise Stale(memory.generation)
                try:
                    return self._commit(memory, owner, changes, yields or {})
                except BaseException:
                    # Its room may be what the index needs to be written on a full disk.
                    shutil.rmtree(folder, ignore_errors=True)
                    self._settle()
                    raise

    def _commit(self, memory: Memory, owner: str, changes: list[Staged], yields: dict[str, Any]) -> Applied:
        journal = journal_of(changes, memory.records, owner)
        memory = self._index.begin(memory, journal)
        commit = Commit(self._root, memory.records, owner, yields, self._cast_off)
        commit.run(changes)
        corrections = otherwise(journal, commit.records, commit.forgotten)
        generation = self._index.end(memory, commit.records, corrections).generation
        self._cast_off.trim()
        return Applied(generation, commit.kept, commit.written, commit.deleted, commit.old)

    def _load(self) -> Memory:
        """The index, after the work of a killed commit has been looked at. Needs the lock."""
        memory = self._index.load()
        if is_settled(memory):
            return memory
        memory, was_intact = self._index.repair()
        if is_settled(memory) and was_intact:
            return memory
        journal = memory.journal or {}
        records = settle(journal, memory.records, self._root)
        return self._index.end(memory, records, otherwise(journal, records))

    def _settle(self) -> None:
        # If even this fails, the index still tells of it to whoever comes next.
        with suppress(OSError):
            self._load()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with open(os.path.join(self._state, b"lock"), "wb") as file:
            _lock(file.fileno(), wait=True)
            yield

    @contextmanager
    def _staging(self, base_generation: int, tag: bytes) -> Iterator[bytes]:
        """A folder of our own, held by a lock for as long as we live."""
        parent = self._staging_folder
        folder = os.path.join(parent, b"%d-%d-%s" % (time.time_ns(), os.getpid(), tag))
        with self._locked():
            generation = self._load().generation
            if generation != base_generation:
                raise Stale(generation)
            os.makedirs(parent, 0o700, exist_ok=True)
            self._bury()
            # There may be less room than there was.
            self._cast_off.trim()
            os.mkdir(folder, 0o700)
            lock = os.open(os.path.join(folder, b"lock"), os.O_RDWR | os.O_CREAT, 0o600)
            _lock(lock, wait=False)
        try:
            yield folder
        except (PackError, BadPath, BadContent):
            raise
        except BaseException as error:
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                # What was cast off goes first; what has come on a long way only when that is not enough.
                if not self._cast_off.clear():
                    self._received.clear()
                else:
                    with suppress(OSError):
                        self._received.keep(folder, tag)
            else:
                # It has come a long way, and the next try needs it.
                with suppress(OSError):
                    self._received.keep(folder, tag)
            raise
        else:
            self._received.clear(tag)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)

    def _bury(self) -> None:
        """Keeps what killed agents received, and removes the rest of them. Needs the lock."""
        for name in _dead(self._staging_folder):
            folder = os.path.join(self._staging_folder, name)
            with suppress(OSError):
                self._received.keep(folder, name.split(b"-")[-1])
            shutil.rmtree(folder, ignore_errors=True)


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


def _dead(parent: bytes) -> list[bytes]:
    """What killed agents staged: nobody holds the lock, or nobody can and it is old."""
    found = []
    for name in os.listdir(parent):
        try:
            with open(os.path.join(parent, name, b"lock"), "r+b") as file:
                dead = (
                    _lock(file.fileno(), wait=False)
                    or time.time() - os.fstat(file.fileno()).st_mtime > _DEAD_AFTER
                )
        except FileNotFoundError:
            dead = True
        if dead:
            found.append(name)
    return found
