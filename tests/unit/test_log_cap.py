"""A log over its cap: head and tail stay, and what is missing between them is told once and to the byte."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_remote.agent.logreader import LogReader
from jupyter_remote.agent.logwriter import LogWriter
from jupyter_remote.agent.rundir import RunDir, write_blob

ID = "20261122-014500-7f3a"
WRITE = st.tuples(st.sampled_from(["stdout", "stderr", "display"]), st.integers(1, 400))


class Viewer:
    """Reads, goes away, comes back with what it knows, and checks each byte by its place."""

    def __init__(self, run: RunDir) -> None:
        self.run = run
        self.seq = 0
        self.at = 0
        self.gaps: list[int] = []
        self.ended = False
        self.within = False
        self._reader: LogReader | None = None

    def read(self, printed: bytes, limit: int, rounds: int) -> None:
        """Takes at most so many batches."""
        if self._reader is None:
            self._reader = LogReader(self.run, self.seq, self.at)
        for _ in range(rounds):
            events, payload = self._reader.batch(limit)
            if not events:
                return
            for event in events:
                piece, payload = payload[: event.get("n", 0)], payload[event.get("n", 0) :]
                if event["kind"] in ("stdout", "stderr"):
                    assert printed[self.at : self.at + len(piece)] == piece
                    self.at += len(piece)
                elif event["kind"] == "gap":
                    assert "about" not in event and event["seq"] - self.seq == event["events"]
                    self.at += event["bytes"]
                    self.gaps.append(event["bytes"])
                self.ended = event["kind"] == "end"
                self.within = bool(event.get("more"))
                if not self.within:
                    assert event["seq"] > self.seq
                    self.seq = event["seq"]

    def leave(self) -> None:
        """Ends the reading; it comes back where it was."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None


def new_run(folder: Path) -> RunDir:
    run = RunDir(str(folder), ID)
    run.create({"id": ID, "state": "queued"}, b"print(1)")
    return run


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(WRITE, max_size=60), cap=st.integers(200, 8000), data=st.data())
def test_what_is_read_and_what_was_left_out_is_what_was_printed(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]], cap: int, data: st.DataObject
) -> None:
    run = new_run(tmp_path_factory.mktemp("state"))
    with contextlib.ExitStack() as stack:
        log = LogWriter(run, cap)
        stack.callback(log.close)
        keen, lazy, late = Viewer(run), Viewer(run), Viewer(run)
        for viewer in (keen, lazy, late):
            stack.callback(viewer.leave)
        printed = b""
        for number, (kind, amount) in enumerate(steps):
            content = (b"%d." % number * amount)[:amount]
            if kind == "display":
                log.event({"kind": kind, "blob": write_blob(run.blobs_path, content), "n": len(content)})
            else:
                printed += content
                log.output(kind, content)
            keen.read(printed, 10_000, 1_000)
            if data.draw(st.booleans()):
                lazy.read(printed, data.draw(st.integers(1, 500)), data.draw(st.integers(1, 4)))
            # Who leaves in the middle of an event's parts gets it again, which is the client's affair.
            if data.draw(st.booleans()) and not lazy.within:
                lazy.leave()
        log.event({"kind": "end", "left_out": log.left_out})
        for viewer in (keen, lazy, late):
            viewer.read(printed, 10_000, 10_000)
            assert viewer.ended and viewer.at == len(printed)
        assert sum(late.gaps) == log.left_out and len(late.gaps) <= 1
        # Of a write larger than all parts together nobody sees everything; with the rest the keen keep up.
        if all(amount < cap // 16 for _, amount in steps):
            assert not sum(keen.gaps)


def test_the_log_stays_below_its_cap_and_its_files_can_be_read_by_hand(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    log = LogWriter(run, 32_000)
    lines = [f"line {number}\n".encode() for number in range(3_000)]
    for line in lines:
        log.output("stdout", line)
        log.event({"kind": "display", "blob": write_blob(run.blobs_path, line), "n": len(line)})
    log.event({"kind": "end"})
    log.close()
    kept = [path for path in Path(run.path).rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in kept) < 1.1 * 32_000
    head = Path(run.output_path).read_bytes()
    tail = b"".join(path.read_bytes() for path in sorted(Path(run.path).glob("output.tail.*")))
    assert b"".join(lines).startswith(head) and b"".join(lines).endswith(tail)
    assert len(head) + log.left_out + len(tail) == len(b"".join(lines))


def test_without_a_place_the_gap_is_told_as_about(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    log = LogWriter(run, 4_000)
    for _ in range(1_000):
        log.output("stdout", b"x" * 50)
    reader = LogReader(run, 500)
    events, _ = reader.batch(1 << 20)
    assert (events[0]["kind"], events[0]["about"]) == ("gap", 1)
    assert events[-1]["seq"] == log.seq
    reader.close()
    log.close()
