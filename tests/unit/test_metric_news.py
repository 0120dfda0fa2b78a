"""What the agent finds for metrics: piece by piece, nothing twice, whatever is in the way."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_remote.agent.logwriter import LogWriter
from jupyter_remote.agent.metrics import news
from jupyter_remote.agent.rundir import RunDir
from jupyter_remote.metric_reader import OUTPUT, Reader, wanted
from jupyter_remote.metric_store import MetricFile, remove

ID = "20261122-014500-7f3a"


class Host:
    """A run whose log and files a test writes, and a client that asks for it."""

    def __init__(self, folder: Path, cap: int | None = None, **record: Any) -> None:
        self.state, self.mirror = folder / "state", folder / "mirror"
        self.mirror.mkdir(parents=True)
        self.run = RunDir(str(self.state), ID)
        self.record = {
            "id": ID,
            "state": "running",
            "started": time.time() - 10,
            "workspace": str(self.mirror),
        }
        # Without an identity nobody can say that its supervisor is gone.
        self.run.create(self.record | record, b"")
        self.log = LogWriter(self.run, cap)
        self.reader = Reader()

    def end(self, state: str = "finished") -> None:
        self.log.event({"kind": "end", "state": state})
        self.run.write_record(self.record | {"state": state, "ended": time.time()})

    def ask(self, room: int = 1 << 16, seconds: float = 5) -> dict[str, Any]:
        """One answer, through JSON as it travels, taken by the client."""
        cursor = json.loads(json.dumps(self.reader.cursor))
        answer = json.loads(json.dumps(news(str(self.state), ID, cursor, wanted(room, seconds))))
        self.reader.take(json.loads(json.dumps(self.reader.read(answer))))
        return dict(answer)

    def look_again(self) -> None:
        """The next question looks for new files, which it does not do each time."""
        if "files" in self.reader.cursor:
            self.reader.cursor["files"]["looked"] = 0

    def values(self, name: str) -> list[float]:
        return self.reader.table.series(name, 10**6).values if name in self.reader.table.names else []


@pytest.fixture
def host(tmp_path: Path) -> Any:
    host = Host(tmp_path)
    yield host
    host.log.close()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["stdout", "stderr"]), st.integers(1, 60), st.booleans()), max_size=40
    ),
    st.integers(1, 300),
    st.sampled_from([None, 3000]),
)
def test_each_line_comes_once_however_it_is_cut(
    tmp_path_factory: pytest.TempPathFactory,
    pieces: list[tuple[str, int, bool]],
    room: int,
    cap: int | None,
) -> None:
    host = Host(tmp_path_factory.mktemp("host"), cap)
    texts = {
        kind: b"".join(b"%s=%d loss=%d\n" % (b"step", n, n) for n in range(200))
        for kind in ("stdout", "stderr")
    }
    at = {"stdout": 0, "stderr": 0}
    for kind, size, asks in pieces:
        host.log.output(kind, texts[kind][at[kind] : at[kind] + size])
        at[kind] += size
        if asks:
            host.ask(room)
    host.end()
    for _ in range(1000):
        if not host.ask(room)["more"]:
            break
    host.log.close()
    lines = [line for kind in at for line in texts[kind][: at[kind]].split(b"\n")]
    # Half a line at the end of a run that ended well is a line, where it says something.
    expected = sorted(
        float(line.partition(b"loss=")[2]) for line in lines if line[-1:].isdigit() and b"loss=" in line
    )
    if cap is None:
        assert sorted(host.values("loss")) == expected
    assert set(host.values("loss")) <= set(expected)
    assert host.reader.complete


def test_half_a_line_of_a_run_that_was_killed_is_none(host: Host) -> None:
    host.log.output("stdout", b"loss=0.5\nloss=0.1")
    (host.mirror / "metrics.csv").write_text("step,val_loss\n1,0.5\n2,0.1")
    assert host.ask()["more"] is False
    assert (host.values("loss"), host.values("val_loss")) == ([0.5], [0.5])
    host.end("failed")
    host.ask()
    assert (host.values("loss"), host.values("val_loss")) == ([0.5], [0.5])
    assert host.reader.complete


def test_half_a_line_of_a_run_that_ended_well_is_one(host: Host) -> None:
    host.log.output("stdout", b"loss=0.5\nloss=0.1")
    (host.mirror / "metrics.csv").write_text("step,val_loss\n1,0.5\n2,0.1")
    host.ask()
    host.end()
    host.ask()
    assert (host.values("loss"), host.values("val_loss")) == ([0.5, 0.1], [0.5, 0.1])


def test_a_question_costs_what_is_new(host: Host) -> None:
    for number in range(3000):
        host.log.output("stdout", b"step=%d loss=1\n" % number)
    answers = []
    while not answers or answers[-1]["more"]:
        answers.append(host.ask(room=1 << 12))
    assert host.values("loss") == [1.0] * 3000
    assert max(len(answer["lines"]) for answer in answers) < 300
    host.log.output("stdout", b"step=3000 loss=2\n")
    assert [text for _, text in host.ask()["lines"]] == ["step=3000 loss=2\n"]


def test_what_is_in_the_way(host: Host) -> None:
    host.log.output("stdout", os.urandom(1 << 16) + b"\n")
    host.log.output("stdout", b"x" * (10 << 20))  # in one piece
    host.log.output("stdout", b" loss=1\nstep=1 loss=0.5\n")
    for _ in range(64):
        host.log.output("stderr", b"y" * (1 << 14))
    host.log.output("stderr", b"\rEpoch 1/4\nstep=2 loss=nan\n\r 50%|## | 5/10 [00:01")
    while host.ask()["more"]:
        assert max(map(len, host.reader.cursor["rest"].values())) <= 5000
    assert repr(host.values("loss")) == "[0.5, nan]"
    told = host.reader.progress
    assert told is not None and told.text == "epoch 1/4, 5/10"


def test_a_file_that_is_written_anew_replaces_what_it_said(host: Host) -> None:
    path = host.mirror / "run" / "metrics.csv"
    path.parent.mkdir()
    path.write_text("step,loss\n1,0.9\n2,0.8\n")
    host.ask()
    with path.open("a") as file:
        file.write("3,0.7\n4,0.")
    host.ask()
    assert host.values("loss") == [0.9, 0.8, 0.7]
    path.write_text("step,loss\n1,0.9\n2,0.8\n3,0.7\n4,0.6\n")  # all rows once more, as pandas does
    host.ask()
    assert host.values("loss") == [0.9, 0.8, 0.7, 0.6]
    path.write_text("step,acc\n1,0.1\n")
    host.ask()
    assert (host.values("loss"), host.values("acc")) == ([], [0.1])


def test_files_that_are_not_the_runs(host: Host) -> None:
    (host.mirror / "metrics.csv").write_text("loss\n1\n")
    os.utime(host.mirror / "metrics.csv", (1, 1))
    (host.mirror / ".hidden").mkdir()
    (host.mirror / ".hidden" / "metrics.csv").write_text("a\n1\n")
    (host.mirror / "other.csv").write_text("b\n1\n")
    (host.mirror / "results.csv").symlink_to("/etc/passwd")
    os.mkfifo(host.mirror / "progress.csv")
    assert host.ask()["files"] == []
    host.end()
    (host.mirror / "metrics.jsonl").write_text('{"c": 1}\n')
    os.utime(host.mirror / "metrics.jsonl", (time.time() + 100, time.time() + 100))  # by a later run
    host.look_again()
    assert host.ask()["files"] == [] and host.reader.table.names == []


def test_wishes_of_the_run(tmp_path: Path) -> None:
    wishes = {"names": ["gb_*"], "regexes": [r"took (?P<took>[\d.]+) s"], "files": ["*.log"]}
    host = Host(tmp_path, metric_wishes=wishes)
    host.log.output("stdout", b"copied gb_in=3 pid=4\nit took 7.5 s\n")
    (host.mirror / "train.log").write_text("12:00:01 step=5 loss=0.25\nnothing\n")
    host.ask()
    host.log.close()
    assert host.reader.table.finals() == {"gb_in": 3, "took": 7.5, "loss": 0.25}
    assert [one.source for one in host.reader.table] == [OUTPUT, OUTPUT, "train.log"]


# What is kept here.


def batch(name: str) -> dict[str, Any]:
    return {"points": {}, "who": name}


def test_of_two_who_keep_the_same_answer_the_first_counts() -> None:
    one, two = MetricFile(ID), MetricFile(ID)
    assert [b["who"] for b in one.append(batch("one"))] == ["one"]
    assert [b["who"] for b in two.append(batch("two"))] == ["one"]
    assert [b["who"] for b in two.append(batch("two again"))] == ["two again"]
    assert [b["who"] for b in one.news()] == ["two again"]
    with one.path.open("ab") as file:
        file.write(b'{"n": 3, "who": "a process that di')
    assert list(two.append(batch("lost with it"))) == []
    assert [b["who"] for b in two.append(batch("third"))] == ["third"]
    assert [b["who"] for b in MetricFile(ID).news()] == ["one", "two again", "third"]
    remove([ID, "../" + ID])
    assert not one.path.exists()
    with pytest.raises(ValueError, match="not the id of a run"):
        MetricFile("../../etc/passwd")
