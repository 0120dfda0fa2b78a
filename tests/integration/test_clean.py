"""What `clean` lists, asks about and removes on a host, beyond what the tests of runs look at."""

from __future__ import annotations

import fcntl
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from two_hosts import Bench

from jupyter_remote import leftovers

TERMINAL = "import sys; from jupyter_remote.cli import main; sys.exit(main())"


def litter(state: Path) -> dict[str, Path]:
    """Leases and environments as they are left, and as they are used, all of them old."""
    made = {
        "free lease": state / "gpus" / "gpu-0.lock",
        "held lease": state / "gpus" / "gpu-1.lock",
        "whole": state / "envs" / "0123456789ab" / "env.json",
        "half": state / "envs" / "cccccccccccc" / "part",
        "half lock": state / "envs" / "cccccccccccc.lock",
        "built": state / "envs" / "dddddddddddd" / "part",
        "built lock": state / "envs" / "dddddddddddd.lock",
        "removed": state / "envs" / ".eeeeeeeeeeee.4711" / "part",
    }
    for path in made.values():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(5000))
    for path in [*(state / "gpus").iterdir(), *(state / "envs").iterdir()]:
        os.utime(path, (1e9, 1e9))
    (state / "gpus" / "gpu-2.lock").touch()
    return made


def test_what_nobody_holds_goes(bench: Bench) -> None:
    made = litter(bench.state())
    with made["held lease"].open() as lease, made["built lock"].open() as lock:
        fcntl.flock(lease, fcntl.LOCK_EX)
        fcntl.flock(lock, fcntl.LOCK_EX)
        remote = bench.remote()
        assert leftovers.count(remote) == {
            "processes": 0, "sessions": 0, "agents": 0, "leases": 1, "environments": 2,
            "campaigns": 0,
        }  # fmt: skip
        told = bench.ask("clean", "one", "--dry-run")
        assert told["leases"] == [str(made["free lease"])]
        assert told["environments"] == [str(made["removed"].parent), str(made["half"].parent)]
        assert told["sizes"]["environments"] == 10_000
        code, out, _ = bench.call("clean", "one", "--dry-run")
        assert code == 0 and "one: would remove 1 GPU lease (nobody holds it): " in out
        assert "one: would remove 2 half-built environments (nobody builds it, 9.8 KiB): " in out
        assert all(path.exists() for path in made.values())
        assert bench.ask("clean", "one", "--yes")["leases"] == told["leases"]
        assert not any(leftovers.count(remote).values())
        assert bench.call("clean", "one")[1] == "one: nothing to remove\n"
    gone = {name for name, path in made.items() if not path.exists()}
    assert gone == {"free lease", "half", "removed"}
    assert sorted(path.name for path in (bench.state() / "envs").iterdir()) == [
        "0123456789ab", "cccccccccccc.lock", "dddddddddddd", "dddddddddddd.lock",
    ]  # fmt: skip


@pytest.mark.parametrize(("answer", "code"), [("", 1), ("n", 1), ("y", 0)])
def test_a_user_is_asked_first(bench: Bench, answer: str, code: int) -> None:
    made = litter(bench.state())
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", TERMINAL, "clean", "one"], stdin=theirs, stdout=subprocess.PIPE, text=True
    ) as program:
        os.write(ours, answer.encode() + b"\n")
        assert program.stdout is not None
        out = program.stdout.read()
        assert program.wait(30) == code, out
    os.close(ours)
    os.close(theirs)
    assert out.index("would remove 2 GPU leases") < out.index("Remove this from one? [y/N]")
    assert ("one: nothing was removed" in out) == bool(code)
    assert made["free lease"].exists() == bool(code)


def test_runs_that_came_after_the_question_stay(bench: Bench) -> None:
    # Ids of one second are in no order of their own.
    ids = sorted(bench.remote().run_cell(f"{number}").wait().id for number in range(3))
    bench.remote().stop_sessions()
    told = leftovers.find(bench.remote(), runs=True)
    assert told["runs"] == ids and all(told["run_sizes"])
    assert leftovers.remove(bench.remote(), runs=True, only=told["runs"][:2])["runs"] == told["runs"][:2]
    assert [path.name for path in (bench.state() / "runs").iterdir()] == [ids[2]]
