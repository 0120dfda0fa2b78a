"""What a report tells of a run, asked of its host: record, code, environment, log, pictures, artifacts.

Everything is bounded, whatever the run has printed or written. How it is told is decided in `report_run.py`.
"""

from __future__ import annotations

import binascii
import re
import tempfile
from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from . import records
from .compared import Compared
from .errors import ConnectError, ConnectionLost, RemoteError, SyncError, UsageError
from .history_rows import Row, document_of
from .many import ask_all
from .report_blocks import SUFFIXES, Picture

if TYPE_CHECKING:
    from collections.abc import Generator

    from .events import Event
    from .remote import Remote

# Of one report of a run.
MOST_PICTURES, LARGEST_PICTURE = 24, 8 << 20
MOST_PATHS = 500
LARGEST_LOG = 256 << 10
# A run that has printed more is not read from its beginning for the pictures that it has shown.
MOST_READ = 32 << 20
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
_BY_SUFFIX = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif"}
_BY_SUFFIX |= {".webp": "image/webp", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class Told:
    """One run, as far as it is known.

    Args:
        run: in a comparison.
        record: ``run.json`` of its host, or else what the local history has.
        code: what it ran.
        environment: of its interpreter; None where that is not known.
        folder: of the run on its host, "" when that was not asked.
        log: the end of what it has printed.
        pictures: what it has shown, and those of its artifacts.
        artifacts: paths in the mirror.
        here: those of the artifacts that are here, and where.
        why: why its host was not asked, "" when it was.
    """

    run: Compared
    record: Mapping[str, Any]
    code: str = ""
    environment: Mapping[str, Any] | None = None
    folder: str = ""
    log: str = ""
    pictures: tuple[Picture, ...] = ()
    artifacts: tuple[str, ...] = ()
    here: Mapping[str, str] | None = None
    why: str = ""


def tell(runs: Sequence[tuple[Compared, Row]], lines: int, *, ask: bool = True) -> list[Told]:
    """All that is known of runs, in order; of those whose hosts can't be asked, what the local history has.

    Args:
        runs: each with its row of the history.
        lines: of the end of each log.
        ask: False asks no host.
    """
    told = {run.id: _from_history(run, row, "no host was asked") for run, row in runs}
    if not ask:
        return [*told.values()]
    by_host: dict[str, list[tuple[Compared, Row]]] = {}
    for run, row in runs:
        by_host.setdefault(run.host, []).append((run, row))

    def look(remote: Remote) -> list[Told]:
        return [_of_run(remote, run, row, lines) for run, row in by_host[remote.host.name]]

    for host, answer in ask_all(list(by_host), look):
        if isinstance(answer, RemoteError):
            silent = [_from_history(run, row, answer.message) for run, row in by_host[host]]
        else:
            silent = answer
        told |= {one.run.id: one for one in silent}
    return [*told.values()]


def _from_history(run: Compared, row: Row, why: str) -> Told:
    document = document_of(row)
    record = {**(document["options"] or {}), **document}
    return Told(run, record, str(row["source"] or ""), why=why)


def _of_run(remote: Remote, run: Compared, row: Row, lines: int) -> Told:
    try:
        whole = records.whole(remote, run.id)
    except RemoteError as error:
        if isinstance(error, (ConnectError, ConnectionLost)):
            raise
        return _from_history(run, row, error.message)
    record = whole["record"]
    log, seq = _log(remote, run.id, lines)
    shown = _displayed(remote, run.id, seq) if record.get("kind") == "cell" else []
    artifacts, files = _artifacts(remote, record)
    return Told(
        run,
        record,
        str(whole["code"]),
        whole.get("environment"),
        str(whole.get("folder") or ""),
        log,
        tuple([*shown, *files][:MOST_PICTURES]),
        tuple(artifacts),
        _here(record, artifacts),
    )


def _log(remote: Remote, run_id: str, lines: int) -> tuple[str, int]:
    """The end of the log as text, and the newest event that it has to do with."""
    log = remote.log(run_id, lines)
    kept = b""
    for piece in log:
        kept = (kept + piece)[-LARGEST_LOG:]
    return readable(kept), log.seq


def readable(printed: bytes) -> str:
    """What is printed as a terminal would leave it: no colours, and of a progress bar its last state."""
    text = _ANSI.sub("", printed.decode("utf-8", "replace")).replace("\r\n", "\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))


def _displayed(remote: Remote, run_id: str, newest: int) -> list[Picture]:
    """The pictures that a cell has shown up to now, the newest state of each."""
    found: dict[str, Picture] = {}
    read = 0
    # Closed here and now: left to the collector, it would be closed in the midst of whatever runs then.
    with closing(cast("Generator[Event]", remote.attach(run_id).events())) as events:
        for event in events:
            if event.kind in ("display", "update_display", "result"):
                key = str((event.data.get("transient") or {}).get("display_id") or f"#{event.seq}")
                picture = _picture_of(event.data.get("data") or {}, f"shown by the run ({len(found) + 1})")
                if picture is not None and (key in found or len(found) < MOST_PICTURES):
                    found[key] = picture
            read += len(event.raw)
            if event.seq >= newest or read > MOST_READ:
                break
    return [*found.values()]


def _picture_of(data: Mapping[str, Any], caption: str) -> Picture | None:
    for mime in SUFFIXES:
        content = data.get(mime)
        if not isinstance(content, str):
            continue
        try:
            raw = content.encode() if mime == "image/svg+xml" else b64decode(content)
        except (binascii.Error, ValueError):
            continue
        if raw and len(raw) <= LARGEST_PICTURE:
            return Picture(caption, raw, mime)
    return None


def _artifacts(remote: Remote, record: Mapping[str, Any]) -> tuple[list[str], list[Picture]]:
    """The paths that the run's pull patterns mean, and the pictures among them; nothing is written here."""
    from .sync.pull import pull
    from .sync.pulled import source_of
    from .sync.target import Target

    patterns = [*remote.host.sync.pull, *map(str, record.get("pull") or ())]
    if record.get("campaign") and (
        own := str((record.get("env") or {}).get("JUPYTER_REMOTE_STEP_DIR") or "")
    ):
        patterns.append(f"/campaigns/{_exactly(str(record['campaign']))}/{_exactly(Path(own).name)}/**")
    mirror = str(record.get("workspace") or "")
    if not patterns or not mirror:
        return [], []
    connection = remote.connection()
    with (
        tempfile.TemporaryDirectory(prefix="jupyter-remote-report-") as folder,
        suppress(SyncError, UsageError),
    ):
        target = Target(Path(folder), source_of(remote.host.name, mirror))
        paths = sorted(pull(connection, mirror, patterns, target, dry_run=True).pulled)
        images = [path for path in paths if Path(path).suffix.lower() in _BY_SUFFIX][:MOST_PICTURES]
        if images:
            pull(connection, mirror, [f"/{_exactly(path)}" for path in images], target)
        return paths, list(_pictures(Path(folder), images))
    return [], []


def _pictures(folder: Path, paths: Iterable[str]) -> Iterable[Picture]:
    for path in paths:
        file = folder / path
        if file.is_file() and not file.is_symlink() and 0 < file.stat().st_size <= LARGEST_PICTURE:
            yield Picture(path, file.read_bytes(), _BY_SUFFIX[file.suffix.lower()])


def _exactly(path: str) -> str:
    """A pattern that means this path alone."""
    return re.sub(r"([\\*?\[\]!# ])", r"\\\1", path)


def _here(record: Mapping[str, Any], paths: Iterable[str]) -> dict[str, str]:
    """The artifacts that were pulled into the project's folder, where that is here."""
    project = record.get("project")
    if not isinstance(project, str) or not Path(project).is_dir():
        return {}
    found = {}
    for path in paths:
        with suppress(OSError, ValueError):
            if (Path(project) / path).exists():
                found[path] = str(Path(project) / path)
    return found
