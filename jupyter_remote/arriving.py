"""A run's artifacts as they come while it is followed: pulled by a thread, and shown where its output is.

In a notebook a picture or a table has a place of its own, and changes there; in a terminal each is a line.
Which files come, and when, is said in `artifacts.py`.
"""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from .agent.rundir import FINAL_STATES
from .call import format_size
from .errors import RemoteError
from .live_line import in_kernel
from .pulling import shown

if TYPE_CHECKING:
    from .artifacts import Artifact, Artifacts
    from .run import Run

_PICTURES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif"}
_TABLES = {".csv": ",", ".tsv": "\t"}
_LARGEST_PICTURE = 4 << 20
_ROWS, _COLUMNS, _CELL = 10, 12, 80
# Each has a place of its own in the notebook.
_MOST_SHOWN = 20
_TICK_S = 0.2

# Shows what has come; whether it could be shown now.
Show = Callable[["Artifact"], bool]


@contextmanager
def arriving(
    run: Run, patterns: Sequence[str], show: Show | None, output: Path | None = None
) -> Iterator[None]:
    """While a run is followed, pull its artifacts as they are complete.

    Args:
        run: it has begun.
        patterns: which files, beside those of the host's `sync.pull`.
        show: called in a thread for each that has come, and again later when it says that it could not.
        output: the folder they go to; the workspace when None.
    """
    artifacts = run.arriving(patterns, output)
    if not artifacts.patterns or run.done:
        yield
        return
    ended = threading.Event()
    name = f"jupyter-remote artifacts {run.id}"
    thread = threading.Thread(target=_take, args=(artifacts, show, ended), name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def wanted(run: Run, given: Sequence[str], *, attached: bool) -> Sequence[str]:
    """The patterns of a front that shows a run: what was given, or those that a run had that goes on.

    Args:
        attached: whether it goes on from before.
    """
    if attached and run.record.get("state") not in FINAL_STATES:
        return [*given, *map(str, run.record.get("pull") or ())]
    return given


def announcer(host: str, between_lines: Callable[[], bool], *, quiet: bool) -> Show | None:
    """What shows artifacts where this process shows things.

    Args:
        host: named in the line.
        between_lines: whether what the run has printed ends with whole lines.
        quiet: nothing is shown.
    """
    if quiet:
        return None
    if in_kernel():
        return _Places(between_lines)

    def say(artifact: Artifact) -> bool:
        if not between_lines():
            return False
        print(arrival_line(host, artifact), file=sys.stderr, flush=True)
        return True

    return say


def arrival_line(host: str, artifact: Artifact) -> str:
    """One line: `dgx01: loss.png is here (12.3 KiB)`."""
    return f"{host}: {shown(artifact.path)} is here ({format_size(artifact.size)})"


def _take(artifacts: Artifacts, show: Show | None, ended: threading.Event) -> None:
    waiting: dict[str, Artifact] = {}
    first = True
    while not ended.wait(_TICK_S if waiting else max(artifacts.wait, _TICK_S) if not first else 1.0):
        first = False
        try:
            for one in artifacts.look(connect=False):
                waiting[one.path] = one
        except RemoteError:
            # The pull at the end tells what is wrong, if it still is.
            if ended.wait(5.0):
                break
        if show is not None:
            waiting = {path: one for path, one in waiting.items() if not show(one)}
        else:
            waiting.clear()
    if show is not None:
        for one in waiting.values():
            show(one)


class _Places:
    """Displays in a notebook, one for each artifact."""

    def __init__(self, between_lines: Callable[[], bool]) -> None:
        self._between_lines = between_lines
        self._ids: dict[str, str] = {}

    def __call__(self, artifact: Artifact) -> bool:
        known = artifact.path in self._ids
        if not known and len(self._ids) >= _MOST_SHOWN:
            return True
        # A new display cuts what is printed in two; one that changes does not.
        if not known and not self._between_lines():
            return False
        from IPython.display import publish_display_data

        name = self._ids.setdefault(artifact.path, f"jupyter-remote/artifact-{token_hex(4)}")
        data, metadata = bundle(artifact)
        publish_display_data(data, metadata, transient={"display_id": name}, update=known)  # type: ignore[no-untyped-call]
        return True


def bundle(artifact: Artifact) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a notebook shows of an artifact: a picture, the head of a table, or its name; and metadata."""
    title = f"{shown(artifact.path)} ({format_size(artifact.size)})"
    data: dict[str, Any] = {"text/plain": title}
    path = artifact.local
    if path is None:
        return data, {}
    kind = path.suffix.lower()
    if kind not in _TABLES and artifact.size > _LARGEST_PICTURE:
        return data, {}
    try:
        if kind in _PICTURES:
            import base64

            data[_PICTURES[kind]] = base64.b64encode(path.read_bytes()).decode("ascii")
        elif kind == ".svg":
            data["image/svg+xml"] = path.read_text(encoding="utf-8")
        elif kind in _TABLES:
            data["text/html"] = _table(path, _TABLES[kind], title)
    except (OSError, ValueError):
        pass  # changed again, or not what it is called
    return data, {}


def _table(path: Path, separator: str, title: str) -> str:
    import csv
    import html

    try:
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            rows = list(itertools.islice(csv.reader(file, delimiter=separator), _ROWS + 2))
    except csv.Error as error:
        raise ValueError(str(error)) from None
    more = len(rows) > _ROWS + 1
    cells = [
        "".join(f"<{tag}>{html.escape(cell[:_CELL])}</{tag}>" for cell in row[:_COLUMNS])
        for tag, row in zip(["th", *["td"] * _ROWS], rows, strict=False)
    ]
    body = "".join(f"<tr>{row}</tr>" for row in cells)
    return f"<table>{body}</table><p>{html.escape(title)}{', its beginning' if more else ''}</p>"
