"""Pulls that run at the same time into one folder, and pulls that are killed: real processes."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_remote.config import Config
from jupyter_remote.remote import Remote

KILLS = int(os.environ.get("PULL_KILLS", "20"))

# Waits for a line, pulls in a child that says when it is connected, and says how that ended.
PULLER = """
import os, sys
from pathlib import Path
from jupyter_remote.config import Config
from jupyter_remote.remote import Remote
import jupyter_remote.sync.pull, jupyter_remote.sync.target, jupyter_remote.transports.process
workspace, mirror = map(Path, sys.argv[1:])
os.write(1, b"ready\\n")
while sys.stdin.buffer.readline():
    pid = os.fork()
    if pid == 0:
        try:
            remote = Remote(Config.load(workspace).host("local", {"workspace": str(mirror)}), workspace)
            remote.connection()
            os.write(1, b"%d\\n" % os.getpid())
            report = remote.pull(["**"])
            os.write(1, b"%r\\n" % [report.kept, report.refused])
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    os.write(1, b"ended\\n")
"""


@contextlib.contextmanager
def puller(workspace: Path, mirror: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has all imported and pulls for each line that it gets."""
    program = [sys.executable, "-c", PULLER, str(workspace), str(mirror)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert said(process) == b"ready\n"
        yield process
        assert process.stdin is not None
        process.stdin.close()


def said(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    return process.stdout.readline()


def tell(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.write(b"\n")
    process.stdin.flush()


def write(mirror: Path, chance: random.Random) -> None:
    """Another version of the host's files; each is whole when it is one number again and again."""
    for number in range(60):
        place = mirror / f"d{number % 7}" / f"small{number}"
        replace(place, b"%08d" % chance.randrange(10**8) * 100)
    replace(mirror / "large", b"%08d" % chance.randrange(10**8) * (1 << 18))


def replace(place: Path, content: bytes) -> None:
    place.parent.mkdir(exist_ok=True)
    new = next(p for p in place.parents if p.name == "mirror").with_name("new")
    new.write_bytes(content)
    new.replace(place)


def files_of(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.relative_to(root).parts[0] != ".jupyter-remote"
    }


def assert_whole(workspace: Path) -> None:
    for path, content in files_of(workspace).items():
        assert content == content[:8] * (len(content) // 8), f"{path} is torn"
        assert len(content) in (800, 8 << 18), f"{path} is cut short"


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    workspace, mirror = tmp_path / "workspace", tmp_path / "mirror"
    workspace.mkdir()
    mirror.mkdir()
    return workspace, mirror


def remote_of(workspace: Path, mirror: Path) -> Remote:
    return Remote(Config.load(workspace).host("local", {"workspace": str(mirror)}), workspace)


@pytest.mark.slow
def test_pulls_at_once_into_one_folder_don_t_disturb_each_other(folders: tuple[Path, Path]) -> None:
    workspace, mirror = folders
    chance = random.Random(5)
    with puller(*folders) as one, puller(*folders) as two:
        for _ in range(4):
            write(mirror, chance)
            for process in (one, two):
                tell(process)
            for process in (one, two):
                assert int(said(process)) > 0
            # While they are at it, the host goes on.
            for number in range(30):
                replace(mirror / f"d{number % 7}" / f"small{number}", b"%08d" % chance.randrange(10**8) * 100)
            for process in (one, two):
                # Nobody has edited anything here, so nothing is kept aside, and nothing was in the way.
                assert said(process) == b"[[], []]\n"
                assert said(process) == b"ended\n"
            assert_whole(workspace)
            assert files_of(workspace).keys() == files_of(mirror).keys()
    with remote_of(*folders) as remote:
        assert remote.pull(["**"]).kept == []
        assert files_of(workspace) == files_of(mirror)
        assert remote.sync().sent == []
    state = {path.name for path in (workspace / ".jupyter-remote").iterdir()}
    assert state == {".gitignore", "pulled.json", "pulled.log"}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_at_any_point_files_are_whole_and_the_next_pull_converges(folders: tuple[Path, Path]) -> None:
    workspace, mirror = folders
    chance = random.Random(7)
    survived, longest = 0, 0.2
    with puller(*folders) as process:
        for number in range(KILLS):
            write(mirror, chance)
            tell(process)
            pid = int(said(process))
            timer = threading.Timer(chance.uniform(0, longest), os.kill, [pid, signal.SIGKILL])
            timer.start()
            last = said(process)
            if last != b"ended\n":
                survived += 1
                longest *= 0.7
                timer.cancel()
                last = said(process)
            else:
                longest = min(longest * 1.1, 1.0)
            assert last == b"ended\n"
            timer.join()
            assert_whole(workspace)
            if number % 3 == 2:
                continue  # killed again before anything could be mended
            with remote_of(*folders) as remote:
                remote.pull(["**"])
                assert files_of(workspace) == files_of(mirror)
                assert remote.sync().sent == []
    assert survived < KILLS * 2 // 3, "most were not killed in time"
