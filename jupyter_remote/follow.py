"""Following a run to its end, and the ladder of interrupts on the way. Every front that waits uses this.

The first Ctrl-C (or "interrupt kernel") interrupts the code on the host, the second asks the run to escalate
(TERM, then KILL), the third stops waiting here. While the link is down the first two are sent as soon as it
is back (the run keeps them, and its `on_link` tells). What an event looks like is the sink's business.
"""

from __future__ import annotations

import _thread
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING

from .errors import Interrupted, RemoteError

if TYPE_CHECKING:
    from .run import Event, Run

Sink = Callable[["Event"], None]

_LAST = 3


def follow(run: Run, sink: Sink) -> None:
    """Pass each event of `run` to `sink`, once and in order, until the run has ended.

    Raises:
        Interrupted: interrupted three times here; the run may go on there.
        RemoteError: the link failed. A run that failed raises nothing.
    """
    ladder = _Ladder(run)
    try:
        with ladder.on_signal():
            run.wait(sink)
    except KeyboardInterrupt:
        if ladder.presses < _LAST:
            # Off the main thread, where no handler can be set, the first interrupt is the only one to be had.
            ladder.press()
        raise Interrupted(
            f"stopped waiting for run {run.id}, which is {run.state} on {run.host}; "
            f"`%remote attach {run.id}` comes back to it"
        ) from None


class _Ladder:
    """Counts the interrupts of one run and acts on each."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._one_at_a_time = threading.Lock()
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

    def press(self) -> None:
        """Climb one rung. Safe in a signal handler: it takes no lock that the interrupted code may hold."""
        self.presses += 1
        if self.presses < _LAST:
            # Sending from here could wait for a lock of the connection that the interrupted code holds, and
            # raising could tear an event apart. `threading.Thread` takes a lock of its own to start; this
            # does not.
            _thread.start_new_thread(self._interrupt, ())

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.press()
        if self.presses >= _LAST:
            raise KeyboardInterrupt

    def _interrupt(self) -> None:
        # When the link is down, whoever waits for the events is told so, with more to say.
        with self._one_at_a_time, suppress(RemoteError):
            self._run.interrupt()
