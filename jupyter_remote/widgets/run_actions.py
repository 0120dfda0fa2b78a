"""What the buttons do with runs, and what is said of it. It waits for hosts, so it is not done in a callback.

`Background` runs one in a thread and tells its outcome; an error is told with its hint.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING

import jupyter_remote

from .. import runs
from ..call import count
from ..errors import RemoteError, UsageError
from ..history_rows import document_of
from ..pulling import summary
from ..whereabouts import Found, find_run
from .looks import Html

if TYPE_CHECKING:
    from ..run import Run

PATTERNS_WANTED = "patterns, e.g. results/** *.png; none for what its record names"
# What `logs` shows; all of it stays where it is.
# Metrics in the picture of a comparison; the table has all.
MOST_COMPARED = 4
LOG_LINES = 2000
LOG_BYTES = 1 << 18


class Background:
    """Does things in threads, and tells how it goes.

    Args:
        told: called with HTML: what is being done, what came of it, or the error with its hint.
    """

    def __init__(self, told: Callable[[Html], None]) -> None:
        self._told = told

    def start(
        self, doing: str, action: Callable[[], str | None], after: Callable[[], None] | None = None
    ) -> None:
        """Starts an action.

        Args:
            doing: what is said meanwhile.
            action: returns what is said then.
            after: called at the end, whatever it is.
        """
        self._told(Html(f'<span class="jr-quiet">{escape(doing)} …</span>'))

        def work() -> None:
            try:
                said = action()
                self._told(Html(f'<span class="jr-good">✓</span> {escape(said)}' if said else ""))
            except Exception as error:  # whatever it is, the user pressed a button and wants to know
                self._told(error_html(error))
            finally:
                if after is not None:
                    after()

        threading.Thread(target=work, name=f"jupyter-remote {doing}", daemon=True).start()


def error_html(error: Exception) -> Html:
    """An error as a widget shows it: what happened, and below it what to do next."""
    if isinstance(error, RemoteError):
        happened = str(error).removesuffix(f"\n{error.hint}") if error.hint else str(error)
        hint = error.hint
    else:
        happened, hint = f"{type(error).__name__}: {error}", ""
    below = f'<br><span class="jr-small">{escape(hint)}</span>' if hint else ""
    return Html(f'<span class="jr-bad">✗</span> {escape(happened)}{below}')


def stop(ids: Sequence[str]) -> str:
    """Ends the processes of runs (TERM, then KILL), and waits for it."""
    ended = [f"{run_id}: {runs.stop(find_run(run_id))}" for run_id in ids]
    return "; ".join(ended)


def rerun(run_id: str) -> tuple[Run, str]:
    """Runs it again on its host, with the workspace as it is now; nobody waits for its end."""
    found = find_run(run_id)
    remote, record, code = runs.again(found)
    run = runs.repeat(remote, record, code, pull=list(record.get("pull") or ()))
    run.detach()
    return run, f"run {run.id} on {run.host}: as {run_id} was"


def pull(run_id: str, patterns: Sequence[str] = ()) -> str:
    """Brings here what its host's settings and its record name, and what matches the patterns.

    Raises:
        UsageError: nobody says which files.
    """
    found = find_run(run_id)
    remote = found.remote()
    wanted = [*remote.host.sync.pull, *patterns_of(found), *patterns]
    if not wanted:
        raise UsageError(
            f"run {run_id} names no files to pull",
            hint="Give patterns, e.g. results/** or *.png; `sync.pull` of the host names them for all.",
        )
    report = remote.pull(wanted)
    return summary(report, remote.host.name)


def patterns_of(found: Found) -> list[str]:
    """The files that a run was told to bring."""
    options = document_of(found.row).get("options") or {}
    return [str(one) for one in options.get("pull") or ()]


def label(ids: Sequence[str], text: str) -> str:
    """Gives runs a label, or takes it away."""
    results = runs.change("label", [find_run(run_id) for run_id in ids], text)
    refused = [f"{one.id} on {one.host}: {why}" for one, why in results if why is not None]
    if refused:
        raise RemoteError("; ".join(refused))
    return f"{count(results, 'run')} labelled {text!r}" if text else f"{count(results, 'run')} without label"


def log_text(run_id: str, lines: int = LOG_LINES) -> str:
    """The last lines that a run has printed, up to now."""
    found = find_run(run_id)
    tail = b""
    for piece in found.remote().log(run_id, lines):
        tail = (tail + piece)[-LOG_BYTES:]
    return tail.decode("utf-8", "replace")


def compared(ids: Sequence[str]) -> tuple[Html, bytes]:
    """Runs side by side: a table, and a picture of their metrics as PNG, b"" when they have none."""
    found = jupyter_remote.compare(*ids)
    if not found.metrics:
        return Html(found._repr_html_()), b""
    file = io.BytesIO()
    found.plot(list(found.metrics)[:MOST_COMPARED]).savefig(file, format="png", bbox_inches="tight")
    return Html(found._repr_html_()), file.getvalue()
