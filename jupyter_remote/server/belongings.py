"""What hosts have besides sessions and runs, as last seen: campaigns, environments; and forwards.

A host is asked only while there is a link to it: looking at a page must not log in anywhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jupyter_remote

from .. import forward_records
from ..errors import RemoteError
from ..remote import Remote
from . import campaigns, environments, forwards
from .bridge import Bridge
from .hub import Hub
from .problems import problem_of

Documents = list[dict[str, Any]]

LOOKS: dict[str, Callable[[Remote], Documents]] = {
    "campaigns": campaigns.listing,
    "environments": environments.listing,
}


class Belongings:
    """All of them.

    Args:
        root: the server's folder.
        hub: tells the pages.
        bridge: has the threads.
    """

    def __init__(self, root: Path, hub: Hub, bridge: Bridge) -> None:
        self._root = root
        self._hub = hub
        self._bridge = bridge
        self._seen: dict[tuple[str, str], tuple[float, Documents]] = {}
        self._forwards: Documents | None = None
        self._stamp: object = None

    async def get(self, kind: str, host: str) -> dict[str, Any]:
        """``Campaigns`` or ``Environments`` of rest-api.yml: of now if there is a link, else as last seen."""
        problem = await self._bridge.there(self.look, kind, host)
        when, found = self._seen.get((kind, host), (None, []))
        return {"host": host, kind: found, "seen": when, "problem": problem}

    def look(self, kind: str, host: str) -> dict[str, Any] | None:
        """Asks a host, if there is a link, in a thread; the problem if it could not say."""
        try:
            remote = jupyter_remote.connect(host, workspace=self._root)
            if remote.link.live is not None:
                self._bridge.post(self._learned, kind, host, LOOKS[kind](remote))
        except RemoteError as error:
            return problem_of(error)
        return None

    def look_again(self, host: str) -> None:
        """The same for what may change by itself: campaigns that were seen to go on; in a thread."""
        _, found = self._seen.get(("campaigns", host), (None, []))
        if any(one["state"] in ("running", "stopping") for one in found):
            self.look("campaigns", host)

    async def forwards(self) -> dict[str, Any]:
        """``Forwards`` of rest-api.yml."""
        return {"forwards": await self._bridge.here(forwards.listing)}

    async def check_forwards(self) -> None:
        """Tells the pages when a forward was opened or has ended, by whichever process."""
        stamp = await self._bridge.here(_stamp)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        before, self._forwards = self._forwards, await self._bridge.here(forwards.listing)
        if before is not None and before != self._forwards:
            self._hub.publish("forwards", "", forwards=self._forwards)

    def _learned(self, kind: str, host: str, found: Documents) -> None:
        _, before = self._seen.get((kind, host), (None, None))
        self._seen[kind, host] = time.time(), found
        if before is not None and before != found:
            self._hub.publish(kind, host, host=host, **{kind: found})


def _stamp() -> object:
    try:
        return sorted(
            (path.name, path.stat().st_mtime_ns)
            for path in forward_records.folder().iterdir()
            if path.is_file()
        )
    except OSError:
        return ()
