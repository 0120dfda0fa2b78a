"""Artifacts of a run while it runs: files that match and were written since it began, pulled when complete.

A file is complete when two looks, a second or more apart, see the same size and time: renamed into place, or
written and left alone. One that changes later is complete again, and pulled again. How files are pulled is
said in `sync/pull.py`; what a front shows of it, in `arriving.py`.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .agent import messages as m
from .agent.artifacts import Found, parse_found
from .agent.entry import TreeError
from .errors import ProtocolError

if TYPE_CHECKING:
    from .connection import Connection
    from .hostlink import HostLink

LOOK_S = 1.0
# A look at a large mirror takes a twentieth of the time at most.
_SHARE = 20
# Clocks of file servers differ from the host's.
_SLACK_NS = 2 * 10**9
_MOST = 10_000
_AT_ONCE = 100


@dataclass(frozen=True)
class Artifact:
    """A file that a run made.

    Args:
        path: relative to the workspace's mirror.
        size: bytes.
        mtime: when it was changed, seconds since the epoch by the host's clock.
        local: where this version of it is here; None while it isn't.
    """

    path: str
    size: int
    mtime: float
    local: Path | None = None


class Artifacts:
    """The artifacts of one run, looked for again and again.

    Args:
        link: to its host.
        record: ``run.json`` of the run.
        patterns: which files, as in a .gitignore.
        output: the folder they go to.
    """

    def __init__(self, link: HostLink, record: dict[str, Any], patterns: Sequence[str], output: Path) -> None:
        self.patterns = list(patterns)
        self._link = link
        self._mirror = str(record["workspace"])
        self._since = max(
            int(float(record.get("started") or record.get("created") or 0) * 1e9) - _SLACK_NS, 1
        )
        self._output = output
        self._seen: dict[str, Found] = {}
        self._here: dict[str, Found] = {}
        self._refused: dict[str, Found] = {}
        self._places: dict[str, Path] = {}
        self._lock = threading.Lock()
        self._due = 0.0

    @property
    def wait(self) -> float:
        """Seconds until another look makes sense."""
        return max(self._due - time.monotonic(), 0.0)

    def known(self) -> list[Artifact]:
        """What the last look found."""
        return [self._artifact(found) for found in self._seen.values()]

    def there(self) -> list[Artifact]:
        """What matches now on the host; nothing is pulled, and nothing is found while there is no link.

        Raises:
            RemoteError: the host can't be asked.
        """
        connection = self._link.live
        if connection is None or not self.patterns:
            return []
        return [self._artifact(found) for found in self._find(connection).values()]

    def look(self, *, connect: bool = True) -> list[Artifact]:
        """Looks once, and pulls what is complete; sooner than a second after the last look, it does nothing.

        Args:
            connect: whether a link is made when there is none now.

        Returns:
            What was pulled by this look.

        Raises:
            RemoteError: the host can't be asked, or files can't be written here.
        """
        with self._lock:
            if not self.patterns or self.wait > 0:
                return []
            began = time.monotonic()
            connection = self._link.live or (self._link.connection() if connect else None)
            if connection is None:
                return []
            seen = self._find(connection)
            complete = [found for path, found in seen.items() if self._is_complete(found, path)]
            self._seen = seen
            self._due = time.monotonic() + max(LOOK_S, _SHARE * (time.monotonic() - began))
            return [self._artifact(found) for found in self._pull(connection, complete)]

    def _is_complete(self, found: Found, path: str) -> bool:
        return (
            self._seen.get(path) == found
            and self._here.get(path) != found
            and self._refused.get(path) != found
        )

    def _find(self, connection: Connection) -> dict[str, Found]:
        from .sync.answers import rows

        seen: dict[str, Found] = {}
        stream = connection.request(m.Find(self._mirror, self.patterns, self._since))
        try:
            for row in rows(stream):
                found = parse_found(json.loads(row))
                if len(seen) < _MOST:
                    seen[found.path] = found
        except (TreeError, ValueError, TypeError, RecursionError) as error:
            raise ProtocolError(f"the host's list of artifacts is broken: {error}") from None
        return seen

    def _pull(self, connection: Connection, complete: list[Found]) -> list[Found]:
        from .sync.pull import pull
        from .sync.pulled import source_of
        from .sync.target import Target

        came: list[Found] = []
        for at in range(0, len(complete), _AT_ONCE):
            batch = complete[at : at + _AT_ONCE]
            target = Target(self._output, source_of(self._link.host.name, self._mirror))
            report = pull(connection, self._mirror, [exactly(found.path) for found in batch], target)
            refused = dict(report.refused)
            for found in batch:
                if found.path in refused:
                    self._refused[found.path] = found
                    continue
                self._here[found.path] = found
                self._places[found.path] = self._output / found.path
                if found.path in report.pulled:
                    came.append(found)
        return came

    def _artifact(self, found: Found) -> Artifact:
        here = self._here.get(found.path) == found
        place = self._places.get(found.path) if here else None
        return Artifact(found.path, found.size, found.mtime_ns / 1e9, place)


def exactly(path: str) -> str:
    """The pattern that matches this path and no other."""
    return "/" + re.sub(r"([\\*?\[\]!])", r"\\\1", path)
