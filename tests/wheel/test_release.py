"""The files of a release, and the environment that the wheel was installed into; `make wheel` makes both."""

from __future__ import annotations

import os
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from jupyter_remote.agent.version import VERSION

ROOT = Path(__file__).parents[2]
WHEEL = ROOT / "dist" / f"jupyter_remote_cells-{VERSION}-py3-none-any.whl"
SDIST = ROOT / "dist" / f"jupyter_remote_cells-{VERSION}.tar.gz"
INSTALLED = ROOT / "build" / "wheel" / "venv"
PANEL = "share/jupyter/labextensions/jupyter-remote/"
# What tells Jupyter's server to load ours.
SERVER = "etc/jupyter/jupyter_server_config.d/jupyter_remote.json"
MAN_PAGE = "share/man/man1/jupyter-remote.1"

MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def names() -> list[str]:
    with zipfile.ZipFile(WHEEL) as wheel:
        return wheel.namelist()


def said(*command: str) -> str:
    """What a program of the new environment prints, with nothing of this one around it."""
    env = {"PATH": f"{INSTALLED / 'bin'}:/usr/bin:/bin", "HOME": os.environ["HOME"]}
    done = subprocess.run(
        [INSTALLED / "bin" / command[0], *command[1:]], env=env, capture_output=True, text=True, cwd="/"
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_wheel_is_small() -> None:
    assert WHEEL.stat().st_size < MEGABYTE


def test_wheel_has_the_panel_and_the_servers_settings(names: list[str]) -> None:
    data = f"jupyter_remote_cells-{VERSION}.data/data/"
    beside = [name.removeprefix(data) for name in names if name.startswith(data)]
    assert SERVER in beside
    assert {PANEL + "package.json", PANEL + "static/style.js"} <= set(beside)
    assert any(name.startswith(PANEL + "static/remoteEntry.") for name in beside)
    assert any(name.startswith(PANEL + "schemas/") for name in beside)
    assert all(name in (SERVER, MAN_PAGE) or name.startswith(PANEL) for name in beside)


def test_wheel_has_types_and_nothing_for_developers(names: list[str]) -> None:
    assert "jupyter_remote/py.typed" in names
    parts = {part for name in names for part in Path(name).parts}
    assert parts.isdisjoint(
        {"tests", "node_modules", "benchmarks", "__tests__", "__pycache__", "labextension"}
    )
    assert not [name for name in names if name.endswith((".ts", ".tsx", ".map", ".pyc"))]


def test_sdist_has_what_it_takes_to_build_and_test() -> None:
    with tarfile.open(SDIST) as sdist:
        inside = {name.partition("/")[2] for name in sdist.getnames()}
    assert {"pyproject.toml", "LICENSE", "README.md", "frontend_build.py", "tests/conftest.py"} <= inside
    assert {"labextension/package.json", "labextension/src/index.ts", "labextension/yarn.lock"} <= inside
    # With it the wheel needs no Node.js.
    assert {
        "jupyter_remote/labextension/package.json",
        "jupyter_remote/labextension/sources.sha256",
    } <= inside
    assert not [name for name in inside if {"node_modules", "__pycache__", ".venv"} & set(Path(name).parts)]


def test_it_is_imported_from_there() -> None:
    told = said(
        "python", "-c", "import jupyter_remote; print(jupyter_remote.__version__, jupyter_remote.__file__)"
    )
    version, _, file = told.strip().partition(" ")
    assert version == VERSION
    assert Path(file).is_relative_to(INSTALLED)


@pytest.mark.parametrize("command", [("jupyter-remote", "version"), ("jupyter", "remote", "version")])
def test_commands_say_their_version(command: tuple[str, ...]) -> None:
    assert VERSION in said(*command)


def test_jupyters_server_loads_the_extension() -> None:
    told = said("jupyter", "server", "extension", "list")
    assert "jupyter_remote enabled" in told.replace("\x1b[32m", "").replace("\x1b[0m", "").replace(":", "")
    assert f"jupyter_remote {VERSION} OK" in told.replace("\x1b[32m", "").replace("\x1b[0m", "")


def test_jupyterlab_finds_the_panel() -> None:
    assert (INSTALLED / PANEL / "package.json").is_file()
    assert (INSTALLED / SERVER).is_file()


def test_there_is_a_manual_page() -> None:
    page = (INSTALLED / MAN_PAGE).read_text(encoding="utf-8")
    assert page.startswith(".TH JUPYTER-REMOTE 1") and VERSION in page.partition("\n")[0]


def test_a_program_runs_with_the_agent_of_the_wheel() -> None:
    assert "arrived" in said("jupyter-remote", "run", "local", "--no-sync", "--", "echo", "arrived")
