"""Runs in words and as rows of a table: pure, from what the history has of them. No widget is made here."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ..durations import format_duration
from ..history_rows import UNFINISHED, Row
from ..metrics import finals_of
from .looks import Html, escaped, mark_of, state_html, table_html

# What a row shows of the code or the words of a run, and of its metrics.
LONGEST = 70
MOST_METRICS = 3
# What a table shows that nobody can page through: in a saved notebook, in a terminal.
STATIC_ROWS = 20

SORTS = {
    "newest first": ("id", True),
    "oldest first": ("id", False),
    "longest first": ("seconds", True),
    "host": ("host", False),
    "state": ("state", False),
    "label": ("label", False),
}
COLUMNS = ("state", "started", "took", "host", "what", "metrics", "run")
_RANK = {state: number for number, state in enumerate(("running", "starting", "queued", "failed", "lost"))}


@dataclass(frozen=True)
class Wish:
    """Which runs are wanted, and in which order; None and "" for no condition.

    Args:
        text: words that must all be in what is known of a run.
        host, state, campaign: equal to this; the state may be ``unfinished``.
        sort: one of `SORTS`.
    """

    text: str = ""
    host: str | None = None
    state: str | None = None
    campaign: str | None = None
    sort: str = "newest first"


def chosen(rows: Sequence[Row], wish: Wish, now: float) -> list[Row]:
    """The rows that are wanted, in order; `now` says how long those take that have not ended."""
    words = wish.text.lower().split()
    found = [
        row
        for row in rows
        if wish.host in (None, row["host"])
        and wish.campaign in (None, row["campaign"])
        and (
            wish.state in (None, row["state"]) or (wish.state == "unfinished" and row["state"] in UNFINISHED)
        )
        and (not words or all(word in haystack(row) for word in words))
    ]
    key, down = SORTS[wish.sort]
    if key == "id":
        return found if down else found[::-1]  # they come by their ids, the newest first
    if key == "seconds":
        return sorted(found, key=lambda row: seconds_of(row, now) or 0.0, reverse=down)
    if key == "state":
        return sorted(found, key=lambda row: _RANK.get(str(row["state"]), len(_RANK)))
    return sorted(found, key=lambda row: (row[key] in (None, ""), str(row[key] or "").lower()), reverse=down)


def haystack(row: Row) -> str:
    """What the words of a filter are looked for in, in lower case."""
    keys = (
        "id",
        "host",
        "state",
        "label",
        "campaign",
        "step",
        "notebook",
        "command",
        "source",
        "remote_command",
    )
    return "\n".join(str(row[key]) for key in keys if row.get(key)).lower()


def seconds_of(row: Row, now: float) -> float | None:
    """How long a run took, or has taken up to now; None when that isn't known."""
    if row.get("seconds") is not None:
        return float(row["seconds"])
    begun = row.get("started") or row.get("created")
    return max(0.0, now - float(begun)) if begun and row["state"] in UNFINISHED else None


def took(seconds: float | None, *, ended: bool) -> str:
    """A duration; of what goes on only so much that it is not another one at every look."""
    if seconds is None:
        return ""
    if ended:
        return format_duration(seconds)
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def what(row: Row) -> str:
    """What a run is, in one short line: its label or step, then the words or the code that ran."""
    name = row.get("label") or row.get("step")
    lines = str(row.get("source") or "").strip().splitlines()
    words = lines[0] if lines else " ".join(map(str, json.loads(row.get("remote_command") or "[]")))
    text = words or str(row.get("command") or "")
    if name and text and text != name:
        text = f"{name}: {text}"
    return short(text or name or str(row.get("kind") or ""))


def short(text: str, longest: int = LONGEST) -> str:
    """`text` in one line of at most `longest` characters."""
    text = " ".join(text.split())
    return text if len(text) <= longest else text[: longest - 1] + "…"


def number(value: float) -> str:
    """A metric's value as a table has room for."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if not math.isfinite(value):
        return str(float(value))
    return f"{value:,.0f}" if value == int(value) and abs(value) < 1e6 else f"{value:.4g}"


def metrics_words(row: Row) -> str:
    """The metrics of a run in a line."""
    try:
        found = finals_of(row)
    except (TypeError, ValueError, AttributeError):
        return ""  # what stands there may be of another program
    words = [f"{short(str(name), 20)} {number(value)}" for name, value in list(found.items())[:MOST_METRICS]]
    return " · ".join(words) + (" · …" if len(found) > MOST_METRICS else "")


def clock(moment: float | None, now: float) -> str:
    """A time of day, with the day when that is another one."""
    if not moment:
        return ""
    day = time.strftime("%Y-%m-%d", time.localtime(moment))
    form = "%H:%M:%S" if day == time.strftime("%Y-%m-%d", time.localtime(now)) else "%m-%d %H:%M"
    return time.strftime(form, time.localtime(moment))


def cells(row: Row, now: float) -> tuple[object, ...]:
    """The cells of a run, in the order of `COLUMNS`."""
    state = str(row["state"] or "queued")
    code = f"exit {row['exit_code']}" if state == "failed" and row.get("exit_code") is not None else ""
    return (
        state_html(state, code),
        clock(row.get("started") or row.get("created"), now),
        took(seconds_of(row, now), ended=state not in UNFINISHED),
        row["host"],
        what(row),
        metrics_words(row),
        row["id"],
    )


def row_html(row: Row, now: float, *, stale: str = "") -> Html:
    """A run as one line of the live table.

    Args:
        row: of the history.
        now: seconds since the epoch.
        stale: why its host can't say how it is, "" when it can: then it is grey.
    """
    body = "".join(
        f'<span class="jr-in-{name}">{escaped(cell)}</span>'
        for name, cell in zip(COLUMNS, cells(row, now), strict=True)
    )
    grey = " jr-stale" if stale and row["state"] in UNFINISHED else ""
    return Html(f'<div class="jr-line{grey}">{body}</div>')


def tip(row: Row, *, stale: str = "") -> str:
    """What else is to be said of a run, for who points at it."""
    return "\n".join(filter(None, (str(row.get("reason") or ""), stale, str(row.get("source") or "")[:200])))


def static_html(rows: Sequence[Row], now: float) -> Html:
    """The first runs as a plain table, for where no widget is shown."""
    more = f"<p>… and {len(rows) - STATIC_ROWS:,} more</p>" if len(rows) > STATIC_ROWS else ""
    if not rows:
        return Html("<p>no runs</p>")
    return Html(table_html(COLUMNS, [cells(row, now) for row in rows[:STATIC_ROWS]], {2}) + more)


def static_text(rows: Sequence[Row], now: float) -> str:
    """The first runs as text."""
    if not rows:
        return "no runs"
    shown = []
    for row in rows[:STATIC_ROWS]:
        _, *rest = cells(row, now)
        shown.append([f"{mark_of(str(row['state']))} {row['state']}", *(str(cell or "") for cell in rest)])
    lines = [list(COLUMNS), *shown]
    widths = [max(len(line[at]) for line in lines) for at in range(len(COLUMNS))]
    text = ["  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines]
    if len(rows) > STATIC_ROWS:
        text.append(f"… and {len(rows) - STATIC_ROWS:,} more")
    return "\n".join(text)
