"""Environments on a host: made once, used by name, never half; on the built-in host, with a real uv."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from hosts import await_true
from wheels import make_wheel

from jupyter_remote import pool
from jupyter_remote.cli import main
from jupyter_remote.environments import create as environments
from jupyter_remote.environments.create import Plan
from jupyter_remote.environments.sources import read_source
from jupyter_remote.errors import LaunchError, UsageError
from jupyter_remote.pool import connect
from jupyter_remote.remote import Remote
from jupyter_remote.run import Run

pytestmark = pytest.mark.slow
UV = Path(sys.executable).parent / "uv"


@dataclass
class Lab:
    """A project with two wheels, on a host with an `env_root` of its own and `uv` first on the PATH."""

    project: Path
    root: Path
    bin: Path
    capsys: pytest.CaptureFixture[str]

    @property
    def remote(self) -> Remote:
        return connect("local", workspace=self.project)

    def plan(self, text: str = "--find-links wheels\nalpha\n", name: str = "lab", **options: Any) -> Plan:
        path = self.project / "requirements.txt"
        path.write_text(text)
        return Plan(read_source(str(path)), name, **{"builder": "uv", "offline": True, **options})

    def start(self, plan: Plan) -> Run:
        wheels = environments.wheels_for(self.remote, plan, lambda _: None) if plan.offline else []
        return environments.create(self.remote, plan, wheels)

    def made(self, plan: Plan | None = None) -> str:
        """What making it prints; it must end well."""
        return said_by(self.start(plan or self.plan()), "finished")

    def cli(self, *words: str) -> tuple[int, str, str]:
        code = main(["env", *words])
        said = self.capsys.readouterr()
        return code, said.out, said.err

    def listed(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = environments.listing(self.remote)["environments"]
        return found

    def fake(self, name: str, script: str) -> Path:
        """A program first on the PATH; returns the file into which it writes its arguments."""
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(f'#!/bin/sh\necho "$@" >>{self.bin}/{name}.log\n{script}\n')
        path.chmod(0o755)
        return self.bin / f"{name}.log"

    def printed(self, code: str, **options: Any) -> str:
        run = self.remote.run_cell(code, **options)
        return said_by(run, "finished", "stdout")


def said_by(run: Run, state: str, *kinds: str) -> str:
    seen: list[str] = []
    run.wait(lambda e: seen.append(e.text) if e.kind in (kinds or ("stdout", "stderr")) else None)
    assert run.state == state, (run.state, run.error, "".join(seen))
    return "".join(seen)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Lab]:
    project, bin_, root = tmp_path / "lab", tmp_path / "bin", tmp_path / "envs"
    bin_.mkdir()
    (bin_ / "uv").symlink_to(UV)
    # The host's Python comes first on the PATH of its programs, and the folder of this one has a uv too.
    python = bin_ / "python3"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    settings = {"workspace": str(tmp_path / "mirror"), "env_root": str(root), "python": str(python)}
    (tmp_path / "hosts.yaml").write_text(json.dumps({"hosts": {"local": settings}}))
    monkeypatch.setenv("JUPYTER_REMOTE_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("PATH", f"{bin_}:{os.environ['PATH']}")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    make_wheel(project / "wheels", "alpha", code="WORD = 'alpha'\n")
    make_wheel(project / "wheels", "beta", code="WORD = 'beta'\n")
    monkeypatch.chdir(project)
    yield Lab(project, root, bin_, capsys)
    # A host whose settings a test has changed is another one to the pool.
    for key, remote in list(pool._pool.items()):
        if key[1] == project:
            remote.stop_sessions()
            remote.close()


HOLD = """case "$*" in *"pip install"*) echo installing now; while [ ! -e {gate} ]; do sleep 0.02; done;; esac
exec {uv} "$@"
"""


def holding(lab: Lab) -> tuple[Path, Path]:
    """A uv that waits before it installs; its log, and the gate that lets it go on."""
    gate = lab.bin / "gate"
    return lab.fake("uv", HOLD.format(gate=gate, uv=UV)), gate


# From the file to the cell.


def test_the_same_file_gives_the_same_environment_at_once(lab: Lab) -> None:
    first = lab.made()
    assert "making lab (" in first and "is made: Python 3." in first
    log = lab.fake("uv", f'exec {UV} "$@"')
    assert "is there already" in lab.made(lab.plan("# another file\n--find-links wheels\n\nalpha # same\n"))
    assert not log.exists(), "nothing was to be built"
    (one,) = lab.listed()
    assert (
        one["names"] == ["lab"] and one["packages"] == 1 and one["made_with"] == "uv" and one["size"] > 1000
    )
    other = lab.made(lab.plan("--find-links wheels\nalpha\nbeta\n"))
    assert f"lab was {one['digest']} before" in other
    assert [len(each["names"]) for each in lab.listed()].count(0) == 1


def test_cells_programs_and_records_say_where_they_ran(lab: Lab) -> None:
    code, out, err = lab.cli("create", "local", "-r", "requirements.txt", "--offline", "--use")
    assert (code, out) == (2, "") and "there is no file" in err
    lab.plan()
    code, out, err = lab.cli("create", "local", "-r", "requirements.txt", "--offline", "--use")
    assert code == 0 and "local: python is now env:lab" in out
    lines = [
        "import alpha, os, subprocess, sys",
        "print(alpha.WORD, sys.prefix == os.environ['VIRTUAL_ENV'])",
        "print(subprocess.check_output(['sh', '-c', 'command -v python']).decode(), end='')",
    ]
    prefix = str(lab.root / lab.listed()[0]["digest"] / "env")
    assert lab.printed("\n".join(lines)) == f"alpha True\n{prefix}/bin/python\n"
    run = lab.remote.run_bash("python -c 'import alpha, sys; print(sys.prefix)'")
    assert said_by(run, "finished") == f"{prefix}\n"
    digest = lab.listed()[0]["digest"]
    assert run.in_env == f"lab {digest}"
    assert main(["run", "local", "--", "python", "-c", "import alpha"]) == 0
    assert " · in lab · " in lab.capsys.readouterr().err
    assert main(["runs", "info", run.id]) == 0
    assert f"lab {digest}" in lab.capsys.readouterr().out
    code, out, _ = lab.cli("list", "local")
    assert code == 0 and "python of local, session default" in out


@pytest.mark.parametrize("launcher", ["slurm", "container"])
def test_it_is_made_on_the_host_itself_whatever_starts_its_runs(lab: Lab, launcher: str) -> None:
    settings = json.loads((lab.project.parent / "hosts.yaml").read_text())
    settings["hosts"]["local"] |= {"launcher": launcher, "container": {"image": "no/such:image"}}
    (lab.project.parent / "hosts.yaml").write_text(json.dumps(settings))
    run = environments.create(lab.remote, lab.plan(), [], probe=True).wait().check()
    assert "job" not in run.record


def test_what_env_setup_puts_on_the_path_comes_after_the_environments(lab: Lab) -> None:
    lab.made()
    host = lab.remote.host
    lab.remote.host = host.model_copy(update={"python": "env:lab", "env_setup": "PATH=/usr/bin:$PATH"})
    try:
        out = lab.printed("import shutil, sys\nprint(shutil.which('python') == sys.executable)")
        assert out == "True\n"
    finally:
        lab.remote.host = host


def test_json_says_it_all_on_stdout_and_nothing_else(lab: Lab) -> None:
    lab.plan()
    code, out, err = lab.cli("create", "local", "-r", "requirements.txt", "--offline", "--json")
    told = json.loads(out)
    assert code == 0 and told["name"] == "lab" and told["whole"] == 1 and told["packages"] == 1
    assert "making lab" in err
    _, out, _ = lab.cli("list", "local", "--json")
    assert json.loads(out)[0]["environments"][0]["digest"] == told["digest"]
    assert lab.cli("remove", "local", "lab", "--json")[0] == 0
    assert lab.listed() == []


# Never half.


def test_a_build_that_is_stopped_leaves_nothing_that_can_be_used(lab: Lab) -> None:
    log, gate = holding(lab)
    run = lab.start(lab.plan())
    await_true(lambda: log.exists() and "pip install" in log.read_text())
    (one,) = lab.listed()
    assert one["whole"] == 0
    run.interrupt()
    assert "interrupted; nothing of it is left" in said_by(run, "stopped")
    digest = one["digest"]
    assert "env" not in names(lab.root / digest)
    with pytest.raises(LaunchError, match="there is no environment 'lab'"):
        start_in(lab, "env:lab").check()
    gate.touch()
    assert "is made" in lab.made()


def start_in(lab: Lab, python: str) -> Run:
    host = lab.remote.host
    lab.remote.host = host.model_copy(update={"python": python})
    try:
        return lab.remote.run_bash("python -c 'import alpha'").wait()
    finally:
        lab.remote.host = host


def test_a_build_that_is_killed_is_cleared_by_the_next(lab: Lab) -> None:
    log, gate = holding(lab)
    run = lab.start(lab.plan())
    await_true(lambda: log.exists() and "pip install" in log.read_text())
    supervisor = psutil.Process(lab.remote.sessions()[0]["pid"])
    family = [supervisor, *supervisor.children(recursive=True)]
    for process in family:
        process.kill()
    assert run.wait().state == "lost"
    assert "env" in names(lab.root / lab.listed()[0]["digest"])
    gate.touch()
    said = lab.made()
    assert "removing what a build that did not end has left" in said and "is made" in said
    lab.remote.end_remains()


def test_of_two_at_once_one_builds_and_the_other_follows(lab: Lab) -> None:
    log, gate = holding(lab)
    first = lab.start(lab.plan())
    await_true(lambda: log.exists() and "pip install" in log.read_text())
    second = lab.start(lab.plan(name="other"))
    seen: list[str] = []
    for event in second.events():
        seen.append(event.text if event.kind == "stdout" else "")
        if "installing now" in "".join(seen):
            gate.touch()
    assert "somebody else is building it now" in "".join(seen)
    assert "environment other (" in "".join(seen) and "is there already" in "".join(seen)
    assert second.state == "finished" and "is made" in said_by(first, "finished")
    assert log.read_text().count("pip install") == 1
    assert lab.listed()[0]["names"] == ["lab", "other"]


def test_who_waits_for_a_build_that_fails_is_told_why(lab: Lab) -> None:
    gate = lab.bin / "gate"
    wait = f"while [ ! -e {gate} ]; do sleep 0.02; done; echo 'No space left on device'; exit 2"
    log = lab.fake("uv", f'case "$*" in *"pip install"*) {wait};; esac\nexec {UV} "$@"')
    first = lab.start(lab.plan())
    await_true(lambda: log.exists() and "pip install" in log.read_text())
    second = lab.start(lab.plan())
    for event in second.events():
        if event.kind == "stdout" and "somebody else" in event.text:
            gate.touch()
    assert second.state == "failed"
    said = said_by(first, "failed", "stderr")
    assert "the disk is full, or the quota is used up: No space left on device" in said and "env_root" in said
    assert log.read_text().count("pip install") == 1


def test_one_whose_python_is_gone_is_named_and_made_anew(lab: Lab) -> None:
    lab.made()
    python = lab.root / lab.listed()[0]["digest"] / "env" / "bin" / "python"
    python.unlink()
    python.symlink_to("/no/such/python")
    run = start_in(lab, "env:lab")
    with pytest.raises(LaunchError, match=r"'lab' is broken: its Python /no/such/python is gone; create it"):
        run.check()
    wheels = names(lab.root / "wheels") - {".jupyter-remote"}
    said = said_by(environments.create(lab.remote, lab.plan(), sorted(wheels - {"beta"})), "finished")
    assert "does not start any more: made anew" in said


# Removing.


def test_one_that_a_session_uses_stays(lab: Lab) -> None:
    lab.made()
    lab.made(lab.plan(name="second"))
    host = lab.remote.host
    lab.remote.host = host.model_copy(update={"python": "env:lab"})
    lab.remote.run_cell("import alpha", session="busy").wait().check()
    lab.remote.host = host
    assert environments.remove(lab.remote, "second")["kept"] == ["lab"]
    with pytest.raises(UsageError, match=r"session busy uses environment lab: end that first"):
        environments.remove(lab.remote, "lab")
    lab.remote.stop_session("busy")
    await_true(lambda: "busy" not in {s["name"] for s in lab.remote.sessions()})
    code, out, _ = lab.cli("remove", "local", "lab")
    assert (code, out) == (0, "local: removed environment lab\n")
    assert lab.listed() == [] and json.loads((lab.root / "names.json").read_text()) == {}
    code, _, err = lab.cli("remove", "local", "lab")
    assert code == 2 and "there is no environment 'lab'" in err


def test_who_is_about_to_end_is_waited_for(lab: Lab) -> None:
    """A supervisor ends a moment after its run's end is told, and holds the environment until then."""
    lab.made()
    using = os.open(lab.root / f"{lab.listed()[0]['digest']}.lock", os.O_RDONLY)
    fcntl.flock(using, fcntl.LOCK_SH)
    with ThreadPoolExecutor(1) as pool:
        removing = pool.submit(environments.remove, lab.remote, "lab")
        await_true(lambda: removing.done() or is_locked(lab.root / "names.lock"))
        os.close(using)
        removing.result()
    assert lab.listed() == []


def is_locked(path: Path) -> bool:
    fd = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def test_force_removes_it_under_a_session(lab: Lab) -> None:
    lab.made()
    host = lab.remote.host
    lab.remote.host = host.model_copy(update={"python": "env:lab"})
    lab.remote.run_cell("import alpha").wait().check()
    lab.remote.host = host
    assert lab.cli("remove", "local", lab.listed()[0]["digest"], "--force")[0] == 0
    assert lab.listed() == []
    # What was sent for it may be removed too, and is sent again.
    shutil.rmtree(lab.root / "wheels")
    assert "is made" in lab.made()
