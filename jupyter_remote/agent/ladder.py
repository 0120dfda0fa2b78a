"""How the processes of a session are ended while its supervisor lives on: TERM for all, KILL for what stays.

Only when and to whom; why, and what it means for a run, is decided in ``turns``.
"""

from __future__ import annotations

import os
import signal
import time

from .processes import family, send

GRACE = 2.0


class Ladder:
    """Ends everything below this process, without waiting for it.

    Args:
        marker: what the session's processes are known by.
    """

    def __init__(self, marker: str) -> None:
        self._marker = marker
        self._kill_at: float | None = None

    @property
    def climbing(self) -> bool:
        """Whether there are processes that are being ended."""
        return self._kill_at is not None

    def start(self) -> None:
        """TERM for all."""
        send(family(os.getpid(), self._marker), signal.SIGTERM)
        self._kill_at = time.monotonic() + GRACE

    def top(self) -> bool:
        """To be called until it returns True, which it does once: they are all gone."""
        if self._kill_at is None:
            return False
        left = family(os.getpid(), self._marker)
        if not left:
            self._kill_at = None
            return True
        if time.monotonic() > self._kill_at:
            send(left, signal.SIGKILL)
        return False
