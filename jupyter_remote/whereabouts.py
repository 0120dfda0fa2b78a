"""Where a run is: on which host, and what its whole id is. What is done with it is not decided here.

The local history is asked first, as it costs no connection, and the runs that were pulled from an archive;
then the hosts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import jupyter_remote

from . import history, records
from .config import Config
from .errors import ArchiveError, HistoryError, RemoteError, UsageError
from .history_rows import Row, row_of
from .many import ask_all

if TYPE_CHECKING:
    from .archives.pulled import Pulled
    from .remote import Remote

_PREFIX = re.compile(r"[0-9a-f-]+")
_NAMED = 5


@dataclass(frozen=True)
class Found:
    """One run, and where it is.

    Args:
        id: the whole id.
        host: what its host is called here.
        row: what the local history, or else its host, knows of it.
    """

    id: str
    host: str
    row: Row

    def pulled(self) -> Pulled | None:
        """Its folder here, when it was pulled from an archive."""
        from .archives.pulled import pulled  # most runs are on hosts

        return next((one for one in pulled(self.id) if one.id == self.id), None)

    def remote(self) -> Remote:
        """Its host, for the project it was started from when that folder is here."""
        project = self.row.get("project")
        here = Path(project) if project and Path(project).is_dir() else None
        return jupyter_remote.connect(self.host, workspace=here)


def find_run(run_id: str, host: str | None = None) -> Found:
    """Finds a run by its id, or by a beginning of it that only one run has.

    Args:
        run_id: as in ``20261122-014500-7f3a``, or its beginning.
        host: where it is; when None and the local history doesn't know it, all configured hosts are asked.

    Raises:
        UsageError: there is none, or there are several; hosts that did not answer are named.
        ArchiveError: it was pulled from an archive, and its folder does not say what it is.
        RemoteError: the one host that was named can't be reached.
    """
    if not _PREFIX.fullmatch(run_id):
        raise UsageError(
            f"{run_id!r} is not the id of a run (20261122-014500-7f3a), nor the beginning of one"
        )
    found = _known(run_id, host)
    if host is None:
        found += _here(run_id, {one.id for one in found})
    names, silent = [], []
    if not found:
        names = [host] if host is not None else Config.load(Path.cwd()).names()
        for name, answer in ask_all(names, lambda remote: _of_host(remote, run_id)):
            if not isinstance(answer, RemoteError):
                found += answer
            elif host is not None:
                raise answer
            else:
                silent.append(name)
    exact = [one for one in found if one.id == run_id] or found
    if len(exact) == 1:
        return exact[0]
    if found:
        which = ", ".join(f"{one.id} on {one.host}" for one in found[:_NAMED])
        raise UsageError(f"several runs begin with {run_id}: {which}", hint="Give more of the id, or --host.")
    unasked = f"; not answering: {', '.join(silent)}" if silent else ""
    raise UsageError(f"no run {run_id} on {', '.join(names)}{unasked}", hint="--host names another host.")


def learn(remote: Remote, found: Sequence[records.Record]) -> None:
    """Notes in the local history what a host says of its runs."""
    history.note([row_of(record, remote.host.name, record.get("code")) for record in found])


def _known(prefix: str, host: str | None) -> list[Found]:
    try:
        rows = history.store().with_prefix(prefix)
    except HistoryError:
        return []
    return [Found(row["id"], row["host"], row) for row in rows if host in (None, row["host"])]


def _here(prefix: str, known: set[str]) -> list[Found]:
    """Those that were pulled from an archive, and that only their folder tells of."""
    from .archives.pulled import pulled  # most runs are on hosts

    found = []
    for one in pulled(prefix):
        if one.id not in known:
            try:
                told = one.whole()
            except ArchiveError:
                if one.id == prefix:
                    raise
                continue
            found.append(Found(one.id, one.host, row_of(told["record"], one.host, told["code"])))
    return found


def _of_host(remote: Remote, prefix: str) -> list[Found]:
    query = {"since": prefix, "before": prefix + "~"}
    there = [
        *records.records(remote, 10, **query),
        *records.records(remote, 10, deleted=True, **query),
    ]
    learn(remote, there)
    host = remote.host.name
    return [Found(str(one["id"]), host, row_of(one, host, None)) for one in there]
