"""The ladder of interrupts of the runs that somebody waits for here: one, or several at once.

The first Ctrl-C (or "interrupt kernel") interrupts the code on every host, the second asks every run to
escalate (TERM, then KILL), the third stops waiting here. Who waits, and for what, is not its business.
"""

from __future__ import annotations

import _thread
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING

from .errors import RemoteError

if TYPE_CHECKING:
    from .run import Run

LAST = 3


class Ladder:
    """Counts the interrupts and acts on each.

    Args:
        runs: those that are waited for; more by :meth:`add`.
    """

    def __init__(self, runs: Iterable[Run] = ()) -> None:
        self._climbers = [_Climber(run) for run in runs]
        self.presses = 0

    @contextmanager
    def on_signal(self) -> Iterator[None]:
        """Take SIGINT for the ladder while the block runs, where that is possible."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        previous = signal.getsignal(signal.SIGINT)
        if previous is None:  # set from C; it could not be put back
            yield
            return
        signal.signal(signal.SIGINT, self._handle)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, previous)

    def add(self, run: Run) -> None:
        """Take one more run; it gets what the others have got already. From any thread."""
        climber = _Climber(run)
        # First the list, then the count: a signal in between finds it, and twice the same rung is one.
        self._climbers.append(climber)
        climber.climb(self.presses)

    def press(self) -> None:
        """Climb one rung. Safe in a signal handler: it takes no lock that the interrupted code may hold."""
        self.presses += 1
        if self.presses < LAST:
            # Sending from here could wait for a lock of the connection that the interrupted code holds, and
            # raising could tear an event apart. `threading.Thread` takes a lock of its own to start; this
            # does not. Each run has a thread, so that no host waits for the answer of another.
            for climber in tuple(self._climbers):
                _thread.start_new_thread(climber.climb, (self.presses,))

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.press()
        if self.presses >= LAST:
            raise KeyboardInterrupt


class _Climber:
    """One run, and how far up it is."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._rung = 0
        self._one_at_a_time = threading.Lock()

    def climb(self, rung: int) -> None:
        with self._one_at_a_time:
            while self._rung < min(rung, LAST - 1):
                self._rung += 1
                # When the link is down, whoever waits for the events is told so, with more to say.
                with suppress(RemoteError):
                    self._run.interrupt()
