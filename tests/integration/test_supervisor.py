"""A supervisor among many clients and under fire: nobody holds it up, nothing is lost or starts twice."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from hosts import PATIENCE_S, Place, await_true

from jupyter_remote.agent import messages as m
from jupyter_remote.agent.rundir import FINAL_STATES
from jupyter_remote.agent.wire import encode
from jupyter_remote.errors import RemoteError
from jupyter_remote.events import Event
from jupyter_remote.run import Run

# How many starts are shot at; set it higher to look for what is rare.
SHOTS = int(os.environ.get("JUPYTER_REMOTE_TEST_SHOTS", "30"))
PRINTED = "".join(f"line {number}\n" for number in range(3000))
PRINT = "for i in range(3000): print('line', i)"


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if event.kind == "stdout")


def watch(run: Run, seen: list[Event]) -> threading.Thread:
    """Takes all events of a run, in a thread of its own."""
    thread = threading.Thread(target=lambda: run.wait(seen.append))
    thread.start()
    return thread


def test_twenty_viewers_see_every_byte_and_leave_no_descriptor(local: Place) -> None:
    go = local.files / "go"
    local.run("1")
    supervisor = psutil.Process(local.remote.sessions()[0]["pid"])
    before = supervisor.num_fds()
    run = local.remote.run_cell(
        f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)\n{PRINT}"
    )
    clients = [local.open() for _ in range(4)]
    seen: list[list[Event]] = [[] for _ in range(20)]
    threads = [watch(clients[i % 4].attach(run.id), seen[i]) for i in range(20)]
    go.touch()
    assert run.wait().state == "finished"
    for thread in threads:
        thread.join(PATIENCE_S)
    assert [text_of(events) == PRINTED for events in seen] == [True] * 20
    # A look at the number is a descriptor itself while it is answered, so it is taken until it fits.
    await_true(lambda: supervisor.num_fds() <= before)


def test_a_client_that_never_reads_holds_nobody_up(local: Place) -> None:
    local.run("1")
    path = str(local.state / "sessions" / "default" / "control.sock")
    with contextlib.ExitStack() as stack:
        for question in (m.Status(), m.Watch("20261122-014500-7f3a", 0)):
            deaf = stack.enter_context(socket.socket(socket.AF_UNIX))
            deaf.connect(path)
            deaf.settimeout(PATIENCE_S)
            with contextlib.suppress(OSError):  # it is cut off when its answers don't fit any more
                for _ in range(20_000):
                    deaf.sendall(encode(1, question))
        seen: list[Event] = []
        assert local.remote.run_cell(PRINT).wait(seen.append).state == "finished"
        assert text_of(seen) == PRINTED


def test_more_connections_than_descriptors_are_turned_away(local: Place) -> None:
    local.run("1")
    supervisor = local.remote.sessions()[0]["pid"]
    psutil.Process(supervisor).rlimit(psutil.RLIMIT_NOFILE, (64, 64))
    with contextlib.ExitStack() as stack:
        run = local.remote.run_cell(f"import time\nprint('on')\ntime.sleep(0.3)\n{PRINT}")
        for _ in range(100):
            crowd = stack.enter_context(socket.socket(socket.AF_UNIX))
            crowd.connect(str(local.state / "sessions" / "default" / "control.sock"))
        seen: list[Event] = []
        assert run.wait(seen.append).state == "finished"
        assert text_of(seen) == "on\n" + PRINTED
        assert psutil.Process(supervisor).num_fds() < 60  # some are left for whatever it has to open
    await_true(lambda: "silent" not in local.remote.sessions()[0])
    assert local.run("1").state == "finished"


@pytest.mark.parametrize("names", [("shared", "shared"), ("one", "two")])
def test_two_kernels_at_one_host_lose_nothing(local: Place, names: tuple[str, str]) -> None:
    seen: dict[int, list[list[Event]]] = {0: [], 1: []}
    failed: list[Exception] = []

    def kernel(number: int) -> None:
        try:
            with local.open() as remote:
                for turn in range(5):
                    seen[number].append([])
                    code = f"print('{number}.{turn}')\n{PRINT}"
                    run = remote.run_cell(code, session=names[number]).wait(seen[number][-1].append)
                    assert run.state == "finished"
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=kernel, args=(number,)) for number in seen]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert not failed
    for number, turns in seen.items():
        assert [text_of(events) for events in turns] == [f"{number}.{t}\n{PRINTED}" for t in range(5)]


def _processes(but: int) -> list[psutil.Process]:
    """Agents, supervisors and workers that are there now, the youngest last."""
    found = []
    for process in psutil.process_iter(["cmdline", "create_time", "environ"]):
        words = " ".join(process.info["cmdline"] or ())
        marker = (process.info["environ"] or {}).get("JUPYTER_REMOTE_TEST_RUN")
        if (
            marker == os.environ["JUPYTER_REMOTE_TEST_RUN"]
            and "sys" in words
            and process.pid not in (but, os.getpid())
        ):
            found.append(process)
    return sorted(found, key=lambda process: process.info["create_time"])


def test_a_start_that_is_shot_at_is_never_left_starting(local: Place) -> None:
    """Agent, supervisor or worker is killed at any moment: the run ends, once, or says that it is lost."""
    chance = random.Random(os.environ.get("JUPYTER_REMOTE_TEST_SEED", "1"))
    count = local.files / "count"
    for shot in range(SHOTS):
        remote = local.open()
        fresh = chance.random() < 0.5
        started: list[Run] = []

        def start(remote: Any = remote, fresh: bool = fresh, started: list[Run] = started) -> None:
            with contextlib.suppress(RemoteError):
                started.append(
                    remote.run_cell(f"open({str(count)!r}, 'a').write('x')", fresh=fresh, session="target")
                )

        thread = threading.Thread(target=start)
        thread.start()
        wanted = chance.randint(1, 3)  # the agent alone, with its supervisor, with the worker too
        while len(targets := _processes(but=local.remote.info["pid"])) < wanted and thread.is_alive():
            pass
        time.sleep(chance.uniform(0, 0.05))
        if targets:
            with contextlib.suppress(psutil.Error):
                chance.choice(targets).send_signal(signal.SIGKILL)
        thread.join(PATIENCE_S)
        assert not thread.is_alive(), f"shot {shot}: the start hangs"
        for run in started:
            with contextlib.suppress(RemoteError):
                run.wait()
        remote.close()
        written = count.read_text() if count.exists() else ""
        assert len(written) <= shot + 1
    _all_runs_end(local)
    # Whatever happened, the next cell of that session works.
    assert local.run("1", session="target").state == "finished"
    local.remote.stop_sessions()
    local.remote.end_remains()


def _all_runs_end(local: Place) -> None:
    for folder in (local.state / "runs").iterdir():
        if (
            folder / "run.json"
        ).exists():  # it is killed between the making of its directory and of its record
            assert local.remote.attach(folder.name).wait().state in FINAL_STATES


def test_one_id_starts_one_run_whoever_sends_it_again(local: Place) -> None:
    count = local.files / "count"
    first = local.remote.run_cell(f"open({str(count)!r}, 'a').write('x')", session="one").wait()
    record = {"id": first.id, "kind": "cell", "host": "local"}
    for session in ("one", "two"):
        settings = {"name": session, "python": sys.executable, "workspace": str(local.workspace)}
        stream = local.remote.connection().request(m.Execute(record, settings), b"open('never', 'w')")
        answer = stream.receive().message
        assert isinstance(answer, m.Accepted) and answer.run["state"] == "finished"
        again = Run(local.remote.link, answer.run, stream).wait()
        assert again.state == "finished"
    assert count.read_text() == "x"


def test_a_cell_for_a_session_that_is_ending_gets_the_next_one(local: Place) -> None:
    stubborn = (
        "import subprocess\nsubprocess.Popen(['sh', '-c', 'trap \"\" TERM; while :; do sleep 0.1; done'])"
    )
    local.run("x = 1\n" + stubborn)
    first = local.remote.sessions()[0]["pid"]
    client = local.open()
    thread = threading.Thread(target=lambda: client.stop_session("default"))
    client.info["pid"]
    thread.start()
    path = local.state / "sessions" / "default" / "control.sock"
    # It has been told, and ends its processes, which takes the two seconds that the stubborn one is given.
    await_true(lambda: psutil.Process(first).is_running() and not _answers(path))
    run = local.run("'x' in globals()")
    assert (run.state, run.result) == ("finished", {"text/plain": "False"})
    thread.join(PATIENCE_S)
    assert local.remote.sessions()[0]["pid"] != first


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(0.2)
        try:
            client.connect(str(path))
            client.sendall(encode(1, m.Status()))
            return bool(client.recv(1))
        except OSError:
            return False
