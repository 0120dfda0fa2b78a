"""`runs push` and `runs pull`, and what other words of `runs` do in an archive (`--archive`)."""

from __future__ import annotations

import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .. import history
from ..archives import gather
from ..archives.archive import Archive, check_run_id
from ..archives.kept import Kept
from ..archives.pulled import Pulled, remember
from ..archives.registry import open_archive
from ..call import Show, count, format_size
from ..config import Config
from ..errors import RemoteError
from ..history_rows import row_of
from ..parsing import Values
from ..progress_bar import ProgressBar
from ..runs import note_archived
from ..sync.progress import Progress
from ..tables import print_json, print_table
from ..whereabouts import Found, find_run, learn


def push(values: Values, show: Show) -> int:
    """`runs push ID… ARCHIVE`; the exit code is that of the first that failed, the others are pushed."""
    archive = open_archive(values["archive"])
    found = {one.id: one for one in (find_run(word, values["host"]) for word in values["runs"])}
    return _each(list(found.values()), archive, _push, values["json"])


def pull(values: Values, show: Show) -> int:
    """`runs pull ID… ARCHIVE [--output DIR]`."""
    archive = open_archive(values["archive"])
    into = Path(values["output"] or ".").expanduser()
    runs = [archive.find(check_run_id(word)) for word in values["runs"]]
    return _each(runs, archive, lambda run, there: _pull(run, there, into), values["json"])


def list_runs(values: Values) -> None:
    """`runs list --archive NAME`; the other options choose as they do elsewhere."""
    archive = open_archive(values["archive"])
    runs = archive.list(deleted=values["deleted"])
    for key in ("host", "state", "label"):
        if values[key] is not None:
            runs = [run for run in runs if getattr(run, key) == values[key]]
    if values["since"] is not None:
        since = history_id(values["since"])
        runs = [run for run in runs if run.id >= since]
    runs = runs[: values["limit"] or 50]
    if values["json"]:
        print_json({"archive": archive.name, "runs": [asdict(run) for run in runs]})
    elif runs:
        print_table(("RUN", "HOST", "STATE", "EXIT", "SIZE", "FILES", "LABEL"), map(_row, runs))
    else:
        print(f"no runs in {archive.where}")


def history_id(moment: float) -> str:
    """The beginning of the ids of runs from that time on."""
    import time

    return time.strftime("%Y%m%d-%H%M%S", time.gmtime(moment))


def change(action: str, values: Values) -> int:
    """`runs delete|restore|purge ID… --archive NAME`."""
    archive = open_archive(values["archive"])
    done = {"delete": "deleted", "restore": "restored", "purge": "removed for good from"}[action]
    runs = [archive.find(check_run_id(word), deleted=action != "delete") for word in values["runs"]]

    def act(run: Kept, there: Archive) -> tuple[str, dict[str, Any]]:
        getattr(there, action)(run)
        note_archived(run.id, there.name, action == "restore")
        return f"{done} in {there.name}" if action != "purge" else f"{done} {there.name}", {}

    return _each(runs, archive, act, values["json"])


def _each(things: list[Any], archive: Archive, act: Any, as_json: bool) -> int:
    """Do it to each, and tell; the code of the first failure."""
    code = 0
    documents = []
    for one in things:
        try:
            text, facts = act(one, archive)
            documents.append({"id": one.id, "ok": True, **facts})
            if not as_json:
                print(f"{one.id}: {text}")
        except RemoteError as error:
            code = code or error.exit_code
            documents.append({"id": one.id, "ok": False, "error": error.message})
            if not as_json or len(things) == 1:
                print(f"{one.id}: {error}", file=sys.stderr)
    history.flush()
    if as_json:
        print_json({"archive": archive.name, "runs": documents})
    return code


def _push(found: Found, archive: Archive) -> tuple[str, dict[str, Any]]:
    remote = found.remote()
    told = gather.describe(remote, found.id)
    learn(remote, [told["record"]])
    there = archive.has(found.id, gather.digest_of_whole(found.id))
    if there is not None:
        gather.forget(found.id)
        note_archived(found.id, archive.name, True)
        return f"is in {archive.name} already", {"sent_bytes": 0, "size": there.size, "files": there.files}
    with ProgressBar(found.host) as progress:
        folder, late = gather.gather(remote, told, progress)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    record = {**told["record"], "host": found.host}
    with ProgressBar(archive.name) as progress:
        done = archive.push(record, folder, _Moved(progress, size))
    gather.forget(found.id)
    note_archived(found.id, archive.name, True)
    text = f"pushed to {archive.name}: {done.kept.files} files, {format_size(done.kept.size)}"
    text += f" ({format_size(done.sent_bytes)} sent)" if done.sent_bytes != done.kept.size else ""
    if late:
        more = " …" if len(late) > 3 else ""
        text += f"; {count(late, 'artifact')} changed after the run's end: {', '.join(late[:3])}{more}"
    facts = {"sent_bytes": done.sent_bytes, "size": done.kept.size, "files": done.kept.files, "late": late}
    return text, facts


def _pull(run: Kept, archive: Archive, into: Path) -> tuple[str, dict[str, Any]]:
    folder = into / run.id
    with ProgressBar(archive.name) as progress:
        brought = archive.pull(run, folder, _Moved(progress, run.size))
    remember(run.id, folder)
    _learn(Pulled(run.id, folder))
    note_archived(run.id, archive.name, True)
    return f"{brought} files ({format_size(run.size)}) in {folder}", {
        "folder": str(folder),
        "brought": brought,
    }


def _learn(run: Pulled) -> None:
    """Notes in the local history what a pulled run's folder says, when its host means something here."""
    if run.host and Config.load(Path.cwd()).is_known(run.host):
        told = run.whole()
        history.note([row_of(told["record"], run.host, told["code"])])


def _row(run: Kept) -> tuple[object, ...]:
    return (run.id, run.host, run.state, run.exit_code, format_size(run.size), run.files, run.label)


class _Moved:
    """Bytes that went to or came from an archive, for a progress bar; called from several threads."""

    def __init__(self, progress: ProgressBar, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0
        self._lock = threading.Lock()

    def __call__(self, size: int) -> None:
        with self._lock:
            self._done += size
            self._progress(Progress(min(self._done, self._total), self._total, 0, 0))
