"""How a run looks: what each event becomes in a notebook, and in a terminal.

Sinks take events and show them; they never wait, interrupt or decide (`follow.py` does). The value of a
cell's last expression is kept by the sink, for the caller to return.
"""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, Any, TextIO

from .durations import format_duration

if TYPE_CHECKING:
    from .run import Event, Run

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_MARKS = {"finished": "✓", "failed": "✗", "stopped": "■", "lost": "?"}


class RemoteResult:
    """The value of a remote cell's last expression: its representations, not the object itself.

    Args:
        data: MIME type to representation, as the host made them.
        metadata: what belongs to them, for example an image's size.
    """

    def __init__(self, data: dict[str, Any], metadata: dict[str, Any] | None = None) -> None:
        self.data = data
        self.metadata = metadata or {}

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        return self.data, self.metadata

    def __repr__(self) -> str:
        text = self.data.get("text/plain")
        return text if isinstance(text, str) else f"<remote result: {', '.join(self.data)}>"


class NotebookSink:
    """Shows events in the cell that is running.

    Args:
        scope: makes display ids of different hosts and sessions differ; within one scope an id stays the
            same, so that a later cell can update a display of an earlier one.
    """

    def __init__(self, scope: str) -> None:
        self._scope = scope
        self._stream = ""
        self.result: RemoteResult | None = None

    def __call__(self, event: Event) -> None:
        kind = event.kind
        if kind in ("stdout", "stderr"):
            self._write(kind, event.text)
        elif kind == "gap":
            self._write("stderr", gap_line(event))
        elif kind in ("display", "update_display"):
            self._display(event.data, update=kind == "update_display")
        elif kind == "clear_output":
            from IPython.display import clear_output

            clear_output(wait=bool(event.data.get("wait")))  # type: ignore[no-untyped-call]
        elif kind == "result":
            self.result = RemoteResult(event.data.get("data", {}), event.data.get("metadata"))

    def _write(self, name: str, text: str) -> None:
        if self._stream and self._stream != name:
            # The two streams are buffered apart; in the order of the events, the other one comes first.
            getattr(sys, self._stream).flush()
        self._stream = name
        getattr(sys, name).write(text)

    def _display(self, content: dict[str, Any], *, update: bool) -> None:
        transient = dict(content.get("transient") or {})
        if "display_id" in transient:
            transient["display_id"] = f"{self._scope}/{transient['display_id']}"
        _publish(content.get("data", {}), content.get("metadata") or {}, transient=transient, update=update)


class TerminalSink:
    """Writes events to a terminal, a pipe or a file, as they come and unbuffered."""

    def __init__(self, stdout: TextIO | None = None, stderr: TextIO | None = None) -> None:
        self._stdout = stdout or sys.stdout
        self._stderr = stderr or sys.stderr

    def __call__(self, event: Event) -> None:
        if event.kind == "stdout":
            _write_through(self._stdout, event)
        elif event.kind == "stderr":
            _write_through(self._stderr, event)
        elif event.kind == "gap":
            print(gap_line(event), end="", file=self._stderr, flush=True)
        elif event.kind in ("display", "update_display", "result"):
            text = event.data.get("data", {}).get("text/plain")
            if isinstance(text, str):
                print(text, file=self._stdout, flush=True)
        elif event.kind == "error":
            text = "\n".join(event.data.get("traceback") or [])
            colour = self._stderr.isatty() and not os.environ.get("NO_COLOR")
            print(text if colour else _ANSI.sub("", text), file=self._stderr, flush=True)


def _write_through(stream: TextIO, event: Event) -> None:
    """Write what was printed, byte for byte where `stream` has bytes below it."""
    raw = getattr(stream, "buffer", None)
    if raw is None:
        stream.write(event.text)
    else:
        stream.flush()
        raw.write(event.raw)
    stream.flush()


def _publish(data: dict[str, Any], metadata: dict[str, Any], **more: Any) -> None:
    from IPython.display import publish_display_data

    publish_display_data(data, metadata, **more)  # type: ignore[no-untyped-call]


def gap_line(event: Event) -> str:
    """Return what to show where the log of a run has lost its middle to `log_cap`."""
    about = "about " if event.data.get("about") else ""
    return f"\n[{about}{event.data.get('bytes', 0)} bytes of output are left out here: log_cap]\n"


def status_line(run: Run) -> str:
    """Return one line on how `run` ended: `✓ dgx01 · 42.1 s · run 20261122-014500-7f3a`."""
    state = run.state
    words = [f"{_MARKS.get(state, '·')} {run.host}"]
    if state == "failed":
        words.append(f"exit {run.exit_code}")
    elif state != "finished":
        words.append(f"{state}: {run.reason}" if run.reason else state)
    if run.label:
        words.append(run.label)
    words += [format_duration(run.seconds), f"run {run.id}"]
    return " · ".join(words)


def show_kept(run: Run) -> None:
    """Tell on stderr which files had changed on the host too, when its run's sync found some."""
    for path, kept in run.sync_report.kept if run.sync_report else ():
        print(f"{run.host}: {path} had changed there too; that version is now {kept}", file=sys.stderr)


def show_status(run: Run, *, kernel: bool) -> None:
    """Show how `run` ended: as a display of a notebook (`kernel`), on stderr anywhere else."""
    line = status_line(run)
    if kernel:
        _publish({"text/plain": line}, {}, transient={"display_id": f"jupyter-remote/{run.id}"})
    else:
        print(line, file=sys.stderr, flush=True)
