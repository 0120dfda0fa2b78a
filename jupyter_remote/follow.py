"""Following a run to its end. Every front that waits for one run uses this; `several.py` waits for many.

What an interrupt does on the way is `ladder.py`. While the link is down it is sent as soon as it is back (the
run keeps it, and its `on_link` tells). What an event looks like is the sink's business.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .errors import Interrupted
from .ladder import LAST, Ladder

if TYPE_CHECKING:
    from .events import Event
    from .run import Run

Sink = Callable[["Event"], None]


def follow(run: Run, sink: Sink) -> None:
    """Pass each event of `run` to `sink`, once and in order, until the run has ended; put its questions.

    Raises:
        Interrupted: interrupted three times here; the run may go on there.
        RemoteError: the link failed. A run that failed raises nothing.
    """
    ladder = Ladder([run])

    def take(event: Event) -> None:
        sink(event)
        if event.kind == "input_request":
            from . import questions  # most runs ask nothing

            questions.put(run, event, ladder.press)

    try:
        with ladder.on_signal():
            run.wait(take)
    except KeyboardInterrupt:
        if ladder.presses < LAST:
            # Off the main thread, where no handler can be set, the first interrupt is the only one to be had.
            ladder.press()
        raise Interrupted(
            f"stopped waiting for run {run.id}, which is {run.state} on {run.host}; "
            f"`%remote attach {run.id}` comes back to it"
        ) from None
