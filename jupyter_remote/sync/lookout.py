"""How much of a workspace a scan has to look at: what a watcher names, or everything.

When a watcher is worth having, what happens when it fails, and how it is checked. What watches is said in
`watch.py`, what a look is in `scan.py`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Set
from dataclasses import dataclass

from .watch import Changes, Watcher, WatchFailed, watch

# A smaller workspace is looked at sooner than a watcher is started.
WORTH_WATCHING = 1000
_CHECK_EVERY = 50
_CHECK_AFTER_S = 600.0


@dataclass(frozen=True)
class Look:
    """What one scan has to look at.

    Args:
        changes: what the watcher names; None when it can't tell.
        everything: look at all the same.
    """

    changes: Changes | None
    everything: bool

    @property
    def narrow(self) -> Changes | None:
        """What is enough to look at, None for everything."""
        return None if self.everything else self.changes


class Lookout:
    """Decides it for one scanner.

    Args:
        root: absolute path of the workspace.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._watcher: Watcher | None = None
        self._is_over = False
        #: Why nothing is watched, when the user should know.
        self.note: str | None = None
        # What was named and not yet handed out; None when everything has to be looked at.
        self._waiting: Changes | None = Changes()
        self._scans = 0
        self._checked = time.monotonic()

    def begin(self, files: int, folders: Iterable[str], *, thorough: bool) -> Look:
        """A scan begins.

        Args:
            files: how many there were in the last one, 0 when this is the first.
            folders: that the list of files depends on.
            thorough: look at everything.
        """
        # A process that scans once has nothing of it.
        if self._watcher is None and not self._is_over and files >= WORTH_WATCHING:
            self._start(folders)
        before, self._waiting = self._waiting, Changes()
        changes = self._ask()
        if before is None or changes is None:
            return Look(None, True)
        changes = Changes(changes.paths | before.paths, changes.folders | before.folders)
        self._scans += 1
        due = self._scans >= _CHECK_EVERY or time.monotonic() - self._checked > _CHECK_AFTER_S
        if due or thorough:
            self._scans, self._checked = 0, time.monotonic()
        return Look(changes, due or thorough)

    def follow(self, folders: Iterable[str]) -> None:
        """The list of files has changed, and depends on these folders now."""
        if self._watcher is not None:
            try:
                self._watcher.follow(folders)
            except WatchFailed as failure:
                self._stop(str(failure))

    def lose(self) -> None:
        """The scan failed: what was named for it has not been looked at."""
        self._waiting = None

    def confirm(self, missed: Set[str]) -> None:
        """Everything was looked at; nothing may have changed that wasn't named.

        Args:
            missed: paths that have changed and were not named when the scan began.
        """
        if not missed:
            return
        # Perhaps it has only just happened.
        self._waiting = self._ask()
        if self._waiting is None:
            return
        named = self._waiting.paths | self._waiting.folders
        missed = {path for path in missed if path not in named and path.rpartition("/")[0] not in named}
        if missed:
            self._stop(
                f"{min(missed) or self._root!r} changed and nobody told: every file is looked at from now on"
            )

    def _start(self, folders: Iterable[str]) -> None:
        try:
            self._watcher = watch(self._root)
        except WatchFailed as failure:
            self._stop(str(failure))
        self._is_over = self._watcher is None
        self.follow(folders)

    def _ask(self) -> Changes | None:
        if self._watcher is None:
            return None
        try:
            return self._watcher.changes()
        except WatchFailed as failure:
            self._stop(str(failure))
            return None

    def _stop(self, note: str) -> None:
        if self._watcher is not None:
            self._watcher.close()
        self._watcher, self._is_over, self.note = None, True, note
