"""What is said of a run is true: lost only on evidence and with its reason, limits and killers by name."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hosts import Place, alive, await_true, connect

from jupyter_remote.agent import memory, processes, remains
from jupyter_remote.agent.evidence import why_lost
from jupyter_remote.cli import main
from jupyter_remote.errors import RunError
from jupyter_remote.events import Event
from jupyter_remote.run import Run

FOREVER = "import os, time\nprint(os.getpid(), flush=True)\nwhile True: time.sleep(1)"
# A worker whose grandchild has left its session and its family before anything is killed.
STRAYS = """
import os, subprocess, time
command = ["sh", "-c", "setsid sleep 600 >/dev/null & echo $!"]
gone = subprocess.run(command, stdout=subprocess.PIPE, text=True)
os.write(1, f"{os.getpid()} {gone.stdout.strip()}\\n".encode())
while True: time.sleep(1)
"""


def first_line(run: Run) -> str:
    """Takes events until a line is printed."""
    return next(event.text for event in run.events() if event.kind == "stdout")


def record_of(place: Place, run: Run) -> dict[str, Any]:
    """The run's record as it is on the host."""
    record: dict[str, Any] = json.loads((place.folder(run) / "run.json").read_text())
    return record


def supervisor_of(place: Place, run: Run) -> int:
    """The pid of its supervisor."""
    return int(record_of(place, run)["supervisor"]["pid"])


def test_lost_is_worked_out_from_identity_and_boot() -> None:
    me = processes.identity(os.getpid())
    assert why_lost({"supervisor": me}) is None
    # The pid is in use again, by a process that started at another time.
    assert why_lost({"supervisor": dict(me, start="1")}) == "its supervisor was killed"
    assert why_lost({"supervisor": dict(me, boot="another")}).startswith("the host was restarted at 20")
    # Another machine that shares the home: nothing can be said of what runs there.
    assert why_lost({"supervisor": dict(me, boot="another", node="login2")}) is None
    assert why_lost({}) == "its supervisor was killed"


def test_a_restarted_host_is_named(local: Place) -> None:
    run = local.remote.run_cell("print('kept')\n" + FOREVER)
    assert first_line(run).startswith("kept\n")
    os.kill(supervisor_of(local, run), signal.SIGKILL)
    run.wait()
    record = record_of(local, run)
    record["supervisor"]["boot"] = "the-boot-before"
    (local.folder(run) / "run.json").write_text(json.dumps(record))
    seen: list[Event] = []
    again = local.open().attach(run.id).wait(seen.append)
    assert again.state == "lost" and (again.reason or "").startswith("the host was restarted at ")
    assert "".join(event.text for event in seen).startswith("kept\n")
    assert local.remote.end_remains()


@pytest.mark.parametrize("kind", ["cell", "program"])
def test_what_a_killed_supervisor_left_is_found_and_ended(place: Place, kind: str) -> None:
    start = place.remote.run_cell if kind == "cell" else lambda code: place.remote.run_script("s.py", code)
    run = start(STRAYS)
    worker, stray = map(int, first_line(run).split())
    os.kill(supervisor_of(place, run), signal.SIGKILL)
    seen: list[Event] = []
    run.wait(seen.append)
    assert (run.state, run.reason) == ("lost", "its supervisor was killed")
    assert (place.folder(run) / "output.log").read_text() == f"{worker} {stray}\n"
    ended = {fact["pid"]: fact["command"] for fact in place.remote.end_remains()}
    assert stray in ended and "sleep 600" in ended[stray]
    assert not alive(worker) and not alive(stray)
    assert not list((place.state / "sessions").iterdir())
    assert place.remote.end_remains() == []


def test_what_lives_is_not_what_remains(local: Place) -> None:
    run = local.remote.run_cell(FOREVER)
    worker = int(first_line(run))
    assert local.remote.end_remains() == []
    assert worker not in {pid for pids in remains.find().values() for pid in pids}
    assert alive(worker)


def test_a_silent_supervisor_is_not_lost(local: Place) -> None:
    go = local.files / "go"
    run = local.remote.run_cell(
        f"import os, time\nprint('on')\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)\nprint('off')"
    )
    assert first_line(run) == "on\n"
    supervisor = supervisor_of(local, run)
    os.kill(supervisor, signal.SIGSTOP)
    try:
        go.touch()
        facts = local.remote.sessions()
        assert facts == [{"name": "default", "pid": supervisor, "silent": 1}]
        other = local.open().attach(run.id)
        assert first_line(other) == "on\n" and not other.done and not run.done
    finally:
        os.kill(supervisor, signal.SIGCONT)
    assert (run.wait().state, other.wait().state) == ("finished", "finished")


def test_a_supervisor_that_can_not_be_reached_is_not_lost(local: Place) -> None:
    go = local.files / "go"
    run = local.remote.run_cell(
        f"import os, time\nprint('on')\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)\nprint('off')"
    )
    assert first_line(run) == "on\n"
    socket = local.state / "sessions" / "default" / "control.sock"
    aside = socket.rename(local.files / "aside")
    other = local.open().attach(run.id)
    assert first_line(other) == "on\n"
    with pytest.raises(Exception, match="runs but can't be reached"):
        local.run("1")
    go.touch()
    assert (run.wait().state, other.wait().state) == ("finished", "finished")
    aside.rename(socket)


def test_a_silent_session_is_ended_by_force(local: Place) -> None:
    run = local.remote.run_cell(FOREVER)
    worker, supervisor = int(first_line(run)), supervisor_of(local, run)
    os.kill(supervisor, signal.SIGSTOP)
    assert local.remote.stop_sessions() == ["default"]
    assert not alive(worker) and not alive(supervisor)
    assert run.wait().state == "lost"
    assert not list((local.state / "sessions").iterdir())


def test_a_session_on_another_machine_is_left_alone(local: Place) -> None:
    local.run("1")
    path = local.state / "sessions" / "default" / "session.json"
    record = json.loads(path.read_text())
    real = dict(record)
    record.update(
        supervisor=dict(record["supervisor"], node="login2", boot="its"), socket=str(local.files / "none")
    )
    path.write_text(json.dumps(record))
    with pytest.raises(Exception, match="session default lives on login2, which shares this folder"):
        local.run("1")
    assert local.remote.end_remains() == []
    assert path.exists()
    path.write_text(json.dumps(real))
    assert local.run("2").state == "finished"


def test_the_connection_to_a_session_outlives_a_run_but_not_the_session(local: Place) -> None:
    supervisor = supervisor_of(local, local.run("x = 1"))
    assert supervisor_of(local, local.run("x")) == supervisor
    os.kill(supervisor, signal.SIGKILL)
    await_true(lambda: not alive(supervisor))
    second = supervisor_of(local, local.run("x = 2"))
    local.open().stop_sessions()  # another client, whose agent is another one too
    assert supervisor_of(local, local.run("x = 3")) not in (supervisor, second)


# Out of memory.


@contextlib.contextmanager
def small_memory() -> Iterator[Path]:
    """A control group of 96 MiB; only root can make one, and not everywhere."""
    for base, limit, value in (
        ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "96M"),
        ("/sys/fs/cgroup", "memory.max", "96M"),
    ):
        group = Path(base) / f"jr-test-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        if (group / limit).exists():
            (group / limit).write_text(value)
            break
        group.rmdir()
    else:
        pytest.skip("no control group for memory can be made here")
    try:
        yield group
    finally:
        await_true(lambda: not (group / "cgroup.procs").read_text())
        group.rmdir()


def test_a_run_that_ran_out_of_memory_says_so(local: Place) -> None:
    hog = "x = []\nwhile True: x.append(bytearray(b'x' * (1 << 20)))"
    with small_memory() as group:
        (group / "cgroup.procs").write_text(str(local.remote.info["pid"]))
        run = local.remote.run_script("hog.py", hog).wait()
        assert (run.state, run.exit_code) == ("failed", 137)
        assert run.reason == "killed by signal 9 (out of memory: the kernel killed it)"
        run = local.run(hog)
        with pytest.raises(RunError, match=r"SIGKILL \(out of memory: the kernel killed it\); its variables"):
            run.check()
        assert local.run("1").state == "finished"
        local.remote.stop_sessions()
        local.remote.close()


@pytest.mark.parametrize(
    ("cgroup", "path"),
    [
        ("4:cpu:/\n9:memory:/slice/a\n0::/\n", "sys/fs/cgroup/memory/slice/a/memory.oom_control"),
        ("0::/user.slice/a\n", "sys/fs/cgroup/user.slice/a/memory.events"),
        ("0::/docker/outer\n", "sys/fs/cgroup/memory.events"),
    ],
)
def test_the_counters_of_the_kernel_are_read_wherever_they_are(
    tmp_path: Path, cgroup: str, path: str
) -> None:
    for name, text in (
        ("proc/self/cgroup", cgroup),
        ("proc/vmstat", "pgfault 3\noom_kill 7\n"),
        (path, "low 0\noom_kill 2\n"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert memory.kills(str(tmp_path)) == {"group": 2, "host": 7}
    assert memory.kills(str(tmp_path / "nothing")) == {}


def test_who_killed_it_is_claimed_only_when_a_counter_rose() -> None:
    before = {"group": 1, "host": 5}
    assert memory.killer(before, {"group": 2, "host": 6}).startswith("out of memory")
    assert memory.killer({"host": 5}, {"host": 6}) == "the host was out of memory"
    assert memory.killer(before, before) == memory.killer({}, {}) == "often: out of memory"
    assert memory.killer({}, {"host": 6}) == "often: out of memory"


def test_a_killed_program_has_a_reason(local: Place) -> None:
    run = local.remote.run_bash("kill -9 $$").wait()
    assert (run.state, run.exit_code, run.reason) == (
        "failed",
        137,
        "killed by signal 9 (often: out of memory)",
    )


# Time.


def test_a_time_limit_needs_no_viewer(local: Place) -> None:
    runs = [
        local.remote.run_cell("while True: pass", timeout=0.3),
        local.remote.run_script("s.py", FOREVER, timeout=0.3),
    ]
    local.remote.close()
    for run in runs:
        record = await_true(lambda run=run: (r := record_of(local, run)).get("ended") and r)
        assert (record["state"], record["exit_code"]) == ("stopped", 124)
        assert record["reason"] == "over its time limit of 0.3 s"
        # Of one whose interpreter took longer to start, nothing has run.
        assert record["seconds"] >= 0.3 or record["seconds"] == 0


def test_a_time_limit_holds_for_an_interpreter_that_does_not_start(local: Place) -> None:
    local.remote.host = local.remote.host.model_copy(update={"env_setup": "sleep 600"})
    run = local.remote.run_cell("1", timeout=0.3).wait()
    assert (run.state, run.exit_code, run.reason) == ("stopped", 124, "over its time limit of 0.3 s")
    run = local.remote.run_cell("1")
    run.stop()
    assert run.wait().state == "stopped"
    # What hung was ended with it.
    assert not [pid for pid in processes.marked() if "sleep 600" in processes.command_of(pid)]


@pytest.mark.parametrize("ahead", [3600, -3600])
def test_a_clock_that_is_off_is_told_and_nothing_else(
    local: Place,
    tmp_path: Path,
    ahead: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A Python whose wall clock is off, as the host's: first on the path of a host reached by a command.
    python = tmp_path / "bin" / "python3"
    python.parent.mkdir()
    shift = f"import time; time.time = lambda now=time.time: now() + {ahead}"
    code = f"{shift}; import sys; code = sys.argv[1]; sys.argv[1:] = sys.argv[2:]; exec(code)"
    python.write_text(
        f'#!/bin/sh\ncase "$*" in *worker*) exec {sys.executable} "$@";; esac\n'
        f'while [ $# -gt 0 ] && [ "$1" != -c ]; do shift; done; shift\n'
        f'exec {sys.executable} -I -S -c {shlex.quote(code)} "$@"\n'
    )
    python.chmod(0o755)
    config = Path(os.environ["JUPYTER_REMOTE_CONFIG_DIR"]) / "hosts.yaml"
    command = ["env", f"PATH={python.parent}:/usr/bin:/bin"]
    entry = {
        "type": "command",
        "command": command,
        "python": sys.executable,
        "workspace": str(tmp_path / "m"),
    }
    config.write_text(json.dumps({"hosts": {"off": entry}}))
    try:
        monkeypatch.chdir(local.workspace)
        with connect("off") as remote:
            assert abs(remote.info["skew"] - ahead) < 60
            run = remote.run_cell("1", fresh=True).wait()
            assert run.state == "finished" and 0 <= run.seconds < 60
            assert main(["test", "off"]) == 0
        word = "ahead of" if ahead > 0 else "behind"
        assert re.search(f"its clock is .* {word} this machine's", capsys.readouterr().out)
    finally:
        config.unlink()


# Idle sessions.


def test_an_idle_session_tells_when_it_ends(local: Place) -> None:
    local.remote.host = local.remote.host.model_copy(update={"session_idle": 3600.0})
    local.run("1")
    (facts,) = local.remote.sessions()
    assert 3500 < facts["ends_in"] <= 3600 and facts["idle_seconds"] < 100
    run = local.remote.run_cell(FOREVER)
    first_line(run)
    (facts,) = local.remote.sessions()
    assert facts["ends_in"] is None and facts["active"] == run.id
    run.interrupt()
    run.wait()


def test_a_session_without_a_limit_stays(local: Place) -> None:
    local.remote.host = local.remote.host.model_copy(update={"session_idle": None})
    local.run("1")
    (facts,) = local.remote.sessions()
    assert facts["ends_in"] is None


# A full log.


def test_a_log_over_its_cap_says_what_is_missing(local: Place) -> None:
    local.remote.host = local.remote.host.model_copy(update={"log_cap": 200_000})
    lines = [f"line {number}\n" for number in range(100_000)]
    seen: list[Event] = []
    run = local.remote.run_cell("for i in range(100000): print('line', i)").wait(seen.append)
    record = await_true(lambda: (r := record_of(local, run)).get("ended") and r)
    assert record["left_out"] > 0 and seen[-1].data["left_out"] == record["left_out"]
    # Live or late, what is seen and what is said to be missing is what was printed.
    late: list[Event] = []
    local.open().attach(run.id).wait(late.append)
    printed = "".join(lines)
    for events in (seen, late):
        at = 0
        for event in events:
            if event.kind == "gap":
                at += event.data["bytes"]
            elif event.kind == "stdout":
                assert printed.startswith(event.text, at)
                at += len(event.text)
        assert at == len(printed)
    assert [event.data["bytes"] for event in late if event.kind == "gap"] == [record["left_out"]]
    log = (local.folder(run) / "output.log").read_text()
    assert printed.startswith(log) and len(log) > 50_000
    assert sum(path.stat().st_size for path in local.folder(run).iterdir() if path.is_file()) < 250_000
