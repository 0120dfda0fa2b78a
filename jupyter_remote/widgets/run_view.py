"""`run_view(run)`: one run, live: state, progress, curves, the end of its log, pictures, artifacts, buttons.

What there is to show is gathered by `run_follow.py`; here it is made into widgets, each of which is sent only
when it has changed.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import ipywidgets

from ..errors import RemoteError, UsageError
from ..history_rows import UNFINISHED
from ..live_line import in_kernel
from ..pool import live
from . import run_actions, run_words
from .audience import Audience
from .closing import close_all
from .curves import POINTS, curve_svg, curves_html
from .looks import STYLE, Html, box, escaped, meter, state_html
from .run_actions import PATTERNS_WANTED, error_html
from .run_bar import Bar
from .run_follow import Follower
from .run_gallery import Gallery, listed
from .run_tail import log_html, plain
from .runs_feed import FEED
from .shown import Shown
from .table_looks import TABLE_STYLE

if TYPE_CHECKING:
    from ..metrics import Metrics
    from ..run import Run

CURVES = 6
# How often curves are drawn at most; and drawing takes one part in so many of the time.
CURVES_S, SHARE = 1.0, 20
# Values of metrics that have only one.
SINGLE = 12
# Lines of the log that a saved notebook gets.
KEPT_LINES = 20
BUTTONS = {
    "interrupt": "interrupt its code (SIGINT); pressed again: end its processes (TERM, then KILL)",
    "detach": "close this view; a run that has not ended goes on",
    "pull": "bring its files here",
    "rerun": "run it again, with the workspace as it is now",
    "label": "give it a label",
}


class RunView(Shown):
    """See `run_view`.

    Args:
        run_id: whole, or a beginning of it.
        host: where it is; None for finding out.
        holder: the box that it is in alone, if it is in one.
    """

    def __init__(self, run_id: str, host: str | None = None, holder: ipywidgets.Box | None = None) -> None:
        super().__init__()
        self._follower = Follower(run_id, self._draw, host)
        self._lock = threading.RLock()
        self._presses = 0
        self._plotted = Html("")
        self._drawn: object = None
        self._curves_due = 0.0
        self._kept = False
        self._closed = False
        self._audience: Audience | None = None
        self._holder = holder

    @property
    def id(self) -> str:
        """The run's."""
        return self._follower.id

    def text(self) -> str:
        self._see()
        return "\n".join([self._line(), *plain(self._follower.tail.text()).splitlines()[-KEPT_LINES:]])

    def html(self) -> Html:
        self._see()
        log = "".join(self._follower.tail.text().splitlines(keepends=True)[-KEPT_LINES:])
        return box(self._head(), self._curves(), log_html(log), self._kept_pictures())

    def __repr__(self) -> str:
        return f"<RunView {self._line()}>"

    def resume(self) -> None:
        """Follows the run, as when somebody looks at it; no matter when it does already."""
        if not self._closed:
            self._follower.start()

    def pause(self) -> None:
        """Follows it no more, until `resume`, or until somebody looks again. The run goes on."""
        self._follower.stop()

    def _see(self) -> None:
        # A notebook gets its copy at once; a host to which there is no link yet would be waited for.
        if self._widget is None and (not in_kernel() or live(self.host)):
            self._follower.see()

    def close(self) -> None:
        """Stops following the run, which goes on, and takes the view out of the notebook."""
        with self._lock:  # nothing is drawn any more then
            self._closed = True
        self._follower.stop()
        if self._widget is not None:
            close_all(self._widget, self._holder)

    def build(self) -> ipywidgets.DOMWidget:
        self._top, self._plots, self._log = (ipywidgets.HTML() for _ in range(3))
        self._gallery = Gallery()
        self._bar = Bar(BUTTONS, self.act, self._worded)
        style = ipywidgets.HTML(STYLE + TABLE_STYLE)
        root = ipywidgets.VBox(
            [style, self._top, self._bar.widget, self._plots, self._log, self._gallery.widget]
        )
        root.add_class("jr-view")
        self._audience = Audience(root, self.resume)
        self._widget = root
        self._draw()
        self.resume()
        return root

    # What it shows.

    def _draw(self) -> None:
        if self._widget is None:
            return
        try:
            self._draw_all()
        except Exception as error:  # it is drawn again soon, and then all may be well
            self._top.value = box(error_html(error))

    def _draw_all(self) -> None:
        with self._lock:
            if self._closed:
                return
            if self._audience is not None and self._audience.away():
                self.pause()
                self.keep_copy()
                return
            self._top.value = box(self._head())
            self._plots.value = box(self._curves())
            tail = self._follower.tail
            self._log.value = box(log_html(tail.text(), cut=tail.cut))
            self._gallery.draw(self._follower.pictures.values(), self._follower.artifacts)
            self._draw_bar()
        if self._follower.over and self._follower.looked and not self._kept:
            self._kept = True
            self.keep_copy()  # with its end the notebook is saved

    def _draw_bar(self) -> None:
        over = self._follower.over
        self._bar.enable("interrupt", not over and self._follower.run is not None)
        self._bar.rename("interrupt", "stop" if self._presses else "interrupt")
        # Of a run that has ended there is nothing to detach from, but still a view to close.
        self._bar.rename("detach", "close" if over else "detach")

    def _kept_pictures(self) -> Html:
        if self._widget is None:
            return Html("")
        artifacts = self._follower.artifacts
        return Html(self._gallery.kept() + (listed(artifacts) if artifacts else ""))

    def _line(self) -> str:
        one = self._follower
        row = one.row
        ended = one.state not in UNFINISHED
        words = [f"run {one.id} on {one.host}", one.state]
        if one.state == "failed":
            words[-1] += f" (exit {row.get('exit_code')})"
        if row.get("reason"):
            words.append(str(row["reason"]))
        if took := run_words.took(run_words.seconds_of(row, time.time()), ended=ended):
            words.append(took)
        return " · ".join([*([str(row["label"])] if row.get("label") else []), *words])

    def _head(self) -> Html:
        one, row = self._follower, self._follower.row
        code = (
            f"exit {row['exit_code']}" if one.state == "failed" and row.get("exit_code") is not None else ""
        )
        took = run_words.took(run_words.seconds_of(row, time.time()), ended=one.over)
        title = escaped(row.get("label") or run_words.what(row) or one.id)
        parts = [
            Html(f'<span class="jr-title">{title}</span>'),
            state_html(one.state, code),
            Html(f' <span class="jr-words">{escaped(took)}</span>'),
            Html(f' <span class="jr-small">run {escaped(one.id)} on {escaped(one.host)}</span>'),
        ]
        below: list[Html] = []
        if not one.over and (progress := one.metrics.progress()) is not None:
            below.append(meter(progress.fraction, progress.text, "progress"))
        if row.get("reason"):
            below.append(escaped(row["reason"]))
        if one.link:
            below.append(Html(f'<span class="jr-warn">{escaped(one.link)}</span>'))
        if one.error is not None:
            below.append(error_html(one.error))
        if one.asks is not None:
            below.append(
                Html(
                    f'<span class="jr-warn">it waits for input:</span> {escaped(one.asks)} '
                    f'<span class="jr-small">(%remote attach {one.id} answers)</span>'
                )
            )
        return Html("".join(parts) + "".join(f"<div>{part}</div>" for part in below))

    def _curves(self) -> Html:
        """The curves, made anew when there are other points, but never for more than a part of the time."""
        metrics, now = self._follower.metrics, time.monotonic()
        mark = (len(metrics), self._follower.over)
        if mark != self._drawn and (now >= self._curves_due or self._follower.over):
            self._plotted = _curves(metrics)
            self._drawn = mark
            self._curves_due = now + max(CURVES_S, SHARE * (time.monotonic() - now))
        return self._plotted

    # What the user does.

    def act(self, word: str) -> None:
        """Does what the button does that is called `word`."""
        if word == "interrupt":
            self._presses += 1
            doing = "interrupting" if self._presses == 1 else "stopping"
            self._bar.background.start(f"{doing} {self.id}", lambda: self._press(self._presses), self._draw)
        elif word == "detach":
            self.close()
        elif word == "rerun":
            self._bar.background.start(f"running {self.id} again", self._rerun, FEED.hurry)
        elif word == "pull":
            self._bar.ask(word, PATTERNS_WANTED)
        else:
            self._bar.ask(word, "the label; none takes it away")

    def _press(self, presses: int) -> str:
        if self._follower.run is None:
            raise RemoteError(f"{self.host} has not answered yet", hint="Try again when it has.")
        if presses == 1:
            self._follower.run.interrupt()
            return "interrupted; once more ends its processes"
        self._follower.run.stop()
        return "told to end"

    @property
    def host(self) -> str:
        """The name of the run's host."""
        return self._follower.host

    def _rerun(self) -> str:
        _, said = run_actions.rerun(self.id)
        return said

    def _worded(self, word: str, text: str) -> None:
        if word == "label":
            self._bar.background.start("labelling", lambda: self._label(text), FEED.hurry)
        else:
            self._bar.background.start(
                f"pulling from {self.host}", lambda: run_actions.pull(self.id, text.split()), self._draw
            )

    def _label(self, text: str) -> str:
        said = run_actions.label([self.id], text)
        self._follower.row["label"] = text
        self._draw()
        return said


def run_view(run: Run | str) -> RunView:
    """One run, live, wherever it was started.

    Args:
        run: it, or its id, or a beginning of that.

    Returns:
        What a notebook shows as a live view, and anything else as it is now.

    Raises:
        UsageError: there is no such run.
    """
    if not isinstance(run, str) and not hasattr(run, "id"):
        raise UsageError(f"{run!r} is no run, and no id of one")
    return RunView(run if isinstance(run, str) else run.id)


def _curves(metrics: Metrics) -> Html:
    figures: list[Html] = []
    single: list[str] = []
    for name in metrics.names():
        if len(figures) > CURVES:
            break
        series = metrics.series(name, points=POINTS)
        if len(series.values) < 2:
            single += [f"{name} {run_words.number(value)}" for value in series.values]
        else:
            figures.append(curve_svg(name, series.steps, series.values))
    more = ["more: run.metrics"] if len(figures) > CURVES or len(single) > SINGLE else []
    told = " · ".join(run_words.short(one, 40) for one in [*single[:SINGLE], *more])
    return Html(f'{curves_html(figures[:CURVES])}<div class="jr-small">{escaped(told)}</div>')
