"""Whether anybody looks at a widget: what is not seen needn't be kept up to date.

Three things tell. ipywidgets counts the views of a widget, so an output that is cleared is known at once. A
page that is closed, or put to sleep by its browser, no longer runs the timer of a `Play` widget that nobody
sees: each of its ticks is a sign of life. And our extension of JupyterLab says when its page is hidden
(`default_host.py` takes its messages). What follows from it is up to who asks.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..default_host import page_hidden

if TYPE_CHECKING:
    import ipywidgets

BEAT_S = 5.0
# Browsers let hidden pages wait a second for a timer, after some minutes a whole one.
GONE_S = 17.0
# How long a front end may take to show the widget for the first time.
_FIRST_S = 30.0


class Audience:
    """Who looks at a widget.

    Args:
        widget: the box that is displayed; its views are counted from now on, and a hidden child of it beats.
        back: called when somebody looks again, in whichever thread.
    """

    def __init__(self, widget: ipywidgets.Box, back: Callable[[], None]) -> None:
        self._back = back
        self._widget = widget
        self._made = time.monotonic()
        self._beat = 0.0
        self._views = self._pulses = 0
        self._seen = False
        self.pulse = _pulse()
        widget.children = (*widget.children, self.pulse)
        for one, seen in ((widget, self._shown), (self.pulse, self._ticks)):
            one._view_count = 0
            one.observe(lambda change, seen=seen: seen(change["new"] or 0), "_view_count")
        self._counts = _hear(widget, self._told) and _hear(self.pulse, self._ticked)

    def away(self) -> str:
        """Why nobody looks; "" when somebody does, or that can't be told."""
        if page_hidden():
            return "the page is hidden"
        now = time.monotonic()
        if self._seen and self._views < 1:
            return "it is shown nowhere"
        if not self._seen and not self._beat:
            return "" if now - self._made < _FIRST_S else "no page shows it"
        if self._counts and self._beat and now - self._beat > GONE_S:
            # A page that was closed has not counted down; the next one counts on from here.
            self._widget._view_count = self.pulse._view_count = 0
            return "the page is closed or asleep"
        return ""

    def _shown(self, views: int) -> None:
        """The widget has so many views."""
        more, self._views = views > self._views, views
        if more:
            self._seen = True
            self._back()

    def _ticks(self, views: int) -> None:
        """The timer has so many views; a new one, perhaps in a new page, stands still until it is told."""
        more, self._pulses = views > self._pulses, views
        if more:
            self.pulse.playing = False
            self.pulse.playing = True

    # In the thread that receives messages, before the kernel's own has time for them.

    def _told(self, state: dict[str, Any]) -> None:
        if "_view_count" in state:
            self._shown(state["_view_count"] or 0)

    def _ticked(self, state: dict[str, Any]) -> None:
        asleep = time.monotonic() - self._beat > GONE_S
        self._beat = time.monotonic()
        if "_view_count" in state:
            self._ticks(state["_view_count"] or 0)
        if asleep:
            if "value" in state and self._views < 1:
                self._widget._view_count = 1  # it was asleep, and its view is still there
            self._back()


def _hear(widget: Any, told: Callable[[dict[str, Any]], None]) -> bool:
    """Hear what a page says of a widget in the thread that receives it: the kernel may be busy for hours.

    ipykernel 7.4 asks the comm which of its threads a message is for. Where it doesn't, silence says nothing,
    and False is returned.
    """
    comm = widget.comm
    route: Callable[..., Any] | None = getattr(comm, "_reply_subshell_for", None)
    if route is None:
        return False

    def heard(data: Any, default: Any) -> Any:
        with contextlib.suppress(Exception):
            if data.get("method") == "update":
                told(data["state"])
        return route(data, default)

    comm._reply_subshell_for = heard
    return True


def _pulse() -> Any:
    import ipywidgets
    import traitlets

    class Pulse(ipywidgets.Play):  # type: ignore[misc]
        # Without the echo to all pages.
        value = traitlets.CInt(0).tag(sync=True, echo_update=False)

    return Pulse(
        min=0,
        max=2**31 - 1,
        interval=int(BEAT_S * 1000),
        layout={"display": "none"},
    )
