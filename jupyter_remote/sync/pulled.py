"""What pulls have brought into a folder: `pulled.json` in its `.jupyter-remote/`, and who may write it when.

A pull asks it what needs not come again, and what was edited here since; a sync, which files are the host's
and not ours to send. Several pulls may write it at once, and each may be killed: a row goes to `pulled.log`
as soon as its file is in place, and the log is folded into `pulled.json` at the end. Nothing here looks at a
file that was pulled: that is `target.py`.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..agent.artifacts import Found
from ..agent.entry import DIR, FILE, LINK, Entry
from .content import file_entry

_NAME, _LOG = "pulled.json", "pulled.log"
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)

# Of a file: source, size and time there, size and time here, digest, mode here. Of a link: source, target.
# Of a folder: source.
Row = list[Any]


def source_of(host: str, mirror: str) -> str:
    """Says where something came from, in a row.

    Args:
        mirror: its path on the host.
    """
    return f"{host}:{mirror}"


def row_of(source: str, found: Found, digest: str, status: os.stat_result) -> Row:
    """What is remembered of something that came.

    Args:
        source: see :func:`source_of`.
        found: as the host lists it.
        digest: of a file's content, "" where it is not known.
        status: of what is here now.
    """
    if found.kind == LINK:
        return [source, found.text]
    if found.kind == DIR:
        return [source]
    mode = file_entry(status.st_mode, 0, "").mode
    return [source, found.size, found.mtime_ns, status.st_size, status.st_mtime_ns, digest, mode]


def is_unedited(row: Row, entry: Entry) -> bool:
    """Whether what the workspace holds is what was pulled, as far as content and mode go."""
    if entry.kind == FILE:
        return row[5:7] == [entry.digest, entry.mode]
    if entry.kind == LINK:
        return row[1:] == [entry.target]
    return len(row) == 1


def is_edited_file(row: Row, entry: Entry) -> bool:
    """Whether a file was pulled and holds something else now."""
    return len(row) == 7 and entry.kind == FILE and not is_unedited(row, entry)


class Pulled:
    """The rows of a folder, by path.

    Args:
        folder: the `.jupyter-remote` of it; made when there is something to write.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._file, self._log = os.path.join(folder, _NAME), os.path.join(folder, _LOG)
        self._rows: dict[str, Row] = {}
        self._is_new = False
        # What was read: the file, the log, and that up to where.
        self._seen: Any = None
        self._log_at = 0
        self._descriptor = -1

    def rows(self) -> dict[str, Row]:
        """All rows, with what others have written since the last look (two stats when nobody has)."""
        signature = _mark(self._file), (_mark(self._log) or (0,))[0]
        if signature != self._seen:
            self._seen, self._log_at = signature, 0
            # The log first: what is folded between the two reads is then in both, and not in none.
            logged = self._read_log()
            self._rows = {**_rows(_content(self._file)), **logged}
        else:
            self._rows.update(self._read_log())
        return self._rows

    def get(self, path: str) -> Row:
        """The row of a path, an empty one when nothing is known, as far as was read."""
        return self._rows.get(path, [])

    def add(self, path: str, row: Row) -> None:
        """Something came and is in its place. To be called within :meth:`locked`."""
        self._rows[path] = row
        self._is_new = True
        line = json.dumps([path, row], separators=(",", ":")).encode("ascii") + b"\n"
        # One write at the end of the file: where there are no locks, lines of two pulls don't mix either.
        os.write(self._descriptor, line)

    def forget(self, paths: Iterable[str]) -> None:
        """These are no longer what a pull brought. Writes it down."""
        known = self.rows()
        gone = [path for path in paths if path in known]
        if gone:
            self._fold(gone)

    def save(self) -> None:
        """Writes everything down, beside what other pulls have written in the meantime."""
        if self._is_new:
            self._fold(())
        self._close()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else puts a pulled file in its place, or writes here, for as long as this lasts."""
        if self._descriptor < 0:
            self._prepare()
            self._descriptor = os.open(self._log, _APPEND, 0o600)
        _lock(self._descriptor, True)
        try:
            yield
        finally:
            _lock(self._descriptor, False)

    def _fold(self, gone: Iterable[str]) -> None:
        new = f"{self._file}.{os.getpid()}.{time.monotonic_ns()}"
        try:
            with self.locked():
                self._seen = None
                rows = self.rows()
                for path in gone:
                    rows.pop(path, None)
                Path(new).write_text(json.dumps(rows, separators=(",", ":")), encoding="ascii")
                os.replace(new, self._file)
                # Emptied and not removed, because others have it open, and it is what is locked.
                os.ftruncate(self._descriptor, 0)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(new)
            self._close()
        self._is_new = False

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _prepare(self) -> None:
        os.makedirs(self._folder, 0o700, exist_ok=True)
        ignore = os.path.join(self._folder, ".gitignore")
        if not os.path.lexists(ignore):
            Path(ignore).write_text("*\n", encoding="ascii")

    def _read_log(self) -> dict[str, Row]:
        """The lines that are new in the log."""
        rows: dict[str, Row] = {}
        if (_mark(self._log) or (0, 0))[1] <= self._log_at:
            return rows
        content = _content(self._log, self._log_at)
        whole = content[: content.rfind(b"\n") + 1]
        self._log_at += len(whole)
        for line in whole.splitlines():
            with contextlib.suppress(ValueError, TypeError):  # what a full disk has left of a line
                path, row = json.loads(line)
                if isinstance(path, str) and isinstance(row, list) and row:
                    rows[path] = row
        return rows


def _lock(descriptor: int, take: bool) -> None:
    # On file systems without locks the worst is that a row of two pulls at once is lost, or that one of them
    # keeps aside what the other has just brought.
    with contextlib.suppress(OSError):
        if sys.platform == "win32":
            import msvcrt

            # Far behind the end, because nobody may read what is locked there.
            os.lseek(descriptor, 1 << 30, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_LOCK if take else msvcrt.LK_UNLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX if take else fcntl.LOCK_UN)


def _mark(path: str) -> tuple[int, ...] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _content(path: str, start: int = 0) -> bytes:
    try:
        with open(path, "rb") as file:
            file.seek(start)
            return file.read()
    except OSError:
        return b""


def _rows(content: bytes) -> dict[str, Row]:
    try:
        known = json.loads(content or b"{}")
    except ValueError:
        return {}
    if not isinstance(known, dict):
        return {}
    return {path: row for path, row in known.items() if isinstance(row, list) and row}
