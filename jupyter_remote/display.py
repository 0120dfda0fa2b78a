"""How a run looks: what each event becomes in a notebook, and in a terminal.

Sinks take events and show them; they never wait, interrupt or decide (`follow.py` does). The value of a
cell's last expression is kept by the sink, for the caller to return.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO

from .cell_output import CellOutput
from .durations import format_duration
from .excerpt import DEFAULT_LIMIT
from .live_line import in_kernel
from .marks import mark

if TYPE_CHECKING:
    from .events import Event
    from .run import Run

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
    """Shows events in the cell that is running; in a kernel, paced and within a limit (`cell_output.py`).

    Args:
        scope: makes display ids of different hosts and sessions differ; within one scope an id stays the
            same, so that a later cell can update a display of an earlier one.
        limit: bytes of printed text that the cell shows; None for all.
        run_id: for the line that says where all of it is.
        paced: whether a notebook is to be spared; None for finding out.
        widgets: takes what widgets say, and errors, which may be theirs; None where there are none.
    """

    def __init__(
        self,
        scope: str,
        limit: int | None = DEFAULT_LIMIT,
        run_id: str = "ID",
        paced: bool | None = None,
        widgets: Callable[[Event], None] | None = None,
    ) -> None:
        self._scope = scope
        self._widgets = widgets
        self._stream = ""
        self.result: RemoteResult | None = None
        paced = in_kernel() if paced is None else paced
        self._area = CellOutput(limit, f"%remote logs {run_id}", _publish) if paced else None

    def __call__(self, event: Event) -> None:
        kind = event.kind
        if kind in ("stdout", "stderr"):
            self._write(kind, event.text)
        elif kind == "gap":
            self._write("stderr", gap_line(event))
        elif kind in ("display", "update_display"):
            self._display(event.data, update=kind == "update_display")
        elif kind == "clear_output":
            self._clear(bool(event.data.get("wait")))
        elif kind in ("comm", "error") and self._widgets is not None:
            # An output widget takes what comes between two messages.
            self._flush() if self._area is None else self._area.flush()
            self._widgets(event)
        elif kind == "result":
            self.result = RemoteResult(event.data.get("data", {}), event.data.get("metadata"))
        elif kind == "end":
            self.finish()

    def finish(self) -> None:
        """Show what is not shown yet. The end of a run does this; who stops waiting before has to."""
        if self._area is not None:
            self._area.finish()

    def between_lines(self) -> bool:
        """Whether what is printed so far ends with whole lines."""
        return self._area is None or self._area.between_lines()

    def _clear(self, wait: bool) -> None:
        from IPython.display import clear_output

        def clear() -> None:
            clear_output(wait=wait)  # type: ignore[no-untyped-call]

        if self._area is None:
            clear()
        else:
            self._area.clear(clear, wait=wait)

    def _write(self, name: str, text: str) -> None:
        if self._area is not None:
            self._area.text(name, text)
            return
        if self._stream and self._stream != name:
            # The two streams are buffered apart; in the order of the events, the other one comes first.
            self._flush()
        self._stream = name
        getattr(sys, name).write(text)

    def _flush(self) -> None:
        if self._stream:
            getattr(sys, self._stream).flush()
            self._stream = ""

    def _display(self, content: dict[str, Any], *, update: bool) -> None:
        transient = dict(content.get("transient") or {})
        if "display_id" in transient:
            transient["display_id"] = f"{self._scope}/{transient['display_id']}"
        data, metadata = content.get("data", {}), content.get("metadata") or {}
        if self._area is None:
            _publish(data, metadata, transient=transient, update=update)
        elif update:
            self._area.update(data, metadata, transient)
        else:
            self._area.display(data, metadata, transient)


class TerminalSink:
    """Writes events to a terminal, a pipe or a file, as they come and unbuffered."""

    def __init__(self, stdout: TextIO | None = None, stderr: TextIO | None = None) -> None:
        self._stdout = stdout or sys.stdout
        self._stderr = stderr or sys.stderr
        self._last = "\n"

    def between_lines(self) -> bool:
        """Whether what is printed so far ends with whole lines."""
        return self._last == "\n"

    def __call__(self, event: Event) -> None:
        self._last = event.text[-1:] or self._last
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
            print(plain_traceback(event, self._stderr), file=self._stderr, flush=True)


def plain_traceback(event: Event, stream: TextIO) -> str:
    """Return an error's traceback as `stream` takes it: in colours only where they are seen."""
    text = "\n".join(event.data.get("traceback") or [])
    return text if stream.isatty() and not os.environ.get("NO_COLOR") else _ANSI.sub("", text)


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
        words.append(f"exit {run.exit_code}: {run.reason}" if run.reason else f"exit {run.exit_code}")
    elif state != "finished":
        words.append(f"{state}: {run.reason}" if run.reason else state)
    if run.label:
        words.append(run.label)
    if run.in_env:
        words.append(f"in {run.in_env.partition(' ')[0]}")
    words += [format_duration(run.seconds), f"run {run.id}"]
    if run.left is not None:
        words.append(_left(run.left))
    return " · ".join(words)


def _left(left: dict[str, Any]) -> str:
    number = left.get("processes", 0)
    said = f"{number} process{'' if number == 1 else 'es'} left"
    if left.get("gpu_memory") is not None:
        said += f", {left['gpu_memory'] / (1 << 30):.1f} GiB of GPU memory held"
    return said


def show_kept(run: Run) -> None:
    """Tell on stderr what the user should know of the host, and which files had changed there too."""
    if run.notice:
        print(run.notice, file=sys.stderr)
    for path, kept in run.sync_report.kept if run.sync_report else ():
        print(f"{run.host}: {path} had changed there too; that version is now {kept}", file=sys.stderr)


def show_line(line: str, *, kernel: bool) -> None:
    """Show a line of ours above what a cell prints: as `show_status` shows how it ended.

    Args:
        kernel: whether this is one.
    """
    if kernel:
        _publish({"text/plain": line}, {})
    else:
        print(line, file=sys.stderr, flush=True)


def show_link(url: str, line: str) -> None:
    """Show a line that begins with an address, which a notebook makes one to click on."""
    if not in_kernel():
        print(line, flush=True)
        return
    from html import escape

    rest = escape(line.removeprefix(url))
    link = f'<a href="{escape(url)}" target="_blank" rel="noopener">{escape(url)}</a>{rest}'
    _publish({"text/plain": line, "text/html": link}, {})


def show_status(run: Run, *, kernel: bool) -> None:
    """Show how `run` ended: as a display of a notebook (`kernel`), on stderr anywhere else."""
    line = status_line(run)
    if kernel:
        _publish({"text/plain": line}, mark(run), transient={"display_id": f"jupyter-remote/{run.id}"})
    else:
        print(line, file=sys.stderr, flush=True)
