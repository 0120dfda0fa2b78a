"""Fixtures: a connected host of every kind, and ways to look at what runs on it."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from sshd import SshHost

from jupyter_remote.events import Event
from jupyter_remote.pool import connect
from jupyter_remote.remote import Remote
from jupyter_remote.run import Run

KINDS = ("local", "paramiko", "openssh")
PATIENCE_S = 30.0


@dataclass
class Place:
    """A host under test.

    Attributes:
        remote: the connected host; its workspace is `workspace`.
        files: where tests can put files that code on the host finds, as the host's user.
        state: the host's state folder.
        open: another, independent client of the same host.
        reopen: the same, with other settings.
    """

    remote: Remote
    workspace: Path
    files: Path
    state: Path
    open: Callable[[], Remote]
    reopen: Callable[..., Remote]

    def run(self, code: str, **options: Any) -> Run:
        """Runs a cell to its end."""
        return self.remote.run_cell(code, **options).wait()

    def printed(self, code: str, kind: str = "stdout", **options: Any) -> str:
        """What a cell prints; it must end well."""
        seen: list[Event] = []
        self.remote.run_cell(code, **options).wait(seen.append).check()
        return "".join(event.text for event in seen if event.kind == kind)

    def folder(self, run: Run) -> Path:
        """The run's directory on the host."""
        return self.state / "runs" / run.id


def await_true(what: Callable[[], Any]) -> Any:
    """Waits until it is true; the test fails when that takes too long."""
    deadline = time.monotonic() + PATIENCE_S
    while not (value := what()):
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.01)
    return value


def without_ipython(local: Place, folder: Path) -> Remote:
    """The same host with a Python that finds no packages; to be closed."""
    from jupyter_remote.config import Config

    python = folder / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    python.chmod(0o755)
    options = {"workspace": str(folder / "mirror"), "python": str(python)}
    return Remote(Config.load(local.workspace).host("local", options), local.workspace)


def files_of(root: Path) -> dict[str, bytes]:
    """The content of every file of a workspace or mirror, by path; without our own folder."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and not path.is_symlink() and path.relative_to(root).parts[0] != ".jupyter-remote"
    }


def holding(root: Path, words: bytes) -> list[Path]:
    """The files below a folder in which words stand; what goes while it is looked at is none of them."""
    found = []
    for folder, _, names in os.walk(root):
        for path in (Path(folder, name) for name in names):
            with contextlib.suppress(FileNotFoundError):
                if path.is_file() and words in path.read_bytes():
                    found.append(path)
    return found


def alive(pid: int) -> bool:
    """Whether the process runs (a zombie doesn't)."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, sshd: SshHost, tmp_path: Path) -> Iterator[Place]:
    """The same host by every transport.

    The servers are asked for here, so that they are there before what looks for leftovers begins.
    """
    yield from make_place(request, tmp_path, request.param)


@pytest.fixture
def local(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """The built-in host, for what doesn't depend on the transport."""
    yield from make_place(request, tmp_path, "local")


def make_place(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, settings: dict[str, Any] | None = None
) -> Iterator[Place]:
    """Connects, with those settings, and ends all sessions afterwards."""
    workspace = tmp_path / "project"
    workspace.mkdir()
    opened: list[Remote] = []
    if kind == "local":
        name, options = "local", {"workspace": str(tmp_path / "mirror")}
    else:
        host: SshHost = request.getfixturevalue("ssh_host")
        name, options = "direct", {"transport": kind, "workspace": f"~/{tmp_path.name}"}

    def open_another(**others: Any) -> Remote:
        from jupyter_remote.config import Config

        wanted = {**options, **(settings or {}), **others}
        opened.append(Remote(Config.load(workspace).host(name, wanted), workspace))
        return opened[-1]

    remote = open_another()
    home = tmp_path if kind == "local" else host.home
    yield Place(remote, workspace, home, Path(remote.info["state"]), open_another, open_another)
    remote.stop_sessions()
    for one in opened:
        one.close()


__all__ = ["Place", "alive", "await_true", "connect", "files_of", "local", "place", "without_ipython"]
