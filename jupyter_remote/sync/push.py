"""Single paths brought to the mirror beyond the rules of the sync, for example an ignored folder of data.

They are put there in another owner's name, so that no later sync deletes them. Each change set is applied
whole or not at all; a large push is many of them, and one that was cut goes on where it was, in the middle of
a file too.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ..agent import messages as m
from ..agent.entry import LINK, STATE_FOLDER, Entry, Manifest
from ..agent.pack import DELETE, Change, ChangedWhileReading, pack
from ..agent.recipe import Recipe
from ..connection import Connection, Missing, Stale
from ..errors import SyncError, UsageError
from .content import Unsendable, Vanished, check_link, folder_entry, read
from .folder import list_folder
from .plan import plan
from .session import ATTEMPTS, SyncReport, WorkspaceSync, read_applied

# A change set is committed when it holds this much: what a cut may cost.
BATCH_BYTES = 64 << 20
_BATCH_CHANGES = 2000
_NO_LIMIT = 1 << 62


def push_owner(owner: str) -> str:
    """In whose name pushed paths are put on the mirror."""
    return f"{owner}-push"


def relative_paths(root: str, paths: Sequence[str | os.PathLike[str]]) -> list[str]:
    """The paths relative to the workspace, with `/`.

    Args:
        root: absolute path of the workspace, links in it resolved.
        paths: absolute, or relative to it.

    Raises:
        UsageError: none is given, one is not there, or not inside the workspace.
    """
    if not paths:
        raise UsageError("nothing to push: name files or folders of the workspace")
    found = []
    for path in paths:
        given = os.path.normpath(os.path.join(root, os.fspath(path)))
        # The folder's links are resolved, its own link (if it is one) is what is sent.
        full = Path(os.path.realpath(Path(given).parent)) / Path(given).name if given != root else Path(root)
        if not full.is_relative_to(root):
            raise UsageError(f"{os.fspath(path)!r} is not in the workspace {root}")
        if not os.path.lexists(full):
            raise UsageError(f"{os.fspath(path)!r} is not there")
        name = full.relative_to(root).as_posix()
        if name.split("/")[0].lower() == STATE_FOLDER:
            raise UsageError(f"{os.fspath(path)!r} belongs to the sync itself")
        found.append("" if name == "." else name)
    return found


def manifest_of(root: str, paths: Sequence[str]) -> tuple[Manifest, list[str]]:
    """What the paths hold, folders with everything in them, and what in them can't be sent.

    Raises:
        SyncError: something can't be read, or is a link that leads out: by name.
    """
    manifest: Manifest = {}
    skipped: list[str] = []
    problems: list[str] = []
    for path, is_folder in _walk(root, paths, problems):
        try:
            if is_folder:
                manifest[path] = folder_entry(os.lstat(os.path.join(root, path)).st_mode & 0o777)
                continue
            what = read(root, path, _NO_LIMIT).what
            if isinstance(what, Entry):
                manifest[path] = check_link(root, path, what.target) if what.kind == LINK else what
            else:
                skipped.append(f"{what.path!r} is not sent: {what.rule}")
        except (Vanished, FileNotFoundError):
            continue
        except Unsendable as problem:
            problems.append(str(problem))
    if problems:
        more = f"; and {len(problems) - 10} more" if len(problems) > 10 else ""
        raise SyncError(
            "not everything can be pushed: " + "; ".join(problems[:10]) + more,
            hint="Put it right, or name the other paths only.",
        )
    return manifest, skipped


def batches(changes: Sequence[Change]) -> Iterator[list[Change]]:
    """The changes (deletions left out) in change sets of a bearable size, folders before what is in them."""
    batch: list[Change] = []
    size = 0
    for change in sorted((c for c in changes if c.op != DELETE), key=lambda c: c.path):
        batch.append(change)
        size += change.entry.size if change.entry else 0
        if size >= BATCH_BYTES or len(batch) >= _BATCH_CHANGES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def push_paths(
    sync: WorkspaceSync, connection: Connection, paths: Sequence[str | os.PathLike[str]]
) -> SyncReport:
    """Brings the paths to the mirror, and nothing else; what is there and is the same is not sent.

    Raises:
        UsageError: a path that isn't there or isn't in the workspace.
        SyncError, DiskFull, ConnectionLost: it failed; what went before is there, whole.
    """
    started = time.monotonic()
    root = str(sync.root.resolve())
    names = relative_paths(root, paths)
    report = SyncReport()
    for _ in range(ATTEMPTS):
        manifest, notes = manifest_of(root, names)
        report.notes = notes
        remote = sync.inventory(connection)
        owner = push_owner(sync.owner)
        planned = plan(manifest, {path: remote[path] for path in manifest if path in remote}, owner)
        report.host_changed = planned.host_changed
        generation = sync.generation
        try:
            for batch in batches(planned.changes):
                shorter = sync.recipes(connection, batch)
                generation = _send(sync, connection, generation, owner, batch, report, shorter)
            break
        except (Stale, ChangedWhileReading):
            continue  # what was sent is there: the next plan finds it
        finally:
            sync.forget()
    else:
        raise SyncError(
            f"the files, or the mirror on {connection.host.name}, keep changing",
            host=connection.host.name,
            hint="Push when nobody writes to them.",
        )
    report.generation, report.seconds = generation, time.monotonic() - started
    return report


def _send(
    sync: WorkspaceSync,
    connection: Connection,
    generation: int,
    owner: str,
    batch: list[Change],
    report: SyncReport,
    shorter: Mapping[str, Recipe],
) -> int:
    stream = connection.request(m.Sync(sync.mirror, generation, owner))
    try:
        for piece in pack(batch, sync.open, shorter):
            stream.send(m.Data(), piece)
            report.wire_bytes += len(piece)
        stream.send(m.End())
        answer = stream.receive().message
    except Missing as missing:
        sync.refused(missing.digests)
        raise
    finally:
        stream.close()
    generation, kept, _ = read_applied(answer)
    report.kept += kept
    report.sent += [change.path for change in batch]
    report.bytes += sum(change.entry.size for change in batch if change.entry)
    return generation


def _walk(root: str, paths: Sequence[str], problems: list[str]) -> Iterator[tuple[str, bool]]:
    todo = list(dict.fromkeys(paths))
    while todo:
        path = todo.pop()
        full = os.path.join(root, path)
        if Path(full).is_symlink() or not Path(full).is_dir():
            yield path, False
            continue
        if path:
            yield path, True
        try:
            names = list_folder(full, is_root=not path).names
        except OSError as error:
            problems.append(f"the folder {path!r} can't be read: {error.strerror}")
            continue
        todo += [f"{path}/{name}" if path else name for name in names if path or name != STATE_FOLDER]
