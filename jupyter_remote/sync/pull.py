"""Files of a mirror brought here: what matches, what of it is new, and its content, checked to the last byte.

The host is not believed: every path, size and digest is checked, and what doesn't fit is a `ProtocolError`.
What may be written here is said in `target.py`; what matches, in `agent/patterns.py`; the format, in
`agent/artifacts.py`. Memory is bounded whatever the host sends: its list goes to a temporary file.
"""

from __future__ import annotations

import errno
import json
import stat
import sys
import tempfile
import time
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, Any

from ..agent import messages as m
from ..agent.artifacts import PROBLEM, Found, order, parse_found
from ..agent.entry import DIR, FILE, LINK, TreeError
from ..agent.patterns import Patterns
from ..connection import Connection
from ..errors import DiskFull, ProtocolError, SyncError, UsageError
from .answers import Answer, batches, rows
from .names import Names
from .partial import WORTH_KEEPING, Partial
from .progress import Meter, Report
from .target import Refused, Target

# What changes while it is read is read again, so many times in all.
ATTEMPTS = 4
# So many refusals are told by name, so that a list of nothing else doesn't fill the memory.
_NAMED = 1000


@dataclass
class PullReport:
    """What a pull did, or would do.

    Args:
        pulled: paths brought here, relative to the target.
        unchanged: how many paths that match were here already.
        kept: (path, where the version of this side went) for files that had been changed here.
        refused: (path, why) for what was not brought.
        bytes: size of the files brought.
        seconds: how long it took.
    """

    pulled: list[str] = field(default_factory=list)
    unchanged: int = 0
    kept: list[tuple[str, str]] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    bytes: int = 0
    seconds: float = 0.0


def parse_patterns(texts: Sequence[str]) -> Patterns:
    """The patterns, checked.

    Raises:
        UsageError: there is none, or one that can't match anything.
    """
    if not texts:
        raise UsageError("nothing to pull: give a pattern, for example 'results/**'")
    try:
        return Patterns(texts)
    except ValueError as error:
        raise UsageError(str(error)) from None


def pull(
    connection: Connection,
    mirror: str,
    texts: Sequence[str],
    target: Target,
    *,
    dry_run: bool = False,
    progress: Report | None = None,
) -> PullReport:
    """Brings what matches.

    Args:
        connection: the live agent.
        mirror: path of the mirror on the host.
        texts: the patterns, see `agent/patterns.py`.
        target: where to.
        dry_run: only say what would be done.
        progress: told how far it has come, at most ten times a second.

    Raises:
        UsageError: a pattern can't be used.
        ProtocolError: the host lies. Files that were brought before stay, the others are as they were.
        DiskFull: there is no room here; the file is named, the others are whole.
        SyncError: files can't be written here; they are named, all others were brought.
        ConnectionLost: the link is gone; the next pull goes on where this one was cut.
    """
    patterns = parse_patterns(texts)
    started = time.monotonic()
    host = connection.host.name
    work = _Pull(connection, mirror, target, dry_run)
    try:
        with tempfile.TemporaryFile() as wanted:
            work.list_into(wanted, texts, patterns)
            if progress is not None and not dry_run:
                work.meter = Meter(progress, *work.totals)
            for batch in batches(wanted, lambda found: found.kind == FILE):
                work.fetch(batch)
            # Links last, so that nothing is ever written through one of them.
            for kind in (DIR, LINK):
                for batch in batches(wanted, lambda found, kind=kind: found.kind == kind):  # type: ignore[misc]
                    work.make(batch)
            if work.meter:
                work.meter.finished()
    except (TreeError, ValueError, TypeError, RecursionError) as error:
        raise ProtocolError(f"{host} sent what is no answer to a pull: {error}", host=host) from None
    except ProtocolError as error:
        error.host = error.host or host
        raise
    finally:
        if not dry_run:
            with suppress(OSError):
                target.save()
    work.report.seconds = time.monotonic() - started
    if work.problems:
        more = len(work.problems) - 10
        named = "; ".join(work.problems[:10]) + (f"; and {more} more" if more > 0 else "")
        raise SyncError(
            f"not everything from {host} could be written to {target.root}: {named}",
            hint="Put it right and pull again; what came is not sent again.",
        )
    return work.report


class _Pull:
    def __init__(self, connection: Connection, mirror: str, target: Target, dry_run: bool) -> None:
        self.report = PullReport()
        self.problems: list[str] = []
        self._connection = connection
        self._mirror = mirror
        self._target = target
        self._dry_run = dry_run
        self._refused = 0
        # Bytes and files with content that are to be brought.
        self.totals = (0, 0)
        self.meter: Meter | None = None
        self._names = Names(sys.platform)

    def list_into(self, wanted: IO[bytes], texts: Sequence[str], patterns: Patterns) -> None:
        """Asks what matches, and writes the rows of what has to be brought to a file."""
        before: list[bytes] = []
        for row in rows(self._connection.request(m.Find(self._mirror, list(texts)))):
            found = parse_found(json.loads(row))
            now = order(found.path)
            if now <= before:
                raise ProtocolError(f"the host lists {found.path[:200]!r} out of order, or twice")
            before = now
            if found.kind == PROBLEM:
                self._refuse(found.path, found.text[:200])
            elif not patterns.cover(found.path, found.kind == DIR):
                raise ProtocolError(f"the host lists {found.path[:200]!r}, which was not asked for")
            elif why := self._names.refuse(found.path):
                self._refuse(found.path, why)
            elif self._target.is_current(found):
                self.report.unchanged += 1
            else:
                if found.kind == FILE:
                    self.totals = self.totals[0] + found.size, self.totals[1] + 1
                wanted.write(row + b"\n")

    def make(self, batch: list[Found]) -> None:
        """Links and empty folders."""
        self._explain(batch)
        for found in batch:
            try:
                self._target.check(found)
                kept = None
                if not self._dry_run:
                    kept = self._target.put_link(found) if found.kind == LINK else None
                    if found.kind == DIR:
                        self._target.put_folder(found)
                self._brought(found, kept)
            except Refused as refused:
                self._refuse(found.path, str(refused))
            except OSError as error:
                self._failed(found, error)

    def fetch(self, batch: list[Found]) -> None:
        """Files, and again those that changed in the meantime."""
        self._explain(batch)
        for _ in range(ATTEMPTS):
            if not (batch := self._fetch_once(batch)):
                return
        for found in batch:
            self._refuse(found.path, "it keeps changing while it is read")

    def _explain(self, batch: list[Found]) -> None:
        """Asks the host about files here that no pull has brought: whether a sync has sent them like this.

        Then the difference is the host's doing and no edit. The host's index is asked because it outlives
        this process, and because it knows what became of the file.
        """
        told = self._target.unexplained(batch)
        if not told:
            return
        payload = zlib.compress(json.dumps(told).encode("ascii"), 1)
        stream = self._connection.request(m.WasPut(self._mirror), payload)
        try:
            answer = stream.receive().message
        finally:
            stream.close()
        answers = (answer.data or {}).get("put") if isinstance(answer, m.Facts) else None
        if type(answers) is not str or len(answers) != len(told):
            raise ProtocolError("the host doesn't say what was put there")
        self._target.explain(told, answers)

    def _fetch_once(self, batch: list[Found]) -> list[Found]:
        wanted: list[tuple[Found, Partial | None]] = []
        asked = []
        again: list[Found] = []
        try:
            for found in batch:
                try:
                    status = self._target.check(found)
                    partial = None
                    if found.size >= WORTH_KEEPING and not self._dry_run:
                        # The last of its batch: one file at a time is held open.
                        partial = self._target.partial(found)
                except Refused as refused:
                    self._refuse(found.path, str(refused))
                    continue
                except OSError as error:
                    self._failed(found, error)
                    continue
                wanted.append((found, partial))
                if partial is not None:
                    self._target.check_room(found.path, found.size - partial.offset)
                is_file = status is not None and stat.S_ISREG(status.st_mode)
                same_size = is_file and status is not None and status.st_size == found.size
                digest = self._target.digest(found.path) if same_size else ""
                offset = partial.offset if partial else 0
                asked.append([found.path, found.size, found.mtime_ns, offset, digest])
            if not asked:
                return []
            payload = json.dumps(asked, separators=(",", ":")).encode("ascii")
            stream = self._connection.request(m.Fetch(self._mirror, int(not self._dry_run)), payload)
            try:
                answer = Answer(stream)
                for (found, partial), row in zip(wanted, asked, strict=True):
                    again += self._take(answer, found, partial, row)
                answer.finish()
            finally:
                stream.close()
        finally:
            for _, partial in wanted:
                if partial is not None:
                    partial.close(keep=True)
        return again

    def _take(self, answer: Answer, found: Found, partial: Partial | None, row: list[Any]) -> list[Found]:
        """One file's answer; returns what has to be asked for again."""
        kind, *values = answer.header()
        if kind == "same" and row[4] and not values:
            self.report.unchanged += 1
            if not self._dry_run:
                self._target.remember(found, row[4])
            if self.meter:
                self.meter.read(found.size)
                self.meter.closed()
        elif kind == "gone" and not values:
            self._refuse(found.path, "it was removed while it was pulled")
        elif kind == PROBLEM:
            self._refuse(found.path, str(values[0])[:200])
        elif kind == "changed":
            size, mtime_ns, mode = values
            return [parse_found([found.path, FILE, mode, size, mtime_ns, ""])]
        elif kind == "file" and self._dry_run:
            status = self._target.check(found)
            self._brought(found, "" if self._target.is_edited(found.path, status) else None)
        elif kind == "file" and values in ([0], [row[3]]):
            return self._receive(answer, found, partial, values[0])
        else:
            raise ProtocolError(f"the answer for {found.path[:200]!r} is none: {str(kind)[:100]!r}")
        return []

    def _receive(self, answer: Answer, found: Found, partial: Partial | None, offset: int) -> list[Found]:
        failed: OSError | None = None
        try:
            partial = partial or self._target.partial(found)
            partial.resume(offset)
            if self.meter:
                self.meter.read(offset)
        except OSError as error:
            failed = error
        try:
            for block in answer.body(found.size - offset):
                if self.meter:
                    self.meter.read(len(block))
                # What can't be written is read all the same: the next file comes behind it.
                if partial is not None and failed is None:
                    try:
                        partial.write(block)
                    except OSError as error:
                        failed = error
                        self._check_full(found, error)
            digest, changed = answer.header()
            if type(digest) is not str or type(changed) is not bool:
                raise ProtocolError(f"the digest of {found.path[:200]!r} is none")
            if failed is not None or partial is None:
                self._failed(found, failed or OSError(errno.EIO, "no file"))
                return []
            if changed or partial.digest() != digest:
                partial.rewind()
                if changed or offset:
                    return [found]  # what was kept of an earlier pull may be what is wrong
                raise ProtocolError(f"the content of {found.path[:200]!r} is not what its digest says")
            try:
                kept = self._target.put_file(found, partial.path, digest)
            except OSError as error:
                self._failed(found, error)
                return []
            partial.release()
            if self.meter:
                self.meter.closed()
            self._brought(found, kept)
        except Refused as refused:
            self._refuse(found.path, str(refused))
        finally:
            if partial is not None:
                partial.close(keep=True)
        return []

    def _brought(self, found: Found, kept: str | None) -> None:
        self.report.pulled.append(found.path)
        self.report.bytes += found.size
        if kept is not None:
            self.report.kept.append((found.path, kept))

    def _refuse(self, path: str, why: str) -> None:
        self._refused += 1
        if self._refused <= _NAMED:
            self.report.refused.append((path, why))
        else:
            self.report.refused[_NAMED:] = [("…", f"and {self._refused - _NAMED} more")]

    def _check_full(self, found: Found, error: OSError) -> None:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(
                f"no space is left here for {found.path!r} in {self._target.root}",
                hint="Free some space here and pull again, or pull into another folder with --output.",
            ) from None

    def _failed(self, found: Found, error: OSError) -> None:
        self._check_full(found, error)
        self.problems.append(f"{found.path!r}: {error.strerror}")
