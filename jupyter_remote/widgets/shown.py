"""How a thing of ours is displayed: as a live widget where a front end has those, as a table everywhere else.

JupyterLab shows nothing but an error in place of a widget whose kernel has gone, and saves no widget's state
unless it is told to. So two displays are made: a static copy, and the widget beside it. A style sheet in the
copy hides it while the widget is there, and hides what is left of a widget that has gone. nbconvert, GitHub
and a terminal show the copy. What is shown is not known here.
"""

from __future__ import annotations

import atexit
import contextlib
import weakref
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from ..live_line import in_kernel
from .looks import STYLE, Html

if TYPE_CHECKING:
    import ipywidgets

VIEW = "application/vnd.jupyter.widget-view+json"

_HIDDEN = """<style>
.jp-OutputArea:has(.jr-live-{id}:not(.jupyter-widgets-disconnected)) .jp-OutputArea-child:has(.jr-copy-{id}),
.jr-live-{id}.jupyter-widgets-disconnected {{ display: none; }}
.jp-OutputArea:has(.jr-copy-{id}) .jp-OutputArea-output.lm-Panel:not(:has(*)) {{ display: none; }}
</style>"""

# Those that a front end may be showing; none is kept alive by this.
_shown: weakref.WeakSet[Shown] = weakref.WeakSet()


class Shown:
    """What is displayed as a widget, with a static copy. A subclass says what it looks like."""

    def __init__(self) -> None:
        self._id = token_hex(4)
        self._widget: ipywidgets.DOMWidget | None = None
        self._displays = 0

    def text(self) -> str:
        """What a terminal shows, and who hears the page read."""
        raise NotImplementedError

    def html(self) -> Html:
        """What shows a page without widgets, as it is at this moment; in a `looks.box`."""
        raise NotImplementedError

    def build(self) -> ipywidgets.DOMWidget:
        """Make the widget; called once, when it is first wanted."""
        raise NotImplementedError

    @property
    def widget(self) -> ipywidgets.DOMWidget:
        """The widget itself, e.g. to put it into a box of one's own."""
        if self._widget is None:
            self._widget = self.build()
            self._widget.add_class(f"jr-live-{self._id}")
        return self._widget

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return {**self._copy(), **({VIEW: self._view()} if in_kernel() else {})}

    def _ipython_display_(self) -> None:
        if not in_kernel():
            print(self.text())
            return
        self._displays += 1
        view = self._view()
        self._publish("copy", self._copy(), update=False)
        self._publish("view", {"text/plain": "", VIEW: view}, update=False)
        _shown.add(self)

    def keep_copy(self) -> None:
        """Bring the static copy up to date, where it is displayed: with this the notebook is saved."""
        if self._displays:
            self._publish("copy", self._copy(), update=True)

    def leave(self) -> None:
        """Leave the copy alone in the notebook: the kernel ends."""
        if self._displays:
            self._publish("copy", self._copy(), update=True)
            self._publish("view", {"text/plain": ""}, update=True)

    def _copy(self) -> dict[str, Any]:
        style = STYLE + _HIDDEN.format(id=self._id)
        page = f'{style}<div class="jr-copy-{self._id}">{self.html()}</div>'
        return {"text/plain": self.text(), "text/html": page}

    def _view(self) -> dict[str, Any]:
        return {"version_major": 2, "version_minor": 0, "model_id": self.widget.model_id}

    def _publish(self, part: str, data: dict[str, Any], *, update: bool) -> None:
        from IPython.display import publish_display_data

        identity = {"display_id": f"jupyter-remote/{part}-{self._id}"}
        publish_display_data(data, {}, transient=identity, update=update)  # type: ignore[no-untyped-call]


@atexit.register
def _leave_all() -> None:
    for one in list(_shown):
        with contextlib.suppress(Exception):
            one.leave()
