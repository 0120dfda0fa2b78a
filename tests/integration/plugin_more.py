"""The example package of tests/plugin, installed as docs/plugins.md says, and what its kinds lead to."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_remote import plugins

PACKAGE = Path(__file__).parents[1] / "plugin"


@pytest.fixture(scope="session")
def plugin_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the package is installed: a folder of its own, and not this environment."""
    folder = tmp_path_factory.mktemp("plugin")
    source = shutil.copytree(PACKAGE, folder / "source")
    argv = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    argv += ["--disable-pip-version-check", "--no-index", "--target", str(folder / "site"), str(source)]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
    return folder / "site"


@pytest.fixture
def plugin(plugin_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """As if it had been installed when this process started."""
    monkeypatch.syspath_prepend(str(plugin_folder))
    looked = plugins.installed
    looked.cache_clear()
    yield plugin_folder
    looked.cache_clear()
    for name in [name for name in sys.modules if name.startswith("jupyter_remote_more")]:
        del sys.modules[name]


@pytest.fixture
def spooler(plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """A queue of task-spooler of its own, with room for four."""
    if shutil.which("tsp") is None:
        pytest.fail("no tsp: scripts/system-packages task-spooler installs it")
    monkeypatch.setenv("TS_SOCKET", str(tmp_path / "tsp"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    env = dict(os.environ)
    subprocess.run(["tsp", "-S", "4"], env=env, check=True)
    yield {}
    subprocess.run(["tsp", "-K"], env=env, check=True)
