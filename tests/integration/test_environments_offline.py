"""An environment for a host that reaches no package index: all of it comes from here."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from hosts import connect
from island import ALIAS
from sshd import SshHost
from wheels import make_wheel

from jupyter_remote.cli import main
from jupyter_remote.errors import BuildError
from jupyter_remote.remote import Remote

UV = Path(sys.executable).parent / "uv"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that needs a package of no index and one of the index; and a configuration of its own."""
    monkeypatch.setenv("JUPYTER_REMOTE_CONFIG_DIR", str(tmp_path / "config"))
    folder = tmp_path / "project"
    make_wheel(folder / "wheels", "tinypack", code="WORD = 'from here'\n", needs="six>=1.10")
    (folder / "requirements.txt").write_text("--find-links wheels\ntinypack\n")
    monkeypatch.chdir(folder)
    return folder


def printed(remote: Remote, code: str) -> str:
    seen: list[str] = []
    run = remote.run_cell(code).wait(
        lambda event: seen.append(event.text) if event.kind == "stdout" else None
    )
    run.check()
    return "".join(seen)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("builder", ["venv", "uv"])
def test_a_host_with_no_way_out_runs_a_cell_that_needs_a_package_sent_from_here(
    island: SshHost, project: Path, capsys: pytest.CaptureFixture[str], builder: str
) -> None:
    if builder == "uv":
        place = island.home / ".local" / "bin"
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(UV, place / "uv")
        for path in (place, place.parent):
            os.chown(path, island.uid, -1)
    words = ["env", "create", ALIAS, "-r", "requirements.txt", "--with", builder, "--name", "own"]
    assert main([*words, "--offline", "--use"]) == 0
    said = capsys.readouterr().out
    assert "environment own (" in said and f"{ALIAS}: python is now env:own" in said
    remote = connect(ALIAS)
    code = "import six, sys, tinypack\nprint(tinypack.WORD, six.__name__, sys.prefix.rpartition('/')[2])"
    assert printed(remote, code) == "from here six env\n"
    # Another file with one package more sends that one only.
    make_wheel(project / "more", "another")
    (project / "more.txt").write_text("-r requirements.txt\n--find-links more\nanother\n")
    assert main(["env", "create", ALIAS, "-r", "more.txt", "--with", builder, "--offline"]) == 0
    assert "sent 1 wheels" in capsys.readouterr().out
    # The same file again downloads nothing, and is there at once.
    assert main([*words, "--offline"]) == 0
    said = capsys.readouterr().out
    assert "is there already" in said and "downloading" not in said
    remote.stop_sessions()
    remote.close()
    shutil.rmtree(island.home / ".local", ignore_errors=True)


@pytest.mark.slow
def test_without_offline_the_host_says_why_and_what_to_do(
    island: SshHost, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "requirements.txt").write_text("six\n")
    assert main(["env", "create", ALIAS, "-r", "requirements.txt", "--with", "venv"]) == 1
    said = capsys.readouterr().err
    assert "environment project is not made: the host does not reach the package index" in said
    assert "With --offline everything is downloaded here and sent." in said
    remote = connect(ALIAS)
    assert main(["env", "list", ALIAS]) == 0
    assert "not whole" in capsys.readouterr().out
    run = remote.run_cell("1", session="s").wait()
    run.check()
    remote.stop_sessions()
    remote.close()


@pytest.mark.slow
def test_what_has_no_wheel_is_named(
    ssh_host: SshHost, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_wheel(project / "wheels", "onlymac", tag="cp39-cp39-macosx_11_0_arm64")
    (project / "requirements.txt").write_text("--no-index\n--find-links wheels\nonlymac==1.0\n")
    with pytest.raises(
        BuildError, match=r"there is no wheel of onlymac==1\.0 for Python 3\.\d+ on linux"
    ) as told:
        from jupyter_remote.environments.create import Plan, wheels_for
        from jupyter_remote.environments.sources import read_source

        remote = connect("direct")
        plan = Plan(read_source("requirements.txt"), "x", builder="venv", offline=True)
        wheels_for(remote, plan, lambda line: None)
    assert "pip wheel" in str(told.value) and "--find-links" in str(told.value)
    remote.close()
