"""How long a host may take to show an agent; the time that the user takes to answer does not count."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .transports import Prompter


class Watchdog:
    """Ends a channel on which no agent appears in time; the user's time to answer is not counted.

    Args:
        seconds: how long it may take.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._bite: Callable[[], None] | None = None
        self._timer: threading.Timer | None = None

    def start(self, bite: Callable[[], None]) -> None:
        """Calls `bite` when the time is over."""
        self._bite = bite
        self._timer = threading.Timer(self._seconds, bite)
        self._timer.daemon = True
        self._timer.start()

    def cancel(self) -> None:
        """Nothing is ended any more."""
        if self._timer is not None:
            self._timer.cancel()

    def patient(self, ask: Prompter | None) -> Prompter | None:
        """`ask`, during which nothing is ended."""
        return None if ask is None else _Patient(ask, self)

    def again(self) -> None:
        """Starts once more, with all of the time."""
        if self._bite is not None:
            self.start(self._bite)


class _Patient:
    def __init__(self, ask: Prompter, watchdog: Watchdog) -> None:
        self._ask = ask
        self._watchdog = watchdog

    def ask(self, prompt: str, *, secret: bool) -> str | None:
        self._watchdog.cancel()
        try:
            return self._ask.ask(prompt, secret=secret)
        finally:
            self._watchdog.again()
