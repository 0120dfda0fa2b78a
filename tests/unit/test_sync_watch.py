"""With a watcher a scan says what it would say without one, whatever was done to the workspace before."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import gc
import mmap
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from edits import Edits, notes_maps, put, settle

from jupyter_remote.sync import inotify, lookout, scan
from jupyter_remote.sync.known import Known
from jupyter_remote.sync.mounts import is_local
from jupyter_remote.sync.rules import Listing
from jupyter_remote.sync.scan import Scan, Scanner
from jupyter_remote.sync.writers import open_files

# Each round edits every tree, and compares.
ROUNDS = int(os.environ.get("WATCH_ROUNDS", "8"))
TREES = 10

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a watcher")


@pytest.fixture(autouse=True)
def small_trees_are_worth_it() -> Iterator[None]:
    with patch.object(lookout, "WORTH_WATCHING", 1):
        yield


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    root = tmp_path / "workspace"
    for name in ("a", "b", "d/a", "d/b", "d/e/a"):
        put(root / name, name.encode())
    return root


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[set[str] | None]:
    """What each scan looked at, None for everything."""
    looks: list[set[str] | None] = []
    real = Known.stale

    def stale(self: Known, paths: set[str] | None = None) -> dict[str, int]:
        paths = None if paths is None else {*paths}
        looks.append(paths)
        return real(self, paths)

    monkeypatch.setattr(Known, "stale", stale)
    return looks


@pytest.mark.slow
def test_whatever_happens_the_scan_is_that_of_a_new_scanner(
    tmp_path: Path, looked_at: list[set[str] | None]
) -> None:
    trees = [Edits(tmp_path / str(number), number) for number in range(TREES)]
    try:
        for _ in range(ROUNDS):
            # Only what is settled needs the watcher to be seen.
            settle(*(tree.scanner for tree in trees))
            for number, tree in enumerate(trees):
                done = [tree.step() for _ in range(tree.chance.randrange(1, 4))]
                assert tree.scanner.scan(strict=False) == Scanner(tree.root).scan(strict=False), (
                    number,
                    done,
                )
    finally:
        for tree in trees:
            tree.close()
    narrow = sum(1 for paths in looked_at if paths is not None)
    assert narrow > ROUNDS * TREES / 2


def test_an_unchanged_tree_is_not_looked_at(workspace: Path, looked_at: list[set[str] | None]) -> None:
    scanner = Scanner(workspace)
    settle(scanner)
    before = scanner.scan()
    assert scanner.scan() is before
    assert looked_at[-1] == set()


def test_one_change_costs_one_look(workspace: Path, looked_at: list[set[str] | None]) -> None:
    for number in range(50):
        put(workspace / f"many/{number}", b"")
    scanner = Scanner(workspace)
    settle(scanner)
    (workspace / "many/7").write_bytes(b"x")
    assert scanner.scan().manifest["many/7"].size == 1
    assert looked_at[-1] == {"many/7"}


def events_at_most() -> int:
    return int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())


def test_a_queue_that_runs_over_loses_no_change(workspace: Path, looked_at: list[set[str] | None]) -> None:
    scanner = Scanner(workspace)
    settle(scanner)
    for _ in range(events_at_most() // 2 + 10):
        os.utime(workspace / "a")
        os.utime(workspace / "b")
    # Nobody is told of these any more.
    (workspace / "d").rename(workspace / "old")
    put(workspace / "d/a", b"new")
    assert scanner.scan() == Scanner(workspace).scan()
    assert None in looked_at[-2:]
    settle(scanner)
    (workspace / "d/a").write_bytes(b"newer")
    assert scanner.scan() == Scanner(workspace).scan()
    assert looked_at[-2] is not None, "it is watched again"


def test_a_change_before_the_watching_begins_is_seen(workspace: Path) -> None:
    scanner = Scanner(workspace)
    with patch.object(lookout, "WORTH_WATCHING", 1000):
        settle(scanner)
    (workspace / "d/e/a").write_bytes(b"changed")
    assert scanner.scan() == Scanner(workspace).scan()


def test_a_change_between_listing_and_watching_is_seen(workspace: Path, tmp_path: Path) -> None:
    put(tmp_path / "new/old/deep/a", b"")
    put(tmp_path / "late", b"")
    scanner = Scanner(workspace)
    settle(scanner)
    real = scan.list_files

    def list_files(*args: Any) -> Listing:
        listing = real(*args)
        # Into a folder that is too old for its time to be doubted.
        (tmp_path / "late").rename(workspace / "new/old/deep/late")
        return listing

    (tmp_path / "new").rename(workspace / "new")
    with patch.object(scan, "list_files", list_files):
        assert "new/old/deep/late" not in scanner.scan().manifest
    assert "new/old/deep/late" in scanner.scan().manifest


@pytest.mark.parametrize("is_older", [True, False])
def test_a_write_through_a_memory_map_is_seen(workspace: Path, is_older: bool) -> None:
    scanner = Scanner(workspace)
    if not is_older:
        settle(scanner)
    with (workspace / "d/a").open("r+b") as file:
        mapped = mmap.mmap(file.fileno(), 0)
    with mapped:
        settle(scanner)
        mapped[0:1] = b"x"
        mapped.flush()
        if not notes_maps(workspace / "b"):
            os.utime(workspace / "d/a")
        assert scanner.scan() == Scanner(workspace).scan()


def test_a_file_with_another_name_outside_is_always_looked_at(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").hardlink_to(workspace / "d/a")
    scanner = Scanner(workspace)
    settle(scanner)
    with (tmp_path / "elsewhere").open("ab") as file:
        file.write(b"more")
    assert scanner.scan() == Scanner(workspace).scan()


def test_a_scan_that_fails_loses_no_change(workspace: Path) -> None:
    subprocess.run(["git", "init", "-q", workspace], check=True)
    scanner = Scanner(workspace)
    settle(scanner)
    put(workspace / "d/e/a", b"changed")
    config = (workspace / ".git/config").read_bytes()
    (workspace / ".git/config").write_bytes(b"[core\n")
    with pytest.raises(Exception, match="bad config"):
        scanner.scan()
    (workspace / ".git/config").write_bytes(config)
    assert scanner.scan() == Scanner(workspace).scan()


def test_a_change_that_nobody_tells_of_is_found_and_ends_the_watching(
    workspace: Path, tmp_path: Path, looked_at: list[set[str] | None]
) -> None:
    scanner = Scanner(workspace)
    settle(scanner)
    # The kernel names a change by the path that it was made through.
    (tmp_path / "elsewhere").hardlink_to(workspace / "d/a")
    (tmp_path / "elsewhere").write_bytes(b"through another name")
    found = scanner.scan(thorough=True)
    assert found.manifest == Scanner(workspace).scan().manifest
    assert found.notes == ("'d/a' changed and nobody told: every file is looked at from now on",)
    scanner.scan()
    assert looked_at[-1] is None


def test_it_is_checked_now_and_then(workspace: Path, looked_at: list[set[str] | None]) -> None:
    scanner = Scanner(workspace)
    settle(scanner)
    del looked_at[:]
    with patch.object(lookout, "_CHECK_EVERY", 5):
        scans = {id(scanner.scan()) for _ in range(20)}
    assert looked_at.count(None) == 4
    assert len(scans) == 1


class Refusing:
    """A libc whose inotify has no watches left after the first two."""

    def __init__(self) -> None:
        self.real = ctypes.CDLL(None, use_errno=True)
        self.left = 2

    def inotify_init1(self, flags: int) -> int:
        return int(self.real.inotify_init1(flags))

    def inotify_add_watch(self, *args: object) -> int:
        self.left -= 1
        if self.left < 0:
            ctypes.set_errno(errno.ENOSPC)
            return -1
        return int(self.real.inotify_add_watch(*args))


def test_without_enough_watches_every_file_is_looked_at(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, looked_at: list[set[str] | None]
) -> None:
    monkeypatch.setattr(inotify, "library", Refusing)
    scanner = Scanner(workspace)
    scanner.scan()
    assert "raise fs.inotify.max_user_watches" in scanner.scan().notes[0]
    put(workspace / "d/e/a", b"changed")
    assert scanner.scan().manifest == Scanner(workspace).scan().manifest
    assert set(looked_at) == {None}


def watchers() -> int:
    """How many this process has."""
    gc.collect()
    count = 0
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            count += "inotify" in str(link.readlink())
    return count


def test_scanners_that_are_gone_leave_no_descriptor(workspace: Path) -> None:
    assert watchers() == 0
    for _ in range(5):
        scanner = Scanner(workspace)
        scanner.scan(), scanner.scan()
        assert watchers() == 1
        del scanner
    assert watchers() == 0


def test_a_forked_process_takes_nothing_from_its_parent(workspace: Path) -> None:
    code = """
import os, sys, time
from pathlib import Path
from jupyter_remote.sync import inotify, lookout
from jupyter_remote.sync.scan import Scanner

lookout.WORTH_WATCHING, inotify._MANY_OPENED = 1, 0
root = Path(sys.argv[1])
scanner = Scanner(root)
deadline = time.monotonic() + 20
while scanner.scan() and scanner._known.unsettled:
    assert time.monotonic() < deadline
scanner.scan(), scanner.scan()
# Nothing that the child does because of it makes an event for its parent.
(root / "d/a").unlink()
child = os.fork()
if not child:
    os._exit("d/a" in scanner.scan().manifest)
assert os.waitpid(child, 0)[1] == 0
assert scanner.scan() == Scanner(root).scan()
"""
    subprocess.run([sys.executable, "-c", code, str(workspace)], check=True)


def test_what_is_mapped_or_open_is_known(workspace: Path) -> None:
    with (workspace / "d/a").open("r+b") as file:
        mapped = mmap.mmap(file.fileno(), 0)
    with mapped, (workspace / "b").open("ab"):
        assert open_files(str(workspace)) == {"d/a", "b"}
    assert open_files(str(workspace)) == set()


MOUNTS = b"""\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:25 / /home/me/net rw - nfs4 server:/x rw
31 22 0:26 / /home/me/a\\040b rw - xfs /dev/sdb rw
32 22 0:27 / /home/me/p/data rw - tmpfs none rw
33 30 0:28 / /home/me/net rw - ext4 /dev/sdc rw
34 22 0:29 / /mnt rw - fuse.sshfs x rw
"""


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        ("/home/you", True),
        ("/home/me", False),
        ("/home/me/p", False),
        ("/home/me/p/data", True),
        ("/home/me/p/data/deep", True),
        ("/home/me/p/database", True),
        ("/home/me/a b/c", True),
        ("/home/me/net/x", True),
        ("/mnt/x", False),
    ],
)
def test_only_where_nobody_else_writes_is_watched(root: str, expected: bool) -> None:
    assert is_local(root, MOUNTS) is expected
    assert not is_local(root, b"")


def test_a_mount_of_another_kind_ends_the_watching(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scanner = Scanner(workspace)
    settle(scanner)
    before: Scan = scanner.scan()
    monkeypatch.setattr(inotify, "mounts", lambda: MOUNTS.replace(b"/mnt", os.fsencode(workspace / "d")))
    put(workspace / "d/a", b"changed")
    after = scanner.scan()
    assert after.manifest["d/a"] != before.manifest["d/a"]
    assert "another file system was mounted" in after.notes[0]
