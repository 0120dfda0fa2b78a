"""The command line and a real kernel on the built-in host `local`: one behaviour through every front."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

import jupyter_remote

STATUS = re.compile(r"[✓✗■] local · (?:[\w ]+ · )?\d+\.\d s · run \d{8}-\d{6}-[0-9a-f]{4}")
MAIN = "import sys; from jupyter_remote.cli import main; sys.exit(main())"

Message = dict[str, Any]


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project folder, with a mirror and a configuration of its own; its sessions end with the test."""
    config = tmp_path / "config"
    config.mkdir()
    (config / "hosts.yaml").write_text(
        json.dumps({"hosts": {"local": {"workspace": str(tmp_path / "mirror")}}})
    )
    monkeypatch.setenv("JUPYTER_REMOTE_CONFIG_DIR", str(config))
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    yield folder
    remote = jupyter_remote.connect("local", workspace=folder)
    remote.stop_sessions()
    remote.close()


def remote(*words: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-c", MAIN, *words], capture_output=True, timeout=90, **options)


# The command line.


def test_the_exit_code_is_the_programs(workspace: Path) -> None:
    done = remote("run", "local", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout) == (7, b"out\n")
    said, status = done.stderr.decode().splitlines()
    assert said == "err"
    assert STATUS.fullmatch(status)
    assert "exit 7" in status


def test_a_signal_is_128_and_its_number(workspace: Path) -> None:
    assert (
        remote("run", "local", "--quiet", "--", "sh", "-c", "kill -TERM $$").returncode
        == 128 + signal.SIGTERM
    )


def test_output_is_byte_for_byte(workspace: Path) -> None:
    code = "import os; os.write(1, bytes(range(256)) * 5000)"
    done = remote("run", "local", "--quiet", "--", sys.executable, "-c", code)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == bytes(range(256)) * 5000


def test_options_reach_the_program(workspace: Path) -> None:
    (workspace / "sub").mkdir()
    (workspace / "sub" / "file").touch()
    words = ["--cwd", "sub", "--env", "A=1", "--pass-env", "SECRET", "--label", "try", "--", "sh", "-c"]
    done = remote("run", "local", *words, 'ls; echo "$A $SECRET"', env={**os.environ, "SECRET": "s3"})
    assert done.stdout == b"file\n1 s3\n"
    assert "local · try ·" in done.stderr.decode()


def test_a_local_script_runs_there(workspace: Path, tmp_path: Path) -> None:
    script = tmp_path / "hello.py"
    script.write_text("import sys; print(sys.argv[1:], __name__)")
    done = remote("run", "local", "--quiet", "--script", str(script), "--epochs", "3")
    assert (done.returncode, done.stdout) == (0, b"['--epochs', '3'] __main__\n")


def test_a_timeout_stops_the_run(workspace: Path) -> None:
    done = remote("run", "local", "--timeout", "1", "--", "sleep", "60")
    assert done.returncode not in (0, None)
    assert "✓" not in done.stderr.decode()


def test_an_interrupt_reaches_the_program_and_the_second_one_ends_it(workspace: Path) -> None:
    code = (
        "import signal, time\n"
        "signal.signal(signal.SIGINT, lambda *_: print('not yet', flush=True))\n"
        "print('ready', flush=True)\n"
        "while True: time.sleep(1)\n"
    )
    words = ["run", "local", "--quiet", "--", sys.executable, "-c", code]
    with subprocess.Popen([sys.executable, "-c", MAIN, *words], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == b"not yet\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == b""
        assert process.wait(60) > 128


def test_an_interrupted_program_is_130(workspace: Path) -> None:
    words = ["run", "local", "--quiet", "--", "sh", "-c", "echo ready; sleep 60"]
    with subprocess.Popen([sys.executable, "-c", MAIN, *words], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130


def test_a_reader_that_leaves_ends_the_program(workspace: Path) -> None:
    words = ["run", "local", "--quiet", "--", "yes"]
    with subprocess.Popen([sys.executable, "-c", MAIN, *words], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"y\n"
        process.stdout.close()
        assert process.wait(60) == 141


def test_what_a_dry_run_says_is_not_done(workspace: Path) -> None:
    (workspace / "data.txt").write_text("x")
    (workspace / "a.ipynb").write_text("{}")
    done = remote("sync", "local", "--dry-run").stdout.decode()
    assert "+ data.txt" in done
    assert "local: would send 1 path (1 B), would delete 0, skipped 1" in done
    assert "a.ipynb (skipped by" in done
    done = remote("run", "local", "--dry-run", "--", "touch", "made").stdout.decode()
    assert "local: would run touch made" in done
    assert json.loads(remote("sync", "local", "--json").stdout)["sent"] == ["data.txt"]
    assert json.loads(remote("sync", "local", "--json").stdout)["sent"] == []


def test_a_host_is_tested(workspace: Path) -> None:
    done = remote("test", "local")
    assert done.returncode == 0
    assert done.stdout.decode().splitlines()[1].split()[:2] == ["local", "ok"]
    (facts,) = json.loads(remote("test", "local", "--json").stdout)
    assert (facts["host"], facts["ok"], facts["transport"]) == ("local", True, "local")


def test_a_host_that_fails_has_its_exit_code(workspace: Path, tmp_path: Path) -> None:
    hosts = {
        "local": {"workspace": str(tmp_path / "mirror")},
        "gone": {"type": "command", "command": ["/no/such"]},
    }
    (tmp_path / "config" / "hosts.yaml").write_text(json.dumps({"hosts": hosts}))
    done = remote("test", "local", "gone", "--json")
    good, bad = json.loads(done.stdout)
    assert good["ok"] and not bad["ok"]
    assert done.returncode == bad["exit_code"] == 4
    table = remote("test", "gone").stdout.decode()
    assert bad["error"]["kind"] in table


def test_the_status_has_facts_of_the_host(workspace: Path) -> None:
    (facts,) = json.loads(remote("status", "local", "--json").stdout)
    assert facts["cpu_count"] == os.cpu_count()
    assert facts["memory"]["total"] > 0
    assert remote("status").stdout.decode().splitlines()[1].startswith("local")


def test_sessions_are_listed_and_stopped(workspace: Path) -> None:
    host = jupyter_remote.connect("local", workspace=workspace)
    host.run_cell("1", session="first").wait()
    assert "first" in remote("sessions").stdout.decode()
    done = remote("sessions", "stop", "local", "frist")
    assert done.returncode == 2
    assert b"error: unknown session frist of local; did you mean first? Valid: first" in done.stderr
    assert remote("sessions", "stop", "local", "first").stdout == b"local: stopped first\n"
    assert remote("sessions", "list", "local").stdout == b"no live sessions\n"


# A notebook's kernel.


class Kernel:
    """A real kernel with the extension loaded, spoken to as a front end does."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self.client = client
        assert self.run("%load_ext jupyter_remote")["status"] == "ok"

    def run(self, code: str, on_message: Callable[[Message], None] | None = None) -> Message:
        """Execute a cell; return the reply's content with all `outputs` beside it."""
        outputs: list[Message] = []

        def hook(message: Message) -> None:
            outputs.append({"kind": message["msg_type"], **message["content"]})
            if on_message is not None:
                on_message(outputs[-1])

        reply = self.client.execute_interactive(code, output_hook=hook, timeout=90, stop_on_error=False)
        return {**reply["content"], "outputs": [one for one in outputs if not _is_chatter(one)]}

    def text(self, answer: Message, stream: str) -> str:
        return "".join(one["text"] for one in answer["outputs"] if one.get("name") == stream)


_CHATTER = ("status", "execute_input")


def _is_chatter(one: Message) -> bool:
    # On a slow machine the line that says where a cell is appears, and goes again.
    identity = (one.get("transient") or {}).get("display_id", "")
    return one["kind"] in _CHATTER or identity.startswith("jupyter-remote/line-")


@pytest.fixture
def kernel(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    monkeypatch.setenv("JPY_SESSION_NAME", str(workspace / "Untitled 1.ipynb"))
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(workspace))
    try:
        yield Kernel(client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel()


def kinds(answer: Message) -> list[str]:
    return [one["kind"] for one in answer["outputs"]]
