"""Keeps one workspace and its mirror on one host in step: scan, plan, send; over a connection.

What to send is decided in ``plan``; what is in the workspace, in ``scan``. Here are only the messages and
what the client remembers between two cells: the mirror's generation and what it holds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ..agent import messages as m
from ..agent.entry import FILE, Entry, Manifest
from ..agent.inventory import parse
from ..agent.mirror_index import SAME
from ..agent.pace import Pace
from ..agent.pack import DELETE, PUT, Change, ChangedWhileReading, pack
from ..agent.recipe import Recipe
from ..config_models import SyncOptions
from ..connection import Changed, Connection, Missing, Stream
from ..errors import ProtocolError, SyncError
from .ahead import Ahead
from .brought import BroughtFiles
from .inventory import read_inventory
from .moment import called
from .plan import Plan, check_names, plan
from .progress import Meter, Report
from .remembered import index_file
from .rules import Skipped
from .scan import MAX_FILE_SIZE, Scan, scanner_of
from .transfer import decide, recipes

ATTEMPTS = 5
SIZE_GUARD = "max_file_size"


@dataclass
class SyncReport:
    """What a sync did, or would do.

    Args:
        sent, deleted: paths of the workspace.
        kept: (path, where the host's own version went) for files that had changed there.
        conflicts: paths that changed on both sides.
        host_changed: paths that only the host changed: left alone.
        pulled: paths that a pull brought and nobody changed since: the host's own, left alone.
        skipped: what stayed here, with the rule that says so.
        notes: what else the user should know.
        bytes: size of the files sent.
        wire_bytes: what was sent for that: less where it could be compressed, or the host had it.
        generation: of the mirror afterwards.
        seconds: how long it took.
    """

    sent: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    kept: list[tuple[str, str]] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    host_changed: list[str] = field(default_factory=list)
    pulled: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    bytes: int = 0
    wire_bytes: int = 0
    generation: int = 0
    seconds: float = 0.0


class Pushed:
    """A change set on its way, or nothing to send.

    Args:
        stream: where the host's answer comes; None when the mirror was up to date.
        wire_bytes: what went that way.
    """

    def __init__(
        self,
        owner: WorkspaceSync,
        scan: Scan,
        planned: Plan | None,
        stream: Stream | None,
        wire_bytes: int = 0,
    ) -> None:
        self._owner = owner
        self._scan = scan
        self._planned = planned
        self._stream = stream
        self._wire_bytes = wire_bytes
        self._started = time.monotonic()

    @property
    def after(self) -> int | None:
        """Stream id that a run has to wait for."""
        return None if self._stream is None else self._stream.number

    def finish(self) -> SyncReport:
        """Waits for the host's answer.

        Raises:
            Stale: somebody else has synced in between.
            SyncError, DiskFull, ConnectionLost: it failed.
        """
        report = _report(self._planned, self._scan)
        report.wire_bytes = self._wire_bytes
        if self._stream is not None:
            try:
                answer = self._stream.receive().message
            except Missing as missing:
                self._owner.refused(missing.digests)
                raise
            except Changed:
                self._owner.look_anew()
                raise
            finally:
                self._stream.close()
            generation, report.kept, old = read_applied(answer)
            self._owner.applied(self._scan, self._planned, generation, old)
            if report.kept:
                # What was moved aside may have been a folder with more of ours in it: compare anew.
                self._owner.forget()
        report.generation = self._owner.generation
        report.seconds = time.monotonic() - self._started
        return report


class WorkspaceSync:
    """One workspace here, and its mirror there.

    Args:
        root: the workspace.
        mirror: path of the mirror on the host (``~`` is the host's business).
        owner: id of this workspace on this machine.
        options: include, exclude, max_file_size.
        source: what pulls from there are remembered by, see `pulled.source_of`.
    """

    def __init__(self, root: Path, mirror: str, owner: str, options: SyncOptions, source: str = "") -> None:
        self.root = root
        self.mirror = mirror
        self.generation = -1
        self.owner = self._owner = owner
        index = index_file(str(root), options.include, options.exclude)
        largest = MAX_FILE_SIZE if options.max_file_size is None else options.max_file_size
        self._scanner = scanner_of(root, options.include, options.exclude, largest, index)
        # Nothing that was seen before counts.
        self._anew = -math.inf
        self.brought = BroughtFiles(str(root), mirror, source)
        self._remote: dict[str, tuple[Entry, str, str]] | None = None
        self._synced: Manifest | None = None
        self._received: dict[str, int] = {}
        # What the mirror held until lately, and the host still has.
        self._old: set[str] = set()
        self._refused: set[str] = set()

    def open(self, path: str) -> BinaryIO:
        """Opens a file of the workspace for :func:`pack`."""
        return self._scanner.open(path)

    def refused(self, digests: Iterable[str]) -> None:
        """The host doesn't have these although its index says so: not to be counted on again."""
        self._refused.update(digests)

    def forget(self) -> None:
        """The mirror is not what we thought: ask again next time."""
        self._remote = self._synced = None

    def look_anew(self) -> None:
        """The workspace is not what we thought: what was seen of it up to now doesn't count."""
        self._anew = time.monotonic()

    def inventory(self, connection: Connection) -> dict[str, tuple[Entry, str, str]]:
        """What the mirror holds, asked for anew.

        Raises:
            ProtocolError: the answer is none.
        """
        self.forget()
        self._read_inventory(connection.request(m.Inventory(self.mirror)))
        assert self._remote is not None
        return self._remote

    def applied(self, scan: Scan, planned: Plan | None, generation: int, old: Iterable[str] = ()) -> None:
        """The host has taken everything that the plan for this scan asked for, and still has the old."""
        self.generation = generation
        self._old.update(old)
        self._synced = scan.manifest
        self._received = {}
        if planned is None or self._remote is None:
            return
        for change in planned.changes:
            if change.entry is None:
                self._remote.pop(change.path, None)
            else:
                self._remote[change.path] = (change.entry, self._owner, SAME)
        self.brought.forget([change.path for change in planned.changes])

    def recipes(self, connection: Connection, changes: Sequence[Change]) -> dict[str, Recipe]:
        """How the content of a change set travels, for :func:`pack`; the inventory must be known.

        Raises:
            ProtocolError: the host's answer is none.
        """
        assert self._remote is not None
        transfer = decide(changes, self._remote, self._received, self._refused, self._old)
        return recipes(transfer, connection, self.mirror, self._scanner.open)

    def look(self) -> Scan:
        """What is in the workspace, looked at as by a push.

        Raises:
            SyncError: a file can't be read or can't be sent.
        """
        return self._look(strict=True)

    def push(
        self, connection: Connection, progress: Report | None = None, ahead: Ahead | None = None
    ) -> Pushed:
        """Scans, and sends what is missing; the answer is waited for in :meth:`Pushed.finish`.

        Args:
            connection: to the host.
            progress: told how far the sending has come, at most ten times a second.
            ahead: a look at the workspace that has begun already.

        Raises:
            SyncError: a file can't be read or can't be sent.
            ConnectionLost: the link is gone.
        """
        for _ in range(ATTEMPTS):
            seen = None
            if self._synced is not None:
                seen = self._scanner.scan(since=self._since())
                # The same object for as long as nothing changes; comparing takes as long as there are files.
                if seen.manifest is self._synced or seen.manifest == self._synced:
                    return Pushed(self, seen, None, None)
            scan, planned = self._compare(connection, seen, ahead)
            if not planned.changes:
                self._synced = scan.manifest
                return Pushed(self, scan, planned, None)
            try:
                return Pushed(self, scan, planned, *self._send(connection, planned, progress))
            except ChangedWhileReading as changed:
                self.look_anew()
                last = changed
        raise SyncError(
            f"{last.path} keeps changing while it is read", hint="Exclude it, or sync when it is finished."
        )

    def preview(self, connection: Connection) -> SyncReport:
        """What a push would do now."""
        scan, planned = self._compare(connection, strict=False)
        report = _report(planned, scan)
        report.generation = self.generation
        return report

    def _compare(
        self,
        connection: Connection,
        seen: Scan | None = None,
        ahead: Ahead | None = None,
        *,
        strict: bool = True,
    ) -> tuple[Scan, Plan]:
        # The question travels while the files are looked at.
        asked = connection.request(m.Inventory(self.mirror)) if self._remote is None else None
        looked = self.brought.ask(connection) if asked else []
        scan = seen or (ahead and ahead.take()) or self._look(strict)
        if asked is not None:
            self._read_inventory(asked)
            self.brought.read(looked)
        assert self._remote is not None
        if connection.hello.get("platform") == "darwin":
            check_names(scan.manifest, connection.host.name, folds_case=True)
        # A file that outgrew the size guard is still here: no reason to delete what the host has of it.
        held = [skip.path for skip in scan.skipped if skip.source == SIZE_GUARD]
        brought = self.brought.compare(scan.manifest)
        return scan, plan(scan.manifest, self._remote, self._owner, held, brought)

    def _look(self, strict: bool) -> Scan:
        # A sync that was asked for by name forgets first, and looks at everything.
        return self._scanner.scan(strict=strict, thorough=self._synced is None, since=self._since())

    def _since(self) -> float:
        return max(called.get(), self._anew)

    def _read_inventory(self, stream: Stream) -> None:
        text, digests = read_inventory(stream)
        try:
            self.generation, self._remote, self._received, old = parse(text, digests)
            self._old = set(old)
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            raise ProtocolError(f"the host's list of files is broken: {error}") from None

    def _send(self, connection: Connection, planned: Plan, progress: Report | None) -> tuple[Stream, int]:
        shorter = self.recipes(connection, planned.changes)
        meter = _meter(planned, progress)
        opened = meter.opening(self._scanner.open) if meter else self._scanner.open
        yields = self.brought.yields(planned.yielding)
        stream = connection.request(m.Sync(self.mirror, self.generation, self._owner, yields))
        size = 0
        try:
            for piece in pack(planned.changes, opened, shorter, Pace()):
                stream.send(m.Data(), piece)
                size += len(piece)
            stream.send(m.End())
            if meter:
                meter.finished()
        except BaseException:
            stream.close()
            # What the host got so far it keeps; the next try asks for how much that is.
            self.forget()
            raise
        return stream, size


def read_applied(answer: m.Message) -> tuple[int, list[tuple[str, str]], list[str]]:
    """The host's answer to a change set: new generation, what was kept aside, digests of what is old now."""
    try:
        if not isinstance(answer, m.Facts) or answer.data is None:
            raise TypeError(f"a {type(answer).__name__}")
        kept = [(str(path), str(where)) for path, where in answer.data["kept"]]
        return int(answer.data["generation"]), kept, [str(digest) for digest in answer.data.get("old", ())]
    except (TypeError, ValueError, KeyError) as error:
        raise ProtocolError(f"the answer to a sync is not one: {error}") from None


def _meter(planned: Plan, progress: Report | None) -> Meter | None:
    if progress is None:
        return None
    files = sum(1 for c in planned.changes if c.op == PUT and c.entry is not None and c.entry.kind == FILE)
    return Meter(progress, planned.bytes, files)


def _report(planned: Plan | None, scan: Scan) -> SyncReport:
    report = SyncReport(skipped=list(scan.skipped), notes=[*scan.notes, *scan.problems])
    if planned is not None:
        report.deleted = list(planned.deletes)
        report.sent = [change.path for change in planned.changes if change.op != DELETE]
        report.host_changed = list(planned.host_changed)
        report.conflicts = list(planned.conflicts)
        report.pulled = list(planned.pulled)
        report.bytes = planned.bytes
    return report
