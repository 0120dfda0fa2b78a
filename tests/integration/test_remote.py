"""A cell on a host, end to end: state, output, errors, results, the workspace."""

from __future__ import annotations

import gc
import hashlib
import re
import shutil
import threading
from pathlib import Path

import psutil
import pytest
from hosts import Place, await_true, holding
from sshd import SshHost

from jupyter_remote.config import Config
from jupyter_remote.errors import RunError, SyncError
from jupyter_remote.events import Event
from jupyter_remote.pool import connect
from jupyter_remote.remote import Remote
from jupyter_remote.sync.progress import Progress


@pytest.mark.parametrize("transport", ["paramiko", "openssh"])
def test_an_alias_of_the_ssh_config_is_enough(ssh_host: SshHost, tmp_path: Path, transport: str) -> None:
    with connect("l1", workspace=tmp_path, transport=transport) as remote:
        run = remote.run_cell("import getpass; getpass.getuser()", fresh=True).wait().check()
        assert run.result == {"text/plain": repr(ssh_host.user)}
        assert remote.transport_name == transport


def test_variables_stay_and_sessions_are_apart(place: Place) -> None:
    place.run("x = 41").check()
    assert place.run("x + 1").check().result == {"text/plain": "42"}
    assert place.run("x", session="other").error["ename"] == "NameError"  # type: ignore[index]
    assert {facts["name"] for facts in place.remote.sessions()} == {"default", "other"}


def test_a_module_of_the_workspace_is_brought_and_a_fresh_run_sees_its_edit(place: Place) -> None:
    (place.workspace / "model.py").write_text("SIZE = 1\n")
    assert place.printed("import model; print(model.SIZE)") == "1\n"
    (place.workspace / "model.py").write_text("SIZE = 22\n")
    assert place.printed("import model; print(model.SIZE)", fresh=True) == "22\n"
    (place.workspace / "model.py").unlink()
    assert place.run("import model", fresh=True).error["ename"] == "ModuleNotFoundError"  # type: ignore[index]


def test_events_that_nobody_took_to_their_end_are_collected_wherever_that_happens(local: Place) -> None:
    connection = local.remote.connection()
    for lock in (connection._lock, connection._write_lock):
        run = local.remote.run_cell("import time; print(1, flush=True); time.sleep(600)", fresh=True)
        next(run.events())
        run_id, stream = run.id, run._stream.number
        del run
        with lock:
            connection._writer = threading.get_ident() if lock is connection._write_lock else 0
            gc.collect()  # it hung here, when the collector came by itself
            connection._writer = 0
        assert stream not in connection._streams
        local.remote.attach(run_id).stop()
        assert local.remote.attach(run_id).wait().state == "stopped"


def test_a_sync_tells_how_far_it_has_come(local: Place) -> None:
    for number in range(5):
        (local.workspace / f"{number}.bin").write_bytes(b"x" * 100_000)
    told: list[Progress] = []
    local.remote.sync(progress=told.append)
    assert told[0] == Progress(0, 500_000, 0, 5)
    assert told[-1] == Progress(500_000, 500_000, 5, 5)
    told.clear()
    local.run("pass", progress=told.append)
    assert told == [], "there was nothing to send"
    (local.workspace / "new").write_bytes(b"1234")
    local.run("pass", progress=told.append)
    assert told[-1] == Progress(4, 4, 1, 1)


def test_a_line_arrives_while_the_cell_still_runs(place: Place) -> None:
    go = place.files / "go"
    wait = f"while not os.path.exists({str(go)!r}): time.sleep(0.01)"
    code = f"import os, time\nprint('first')\n{wait}\nprint('last')"
    seen = ""
    for event in place.remote.run_cell(code).events():
        seen += event.text
        if seen == "first\n" and not go.exists():
            go.touch()  # only now can the cell go on
    go.unlink()
    assert seen == "first\nlast\n"


def test_what_children_and_c_code_print_comes_in_order(place: Place) -> None:
    code = (
        "import ctypes, os, subprocess, sys\n"
        "print('python')\n"
        "os.write(1, b'descriptor\\n')\n"
        "subprocess.run(['echo', 'child'])\n"
        "os.system('echo shell')\n"
        "ctypes.CDLL(None).printf(b'c code\\n')\n"
        "print('again')\n"
        "print('apart', file=sys.stderr)\n"
        "print('50%\\r100%', end='')"
    )
    seen: list[Event] = []
    place.remote.run_cell(code).wait(seen.append).check()
    assert "".join(e.text for e in seen if e.kind == "stdout") == (
        "python\ndescriptor\nchild\nshell\nc code\nagain\n50%\r100%"
    )
    assert "".join(e.text for e in seen if e.kind == "stderr") == "apart\n"


def test_prints_and_displays_keep_their_order(place: Place) -> None:
    code = (
        "class Table:\n"
        "    def __repr__(self): return 'table'\n"
        "    def _repr_html_(self): return '<table>'\n"
        "    def _repr_png_(self): return b'\\x89PNG'\n"
        "if 'get_ipython' in globals(): from IPython.display import display\n"
        "for i in range(50):\n"
        "    print(i)\n"
        "    display(Table())\n"
        "Table()"
    )
    seen: list[Event] = []
    place.remote.run_cell(code).wait(seen.append).check()
    kinds = [(e.kind, e.text) for e in seen if e.kind in ("stdout", "display")]
    assert kinds == [step for i in range(50) for step in (("stdout", f"{i}\n"), ("display", ""))]
    result = next(e for e in seen if e.kind == "result").data["data"]
    assert result["text/plain"] == "table" and result["text/html"] == "<table>"
    assert result["image/png"].strip() == "iVBORw=="


def test_a_display_larger_than_a_frame_arrives_whole(place: Place) -> None:
    code = (
        "class Big:\n"
        "    def __repr__(self): return 'big'\n"
        "    def _repr_html_(self): return 'x' * 3_000_000\n"
        "Big()"
    )
    assert place.run(code).check().result == {"text/plain": "big", "text/html": "x" * 3_000_000}


def test_200_mb_arrive_complete_in_bounded_memory(place: Place) -> None:
    code = (
        "import hashlib, os\n"
        "digest = hashlib.sha256()\n"
        "for i in range(2000):\n"
        "    block = (b'%08d ' % i) * 11651\n"
        "    digest.update(block)\n"
        "    view = memoryview(block)\n"
        "    while view: view = view[os.write(1, view):]\n"
        "digest.hexdigest()"
    )
    place.run("1")
    process = psutil.Process()
    before, highest, size, digest = process.memory_info().rss, 0, 0, hashlib.sha256()
    run = place.remote.run_cell(code)
    for event in run.events():
        if event.kind == "stdout":
            digest.update(event.raw)
            size += len(event.raw)
            highest = max(highest, process.memory_info().rss)
    assert size == 2000 * 9 * 11651 > 200_000_000
    assert run.result == {"text/plain": repr(digest.hexdigest())}
    assert highest - before < 64 << 20


def test_a_failed_cell_carries_the_remote_traceback_and_nothing_of_ours(place: Place) -> None:
    run = place.run("def inner():\n    return 1 / 0\n\ninner()")
    with pytest.raises(RunError) as caught:
        run.check()
    shown = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(caught.value._render_traceback_()))
    assert "inner()" in shown and "ZeroDivisionError" in shown
    assert "jupyter_remote" not in shown
    assert (caught.value.ename, caught.value.exit_code) == ("ZeroDivisionError", 1)
    assert place.run("1").state == "finished"


@pytest.mark.parametrize("code", ["sys.exit(3)", "syntax error", "raise KeyboardInterrupt", "exit()"])
def test_no_cell_ends_the_session(local: Place, code: str) -> None:
    local.run("import sys; x = 5").check()
    local.run(code)
    assert local.run("x").check().result == {"text/plain": "5"}


def test_programs_give_their_output_and_exit_code(place: Place) -> None:
    (place.workspace / "train.py").write_text("import sys; print('train', *sys.argv[1:]); sys.exit(3)\n")
    seen: list[Event] = []
    run = place.remote.run_program(["train.py", "a b", "--x"]).wait(seen.append)
    assert ("".join(e.text for e in seen), run.exit_code, run.state) == ("train a b --x\n", 3, "failed")
    run = place.remote.run_bash("echo $0 | grep -c code; echo $A; exit 9", env={"A": "it's"}).wait(
        seen.append
    )
    assert "1\nit's\n" in "".join(e.text for e in seen) and run.exit_code == 9
    run = place.remote.run_program(["sh", "-c", "kill -TERM $$"]).wait()
    assert run.exit_code == 143


def test_a_script_gets_its_name_its_arguments_and_the_workspace(local: Place) -> None:
    (local.workspace / "model.py").write_text("SIZE = 7\n")
    seen: list[Event] = []
    code = "import sys, model; print(sys.argv[0].rpartition('/')[2], sys.argv[1:], model.SIZE)"
    local.remote.run_script("go.py", code, ["1", "2"]).wait(seen.append).check()
    assert "".join(e.text for e in seen) == "go.py ['1', '2'] 7\n"
    assert not (local.workspace / "go.py").exists()


def test_secrets_reach_the_code_and_no_file(local: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_FOR_TEST", "canary-4711")
    code = "import os; print(len(os.environ['TOKEN_FOR_TEST']))"
    assert local.printed(code, pass_env=["TOKEN_FOR_TEST"]) == "11\n"
    assert local.printed("import os; print(os.environ.get('TOKEN_FOR_TEST', 'none'))", env={}) in (
        "none\n",
        "11\n",
    )
    assert holding(local.state, b"canary-4711") == []


def test_figures_come_inline(local: Place) -> None:
    code = "import matplotlib.pyplot as plt\nplt.plot([1, 2, 3])\nprint('drawn')"
    seen: list[Event] = []
    local.remote.run_cell(code).wait(seen.append).check()
    pictures = [e.data["data"]["image/png"] for e in seen if e.kind == "display"]
    assert len(pictures) == 1 and pictures[0].startswith("iVBOR")


def test_a_second_cell_waits_for_the_first(local: Place) -> None:
    go = local.files / "go"
    first = local.remote.run_cell(
        f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)\norder = ['first']"
    )
    second = local.remote.run_cell("order + ['second']")
    assert second.state == "queued"
    go.touch()
    assert second.wait().check().result == {"text/plain": "['first', 'second']"}
    first.wait().check()


def test_names_that_are_one_name_on_the_host_are_refused_by_name(local: Place) -> None:
    (local.workspace / "Model.py").touch()
    (local.workspace / "model.py").touch()
    local.remote.connection().hello["platform"] = "darwin"  # what a host says whose disk folds case
    with pytest.raises(SyncError, match=r"'Model\.py' and 'model\.py'"):
        local.remote.run_cell("1")
    local.remote.connection().hello["platform"] = "linux"
    local.run("1").check()


def pythons() -> list[Path]:
    """One interpreter for each version that is installed here, the oldest first."""
    shim = shutil.which("python3")
    kept = list((Path(shim).parent.parent / "versions").glob("3.*/bin/python3")) if shim else []
    system = [
        Path(path) for name in ("python3", "python3.8") if (path := shutil.which(name, path="/usr/bin"))
    ]
    usable = [path for path in kept if int(path.parent.parent.name.split(".")[1]) >= 8]
    return sorted({path.resolve() for path in [*usable, *system]})


def test_the_agent_runs_on_every_python_that_is_here(tmp_path: Path) -> None:
    found = pythons()
    assert found
    for number, python in enumerate(found):
        folder = tmp_path / str(number)
        (folder / "bin").mkdir(parents=True)
        (folder / "bin" / "python3").symlink_to(python)
        options = {
            "type": "command",
            "command": [
                "env",
                f"PATH={folder}/bin:/usr/bin:/bin",
                f"HOME={folder}",
                f"XDG_STATE_HOME={folder}",
            ],
            "python": str(python),
            "workspace": str(folder / "mirror"),
        }
        (tmp_path / "w").mkdir(exist_ok=True)
        (tmp_path / "w" / "model.py").write_text("SIZE = 7\n")
        with Remote(Config.load().host("local", options), tmp_path / "w") as remote:
            seen: list[Event] = []
            run = remote.run_cell("import model\nprint(model.SIZE)\nmodel.SIZE + 1").wait(seen.append).check()
            assert "".join(event.text for event in seen) == "7\n", python
            assert run.result == {"text/plain": "8"}, python
            remote.run_cell("1 / 0").wait()
            assert remote.run_bash("exit 3").wait().exit_code == 3, python
            assert remote.stop_sessions() == ["default"], python


def test_print_after_the_end_of_its_cell_is_kept(local: Place) -> None:
    local.run("import threading; t = threading.Timer(0.2, print, ['late']); t.start()").check()
    log = local.state / "sessions" / "default" / "output.log"
    await_true(lambda: log.exists() and log.read_text() == "late\n")
