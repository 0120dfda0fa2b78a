"""The rows of one page of the live table of runs, each sent only when it has changed.

A row keeps to its run as long as it is shown, so that a click never means another run than the one under the
pointer; one that has gone from the page is used for the next run that comes, so nothing grows.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any

import ipywidgets

from ..history_rows import Row
from . import run_words
from .hearing import on_press
from .looks import Html, box


class _Line:
    """One row of the page: a button over its whole width, with what it says below."""

    def __init__(self, shared: dict[str, Any], pressed: Callable[[str], None]) -> None:
        self.run_id = ""
        self.says = ipywidgets.HTML(layout=shared["layout"], style=shared["style"])
        self.button = ipywidgets.Button(layout=shared["layout"], style=shared["button"])
        on_press(self.button, lambda: pressed(self.run_id))
        self.box = ipywidgets.HBox([self.button, self.says], layout=shared["layout"])

    def show(self, row: Row, now: float, stale: str, chosen: bool) -> None:
        """Says what there is to say of a run; what is as before is not sent."""
        self.run_id = row["id"]
        self.says.value = box(run_words.row_html(row, now, stale=stale))
        self.button.tooltip = run_words.tip(row, stale=stale)
        self.choose(chosen)

    def choose(self, chosen: bool) -> None:
        """Shows whether it is selected."""
        self.button.description = f"{'selected' if chosen else 'select'}: run {self.run_id}"
        classes = ("jr-row", "jr-chosen") if chosen else ("jr-row",)
        if self.box._dom_classes != classes:
            self.box._dom_classes = classes


class Page:
    """The rows, below their headings.

    Args:
        pressed: called with the id of a run whose row was pressed.

    Attributes:
        widget: all of it.
    """

    def __init__(self, pressed: Callable[[str], None]) -> None:
        # One model for all rows: the looks of a row are in the style sheet.
        self._shared = {
            "layout": ipywidgets.Layout(),
            "style": ipywidgets.HTML().style,
            "button": ipywidgets.Button().style,
        }
        self._pressed = pressed
        self._lines: dict[str, _Line] = {}
        self._spare: list[_Line] = []
        head = "".join(f'<span class="jr-in-{name}">{name}</span>' for name in run_words.COLUMNS)
        self._list = ipywidgets.VBox(layout={"overflow": "hidden"})
        self.widget = ipywidgets.VBox(
            [ipywidgets.HTML(box(Html(f'<div class="jr-line jr-head">{head}</div>'))), self._list]
        )

    def draw(
        self, rows: Sequence[Row], now: float, silent: Mapping[str, str], chosen: Container[str]
    ) -> None:
        """Shows these runs.

        Args:
            rows: of the history.
            now: seconds since the epoch.
            silent: why a host can't be asked, by its name.
            chosen: the ids of the runs that are selected.
        """
        ids = [row["id"] for row in rows]
        here = set(ids)
        for gone in [one for one in self._lines if one not in here]:
            self._spare.append(self._lines.pop(gone))
        for row in rows:
            line = self._lines.get(row["id"])
            if line is None:
                line = self._spare.pop() if self._spare else _Line(self._shared, self._pressed)
                self._lines[row["id"]] = line
            line.show(row, now, silent.get(str(row["host"]), ""), row["id"] in chosen)
        boxes = tuple(self._lines[one].box for one in ids)
        if boxes != self._list.children:
            self._list.children = boxes

    def choose(self, chosen: Container[str]) -> None:
        """Shows which runs are selected, and nothing else."""
        for run_id, line in self._lines.items():
            line.choose(run_id in chosen)
