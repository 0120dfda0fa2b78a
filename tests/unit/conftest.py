"""Fixtures that several unit tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from git_lists import own_git_configuration
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from jupyter_remote.agent.tree import Mirror

__all__ = ["own_git_configuration"]


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    """A real IPython shell in this process; its history would write a database when Python ends."""
    yield InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    InteractiveShell.clear_instance()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where a mirror will be."""
    return tmp_path / "mirror"


@pytest.fixture
def mirror(root: Path) -> Mirror:
    return Mirror(str(root))


@pytest.fixture
def two_hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's configuration: hosts dgx01 and dgx02, and a group of both."""
    config = tmp_path / "config"
    config.mkdir()
    (config / "hosts.yaml").write_text(
        "hosts:\n  dgx01: {user: me}\n  dgx02: {}\ngroups:\n  gpus: [dgx01, dgx02]\n"
    )
    monkeypatch.setenv("JUPYTER_REMOTE_CONFIG_DIR", str(config))
