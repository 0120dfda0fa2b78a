"""`campaign_board(campaign)`: the steps of a campaign by hosts, live; a click on a cell opens its run below.

The hosts are asked by one thread while the board is shown, soon again when something happens, later when not.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import ipywidgets

from ..campaigns.campaign import BUSY_S, QUICK_S, SLOW_S, Campaign, Status, find
from ..campaigns.hostside import StepState
from ..errors import RemoteError
from . import run_words
from .audience import Audience
from .closing import close_all
from .hearing import on_press
from .looks import STYLE, Html, box, escaped, mark_of, state_html, table_html
from .run_actions import error_html
from .run_view import RunView
from .shown import Shown
from .table_looks import TABLE_STYLE

# Cells that are buttons at a time; the rest is on other pages.
CELLS = 240
SILENT_S = 10.0
_ORDER = ("running", "starting", "queued", "waiting", "failed", "lost", "stopped", "skipped", "finished")


class Matrix:
    """Steps by hosts: the longer of the two goes down. Pure.

    Args:
        steps: of all hosts.
        hosts: those that have a part, answering or not.
    """

    def __init__(self, steps: Sequence[StepState], hosts: Sequence[str]) -> None:
        self.hosts = list(hosts)
        self.keys = list(dict.fromkeys(step.key for step in steps))
        self.at = {(step.host, step.key): step for step in steps}
        self.flat = len(self.keys) < len(self.hosts)
        self.columns, self.rows = (self.keys, self.hosts) if self.flat else (self.hosts, self.keys)

    def step(self, row: str, column: str) -> StepState | None:
        """The step of a cell."""
        return self.at.get((row, column) if self.flat else (column, row))


class CampaignBoard(Shown):
    """See `campaign_board`."""

    def __init__(self, campaign: Campaign) -> None:
        super().__init__()
        self.campaign = campaign
        self._status: Status | None = None
        self._error: RemoteError | None = None
        self._known: dict[tuple[str, str], StepState] = {}
        self._cells: dict[tuple[str, str], ipywidgets.Button] = {}
        self._shape: object = None
        self._page = 0
        self._opened: RunView | None = None
        self._stop: threading.Event | None = None
        self._lock = threading.RLock()
        self._closed = False
        self._audience: Audience | None = None

    @property
    def matrix(self) -> Matrix:
        """What is known now; of a host that does not answer, what it said last."""
        return Matrix(list(self._known.values()), self.campaign.hosts)

    def text(self) -> str:
        self._see_once()
        lines = [f"campaign {self.campaign.name}: {_counts(self._known.values())}"]
        for step in self._known.values():
            lines.append(f"{mark_of(step.state)} {step.state:9} {step.host}: {step.key}")
        return "\n".join(lines + [f"{host}: {error.message}" for host, error in self._silent()])

    def html(self) -> Html:
        self._see_once()
        matrix = self.matrix
        rows = [
            [row, *(_static_cell(matrix.step(row, column)) for column in matrix.columns)]
            for row in matrix.rows
        ]
        return box(self._head(), table_html(["", *matrix.columns], rows))

    def __repr__(self) -> str:
        return f"<CampaignBoard {self.campaign.name}: {_counts(self._known.values())}>"

    def resume(self) -> None:
        """Asks the hosts, as when somebody looks at it; no matter when it does already."""
        with self._lock:
            if self._stop is not None or self._closed or self._ended:
                return
            stop = self._stop = threading.Event()
        name = f"jupyter-remote campaign {self.campaign.name}"
        threading.Thread(target=self._look, args=(stop,), name=name, daemon=True).start()

    def pause(self) -> None:
        """Asks them no more, until `resume`, or until somebody looks again. The campaign goes on."""
        with self._lock:
            stop, self._stop = self._stop, None
        if stop is not None:
            stop.set()

    def close(self) -> None:
        """Ends its asking, and takes it out of the notebook; the campaign goes on."""
        self._closed = True
        self.pause()
        self._close_view()
        if self._widget is not None:
            close_all(self._widget)

    def build(self) -> ipywidgets.DOMWidget:
        self._top = ipywidgets.HTML()
        self._grid = ipywidgets.GridBox()
        self._grid.add_class("jr-board-grid")
        self._words = ipywidgets.HTML()
        self._empty = ipywidgets.HTML()
        # One model for all cells: their looks are in the style sheet.
        self._shared = {"layout": ipywidgets.Layout(), "style": ipywidgets.Button().style}
        self._headings: dict[str, ipywidgets.HTML] = {}
        turns = []
        for word, by, tip in (("‹", -1, "the steps before"), ("›", 1, "the next steps")):
            button = ipywidgets.Button(description=word, tooltip=tip, layout={"width": "3em"})
            on_press(button, partial(self.turn, by))
            turns.append(button)
        self._turns = ipywidgets.HBox([*turns, self._words], layout={"display": "none"})
        self._below = ipywidgets.VBox()
        root = ipywidgets.VBox(
            [ipywidgets.HTML(STYLE + TABLE_STYLE), self._top, self._grid, self._turns, self._below]
        )
        root.add_class("jr-board")
        self._audience = Audience(root, self.resume)
        self._widget = root
        self._draw()
        self.resume()
        return root

    # Asking.

    def _see_once(self) -> None:
        if self._status is None and self._error is None:
            self._see()

    def _see(self) -> bool:
        """Asks the hosts; returns whether something is another than before."""
        before = (dict(self._known), [host for host, _ in self._silent()])
        try:
            status = self.campaign.status()
        except RemoteError as error:
            self._error = error
            return True
        self._error, self._status = None, status
        for step in status.steps:
            self._known[step.host, step.key] = step
        return before != (self._known, [host for host, _ in self._silent()])

    def _look(self, stop: threading.Event) -> None:
        from ..transports.prompt import handed_over

        handed_over.set(True)  # in this thread nobody is asked for a password
        changed = time.monotonic()
        while not stop.is_set():
            if self._see():
                changed = time.monotonic()
            if stop.is_set():
                return
            self._draw()
            if self._ended or (self._audience is not None and self._audience.away()):
                self.pause()
                self.keep_copy()  # with this the notebook is saved
                return
            quiet = SLOW_S if time.monotonic() - changed > BUSY_S else QUICK_S
            stop.wait(SILENT_S if self._silent() or self._error else quiet)

    @property
    def _ended(self) -> bool:
        return self._status is not None and self._status.ended and self._error is None

    # What it shows.

    def _silent(self) -> Sequence[tuple[str, RemoteError]]:
        return () if self._status is None else self._status.unreachable

    def _head(self) -> Html:
        parts = [Html(f'<span class="jr-title">campaign {escaped(self.campaign.name)}</span>')]
        if self._known:
            parts.append(_counts_html(self._known.values()))
        elif self._status is None and self._error is None:
            parts.append(Html('<span class="jr-quiet">asking its hosts …</span>'))
        below = [error_html(self._error)] if self._error is not None else []
        below += [
            Html(f'<span class="jr-warn">{escaped(h)}: {escaped(e.message)}</span>')
            for h, e in self._silent()
        ]
        for part in self._status.parts if self._status is not None else ():
            if part.abandoned and not part.stopping:
                told = f"{part.host}: nobody starts its steps any more; `campaign resume {part.name}` goes on"
                below.append(Html(f'<span class="jr-warn">{escaped(told)}</span>'))
        return Html(" ".join(parts) + "".join(f"<div>{part}</div>" for part in below))

    def _draw(self) -> None:
        if self._widget is None or self._closed:
            return
        try:
            self._draw_all()
        except Exception as error:  # it is drawn again soon, and then all may be well
            self._top.value = box(error_html(error))

    def _draw_all(self) -> None:
        with self._lock:
            matrix = self.matrix
            self._top.value = box(self._head())
            per_page = max(1, CELLS // max(1, len(matrix.columns)))
            last = max(0, (len(matrix.rows) - 1) // per_page)
            self._page = min(self._page, last)
            rows = matrix.rows[self._page * per_page : (self._page + 1) * per_page]
            self._lay_out(matrix, rows)
            silent = {host for host, _ in self._silent()}
            for (host, key), button in self._cells.items():
                if (step := matrix.at.get((host, key))) is not None:
                    _draw_cell(button, step, stale=host in silent)
            self._turns.layout.display = "flex" if last else "none"
            self._words.value = box(f"page {self._page + 1} of {last + 1}")

    def _lay_out(self, matrix: Matrix, rows: Sequence[str]) -> None:
        """The grid anew, when its steps or hosts are others; cells that stay keep their buttons."""
        shape = (tuple(rows), tuple(matrix.columns), len(matrix.at))
        if shape == self._shape:
            return
        self._shape = shape
        cells: dict[tuple[str, str], ipywidgets.Button] = {}
        children = [self._empty, *map(self._heading, matrix.columns)]
        for row in rows:
            children.append(self._heading(row))
            for column in matrix.columns:
                step = matrix.step(row, column)
                if step is None:
                    children.append(self._empty)
                    continue
                at = (step.host, step.key)
                cells[at] = self._cells.pop(at, None) or self._button(step)
                children.append(cells[at])
        for gone in self._cells.values():
            gone.close()
        self._cells = cells
        self._grid.layout.grid_template_columns = (
            f"minmax(8em, max-content) repeat({len(matrix.columns)}, max-content)"
        )
        self._grid.children = tuple(children)

    def _heading(self, words: str) -> ipywidgets.HTML:
        if words not in self._headings:
            self._headings[words] = ipywidgets.HTML(box(words), layout=self._shared["layout"])
        return self._headings[words]

    def _button(self, step: StepState) -> ipywidgets.Button:
        button = ipywidgets.Button(layout=self._shared["layout"], style=self._shared["style"])
        on_press(button, lambda: self.open(step.host, step.key))
        return button

    # What the user does.

    def turn(self, by: int) -> None:
        """Shows other steps, `by` pages on, or back where it is negative."""
        self._page = max(0, self._page + by)
        self._draw()

    def open(self, host: str, key: str) -> None:
        """Shows the last run of a step below the board; one that waits has none.

        Args:
            host: where it runs.
            key: of the step.
        """
        self._close_view()
        step = self._known.get((host, key))
        if step is None or not step.runs:
            said = f"{key} on {host} is {step.state if step else 'unknown'}: there is no run of it yet"
            self._below.children = (
                ipywidgets.HTML(box(Html(f'<span class="jr-small">{escaped(said)}</span>'))),
            )
            return
        try:
            self._opened = RunView(step.runs[-1], host, self._below)
        except RemoteError as error:
            self._below.children = (ipywidgets.HTML(box(error_html(error))),)
            return
        self._below.children = (self._opened.widget,)

    def _close_view(self) -> None:
        view, self._opened = self._opened, None
        if view is not None:
            view.close()


def campaign_board(campaign: Campaign | str) -> CampaignBoard:
    """The steps of a campaign by hosts, live.

    Args:
        campaign: it, or its name.

    Returns:
        What a notebook shows as a live board, and anything else as a table of how it stands now.

    Raises:
        UsageError: there is no campaign of that name.
    """
    return CampaignBoard(find(campaign) if isinstance(campaign, str) else campaign)


def _counts(steps: Any) -> str:
    counts = _counted(steps)
    return ", ".join(f"{number} {state}" for state, number in counts.items()) or "no steps"


def _counts_html(steps: Any) -> Html:
    counts = _counted(steps)
    words = [f"{number} {state_html(state)}" for state, number in counts.items()]
    return Html(f"<span>{sum(counts.values())} steps:</span> {' · '.join(words)}")


def _counted(steps: Any) -> dict[str, int]:
    counts: dict[str, int] = {}
    for step in steps:
        counts[step.state] = counts.get(step.state, 0) + 1
    known = [state for state in _ORDER if state in counts]
    return {state: counts[state] for state in [*known, *(s for s in counts if s not in known)]}


def _static_cell(step: StepState | None) -> object:
    if step is None:
        return ""
    seconds = run_words.took(step.seconds, ended=step.ended)
    return Html(f'{state_html(step.state)} <span class="jr-small">{escaped(seconds)}</span>')


def _draw_cell(button: ipywidgets.Button, step: StepState, *, stale: bool) -> None:
    tries = f" ×{len(step.runs)}" if len(step.runs) > 1 else ""
    took = run_words.took(step.seconds, ended=step.ended)
    button.description = f"{mark_of(step.state)} {step.state}{tries}"
    tip = [f"{step.key} on {step.host}", " ".join(filter(None, (step.state, took))), step.reason or ""]
    button.tooltip = "\n".join([*filter(None, tip), *(["not answering"] if stale else [])])
    classes = ("jr-cell", f"jr-is-{step.state}", *(("jr-stale",) if stale else ()))
    if button._dom_classes != classes:
        button._dom_classes = classes
