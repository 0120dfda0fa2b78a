"""Fixtures that several unit tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from jupyter_remote.agent.tree import Mirror


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
