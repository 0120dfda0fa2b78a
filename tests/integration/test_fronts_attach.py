"""`--detach`, `attach`, `watch` and `logs` through the notebook and the command line."""

from __future__ import annotations

import contextlib
import queue
from pathlib import Path

from hosts import await_true
from jupyter_client.manager import start_new_kernel
from test_fronts_local import STATUS, Kernel, kernel, remote, workspace

LOOP = "import os, time\nprint('a', flush=True)\nwhile not os.path.exists({go!r}): time.sleep(0.01)\n"


def run_id(kernel: Kernel) -> str:
    answer = kernel.run("print(_run.id)")
    return kernel.text(answer, "stdout").strip()


def test_a_detached_cell_returns_its_run_and_keeps_changing(kernel: Kernel, tmp_path: Path) -> None:
    go = tmp_path / "go"
    answer = kernel.run(f"%%remote local --detach\n{LOOP.format(go=str(go))}print('b')\n7")
    area, result = answer["outputs"][0], answer["outputs"][-1]
    assert (area["kind"], result["kind"]) == ("display_data", "execute_result")
    assert "on local: " in result["data"]["text/plain"]
    seen: list[str] = []

    def shows(text: str) -> bool:
        with contextlib.suppress(queue.Empty):
            message = kernel.client.get_iopub_msg(timeout=0.1)
            content = message["content"]
            if message["msg_type"] == "update_display_data" and content["transient"] == area["transient"]:
                seen.append(content["data"]["text/plain"])
        return any(text in one for one in seen)

    # Another cell runs meanwhile.
    assert kernel.run("1")["status"] == "ok"
    await_true(lambda: shows("a\n"))
    go.touch()
    await_true(lambda: shows("✓ local"))
    assert seen[-1].startswith("a\nb\n7\n✓ local")
    assert kernel.text(kernel.run("print(_run.wait().result)"), "stdout") == "{'text/plain': '7'}\n"


def test_a_restarted_kernel_attaches_to_what_still_runs(workspace: Path, tmp_path: Path) -> None:
    go = tmp_path / "go"
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(workspace))
    try:
        kernel = Kernel(client)
        code = f"%%remote local --session s --detach\n{LOOP.format(go=str(go))}print('b')\nx = 6 * 7\nx"
        kernel.run(code)
        name = run_id(kernel)
        manager.restart_kernel(now=True)
        client.wait_for_ready(60)
        kernel.run("%load_ext jupyter_remote")
        go.touch()
        answer = kernel.run(f"%remote attach {name}")
        assert kernel.text(answer, "stdout") == "a\nb\n"
        status, result = answer["outputs"][-2:]
        assert STATUS.fullmatch(status["data"]["text/plain"])
        assert (result["kind"], result["data"]["text/plain"]) == ("execute_result", "42")
        assert kernel.text(kernel.run("%%remote local --session s --quiet\nprint(x)"), "stdout") == "42\n"
        logged = kernel.run(f"%remote logs {name} --tail 1")
        assert kernel.text(logged, "stdout") == "b\n"
    finally:
        client.stop_channels()
        manager.shutdown_kernel()


def test_the_command_line_detaches_attaches_and_shows_logs(workspace: Path, tmp_path: Path) -> None:
    go = tmp_path / "go"
    text = f"echo a; echo e >&2; while ! test -e {go}; do sleep 0.01; done; echo b; exit 7"
    done = remote("run", "local", "--detach", "--", "sh", "-c", text)
    assert done.returncode == 0
    name = done.stdout.decode().split()[1]
    await_true(lambda: remote("logs", name, "--tail", "5").stdout.count(b"\n") == 2)
    go.touch()
    done = remote("watch", name, "--quiet", "--host", "local")
    assert (done.returncode, done.stdout in (b"b\n", b"")) == (7, True)
    done = remote("attach", name[:-1])
    assert (done.returncode, done.stdout) == (7, b"a\nb\n")
    assert STATUS.fullmatch(done.stderr.decode().splitlines()[1])
    done = remote("logs", name, "--follow", "--tail", "1")
    assert (done.returncode, done.stdout) == (0, b"b\n")
    done = remote("logs", "19700101")
    assert (done.returncode, "no run 19700101 on local" in done.stderr.decode()) == (2, True)


__all__ = ["kernel", "workspace"]
