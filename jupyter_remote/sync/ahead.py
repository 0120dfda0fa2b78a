"""The first look at a workspace, taken while its host still starts.

Only when it is taken, and by which thread. What is looked at is said in `scan.py`; what becomes of it, in
`session.py`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .scan import Scan
    from .session import WorkspaceSync


class Ahead:
    """One look, for one sync. Make one for each: what it saw must not be older than the wish to sync.

    Args:
        workspace: makes the workspace's sync, one for all threads.
    """

    def __init__(self, workspace: Callable[[], WorkspaceSync]) -> None:
        self._workspace = workspace
        self._thread: threading.Thread | None = None
        self._scan: Scan | None = None

    def begin(self) -> None:
        """Starts to look; loading what that needs is the thread's business too."""
        # It works for the same call, see `moment.py`.
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._look,), name="jupyter-remote scan", daemon=True
        )
        self._thread.start()

    def take(self) -> Scan | None:
        """Waits for what was seen; None when nothing was, or it has been taken already."""
        if self._thread is not None:
            self._thread.join()
        scan, self._scan = self._scan, None
        return scan

    def _look(self) -> None:
        # What is wrong with the workspace is found again by the sync, and told there.
        with suppress(Exception):
            self._scan = self._workspace().look()
