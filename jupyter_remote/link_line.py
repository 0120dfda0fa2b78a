"""The line that says that a link is lost, for how long, and what an interrupt does meanwhile.

When a link is tried again is `hostlink.py`'s business.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from .durations import format_duration
from .linkstate import LinkState
from .live_line import Write, live_line

CONTINUES = "the run continues there"
_OWED = {
    1: "the interrupt goes when it is back (again: end the run then; a third time: stop waiting)",
    2: "the run is ended when it is back (once more: stop waiting)",
}


class LinkLine:
    """Takes the states of a link (`Run.on_link`) and shows them.

    Args:
        write: shows a line in place of the one before, "" to remove it; None for where this process is.
        meanwhile: what becomes of the run.
        before: called before something is shown, to make room.
    """

    def __init__(
        self,
        write: Write | None = None,
        meanwhile: str = CONTINUES,
        before: Callable[[], None] = lambda: None,
    ) -> None:
        self._before = before
        self._meanwhile = meanwhile
        self._write = write
        self._chosen = write is not None
        self._shown = ""

    def __call__(self, state: LinkState) -> None:
        if state.up and not self._shown:
            return
        self._before()
        if not self._chosen:
            # Where it goes is looked at when there is something to say, which is hardly ever.
            self._write, self._chosen = live_line(), True
        if self._write is not None:
            self._write("" if state.up else link_line(state, self._meanwhile))
        elif state.up:
            print(f"link to {state.host} is back after {format_duration(state.seconds)}", file=sys.stderr)
        elif not self._shown:
            print(f"link to {state.host} lost, {self._meanwhile}", file=sys.stderr, flush=True)
        self._shown = "" if state.up else "lost"


def link_line(state: LinkState, meanwhile: str = CONTINUES) -> str:
    """Return what is said while it is down: `link to dgx01 lost, the run continues there; retry in 4 s`.

    Args:
        meanwhile: what goes on there.
    """
    now = f"retry in {state.retry_in} s" if state.retry_in else "trying again"
    what = _OWED.get(state.owed, meanwhile)
    return f"link to {state.host} lost, {what}; {now}"
