"""One call on several hosts: aliases of a real sshd, and the built-in host."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from hosts import await_true
from IPython.core.interactiveshell import InteractiveShell
from sshd import SshHost
from traitlets.config import Config as Traits

import jupyter_remote
from jupyter_remote.errors import HostsFailed, RunError

NAMES = ("a", "b", "c")
MAIN = "import sys; from jupyter_remote.cli import main; sys.exit(main())"
# What torch.distributed does: rank 0 listens where the variables say, the others come there.
RENDEZVOUS = """
import os, socket
rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
where = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
assert os.environ["LOCAL_RANK"] == "0" and os.environ["NODE_RANK"] == str(rank)
if rank == 0:
    with socket.create_server(where) as server:
        server.settimeout(30)
        came = sorted(server.accept()[0].recv(9).decode() for _ in range(world - 1))
    print("met", *came)
else:
    while True:
        try:
            socket.create_connection(where, 30).sendall(str(rank).encode())
            break
        except ConnectionRefusedError:
            pass
    print("came", rank)
"""


@pytest.fixture
def workspace(ssh_host: SshHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project folder, three aliases of one machine, the built-in host, and one that nobody reaches."""
    for name in NAMES:
        ssh_host.alias(name, HostName="127.0.0.1", Port=ssh_host.port)
    ssh_host.alias("down", HostName="127.0.0.1", Port=1)
    mirror = f"~/{tmp_path.name}"
    hosts: dict[str, Any] = {name: {"workspace": mirror} for name in (*NAMES, "down")}
    hosts["local"] = {"workspace": str(tmp_path / "mirror")}
    config = tmp_path / "config"
    config.mkdir()
    settings = {"hosts": hosts, "groups": {"team": list(NAMES)}}
    (config / "hosts.yaml").write_text(json.dumps(settings))
    monkeypatch.setenv("JUPYTER_REMOTE_CONFIG_DIR", str(config))
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    yield folder
    for name in (*NAMES, "local"):
        remote = jupyter_remote.connect(name, workspace=folder)
        remote.stop_sessions()
        remote.close()


@pytest.fixture
def shell(workspace: Path) -> Iterator[InteractiveShell]:
    """IPython in this process, with the magics."""
    shell = InteractiveShell.instance(config=Traits({"HistoryManager": {"enabled": False}}))
    jupyter_remote.load_ipython_extension(shell)
    yield shell
    InteractiveShell.clear_instance()


def cli(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", MAIN, *words], capture_output=True, text=True, timeout=90, **options
    )


def test_cells_of_a_group_meet_and_keep_their_variables(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shell.run_cell(f"%%remote @team\n{RENDEZVOUS}").success
    out = capsys.readouterr().out
    assert {"a | met 1 2", "b | came 1", "c | came 2"} <= set(out.splitlines())
    runs = shell.user_ns["_run"]
    assert list(runs) == list(NAMES)
    groups = {run.record["group"] for run in runs.values()}
    assert len(groups) == 1
    assert shell.run_cell("%remote runs list --local").success
    assert capsys.readouterr().out.count(groups.pop()) == 3
    # Each has a session of its own, though all three are one machine, and the same one each time.
    assert shell.run_cell("%%remote @team\nmine = rank * 10\nmine").success
    capsys.readouterr()
    assert shell.run_cell("%%remote c,a\nmine + 1").success
    values = {host: run.result["text/plain"] for host, run in shell.user_ns["_run"].items()}
    assert values == {"c": "21", "a": "1"}


def test_a_failure_and_a_host_that_is_down_stop_nobody(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    code = 'import os\nprint("here")\nif os.environ["RANK"] == "1": raise ValueError("bad")'
    error = shell.run_cell(f"%%remote a,b,down,local --fresh --no-sync\n{code}").error_in_exec
    assert isinstance(error, HostsFailed)
    assert isinstance(error, RunError)
    assert list(error.failures) == ["b", "down"]
    assert "2 of 4 hosts failed: b (ValueError, exit code 1), down (PortRefused)" in str(error)
    assert "ValueError: bad" in "\n".join(error._render_traceback_())
    runs = shell.user_ns["_run"]
    assert {host: run.state for host, run in runs.items()} == {
        "a": "finished", "b": "failed", "local": "finished"
    }  # fmt: skip
    shown = capsys.readouterr()
    assert shown.out.splitlines().count("local | here") == 1
    assert "Traceback (most recent call last)" not in shown.out.partition("HostsFailed")[0]


def test_each_exit_code_and_what_the_user_sets_wins(workspace: Path) -> None:
    show = 'echo "$RANK of $WORLD_SIZE at $MASTER_PORT"; echo err >&2; exit $((RANK + 3))'
    words = ["--env", "MASTER_PORT=77", "--quiet", "--", "sh", "-c", show]
    done = cli("run", "a,local", *words)
    assert sorted(done.stdout.splitlines()) == ["a     | 0 of 2 at 77", "local | 1 of 2 at 77"]
    assert {"a     | err", "local | err"} <= set(done.stderr.splitlines())
    assert "2 of 2 hosts failed: a (exit code 3), local (exit code 4)" in done.stderr
    assert done.returncode == 3
    assert cli("run", "a,local", "--quiet", "--", "true").returncode == 0


def test_what_several_hosts_made_does_not_overwrite_each_other(workspace: Path) -> None:
    program = ["--", "sh", "-c", 'echo "$RANK" > made.txt']
    done = cli("run", "a,local", "--pull", "*.txt", *program)
    assert done.returncode == 0, done.stderr
    pulled = {path.name: (path / "made.txt").read_text() for path in (workspace / "pulled").glob("[al]*")}
    assert pulled == {"a": "0\n", "local": "1\n"}
    assert "into pulled/a/, because several hosts ran this" in done.stderr
    # No sync takes them anywhere, only the empty folder.
    assert json.loads(cli("sync", "a", "--json").stdout)["sent"] == ["pulled"]


def test_a_dry_run_tells_of_each_host(workspace: Path) -> None:
    (workspace / "data.txt").write_text("x")
    done = cli("run", "a,down,local", "--dry-run", "--", "touch", "made")
    assert "a: would send 1 path" in done.stdout
    assert "local: would run touch made" in done.stdout
    assert "1 of 3 hosts failed: down (PortRefused)" in done.stderr
    assert done.returncode == 4


def test_detached_runs_go_on_by_themselves(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    gate = Path("gate")
    os.mkfifo(gate)
    result = shell.run_cell(f"%%remote a,local --detach --bash\ncat {gate.absolute()}")
    assert list(result.result) == ["a", "local"]
    runs = shell.user_ns["_run"]
    with gate.open("w"):
        pass
    for run in runs.values():
        assert run.wait().exit_code in (0, 1)  # the other user may not read it


@pytest.mark.slow
def test_an_interrupt_reaches_all_and_the_second_ends_all(workspace: Path) -> None:
    code = (
        "import signal, time\n"
        "signal.signal(signal.SIGINT, lambda *_: print('not yet', flush=True))\n"
        "print('ready', flush=True)\n"
        "while True: time.sleep(1)\n"
    )
    words = ["run", "a,b,local", "--", "python3", "-c", code]
    with subprocess.Popen([sys.executable, "-c", MAIN, *words], stdout=-1, stderr=-1, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        prefixes = ("a     | ", "b     | ", "local | ")
        lines = [process.stdout.readline().strip() for _ in prefixes]
        assert sorted(lines) == [f"{prefix}ready" for prefix in prefixes]
        process.send_signal(signal.SIGINT)
        lines = [process.stdout.readline().strip() for _ in prefixes]
        assert sorted(lines) == [f"{prefix}not yet" for prefix in prefixes]
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == ""
        said = process.stderr.read()
        assert said.count("0 processes left") == 3
        assert process.wait(60) > 128


@pytest.mark.slow
def test_the_third_interrupt_stops_waiting_and_says_what_goes_on(workspace: Path) -> None:
    # The second one is on its way when the third comes: what is said must hold whatever became of it.
    words = ["run", "a,local", "--", "sh", "-c", "trap '' INT TERM; echo $$; while :; do sleep 1; done"]
    with subprocess.Popen([sys.executable, "-c", MAIN, *words], stdout=-1, stderr=-1, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        pids = [int(process.stdout.readline().rpartition("|")[2]) for _ in range(2)]
        for _ in range(3):
            process.send_signal(signal.SIGINT)
            # Signals of one kind that come at once are one.
            await_true(lambda: process.poll() is not None or not _pending(process.pid))
        code, said = process.wait(60), process.stderr.read()
        if code == 137:
            # The machine was slow, and the second had ended both before the third was taken.
            assert "stopped waiting for" not in said
        else:
            assert code == 130
            assert "stopped waiting for" in said
            assert " on a" in said and " on local" in said
    for host in ("a", "local"):
        for session in jupyter_remote.connect(host, workspace=workspace).sessions():
            jupyter_remote.connect(host, workspace=workspace).stop_session(session["name"])
    await_true(lambda: not any(psutil.pid_exists(pid) for pid in pids))


def _pending(pid: int) -> bool:
    """Whether a SIGINT has not been taken yet."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    masks = [int(line.split()[1], 16) for line in lines if line.startswith(("SigPnd", "ShdPnd"))]
    return any(mask & 1 << signal.SIGINT - 1 for mask in masks)
