"""What of a run is archived, brought from its host into a folder here, from where it goes to the archive.

`run/` is the run's directory as it is on the host, `whole.json` all that is known of the run (its record,
diff, workspace, environment), `artifacts/` the files of the mirror that its pull patterns mean, and
`artifacts.json` says what they are. The folder stays until the push is done: a push that was cut brings
nothing twice.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..agent.rundir import FINAL_STATES
from ..errors import SyncError, UsageError
from ..records import whole
from ..sync.pull import pull
from ..sync.pulled import source_of
from ..sync.target import Target
from .archive import digest_of, files_of
from .kept import ARTIFACTS, RUN, WHOLE

if TYPE_CHECKING:
    from ..remote import Remote
    from ..sync.progress import Report


def outbox(run_id: str) -> Path:
    """Where a run waits to be pushed: below Jupyter's data folder."""
    from jupyter_core.paths import jupyter_data_dir

    return Path(jupyter_data_dir()) / "remote" / "outbox" / run_id


def describe(remote: Remote, run_id: str) -> dict[str, Any]:
    """All that is known of an ended run, and the folder for it, with `whole.json` in it.

    Raises:
        UsageError: it has not ended, or the host has no such run.
        RemoteError: the host can't be asked.
    """
    told = whole(remote, run_id)
    state = told["record"].get("state")
    if state not in FINAL_STATES:
        raise UsageError(f"run {run_id} is {state}; only one that has ended is archived")
    folder = outbox(run_id)
    folder.mkdir(0o700, parents=True, exist_ok=True)
    document = json.dumps(told, sort_keys=True, indent=1)
    (folder / WHOLE).write_text(document + "\n", encoding="utf-8")
    return told


def digest_of_whole(run_id: str) -> str:
    """What a run that is the same in an archive has among its files."""
    return digest_of(outbox(run_id) / WHOLE)


def gather(remote: Remote, told: dict[str, Any], progress: Report | None = None) -> tuple[Path, list[str]]:
    """Brings a run's files; returns their folder, and the artifacts that were changed after the run's end.

    Args:
        remote: the run's host.
        told: what `describe` said.
        progress: told how far it has come.

    Raises:
        SyncError, DiskFull: files can't be brought.
        RemoteError: the host can't be asked.
    """
    record = told["record"]
    folder = outbox(str(record["id"]))
    _bring(remote, str(told["folder"]), ["."], folder / RUN, progress)
    patterns = [*remote.host.sync.pull, *map(str, record.get("pull") or ())]
    late: list[str] = []
    rows = []
    if patterns and record.get("workspace"):
        _bring(remote, str(record["workspace"]), patterns, folder / ARTIFACTS, progress)
        ended = float(record.get("ended") or 0)
        for file in files_of(folder / ARTIFACTS):
            changed = (folder / ARTIFACTS / file.path).stat().st_mtime
            after = bool(ended) and changed > ended + 1
            rows.append({"path": file.path, "size": file.size, "sha256": file.digest, "after_end": after})
            late += [file.path] if after else []
    document = json.dumps({"patterns": patterns, "files": rows}, sort_keys=True, indent=1)
    (folder / "artifacts.json").write_text(document + "\n", encoding="utf-8")
    return folder, late


def _bring(remote: Remote, source: str, patterns: Sequence[str], to: Path, progress: Report | None) -> None:
    target = Target(to, source_of(remote.host.name, source))
    report = pull(remote.connection(), source, patterns, target, progress=progress)
    if report.refused:
        named = "; ".join(f"{path}: {why}" for path, why in report.refused[:5])
        raise SyncError(f"not all of the run can be brought here: {named}", host=remote.host.name)


def forget(run_id: str) -> None:
    """Removes the folder here."""
    shutil.rmtree(outbox(run_id), ignore_errors=True)
