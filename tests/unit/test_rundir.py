"""The log of a run: what is written is read back once, from any point, in any batch size."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_remote.agent.logreader import LogReader
from jupyter_remote.agent.logwriter import LogWriter
from jupyter_remote.agent.records import standing
from jupyter_remote.agent.rundir import RunDir, write_blob

ID = "20261122-014500-7f3a"
STEP = st.one_of(
    st.tuples(st.sampled_from(["stdout", "stderr"]), st.binary(min_size=1, max_size=50)),
    st.tuples(st.just("display"), st.binary(min_size=1, max_size=50)),
)


def new_run(folder: Path) -> RunDir:
    run = RunDir(str(folder), ID)
    run.create({"id": ID, "state": "queued"}, b"print(1)")
    return run


def read_all(run: RunDir, seq: int, limit: int) -> tuple[list[dict[str, object]], dict[str, bytes]]:
    """All events after seq (joined parts), and what each stream printed."""
    reader = LogReader(run, seq)
    events, printed, parts = [], {"stdout": b"", "stderr": b""}, b""
    while True:
        batch, payload = reader.batch(limit)
        assert len(payload) <= limit
        if not batch:
            break
        for event in batch:
            piece, payload = payload[: event.get("n", 0)], payload[event.get("n", 0) :]
            if event["kind"] in printed:
                printed[event["kind"]] += piece
                continue
            parts += piece
            if not event.get("more"):
                events.append(dict(event, content=parts))
                parts = b""
    reader.close()
    return events, printed


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(STEP, max_size=25), limit=st.integers(1, 200), data=st.data())
def test_every_byte_once_from_any_point(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, bytes]], limit: int, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(steps)))
    run = new_run(tmp_path_factory.mktemp("state"))
    log = LogWriter(run)
    for kind, content in steps:
        if kind == "display":
            log.event({"kind": kind, "blob": write_blob(run.blobs_path, content), "n": len(content)})
        else:
            log.output(kind, content)
    log.event({"kind": "end"})
    log.close()
    events, printed = read_all(run, start, limit)
    rest = steps[start:]
    for kind in printed:
        assert printed[kind] == b"".join(content for k, content in rest if k == kind)
    assert [e["content"] for e in events[:-1]] == [content for k, content in rest if k == "display"]
    assert events[-1]["kind"] == "end" and events[-1]["seq"] == len(steps) + 1
    output = Path(run.output_path)
    printed_here = output.read_bytes() if output.exists() else b""
    assert printed_here == b"".join(content for kind, content in steps if kind != "display")


def test_a_reader_sees_what_comes_later_and_never_half_a_line(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    reader = LogReader(run)
    assert reader.batch(100) == ([], b"")
    log = LogWriter(run)
    log.output("stdout", b"one")
    with Path(run.events_path).open("ab") as file:
        line = json.dumps({"seq": 2, "t": 0, "kind": "end"}).encode()
        file.write(line[:7])
        file.flush()
        assert [e["seq"] for e in reader.batch(100)[0]] == [1]
        assert reader.batch(100) == ([], b"")
        file.write(line[7:] + b"\n")
    assert [e["kind"] for e in reader.batch(100)[0]] == ["end"]
    assert reader.ended
    reader.close()
    log.close()


@pytest.mark.parametrize(
    "name", ["", "..", "../20261122-014500-7f3a", "20261122-014500-7f3a/x", "x", "20261122-014500-\n7f3a"]
)
def test_an_id_that_is_a_path_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="is not the id of a run"):
        RunDir(str(tmp_path), name)


def test_the_same_run_is_not_made_twice(tmp_path: Path) -> None:
    new_run(tmp_path)
    with pytest.raises(FileExistsError):
        new_run(tmp_path)


def test_an_end_is_heard_of_before_its_record_is_written(tmp_path: Path) -> None:
    """Whoever waits for a run asks for its record as soon as its last event is there."""
    run = new_run(tmp_path)
    assert run.end() == {}
    end = {"seq": 1, "kind": "end", "state": "failed", "exit_code": 3, "used": {"cpu_seconds": 1.5}}
    Path(run.events_path).write_text(json.dumps(end) + "\n")
    record = standing(run)
    assert record is not None
    assert (record["state"], record["exit_code"], record["used"]) == ("failed", 3, {"cpu_seconds": 1.5})
    Path(run.events_path).write_bytes(b"{torn\n")
    assert run.end() == {}
