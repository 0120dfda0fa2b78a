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


def test_a_cell_prints_and_returns_as_a_local_one(kernel: Kernel) -> None:
    code = "%%remote local\nimport sys\nprint('out')\nprint('err', file=sys.stderr)\nx = 20\nx + 1"
    answer = kernel.run(code)
    assert answer["status"] == "ok"
    assert (kernel.text(answer, "stdout"), kernel.text(answer, "stderr")) == ("out\n", "err\n")
    status, result = answer["outputs"][-2:]
    assert status["kind"] == "display_data"
    assert STATUS.fullmatch(status["data"]["text/plain"])
    assert (result["kind"], result["data"]["text/plain"]) == ("execute_result", "21")
    assert kernel.run("_run.state, repr(_)")["outputs"][0]["data"]["text/plain"] == "('finished', '21')"
    assert kernel.text(kernel.run("%%remote local --quiet\nprint(x)"), "stdout") == "20\n"


def test_a_semicolon_and_quiet_leave_nothing(kernel: Kernel) -> None:
    assert kinds(kernel.run("%%remote local --quiet\n1 + 1;")) == []
    assert kinds(kernel.run("%%remote local --quiet\nx = 1")) == []
    assert kinds(kernel.run("%%remote local --quiet --bash\ntrue; x='")) == ["stream", "error"]


def test_displays_carry_all_their_forms_and_can_be_updated(kernel: Kernel) -> None:
    code = (
        "%%remote local --quiet\n"
        "from IPython.display import HTML, display\n"
        "handle = display(HTML('<b>1</b>'), display_id='mine')\n"
        "display(HTML('<b>2</b>'), display_id='mine', update=True);"
    )
    shown, updated = kernel.run(code)["outputs"]
    assert (shown["kind"], updated["kind"]) == ("display_data", "update_display_data")
    assert shown["data"]["text/html"] == "<b>1</b>"
    assert updated["data"]["text/html"] == "<b>2</b>"
    assert shown["transient"] == updated["transient"]
    assert shown["transient"]["display_id"] != "mine"
    later = kernel.run("%%remote local --quiet\ndisplay('3', display_id='mine', update=True);")["outputs"]
    assert later[0]["transient"] == shown["transient"]


def test_a_figure_is_a_png(kernel: Kernel) -> None:
    code = "%%remote local --quiet\nimport matplotlib.pyplot as plt\nplt.plot([1, 2]);"
    shown = [one for one in kernel.run(code)["outputs"] if one["kind"] == "display_data"]
    assert [sorted(one["data"]) for one in shown] == [["image/png", "text/plain"]]


def test_an_error_is_the_remote_traceback_and_nothing_else(kernel: Kernel) -> None:
    answer = kernel.run("%%remote local\ndef f():\n    raise ValueError('bad shape')\nf()")
    assert answer["status"] == "error"
    status, error = answer["outputs"]
    assert STATUS.fullmatch(status["data"]["text/plain"])
    assert error["kind"] == "error"
    text = "\n".join(error["traceback"])
    assert "bad shape" in text and "raise" in text
    assert "jupyter_remote" not in text.replace("/jupyter_remote/agent", "")
    assert "run_cell_magic" not in text
    assert kernel.run("%%remote local --quiet\n1")["status"] == "ok"


def test_a_bad_line_is_one_clear_line(kernel: Kernel) -> None:
    answer = kernel.run("%%remote local --sesion x\n1")
    (error,) = answer["outputs"]
    assert error["ename"] == "UsageError"
    (line,) = error["traceback"]
    assert "did you mean --session? Valid: --no-sync" in line
    assert "\n" not in line


def test_bash_and_scripts(kernel: Kernel) -> None:
    answer = kernel.run("%%remote local --quiet --bash\nfor i in 1 2; do echo $i; done")
    assert kernel.text(answer, "stdout") == "1\n2\n"
    answer = kernel.run(
        "%%remote local --quiet --script train.py --epochs 3\nimport sys\nprint(sys.argv[1:])"
    )
    assert kernel.text(answer, "stdout") == "['--epochs', '3']\n"
    answer = kernel.run("%%remote local --quiet --bash\nexit 3")
    assert answer["status"] == "error"
    assert kernel.run("_run.exit_code")["outputs"][0]["data"]["text/plain"] == "3"


def test_a_fresh_run_knows_nothing_of_the_session(kernel: Kernel) -> None:
    kernel.run("%%remote local --quiet\ny = 1")
    answer = kernel.run("%%remote local --quiet --fresh\ny")
    assert answer["status"] == "error"
    assert answer["evalue"] == "local: NameError: name 'y' is not defined"
    answer = kernel.run("%%remote local --quiet --session other\ny")
    assert answer["status"] == "error"


def test_a_dry_run_says_and_does_nothing(kernel: Kernel) -> None:
    answer = kernel.run("%%remote local --dry-run\nprint('ran')")
    assert kinds(answer) == ["stream"]
    assert re.search(
        r"local: would run the cell in session Untitled-1-[0-9a-f]{8}\n", kernel.text(answer, "stdout")
    )


def test_interrupting_the_kernel_interrupts_the_code_there(kernel: Kernel) -> None:
    def press(message: Message) -> None:
        if message.get("text") == "ready\n":
            # As a kernel manager does it: the whole process group, agent and all.
            os.killpg(pid, signal.SIGINT)

    pid = int(kernel.run("import os; os.getpid()")["outputs"][0]["data"]["text/plain"])

    code = "%%remote local\nkept = 7\nprint('ready', flush=True)\nwhile True: pass"
    answer = kernel.run(code, press)
    assert answer["status"] == "error"
    assert "KeyboardInterrupt" in "\n".join(answer["traceback"])
    assert "■" in answer["outputs"][-2]["data"]["text/plain"]
    assert kernel.run("%%remote local --quiet\nkept")["outputs"][0]["data"]["text/plain"] == "7"


def test_the_line_magic_runs_programs_and_fails_with_them(kernel: Kernel) -> None:
    answer = kernel.run("%remote run local --quiet -- sh -c 'echo hi'")
    assert (answer["status"], kernel.text(answer, "stdout")) == ("ok", "hi\n")
    answer = kernel.run("%remote run local --quiet -- sh -c 'exit 7'")
    assert answer["status"] == "error"
    assert "exit code 7" in answer["evalue"]
    answer = kernel.run("%remote test local")
    assert (answer["status"], answer["outputs"][0]["name"]) == ("ok", "stdout")


def test_artifacts_come_when_the_run_ends_also_when_it_failed(workspace: Path) -> None:
    script = "mkdir -p results; echo 1 > results/a; echo 2 > b.png; echo 3 > c; exit 3"
    words = ["--pull", "results/**", "--pull", "*.png", "--", "sh", "-c", script]
    done = remote("run", "local", *words)
    assert done.returncode == 3
    assert "local: pulled 2 files (4 B): b.png, results/a" in done.stderr.decode()
    assert sorted(path.name for path in workspace.rglob("*") if path.is_file()) == sorted(
        [".gitignore", "a", "b.png", "pulled.json", "pulled.log"]
    )


def test_a_cell_pulls_what_the_host_is_set_to(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    (workspace / ".jupyter-remote.yaml").write_text("hosts: {local: {sync: {pull: ['*.csv']}}}")
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    try:
        shell.run_line_magic("load_ext", "jupyter_remote")
        code = "open('t.csv', 'w').write('1'); open('x', 'w').close()"
        shell.run_cell_magic("remote", "local --quiet --pull x", code)
        shell.run_cell_magic("remote", "local --bash --pull x", "echo more >> x")
    finally:
        InteractiveShell.clear_instance()
    assert (workspace / "t.csv").read_text() == "1"
    assert (workspace / "x").read_text() == "more\n"
    assert "local: pulled 1 file (5 B): x" in capsys.readouterr().err
    jupyter_remote.connect("local").close()


def test_push_and_pull_as_commands(workspace: Path, tmp_path: Path) -> None:
    (workspace / ".gitignore").write_text("data\n")
    (workspace / "data").mkdir()
    (workspace / "data" / "new\nline").write_text("x")
    pushed = json.loads(remote("push", "local", "data", "--json").stdout)
    assert pushed["sent"] == ["data", "data/new\nline"]
    into = tmp_path / "into"
    words = ["pull", "local", "data", "--output", str(into)]
    dry = json.loads(remote(*words, "--dry-run", "--json").stdout)
    assert (dry["pulled"], into.exists()) == (["data/new\nline"], False)
    done = remote(*words)
    assert done.stdout.decode() == "+ 'data/new\\nline'\nlocal: pulled 1 file (1 B), 0 unchanged\n"
    assert (into / "data" / "new\nline").read_text() == "x"
    (tmp_path / "mirror" / "data" / "out").symlink_to("/etc")
    done = remote(*words)
    assert done.returncode == 6
    assert "data/out" in done.stdout.decode()
