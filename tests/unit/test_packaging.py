"""The wheel that users get: the package whole, and nothing beside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from jupyter_remote.agent.version import VERSION

ROOT = Path(__file__).parents[2]


@pytest.fixture
def wheel(tmp_path: Path) -> zipfile.ZipFile:
    # hatchling itself, not pip: an isolated build would go to the network.
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    # The panel as it is here, built or not: fetching what builds it takes a minute.
    env = {**os.environ, "JR_SKIP_LABEXTENSION": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.glob("*.whl")
    return zipfile.ZipFile(path)


def test_wheel_holds_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    with wheel:
        names = wheel.namelist()
    info = f"jupyter_remote_cells-{VERSION}.dist-info"
    data = f"jupyter_remote_cells-{VERSION}.data"
    assert {name.partition("/")[0] for name in names} == {"jupyter_remote", info, data}
    beside = {"/".join(name.split("/")[2:6]) for name in names if name.startswith(data)}
    built = (ROOT / "jupyter_remote" / "labextension").exists()
    panel = {"share/jupyter/labextensions/jupyter-remote"} if built else set()
    man = {"share/man/man1/jupyter-remote.1"}
    assert beside == {"etc/jupyter/jupyter_server_config.d/jupyter_remote.json"} | man | panel
    packaged = {name for name in names if name.endswith(".py")}
    package = (ROOT / "jupyter_remote").rglob("*.py")
    assert packaged == {path.relative_to(ROOT).as_posix() for path in package}
    assert "jupyter_remote/py.typed" in names
    assert f"{info}/licenses/LICENSE" in names


def test_version_is_stated_once() -> None:
    assert version("jupyter-remote-cells") == VERSION
    panel = json.loads((ROOT / "labextension" / "package.json").read_text(encoding="utf-8"))
    assert panel["version"] == VERSION
