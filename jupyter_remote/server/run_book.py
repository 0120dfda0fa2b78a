"""The runs as the local history knows them, and who else notes something there.

What is done with a run is in `run_actions.py`. Reading is done in threads; only `ask` asks a host.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jupyter_remote

from .. import history, runs
from ..errors import RemoteError
from ..history_rows import UNFINISHED, Row
from ..history_store import Query
from ..whereabouts import Found
from .bridge import Bridge
from .hub import Hub
from .models import run_detail, run_document
from .problems import NotFound

# So many of the newest runs are compared when the history has changed, and all that have not ended.
NEWEST = 300
MOST_UNFINISHED = 1000


class RunBook:
    """All runs.

    Args:
        root: the server's folder.
        hub: tells the pages.
        bridge: has the threads.
    """

    def __init__(self, root: Path, hub: Hub, bridge: Bridge) -> None:
        self._root = root
        self._hub = hub
        self._bridge = bridge
        self._stamp: object = None
        self._known: dict[str, dict[str, Any]] = {}

    async def listing(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """``Runs`` of rest-api.yml.

        Args:
            wanted: the parameters of the route.
        """
        return await self._bridge.here(_listing, dict(wanted))

    async def find(self, run_id: str) -> Found:
        """Where a run is.

        Raises:
            NotFound: the history does not know it.
        """
        return await self._bridge.here(find, run_id)

    async def detail(self, run_id: str) -> dict[str, Any]:
        """``RunDetail`` of rest-api.yml; errors as `find`."""
        return run_detail((await self.find(run_id)).row)

    async def check(self) -> bool:
        """Tells the pages what has changed in the history, whoever wrote it; whether there was anything."""
        stamp = await self._bridge.here(_stamp)
        if stamp == self._stamp:
            return False
        first, self._stamp = self._stamp is None, stamp
        before, self._known = self._known, await self._bridge.here(_newest)
        if first:
            return False
        oldest, changed = min(self._known, default=""), False
        for run_id, run in self._known.items():
            if _lasting(before.get(run_id)) != _lasting(run):
                self._hub.publish("run", run_id, id=run_id, run=run)
                changed = True
        for run_id in before.keys() - self._known.keys():
            # One that was pushed out of the newest ones is not gone.
            if run_id >= oldest and await self._bridge.here(_gone, run_id):
                self._hub.publish("run", run_id, id=run_id, run=None)
                changed = True
        return changed

    def unfinished_hosts(self) -> set[str]:
        """The hosts of runs that were not seen to end."""
        return {run["host"] for run in self._known.values() if run["state"] in UNFINISHED}

    def ask(self, host: str) -> None:
        """Asks a host how its runs stand, if there is a link; in a thread."""
        try:
            remote = jupyter_remote.connect(host, workspace=self._root)
            if remote.link.live is not None:
                runs.refresh(remote, Query(host=host))
        except RemoteError:
            pass  # it is asked again


def find(run_id: str) -> Found:
    """Where a run is, from the local history; in a thread.

    Raises:
        NotFound: the history does not know it.
        HistoryError: it can't be read.
    """
    rows = history.store().with_prefix(run_id, 1)
    if not rows or rows[0]["id"] != run_id:
        raise NotFound(
            f"there is no run {run_id} in the local history",
            hint="`jupyter remote history --rebuild` asks all hosts for their runs.",
        )
    return Found(run_id, rows[0]["host"], rows[0])


def document(run_id: str) -> dict[str, Any]:
    """``Run`` of rest-api.yml, as it is now; in a thread, errors as `find`."""
    return run_document(find(run_id).row)


def _listing(wanted: dict[str, Any]) -> dict[str, Any]:
    limit = wanted["limit"]
    query = Query(
        states=tuple(filter(None, (wanted.get("state") or "").split(","))),
        limit=limit + 1,
        **{
            name: wanted.get(name)
            for name in ("host", "campaign", "notebook", "label", "text", "since", "before")
        },
        deleted=wanted["deleted"],
    )
    rows = history.store().find(query)
    more = len(rows) > limit
    rows = rows[:limit]
    return {"runs": [run_document(row) for row in rows], "next": rows[-1]["id"] if more else None}


def _newest() -> dict[str, dict[str, Any]]:
    store = history.store()
    rows: list[Row] = [
        *store.find(Query(limit=NEWEST)),
        *store.find(Query(limit=50, deleted=True)),
        *store.find(Query(states=UNFINISHED, limit=MOST_UNFINISHED)),
    ]
    return {row["id"]: run_document(row) for row in rows}


def _lasting(run: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A run without the moment at which its host last told of it."""
    return None if run is None else {**run, "seen": None}


def _gone(run_id: str) -> bool:
    rows = history.store().with_prefix(run_id, 1)
    return not rows or rows[0]["id"] != run_id


def _stamp() -> object:
    history.flush()
    path = history.history_file()
    stamps = []
    for one in (path, path.with_name(path.name + "-wal")):
        try:
            status = one.stat()
            stamps.append((status.st_mtime_ns, status.st_size, status.st_ino))
        except OSError:
            stamps.append((0, 0, 0))
    return tuple(stamps)
