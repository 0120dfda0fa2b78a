"""Keeps one workspace and its mirror on one host in step: scan, plan, send; over a connection.

What to send is decided in ``plan``; what is in the workspace, in ``scan``. Here are only the messages and
what the client remembers between two cells: the mirror's generation and what it holds.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ..agent import messages as m
from ..agent.entry import FILE, Entry, Manifest
from ..agent.mirror_index import SAME
from ..agent.pack import DELETE, PUT, ChangedWhileReading, pack
from ..config_models import SyncOptions
from ..connection import Connection, Missing, Stream
from ..errors import ProtocolError, SyncError
from .inventory import read_inventory
from .plan import Plan, check_names, plan
from .progress import Meter, Report
from .remembered import index_file
from .rules import Skipped
from .scan import Scan, Scanner
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
            finally:
                self._stream.close()
            if not isinstance(answer, m.Facts) or not answer.data:
                raise ProtocolError("the answer to a sync is not one")
            report.kept = [(str(path), str(kept)) for path, kept in answer.data["kept"]]
            self._owner.applied(self._scan, self._planned, int(answer.data["generation"]))
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
    """

    def __init__(self, root: Path, mirror: str, owner: str, options: SyncOptions) -> None:
        self.root = root
        self.mirror = mirror
        self.generation = -1
        self.owner = self._owner = owner
        sizes: dict[str, int] = (
            {} if options.max_file_size is None else {"max_file_size": options.max_file_size}
        )
        index = index_file(str(root), options.include, options.exclude)
        self._scanner = Scanner(root, include=options.include, exclude=options.exclude, index=index, **sizes)
        self._remote: dict[str, tuple[Entry, str, str]] | None = None
        self._synced: Manifest | None = None
        self._received: dict[str, int] = {}
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

    def synced(self, path: str) -> Entry | None:
        """What a path held when this process synced it last."""
        return None if self._synced is None else self._synced.get(path)

    def inventory(self, connection: Connection) -> dict[str, tuple[Entry, str, str]]:
        """What the mirror holds, asked for anew.

        Raises:
            ProtocolError: the answer is none.
        """
        self.forget()
        self._read_inventory(connection.request(m.Inventory(self.mirror)))
        assert self._remote is not None
        return self._remote

    def applied(self, scan: Scan, planned: Plan | None, generation: int) -> None:
        """The host has taken everything that the plan for this scan asked for."""
        self.generation = generation
        self._synced = scan.manifest
        self._received = {}
        if planned is None or self._remote is None:
            return
        for change in planned.changes:
            if change.entry is None:
                self._remote.pop(change.path, None)
            else:
                self._remote[change.path] = (change.entry, self._owner, SAME)

    def push(self, connection: Connection, progress: Report | None = None) -> Pushed:
        """Scans, and sends what is missing; the answer is waited for in :meth:`Pushed.finish`.

        Args:
            connection: to the host.
            progress: told how far the sending has come, at most ten times a second.

        Raises:
            SyncError: a file can't be read or can't be sent.
            ConnectionLost: the link is gone.
        """
        for _ in range(ATTEMPTS):
            if self._synced is not None:
                scan = self._scanner.scan()
                # The same object for as long as nothing changes; comparing takes as long as there are files.
                if scan.manifest is self._synced or scan.manifest == self._synced:
                    return Pushed(self, scan, None, None)
            scan, planned = self._compare(connection)
            if not planned.changes:
                self._synced = scan.manifest
                return Pushed(self, scan, planned, None)
            try:
                return Pushed(self, scan, planned, *self._send(connection, planned, progress))
            except ChangedWhileReading as changed:
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

    def _compare(self, connection: Connection, *, strict: bool = True) -> tuple[Scan, Plan]:
        # The question travels while the files are looked at.
        asked = connection.request(m.Inventory(self.mirror)) if self._remote is None else None
        # A sync that was asked for by name forgets first, and looks at everything.
        scan = self._scanner.scan(strict=strict, thorough=self._synced is None)
        if asked is not None:
            self._read_inventory(asked)
        assert self._remote is not None
        if connection.hello.get("platform") == "darwin":
            check_names(scan.manifest, connection.host.name, folds_case=True)
        # A file that outgrew the size guard is still here: no reason to delete what the host has of it.
        held = [skip.path for skip in scan.skipped if skip.source == SIZE_GUARD]
        return scan, plan(scan.manifest, self._remote, self._owner, held)

    def _read_inventory(self, stream: Stream) -> None:
        try:
            told = json.loads(read_inventory(stream))
            rows = told["entries"].items()
            self._remote = {path: (Entry(*entry), owner, state) for path, (entry, owner, state) in rows}
            self.generation = int(told["generation"])
            self._received = {str(digest): int(size) for digest, size in told.get("received", {}).items()}
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ProtocolError(f"the host's list of files is broken: {error}") from None

    def _send(self, connection: Connection, planned: Plan, progress: Report | None) -> tuple[Stream, int]:
        assert self._remote is not None
        transfer = decide(planned.changes, self._remote, self._received, self._refused)
        shorter = recipes(transfer, connection, self.mirror)
        meter = _meter(planned, progress)
        opened = meter.opening(self._scanner.open) if meter else self._scanner.open
        stream = connection.request(m.Sync(self.mirror, self.generation, self._owner))
        size = 0
        try:
            for piece in pack(planned.changes, opened, shorter):
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
        report.bytes = planned.bytes
    return report
