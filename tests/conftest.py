"""What holds for every test: nothing of the user's is touched, and nothing is left behind.

Fixtures that make hosts (an sshd, a proxy) belong to `tests/integration`; here is what all tests share.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

# Every process started by a test inherits this variable, so that one that left our process tree on
# purpose (a session's supervisor) is still known for ours. An sshd of a test passes it on with `SetEnv`.
MARKER = "JUPYTER_REMOTE_TEST_RUN"

# Folders in which programs keep what outlives them; each gets an empty one for the test session.
OWN_FOLDERS = (
    "HOME",
    "IPYTHONDIR",
    "JUPYTER_CONFIG_DIR",
    "JUPYTER_DATA_DIR",
    "JUPYTER_REMOTE_CONFIG_DIR",
    "JUPYTER_RUNTIME_DIR",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_STATE_HOME",
)

# What the user may have set for real work, and which would lead out of those folders.
USERS_CHOICES = ("JUPYTER_REMOTE_SSH_CONFIG", "JUPYTER_REMOTE_STATE", "SSH_AUTH_SOCK")

# Libraries open a descriptor or two on their first use and keep them (a random source, an event loop).
FD_TOLERANCE = 4

# How long what a test has told to end may take to be gone.
GRACE_S = 5.0

T = TypeVar("T")
_stack = contextlib.ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    # Before collection, because modules under test may read these when they are imported. The folder's
    # name is short: a Unix socket below it must fit into 108 bytes.
    root = Path(_stack.enter_context(tempfile.TemporaryDirectory(prefix="jr-", ignore_cleanup_errors=True)))
    for name in OWN_FOLDERS:
        folder = root / name.lower()
        folder.mkdir()
        os.environ[name] = str(folder)
    for name in USERS_CHOICES:
        os.environ.pop(name, None)
    os.environ[MARKER] = uuid.uuid4().hex


def pytest_unconfigure(config: pytest.Config) -> None:
    _stack.close()


@pytest.fixture(autouse=True)
def leaves_nothing_behind() -> Iterator[None]:
    """Fails a test that leaves a process, a non-daemon thread or open file descriptors."""
    processes, threads, descriptors = _processes(), set(threading.enumerate()), _descriptors()
    yield
    left = _await_none(lambda: [p for p in _processes() if p not in processes])
    # A supervisor would outlive the tests; the report names it first, then it goes.
    names = [_describe(process) for process in left]
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.kill()
    assert not names, f"the test left processes: {names}"
    running = _await_none(lambda: [t for t in threading.enumerate() if t not in threads and not t.daemon])
    assert not running, f"the test left threads: {running}"
    if _opened(descriptors):
        gc.collect()  # What only a reference cycle still holds is the collector's affair, not a leak.
        opened = _await_none(lambda: _opened(descriptors))  # the history keeps its file for a second
        assert not opened, f"the test left file descriptors: {opened}"


def _processes() -> set[psutil.Process]:
    """Children of this process, and on Linux whatever carries the marker of this test session."""
    found = set(psutil.Process().children(recursive=True))
    if sys.platform == "linux":
        marker = f"{MARKER}={os.environ[MARKER]}".encode()
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                with contextlib.suppress(OSError, psutil.Error):
                    if marker in (entry / "environ").read_bytes():
                        found.add(psutil.Process(int(entry.name)))
    return {process for process in found if _is_alive(process)}


def _is_alive(process: psutil.Process) -> bool:
    try:
        # A dead child of ours counts as left (nobody waited for it); one that was adopted does not.
        return process.status() != psutil.STATUS_ZOMBIE or process.ppid() == os.getpid()
    except psutil.Error:
        return False


def _describe(process: psutil.Process) -> str:
    try:
        return f"{process.pid} ({process.status()}): {' '.join(process.cmdline())[:200]}"
    except psutil.Error:
        return str(process)


def _descriptors() -> dict[int, str]:
    """Open descriptors and what they lead to; empty where /proc doesn't tell."""
    found = {}
    with contextlib.suppress(FileNotFoundError):
        for entry in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError):
                found[int(entry.name)] = str(entry.readlink())
    return found


def _opened(before: dict[int, str]) -> list[str]:
    """What is open now and was not before, when that is more than libraries keep."""
    now = _descriptors()
    if len(now) <= len(before) + FD_TOLERANCE:
        return []
    opened = [target for fd, target in now.items() if fd not in before]
    return opened if len(opened) > FD_TOLERANCE else []


def _await_none(look: Callable[[], list[T]]) -> list[T]:
    deadline = time.monotonic() + GRACE_S
    while (found := look()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found
