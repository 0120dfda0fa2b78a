"""What each event becomes in a notebook and in a terminal, through IPython's own machinery."""

from __future__ import annotations

import io
from typing import Any, cast

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from jupyter_remote.display import NotebookSink, RemoteResult, TerminalSink, show_status, status_line
from jupyter_remote.events import Event
from jupyter_remote.run import Run


def event(kind: str, text: str = "", **data: Any) -> Event:
    return Event(seq=1, time=0.0, kind=kind, text=text, raw=text.encode(), data=data)


class Ended:
    """What `status_line` reads of a run that has ended."""

    def __init__(self, state: str, exit_code: int | None = 0, label: str | None = None) -> None:
        self.id = "20261122-014500-7f3a"
        self.host = "dgx01"
        self.state = state
        self.exit_code = exit_code
        self.seconds = 42.12
        self.label = label
        self.reason = "its processes were ended" if state == "stopped" else None
        if exit_code == 137 and state == "failed":
            self.reason = "killed by signal 9 (the host was out of memory)"
        self.left = {"processes": 0} if state == "stopped" else None
        self.in_env = None if label is None else "vision 0123456789ab"


def ended(*args: Any) -> Run:
    return cast(Run, Ended(*args))


def test_streams_stay_apart_and_keep_carriage_returns(capsys: pytest.CaptureFixture[str]) -> None:
    sink = NotebookSink("h/s")
    for one in (event("stdout", "10%\r"), event("stderr", "careful\n"), event("stdout", "20%\r")):
        sink(one)
    out, err = capsys.readouterr()
    assert (out, err) == ("10%\r20%\r", "careful\n")


def test_displays_are_published_with_ids_of_their_own(shell: InteractiveShell) -> None:
    sink = NotebookSink("h/s")
    bundle = {"text/plain": "<Figure>", "image/png": "iVBOR"}
    with capture_output() as captured:
        sink(
            event("display", data=bundle, metadata={"image/png": {"width": 3}}, transient={"display_id": "a"})
        )
        sink(event("update_display", data={"text/plain": "2"}, metadata={}, transient={"display_id": "a"}))
        sink(event("display", data={"text/plain": "3"}))
    first, second, third = captured.outputs
    assert (first.data, first.metadata) == (bundle, {"image/png": {"width": 3}})
    assert first.transient == second.transient == {"display_id": "h/s/a"}
    assert (first.update, second.update) == (False, True)
    assert not third.transient


def test_clear_output_reaches_the_front_end(shell: InteractiveShell) -> None:
    cleared: list[bool] = []

    class Publisher(type(shell.display_pub)):  # type: ignore[misc]
        def clear_output(self, wait: bool = False) -> None:
            cleared.append(wait)

    shell.display_pub = Publisher(parent=shell)
    NotebookSink("h/s")(event("clear_output", wait=True))
    assert cleared == [True]


def test_the_result_is_kept_and_formats_as_the_host_made_it(shell: InteractiveShell) -> None:
    sink = NotebookSink("h/s")
    data = {"text/plain": "Frame", "text/html": "<table>"}
    sink(event("result", data=data, metadata={"text/html": {"isolated": True}}))
    assert sink.result is not None and shell.display_formatter is not None
    assert shell.display_formatter.format(sink.result) == (data, {"text/html": {"isolated": True}})
    assert repr(sink.result) == "Frame"


def test_a_result_without_text_still_has_a_repr() -> None:
    assert repr(RemoteResult({"image/png": "iVBOR"})) == "<remote result: image/png>"


def test_a_terminal_gets_the_bytes_as_they_were_printed() -> None:
    raw = io.BytesIO()
    sink = TerminalSink(io.TextIOWrapper(raw, encoding="ascii", newline="\r\n"), io.StringIO())
    sink(Event(1, 0.0, "stdout", text="\ufffd\n", raw=b"\xff\n"))
    assert raw.getvalue() == b"\xff\n"


def test_a_terminal_gets_the_text_of_displays_and_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    out, err = io.StringIO(), io.StringIO()
    sink = TerminalSink(out, err)
    sink(event("display", data={"text/plain": "<Figure>", "image/png": "iVBOR"}))
    sink(event("display", data={"image/png": "iVBOR"}))
    sink(event("error", traceback=["\x1b[31mTraceback\x1b[0m", "ValueError: bad"]))
    assert out.getvalue() == "<Figure>\n"
    assert err.getvalue() == "Traceback\nValueError: bad\n"


@pytest.mark.parametrize(
    ("run", "line"),
    [
        (ended("finished"), "✓ dgx01 · 42.1 s · run 20261122-014500-7f3a"),
        (ended("failed", 3), "✗ dgx01 · exit 3 · 42.1 s · run 20261122-014500-7f3a"),
        (
            ended("failed", 137),
            "✗ dgx01 · exit 137: killed by signal 9 (the host was out of memory) · 42.1 s"
            " · run 20261122-014500-7f3a",
        ),
        (
            ended("stopped", 130),
            "■ dgx01 · stopped: its processes were ended · 42.1 s · run 20261122-014500-7f3a"
            " · 0 processes left",
        ),
        (ended("lost", None), "? dgx01 · lost · 42.1 s · run 20261122-014500-7f3a"),
        (
            ended("finished", 0, "base line"),
            "✓ dgx01 · base line · in vision · 42.1 s · run 20261122-014500-7f3a",
        ),
    ],
)
def test_the_status_line_says_how_it_ended(run: Run, line: str) -> None:
    assert status_line(run) == line


def test_the_status_is_a_display_in_a_kernel_and_stderr_elsewhere(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ended("finished")
    with capture_output() as captured:
        show_status(run, kernel=True)
    (output,) = captured.outputs
    assert output.data == {"text/plain": status_line(run)}
    assert output.transient == {"display_id": f"jupyter-remote/{run.id}"}
    show_status(run, kernel=False)
    assert capsys.readouterr().err == status_line(run) + "\n"
