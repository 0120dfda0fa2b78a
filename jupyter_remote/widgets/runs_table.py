"""`runs_table()`: runs of all hosts, live, to be filtered, sorted, opened, stopped, run again and compared.

Which runs are shown, and what the user does with them. The rows of a page are `runs_page.py`'s business, what
a row says `run_words.py`'s, what the buttons do `run_actions.py`'s, where runs come from `runs_feed.py`'s.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from functools import partial

import ipywidgets

from .. import history
from ..errors import HistoryError
from ..history_rows import STATES, UNFINISHED, Row
from ..history_store import Query
from . import run_actions, run_words
from .audience import Audience
from .closing import close_all
from .hearing import on_press, on_value
from .looks import STYLE, Html, box, escaped
from .run_actions import PATTERNS_WANTED, error_html
from .run_bar import Bar
from .run_view import RunView
from .run_words import Wish
from .runs_feed import FEED
from .runs_page import Page
from .shown import Shown
from .table_looks import TABLE_STYLE

PAGE = 25
# Runs that are looked at, the newest; what is older is found by `limit`.
LIMIT = 1000
ANY = "any"
BUTTONS = {
    "open": "attach: see it live, with its metrics, log and artifacts",
    "logs": "the end of what it has printed",
    "stop": "end its processes (TERM, then KILL)",
    "rerun": "run it again, with the workspace as it is now",
    "pull": "bring its files here",
    "label": "give it a label",
    "compare": "metrics of the selected runs, side by side",
    "clear": "select none",
}
# What needs so many selected runs.
_NEEDS = {"open": (1, 1), "logs": (1, 1), "rerun": (1, 1), "pull": (1, None), "compare": (2, None)}


class RunsTable(Shown):
    """See `runs_table`."""

    def __init__(self, wish: Wish, limit: int = LIMIT, page: int = PAGE) -> None:
        super().__init__()
        self.wish = wish
        self._limit = limit
        self._size = page
        self._page = 0
        self._rows: list[Row] = []
        self._found: list[Row] = []
        self._selected: dict[str, None] = {}
        self._lock = threading.RLock()
        self._error: Exception | None = None
        self._details: RunView | ipywidgets.DOMWidget | None = None
        self._filling = self._stale = False
        self._closed = False
        self._audience: Audience | None = None
        self._read()

    @property
    def rows(self) -> list[Row]:
        """The rows of the history that are wanted, in order."""
        return list(self._found)

    @property
    def selected(self) -> list[str]:
        """The ids of the runs that are selected, in the order in which they were."""
        return list(self._selected)

    def text(self) -> str:
        return run_words.static_text(self._found, time.time())

    def html(self) -> Html:
        return box(run_words.static_html(self._found, time.time()))

    def __repr__(self) -> str:
        return f"<RunsTable of {len(self._found)} runs>"

    def resume(self) -> None:
        """Follows the runs, as when somebody looks at it; no matter when it does already."""
        if not self._closed:
            FEED.subscribe(self._look)

    def pause(self) -> None:
        """Follows them no more, until `resume`, or until somebody looks again."""
        FEED.unsubscribe(self._look)

    def close(self) -> None:
        """Ends its looking and takes it out of the notebook."""
        self._closed = True
        self.pause()
        self._close_details()
        if self._widget is not None:
            close_all(self._widget)

    # What it is made of.

    def build(self) -> ipywidgets.DOMWidget:
        self._bar = Bar(BUTTONS, self.act, self._worded)
        self._count = ipywidgets.HTML()
        self._list = Page(self._pressed)
        self._below = ipywidgets.VBox()
        root = ipywidgets.VBox(
            [
                ipywidgets.HTML(STYLE + TABLE_STYLE),
                self._filters(),
                self._list.widget,
                self._pager(),
                self._bar.widget,
                self._below,
            ]
        )
        root.add_class("jr-runs")
        self._audience = Audience(root, self.resume)
        with self._lock:
            self._draw()
        self.resume()
        return root

    def _filters(self) -> ipywidgets.DOMWidget:
        narrow = {"width": "auto", "max_width": "16em"}
        self._text = ipywidgets.Text(
            value=self.wish.text, placeholder="filter: words, ids, labels", layout={"width": "18em"}
        )
        self._menus = {
            name: ipywidgets.Dropdown(options=[(f"{name}: {ANY}", "")], layout=narrow)
            for name in ("host", "state", "campaign")
        }
        self._menus["sort"] = ipywidgets.Dropdown(
            options=list(run_words.SORTS), value=self.wish.sort, layout=narrow
        )
        self._fill_menus()
        for one in (self._text, *self._menus.values()):
            on_value(one, self._wished)
        return ipywidgets.HBox([self._text, *self._menus.values()], layout={"flex_flow": "row wrap"})

    def _pager(self) -> ipywidgets.DOMWidget:
        self._turns = {}
        for word, by, tip in (("‹", -1, "the page before"), ("›", 1, "the next page")):
            button = self._turns[by] = ipywidgets.Button(
                description=word, tooltip=tip, layout={"width": "3em"}
            )
            on_press(button, partial(self.turn, by))
        return ipywidgets.HBox([self._turns[-1], self._turns[1], self._count])

    # What it shows.

    def _look(self, changed: bool) -> None:
        if self._audience is not None and self._audience.away():
            self.pause()
            self.keep_copy()
            return
        with self._lock:
            self._stale = self._stale or changed
            try:
                if self._stale:
                    self._read()
                    self._fill_menus()
                self._draw()
                self._stale = False
            except Exception as error:  # it is looked at again soon, and then all may be well
                self._bar.beside(error_html(error))

    def _read(self) -> None:
        query = Query(campaign=self.wish.campaign, host=self.wish.host, limit=self._limit)
        try:
            self._rows = history.store().find(query)
            self._error = None
        except HistoryError as error:
            self._error = error
        self._choose()

    def _choose(self) -> None:
        self._found = run_words.chosen(self._rows, self.wish, time.time())

    def _draw(self) -> None:
        now = time.time()
        if run_words.SORTS[self.wish.sort][0] != "id":
            self._choose()
        last = max(0, (len(self._found) - 1) // self._size)
        self._page = min(self._page, last)
        at = self._page * self._size
        shown = self._found[at : at + self._size]
        silent = {
            host: f"{host} can't be asked: {error.message}" for host, error in list(FEED.silent.items())
        }
        self._list.draw(shown, now, silent, self._selected)
        first = at + 1 if shown else 0
        more = f" (the newest {self._limit:,} are looked at)" if len(self._rows) >= self._limit else ""
        self._count.value = box(f"{first:,}–{at + len(shown):,} of {len(self._found):,} runs{more}")
        self._turns[-1].disabled = self._page == 0
        self._turns[1].disabled = self._page >= last
        self._draw_bar()

    def _draw_bar(self) -> None:
        number = len(self._selected)
        for word in BUTTONS:
            low, high = _NEEDS.get(word, (1, None))
            self._bar.enable(word, low <= number and (high is None or number <= high))
        ended = {row["id"] for row in self._rows if row["state"] not in UNFINISHED}
        self._bar.enable("stop", not ended.issuperset(self._selected))
        if number == 1:
            said: object = f"run {self.selected[0]}"
        else:
            said = f"{number} runs selected" if number else "select runs by a click on their rows"
        note = escaped("")
        if self._error is not None:
            note = error_html(self._error)
        silent = [host for host in FEED.silent if any(row["host"] == host for row in self._found)]
        if silent:
            note = Html(f'<span class="jr-warn">· not answering: {escaped(", ".join(silent))}</span>')
        self._bar.beside(Html(f'<span class="jr-small">{escaped(said)}</span> '), note)

    def _fill_menus(self) -> None:
        if not hasattr(self, "_menus"):
            return
        found = {
            "host": sorted({str(row["host"]) for row in self._rows if row["host"]}),
            "state": ["unfinished", *STATES],
            "campaign": sorted({str(row["campaign"]) for row in self._rows if row["campaign"]}),
        }
        for name, values in found.items():
            menu = self._menus[name]
            wanted = getattr(self.wish, name)
            if wanted is not None and wanted not in values:
                values.append(wanted)
            options = ((f"{name}: {ANY}", ""), *((value, value) for value in values))
            if options != menu.options:
                self._filling = True
                menu.options = options
                menu.value = wanted or ""
                self._filling = False

    # What the user does.

    def _wished(self) -> None:
        if self._filling:
            return
        host, state, campaign = (self._menus[name].value or None for name in ("host", "state", "campaign"))
        self.show(Wish(self._text.value, host, state, campaign, self._menus["sort"].value))

    def show(self, wish: Wish) -> None:
        """Shows the runs of another `wish`, from the first page on."""
        with self._lock:
            reads = (wish.host, wish.campaign) != (self.wish.host, self.wish.campaign)
            self.wish, self._page = wish, 0
            self._read() if reads else self._choose()
            if self._widget is not None:
                self._draw()

    def turn(self, by: int) -> None:
        """Shows another page, `by` so many further on, or back where it is negative."""
        with self._lock:
            self._page = max(0, self._page + by)
            self._draw()

    def _pressed(self, run_id: str) -> None:
        with self._lock:
            if run_id in self._selected:
                self._selected.pop(run_id)
            else:
                self._selected[run_id] = None
            self._list.choose(self._selected)
            self._draw_bar()

    def select(self, *ids: str) -> None:
        """Selects the runs with these `ids` and no others."""
        with self._lock:
            self._selected = dict.fromkeys(ids)
            self._draw()

    def act(self, word: str) -> None:
        """Does what the button does that is called `word`, with the selected runs."""
        ids = self.selected
        start = self._bar.background.start
        if not ids:
            return
        if word == "clear":
            self.select()
        elif word == "label":
            self._bar.ask(word, "the label; none takes it away")
        elif word == "pull":
            self._bar.ask(word, PATTERNS_WANTED)
        elif word == "open":
            self._open(ids[0])
        elif word == "logs":
            start(f"reading the log of {ids[0]}", lambda: self._show_log(ids[0]))
        elif word == "stop":
            start(f"stopping {', '.join(ids)}", lambda: run_actions.stop(ids), FEED.hurry)
        elif word == "rerun":
            start(f"running {ids[0]} again", lambda: self._rerun(ids[0]), FEED.hurry)
        elif word == "compare":
            start(f"comparing {len(ids)} runs", lambda: self._compare(ids))

    def _worded(self, word: str, text: str) -> None:
        ids, start = self.selected, self._bar.background.start
        if word == "label":
            start("labelling", lambda: run_actions.label(ids, text), FEED.hurry)
        else:
            patterns = text.split()
            start(
                f"pulling from {', '.join(ids)}",
                lambda: "; ".join(run_actions.pull(one, patterns) for one in ids),
            )

    def _open(self, run_id: str) -> None:
        self._close_details()
        self._details = RunView(run_id, holder=self._below)
        self._below.children = (self._details.widget,)

    def _show_log(self, run_id: str) -> str | None:
        from .run_tail import log_html

        text = run_actions.log_text(run_id)
        self._show_details(ipywidgets.HTML(box(log_html(text, f"run {run_id}"))))
        return None

    def _rerun(self, run_id: str) -> str:
        run, said = run_actions.rerun(run_id)
        self.select(run.id)
        return said

    def _compare(self, ids: Sequence[str]) -> str | None:
        html, picture = run_actions.compared(ids)
        parts = [ipywidgets.HTML(box(html))]
        if picture:
            parts.append(ipywidgets.Image(value=picture, format="png", layout={"max_width": "100%"}))
        self._show_details(ipywidgets.VBox(parts))
        return None

    def _show_details(self, widget: ipywidgets.DOMWidget) -> None:
        self._close_details()
        self._details = widget
        self._below.children = (widget,)

    def _close_details(self) -> None:
        details, self._details = self._details, None
        if isinstance(details, RunView):
            details.close()
        elif details is not None:
            close_all(details, self._below)


def runs_table(
    *,
    text: str = "",
    host: str | None = None,
    state: str | None = None,
    campaign: str | None = None,
    sort: str = "newest first",
    limit: int = LIMIT,
    page: int = PAGE,
) -> RunsTable:
    """The runs of all hosts as a live table.

    Args:
        text: words that must all be in what is known of a run: id, label, code, command, notebook.
        host, state, campaign: only those; the state may be ``unfinished``.
        sort: ``newest first``, ``oldest first``, ``longest first``, ``host``, ``state`` or ``label``.
        limit: how many runs are looked at, the newest.
        page: rows on a page.

    Returns:
        What a notebook shows as a live table, and anything else as a static one.

    Raises:
        UsageError: there is no such order, or no such state.
    """
    from ..parsing import unknown

    if sort not in run_words.SORTS:
        raise unknown("sort", sort, "runs_table", list(run_words.SORTS))
    if state is not None and state not in (*STATES, "unfinished"):
        raise unknown("state", state, "runs_table", [*STATES, "unfinished"])
    return RunsTable(Wish(text, host, state, campaign, sort), limit, page)
