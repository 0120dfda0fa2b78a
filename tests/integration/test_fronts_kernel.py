"""The built-in host in a notebook's kernel: cells, what they show, and what they bring."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import pytest
from test_fronts_local import STATUS, Kernel, Message, kernel, kinds, remote, workspace

import jupyter_remote


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


__all__ = ["kernel", "workspace"]
