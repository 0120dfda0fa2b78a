"""The seam of two connections: whatever a viewer had when the first broke, the second brings the rest."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jupyter_remote.agent import messages as m
from jupyter_remote.agent.logreader import LogReader
from jupyter_remote.agent.logwriter import LogWriter
from jupyter_remote.agent.rundir import RunDir, write_blob
from jupyter_remote.agent.wire import Frame
from jupyter_remote.errors import ConnectionLost
from jupyter_remote.run import Run

ID = "20261122-014500-7f3a"
END = {"kind": "end", "state": "finished", "exit_code": 0, "seconds": 1.0}
STEP = st.one_of(
    st.tuples(st.sampled_from(["stdout", "stderr"]), st.text("aé€\n", min_size=1, max_size=60)),
    st.tuples(st.just("display"), st.text("xy", min_size=1, max_size=60)),
)


class Line:
    """A link whose connections break after so many batches each; the last one holds."""

    def __init__(self, log: RunDir, limit: int, breaks: list[int]) -> None:
        self.host = SimpleNamespace(name="h")
        self.closed = False
        self._log, self._limit, self._breaks = log, limit, breaks
        self._frames: list[Frame] = []

    @property
    def live(self) -> Line:
        return self

    def works(self) -> None:
        """Nothing to remember."""

    def restore(self, _told: object) -> Line:
        return self

    def request(self, message: m.Message) -> Line:
        assert isinstance(message, m.Attach)
        reader = LogReader(self._log, message.seq)
        left = self._breaks.pop() if self._breaks else None
        self._frames = [Frame(1, m.Accepted({"id": ID}), b"")]
        while left is None or len(self._frames) <= left:
            events, payload = reader.batch(self._limit)
            if not events:
                break
            self._frames.append(Frame(1, m.Events(events), payload))
        reader.close()
        return self

    def receive(self) -> Frame:
        if not self._frames:
            raise ConnectionLost("cut by the test")
        return self._frames.pop(0)

    def close(self) -> None:
        """Nothing to end."""


@settings(max_examples=80, deadline=None)
@given(
    steps=st.lists(STEP, max_size=20),
    limit=st.integers(1, 150),
    breaks=st.lists(st.integers(0, 6), max_size=6),
)
@example(steps=[("stdout", "a" * 60), ("stdout", "b")], limit=50, breaks=[])
@example(steps=[("display", "x" * 60), ("stdout", "€" * 20), ("stdout", "b")], limit=50, breaks=[1, 2, 1])
def test_every_byte_and_display_once_in_order(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[str, str]],
    limit: int,
    breaks: list[int],
) -> None:
    log = RunDir(str(tmp_path_factory.mktemp("run")), ID)
    log.create({"id": ID, "state": "running"}, b"")
    writer = LogWriter(log)
    for kind, text in steps:
        if kind == "display":
            content = json.dumps({"data": {"text/plain": text}}).encode()
            event = {"kind": kind, "blob": write_blob(log.blobs_path, content), "n": len(content)}
            writer.event(event)
        else:
            writer.output(kind, text.encode())
    writer.event(dict(END))
    writer.close()
    line = Line(log, limit, breaks)
    run = Run(cast(Any, line), {"id": ID}, cast(Any, line))
    seen: list[tuple[str, str]] = []
    for event in run.events():
        if event.kind == "display":
            seen.append(("display", event.data["data"]["text/plain"]))
        elif event.kind != "end":
            seen.append((event.kind, event.text))
    assert run.done
    assert _joined(seen) == _joined(steps)


def _joined(steps: list[tuple[str, str]]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for kind, text in steps:
        if found and kind != "display" and found[-1][0] == kind:
            found[-1] = (kind, found[-1][1] + text)
        elif text:
            found.append((kind, text))
    return found
