"""The file that keeps a mirror's index, and what a commit is about to make true.

It is a row of blocks that are only ever appended, until it is made anew and replaced. A block is a head,
``KIND GENERATION LENGTH CHECK``, and one line of JSON with a row for each path: ``[path, ...record]``, or
``[path]`` for what is not there any more. ``whole`` comes first; ``begin`` is written before the first file
of a change set moves, and says what is about to be true; ``end`` comes after the last one, says what became
otherwise, and carries the new generation. CHECK is a checksum of the block and of all before it, so a block
that was torn, and everything behind it, counts as never written. What is in the mirror is not looked at here.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from zlib import crc32

from .collecting import uncollected
from .entry import Entry
from .mirror_index import Record
from .namedtuples import NamedTuple

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any

    from .mirror_index import Journal, Records

WHOLE, BEGIN, END = b"whole", b"begin", b"end"
_LONGEST_HEAD = 100
# Rows that say nothing any more may be as many as those that do, and so many more.
_FEW_ROWS = 1000


class Memory(NamedTuple):
    """What the file says, up to some block. Not to be modified: threads share it.

    Args:
        generation: of the last commit that ended.
        records: as of then.
        journal: what a commit that has not ended was about to make true; None when all have ended.
        intact: nothing but whole blocks is in the file.
        rows: how many there are in the file.
        size, check: where the last whole block ends, and its checksum.
        signature: of the file when it was read; None for no file.
    """

    generation: int
    records: Records
    journal: Journal | None
    intact: bool
    rows: int
    size: int
    check: int
    signature: tuple[int, int, int] | None


_NOTHING = Memory(0, {}, None, True, 0, 0, 0, None)


def is_settled(memory: Memory) -> bool:
    """Whether the records are true: no commit is under way, and none was killed."""
    return memory.intact and memory.journal is None


class IndexLog:
    """The index of one mirror. What writes needs the mirror's lock, what reads does not.

    Args:
        folder: the mirror's ``.jupyter-remote``, which must exist before something is written.
    """

    def __init__(self, folder: bytes) -> None:
        self._path = os.path.join(folder, b"index")
        self._known = _NOTHING

    def load(self) -> Memory:
        """What the file says; one stat when it has not changed, and of one that grew only the new blocks.

        What can't be read counts as not there: files are then unknown, and unknown files are never
        overwritten or deleted.
        """
        known = self._known
        if self._signature() != known.signature:
            self._known = known = self._read(known)
        return known

    def repair(self) -> tuple[Memory, bool]:
        """Cuts off what a killed agent has half written, and what came behind it.

        Returns:
            What is left, and whether that is all there was.
        """
        self._known = memory = self._read(_NOTHING)
        if memory.intact:
            return memory, True
        os.truncate(self._path, memory.size)
        self._known = memory = memory._replace(intact=True, signature=self._signature())
        return memory, False

    def begin(self, memory: Memory, journal: Journal) -> Memory:
        """To be called before the first file of a commit moves."""
        return self._append(memory._replace(journal=journal), BEGIN, memory.generation, journal)

    def end(self, memory: Memory, records: Records, otherwise: Journal) -> Memory:
        """Ends a commit, and gives the mirror a new generation.

        Args:
            memory: what :meth:`begin` returned, or a memory that tells of a commit that was killed.
            records: all that is in the mirror now.
            otherwise: of these, what the journal did not say.
        """
        # Generations are also times, so that a mirror that was deleted and made again never comes back to
        # a number that some client remembers.
        generation = max(memory.generation + 1, time.time_ns() // 1000)
        ended = memory._replace(generation=generation, records=records, journal=None)
        self._known = ended = self._append(ended, END, generation, otherwise)
        if ended.rows > 2 * len(records) + _FEW_ROWS:
            # It is all there already: on a full disk it can wait.
            with suppress(OSError):
                self._known = ended = self._renew(ended)
        return ended

    def _signature(self) -> tuple[int, int, int] | None:
        try:
            return _signature_of(os.stat(self._path))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _read(self, known: Memory) -> Memory:
        try:
            with open(self._path, "rb") as file:
                status = os.fstat(file.fileno())
                signature = _signature_of(status)
                is_known = known.signature is not None and known.signature[1] == status.st_ino
                if is_known and known.size < status.st_size:
                    file.seek(known.size)
                    memory = _grown(known, file.read())
                    # The number of a file that was replaced may come again; the checksum doesn't.
                    if memory.intact:
                        return memory._replace(signature=signature)
                    file.seek(0)
                return _grown(_NOTHING, file.read())._replace(signature=signature)
        except (FileNotFoundError, NotADirectoryError):
            return _NOTHING

    def _append(self, memory: Memory, kind: bytes, generation: int, rows: Journal) -> Memory:
        data, check = b"", memory.check
        if not memory.size:
            data, check = _block(WHOLE, 0, {}, 0)
        block, check = _block(kind, generation, rows, check)
        data += block
        made = 0 if memory.size else os.O_CREAT
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | made, 0o644)
            try:
                _write(descriptor, data)
                signature = _signature_of(os.fstat(descriptor))
            except OSError:
                with suppress(OSError):
                    os.ftruncate(descriptor, memory.size)
                raise
            finally:
                os.close(descriptor)
        except OSError as error:
            raise OSError(error.errno, error.strerror, os.fsdecode(self._path)) from error
        size, count = memory.size + len(data), memory.rows + len(rows)
        return memory._replace(rows=count, size=size, check=check, signature=signature)

    def _renew(self, memory: Memory) -> Memory:
        data, check = _block(WHOLE, memory.generation, memory.records, 0)
        new = self._path + b".new"
        try:
            with open(new, "wb", buffering=0) as file:
                _write(file.fileno(), data)
                signature = _signature_of(os.fstat(file.fileno()))
            os.replace(new, self._path)
        except OSError:
            with suppress(OSError):
                os.unlink(new)
            raise
        size, count = len(data), len(memory.records)
        return memory._replace(rows=count, size=size, check=check, signature=signature)


def _grown(memory: Memory, data: bytes) -> Memory:
    """A memory after the blocks that follow it."""
    at, rows_read, check = 0, memory.rows, memory.check
    generation, records, journal = memory.generation, memory.records, memory.journal
    with uncollected():
        while at < len(data):
            block = _next(data, at, check)
            # Only the first knows of all before it, which is nothing; and one commit ends before the next.
            is_first = memory.size + at == 0
            if (
                block is None
                or (block[0] == WHOLE) != is_first
                or (block[0] == BEGIN and journal is not None)
            ):
                break
            kind, number, rows, at, check = block
            rows_read += len(rows)
            if kind == BEGIN:
                journal = rows
                continue
            if records is memory.records:
                records = dict(records)
            _apply(records, journal or {})
            _apply(records, rows)
            generation, journal = number, None
    is_intact, size = at == len(data), memory.size + at
    return Memory(generation, records, journal, is_intact, rows_read, size, check, memory.signature)


def _apply(records: Records, journal: Journal) -> None:
    for path, record in journal.items():
        if record is None:
            records.pop(path, None)
        else:
            records[path] = record


def _block(kind: bytes, generation: int, rows: Any, before: int) -> tuple[bytes, int]:
    """The bytes, and their checksum."""
    plain = [[path] if r is None else [path, *r[0], *r[1:]] for path, r in rows.items()]
    body = json.dumps(plain, separators=(",", ":")).encode("ascii") + b"\n"
    start = b"%s %d %d " % (kind, generation, len(body))
    check = crc32(body, crc32(start, before))
    return b"%s%08x\n%s" % (start, check, body), check


def _next(data: bytes, at: int, before: int) -> tuple[bytes, int, Journal, int, int] | None:
    """Kind, generation, rows, where the block ends, and its checksum; None when it is not all there."""
    head = data.find(b"\n", at, at + _LONGEST_HEAD) + 1
    try:
        kind, generation, length, told = data[at:head].split()
        end = head + int(length)
        body = data[head:end]
        check = crc32(body, crc32(data[at : head - 9], before))
        if len(body) != int(length) or check != int(told, 16) or kind not in (WHOLE, BEGIN, END):
            return None
        return kind, int(generation), _rows(json.loads(body)), end, check
    except (ValueError, TypeError, LookupError, RecursionError):
        return None


def _rows(plain: list[list[Any]]) -> Journal:
    # What the checksum vouches for was written here: no field is looked at. This is what loading costs.
    new = tuple.__new__
    return {
        row[0]: new(Record, (new(Entry, row[1:6]), row[6], row[7], row[8], row[9])) if len(row) > 1 else None
        for row in plain
    }


def _signature_of(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_mtime_ns, status.st_ino, status.st_size


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
