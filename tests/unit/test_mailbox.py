"""Control by files: requests and answers, each once; and the ends that agents write for others."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from binascii import a2b_base64
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jupyter_remote.agent import messages as m
from jupyter_remote.agent.launch import boot_argv
from jupyter_remote.agent.logreader import LogReader
from jupyter_remote.agent.logwriter import LogWriter
from jupyter_remote.agent.mailbox import FIRST, LIVELY, Mailbox, Pace
from jupyter_remote.agent.relay import MORE, PIECE, Relay, _Lines
from jupyter_remote.agent.rundir import RunDir
from jupyter_remote.agent.settling import settle

ID = "20261122-014500-7f3a"


@pytest.fixture
def boxes(tmp_path: Path) -> tuple[Mailbox, Mailbox]:
    """Both ends."""
    ours, theirs = Mailbox(str(tmp_path)), Mailbox(str(tmp_path))
    ours.create()
    return ours, theirs


def test_requests_come_in_order_each_once_and_are_answered(boxes: tuple[Mailbox, Mailbox]) -> None:
    agent, supervisor = boxes
    names = [agent.post(m.Execute({"id": str(n)}, {}), b"code %d" % n) for n in range(3)]
    taken = list(supervisor.take())
    assert [name for name, _ in taken] == names
    assert [frame.payload for _, frame in taken] == [b"code 0", b"code 1", b"code 2"]
    assert list(supervisor.take()) == []
    assert agent.answered(names[1]) is None
    supervisor.answer(names[1], m.Facts({"x": 1}))
    answer = agent.answered(names[1])
    assert answer is not None
    assert isinstance(answer.message, m.Facts)
    assert answer.message.data == {"x": 1}
    assert agent.answered(names[1]) is None


def test_of_two_who_want_a_request_one_gets_it(boxes: tuple[Mailbox, Mailbox]) -> None:
    agent, supervisor = boxes
    agent.post(m.Execute({"id": "1"}, {}))
    agent.post(m.StopSession())
    assert agent.withdraw(lambda request: isinstance(request, m.Execute))
    assert [type(frame.message) for _, frame in supervisor.take()] == [m.StopSession]
    assert not agent.withdraw(lambda request: True)


def test_a_file_that_is_none_harms_nobody(boxes: tuple[Mailbox, Mailbox]) -> None:
    agent, supervisor = boxes
    Path(agent.inbox, "0.x.1").write_bytes(b"\xff" * 100)
    name = agent.post(m.Ping())
    assert [found for found, _ in supervisor.take()] == [name]
    assert list(Path(agent.inbox).iterdir()) == []


def test_nothing_is_put_into_a_mailbox_that_is_closed(boxes: tuple[Mailbox, Mailbox]) -> None:
    agent, supervisor = boxes
    agent.post(m.Ping())
    assert not supervisor.close(), "something has just come"
    assert len(list(supervisor.take())) == 1
    assert supervisor.close()
    with pytest.raises(FileNotFoundError):
        agent.post(m.Ping())


def test_files_are_for_their_user_only(boxes: tuple[Mailbox, Mailbox]) -> None:
    agent, _ = boxes
    path = Path(agent.inbox, agent.post(m.Ping()))
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_who_finds_nothing_looks_less_often() -> None:
    pace, waits = Pace(), []
    for _ in range(30):
        pace.nothing()
        waits.append(pace.left)
    assert FIRST <= waits[0] < waits[10] < waits[-1] <= LIVELY
    pace.found()
    assert pace.left <= FIRST


def answer(theirs: socket.socket, size: int) -> bytes:
    """Reads so much, answers, and closes."""
    with theirs, theirs.makefile("rb") as reader:
        got = reader.read(size)
        theirs.sendall(b"answer %d\n" % got[0])
    return got


def test_a_relay_carries_several_connections(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        relay = Relay(boot_argv([sys.executable, "-I", "-S"], "relay", path))
        try:
            first, _ = listener.accept()  # its own, to see whether anybody is there
            assert first.recv(1) == b""
            ours = [relay.open(), relay.open()]
            big = bytes(range(256)) * 300
            for number, sock in enumerate(ours):
                threading.Thread(target=sock.sendall, args=(bytes([number]) + big,), daemon=True).start()
            # As a supervisor does, all at the same time: one stream brings the data of both, as it comes.
            with ThreadPoolExecutor(2) as pool:
                got = list(pool.map(lambda _: answer(listener.accept()[0], 1 + len(big)), ours))
            assert sorted(got) == [bytes([number]) + big for number in (0, 1)]
            for number, sock in enumerate(ours):
                assert sock.recv(100) == b"answer %d\n" % number
            assert [sock.recv(1) for sock in ours] == [b"", b""], "closed there, closed here"
        finally:
            relay.close()
            relay._process.wait(10)
            for sock in (first, *ours):
                sock.close()


def test_a_relay_lets_nothing_wait_for_a_kernel_to_acknowledge(tmp_path: Path) -> None:
    """srun sends 1,024 bytes at a time, and the rest of a line only when something comes back."""
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        far = subprocess.Popen(
            boot_argv([sys.executable, "-I", "-S"], "relay", path),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with far:
            assert far.stdin is not None and far.stdout is not None
            listener.accept()[0].close()
            assert far.stdout.readline() == b"ready\n"
            ends = socket.socketpair()
            near = _Lines(far.stdin)
            near.add(1234567, ends[1])
            ends[0].sendall(bytes(3000))
            theirs, _ = listener.accept()
            with theirs, theirs.makefile("rb") as reader:
                assert reader.read(3000) == bytes(3000)
                assert [far.stdout.readline() for _ in range(3000 // PIECE)] == [MORE] * (3000 // PIECE)
                theirs.sendall(bytes(3000))
                got: list[bytes] = []
                while sum(len(a2b_base64(line.partition(b" ")[2])) for line in got) < 3000:
                    got.append(far.stdout.readline())
                assert max(map(len, got)) < 1024
            ends[0].close()
            far.stdin.close()
            far.stdout.read()


def test_a_relay_on_the_wrong_node_ends(tmp_path: Path) -> None:
    argv = boot_argv([sys.executable, "-I", "-S"], "relay", str(tmp_path / "nothing"))
    done = subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL)
    assert done.returncode != 0
    assert done.stdout == b""


# The end of a log that nobody else can write.


def run_of(tmp_path: Path, state: str = "running") -> RunDir:
    run = RunDir(str(tmp_path), ID)
    run.create({"id": ID, "state": state, "started": 1000.0, "job": {"key": "k"}}, b"")
    return run


def test_an_end_is_appended_once_behind_what_is_whole(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    log = LogWriter(run)
    log.output("stdout", b"hello\n")
    log.close()
    with Path(run.events_path).open("ab") as file:
        file.write(b'{"seq":2,"ki')  # killed in the midst of it
    settle(run, "stopped", 124, "over its time", at=1060.0)
    settle(run, "failed", 1, "another word")
    reader = LogReader(run)
    events, payload = reader.batch(1 << 20)
    reader.close()
    assert payload == b"hello\n"
    assert [event["kind"] for event in events] == ["stdout", "end"]
    assert events[-1]["seq"] == 2
    assert (events[-1]["state"], events[-1]["reason"], events[-1]["seconds"]) == (
        "stopped",
        "over its time",
        60.0,
    )
    record = run.record()
    assert record is not None
    assert (record["state"], record["exit_code"]) == ("stopped", 124)


def test_a_run_that_never_began_has_an_end_too(tmp_path: Path) -> None:
    run = run_of(tmp_path, "queued")
    settle(run, "stopped", 130, "cancelled")
    [line] = Path(run.events_path).read_text().splitlines()
    assert json.loads(line)["kind"] == "end"
    assert run.newest() == 1


def test_the_end_goes_into_the_last_part_of_a_log_over_its_cap(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    log = LogWriter(run, 4096)
    for _ in range(200):
        log.output("stdout", b"x" * 50)
    log.close()
    seq = run.newest()
    settle(run, "lost", 1, "gone")
    assert run.newest() == seq + 1
    reader = LogReader(run, seq)
    events, _ = reader.batch(1 << 20)
    reader.close()
    assert [event["kind"] for event in events] == ["end"]


def test_an_end_that_was_written_already_is_the_one_that_counts(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    log = LogWriter(run)
    log.event({"kind": "result", "data": {"text/plain": "x" * 20_000}})
    assert run.newest() == 1, "however long the line is"
    log.event({"kind": "end", "state": "finished", "exit_code": 0, "seconds": 1.0, "ended": 1001.0})
    log.close()
    assert settle(run, "failed", 1, "its job ended without a word")["state"] == "finished"
    assert len(Path(run.events_path).read_text().splitlines()) == 2
