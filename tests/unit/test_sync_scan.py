"""A scanner sees every change, also one that leaves the times as they were, and seldom asks git."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from jupyter_remote.agent.entry import Entry, new_digest
from jupyter_remote.errors import SyncError
from jupyter_remote.sync.scan import Scan, Scanner, scanner_of

EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "25"))


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    root = tmp_path / "workspace"
    root.mkdir()
    return root


@pytest.fixture
def traced_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """A `git` first on the PATH that counts its calls and then is the real one."""
    real = subprocess.run(["which", "git"], check=True, capture_output=True, text=True).stdout.strip()
    calls = tmp_path / "calls"
    calls.touch()
    program = tmp_path / "bin/git"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho x >> {calls}\nexec {real} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return lambda: len(calls.read_text().split())


def entry_of(content: bytes, mode: int = 0o644) -> Entry:
    digest = new_digest()
    digest.update(content)
    return Entry("file", mode, len(content), digest.hexdigest())


def put(path: Path, content: bytes, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)


def test_hosts_of_one_call_share_a_look_and_a_later_call_does_not(workspace: Path) -> None:
    put(workspace / "a.py", b"1")
    one, other = (scanner_of(workspace, [], ["*.log"], 1000, None) for _ in range(2))
    assert one is other
    assert one is not scanner_of(workspace, [], [], 1000, None)
    call = time.monotonic()
    seen = one.scan(since=call)
    put(workspace / "a.py", b"22")
    assert other.scan(since=call) is seen
    looked = other.scan(since=call, thorough=True)
    assert looked.manifest["a.py"] == entry_of(b"22")
    put(workspace / "a.py", b"333")
    assert other.scan(since=call, thorough=True) is looked
    assert other.scan(since=time.monotonic()).manifest["a.py"] == entry_of(b"333")
    put(workspace / "a.py", b"4444")
    assert other.scan().manifest["a.py"] == entry_of(b"4444")


def settle(scanner: Scanner) -> Scan:
    """Scans until nothing is too fresh to be trusted, so that the scanner has to notice what comes next."""
    while True:
        scan = scanner.scan()
        listing = scanner._listing
        assert listing is not None
        marks = [*listing.sources.values(), *(f.mark for f in listing.watched.values())]
        if None not in marks and not scanner._known.unsettled:
            return scan
        time.sleep(0.01)


def test_files_links_folders_and_modes(workspace: Path) -> None:
    put(workspace / "a.py", b"a", 0o644)
    put(workspace / "run.sh", b"#!", 0o755)
    put(workspace / "private/key", b"k", 0o600)
    (workspace / "empty").mkdir(mode=0o750)
    (workspace / "private").chmod(0o700)
    (workspace / "link").symlink_to("a.py")
    (workspace / "dangling").symlink_to("not/yet")
    (workspace / "loop").symlink_to("loop")
    (workspace / "private/up").symlink_to("../empty")
    strange = os.fsdecode(b"\xff\n'\"")
    put(workspace / strange, b"")
    assert Scanner(workspace).scan().manifest == {
        "a.py": entry_of(b"a"),
        "dangling": Entry("link", target="not/yet"),
        "empty": Entry("dir", 0o750),
        "link": Entry("link", target="a.py"),
        "loop": Entry("link", target="loop"),
        "private": Entry("dir", 0o700),
        "private/key": entry_of(b"k", 0o600),
        "private/up": Entry("link", target="../empty"),
        "run.sh": entry_of(b"#!", 0o755),
        strange: entry_of(b""),
    }


def test_nothing_changed_gives_the_same_scan_and_runs_no_git(
    workspace: Path, traced_git: Callable[[], int]
) -> None:
    subprocess.run(["git", "init", "-q", workspace], check=True)
    put(workspace / "a/b/c.py", b"x")
    (workspace / ".gitignore").write_text("*.log\n")
    scanner = Scanner(workspace)
    first = settle(scanner)
    before = traced_git()
    assert scanner.scan() is first
    assert scanner.scan() is first
    assert traced_git() == before


def test_an_editor_that_saves_by_renaming_runs_no_git(workspace: Path, traced_git: Callable[[], int]) -> None:
    subprocess.run(["git", "init", "-q", workspace], check=True)
    put(workspace / "a.py", b"old")
    scanner = Scanner(workspace)
    settle(scanner)
    before = traced_git()
    put(workspace / "a.py~", b"new")
    (workspace / "a.py~").replace(workspace / "a.py")
    assert scanner.scan().manifest["a.py"] == entry_of(b"new")
    assert traced_git() == before


def test_a_change_of_same_size_within_the_tick_of_the_clock_is_seen(workspace: Path) -> None:
    path = workspace / "a"
    scanner = Scanner(workspace)
    for number in range(200):
        content = b"%03d" % number
        with path.open("r+b" if number else "wb") as file:
            file.write(content)
        assert scanner.scan().manifest["a"] == entry_of(content)


def test_a_change_that_restores_size_and_mtime_is_seen(workspace: Path) -> None:
    path = workspace / "a"
    put(path, b"one")
    scanner = Scanner(workspace)
    settle(scanner)
    status = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert scanner.scan().manifest["a"] == entry_of(b"two")


def test_a_file_made_right_after_a_scan_is_seen(workspace: Path) -> None:
    (workspace / "d").mkdir()
    scanner = Scanner(workspace)
    for number in range(50):
        (workspace / f"d/{number}").touch()
        assert f"d/{number}" in scanner.scan().manifest
        (workspace / f"d/{number}").unlink()
        assert f"d/{number}" not in scanner.scan().manifest


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (".gitignore", "a.log\n"),
        ("sub/.gitignore", "*\n"),
        (".git/info/exclude", "a.log\n"),
        ("../home/ignore", "a.log\n"),
    ],
)
def test_every_source_of_rules_is_watched(workspace: Path, path: str, text: str) -> None:
    subprocess.run(["git", "init", "-q", workspace], check=True)
    put(workspace / "a.log", b"")
    put(workspace / "sub/x", b"")
    put(workspace.parent / "home/ignore", b"# nothing\n")
    put(workspace / path, b"# nothing\n")
    excludes = str(workspace.parent / "home/ignore")
    subprocess.run(["git", "-C", workspace, "config", "core.excludesFile", excludes], check=True)
    scanner = Scanner(workspace)
    before = settle(scanner).manifest
    # Written in place: no folder changes.
    with (workspace / path).open("r+") as file:
        file.write(text)
    after = scanner.scan().manifest
    assert before.keys() - after.keys() >= {"sub/x" if path.startswith("sub") else "a.log"}


def test_a_file_that_becomes_tracked_is_seen(workspace: Path) -> None:
    subprocess.run(["git", "init", "-q", workspace], check=True)
    put(workspace / "a.log", b"x")
    put(workspace / ".gitignore", b"*.log\n")
    scanner = Scanner(workspace)
    assert "a.log" not in settle(scanner).manifest
    subprocess.run(["git", "-C", workspace, "add", "-f", "a.log"], check=True)
    assert "a.log" in scanner.scan().manifest


def test_a_repository_made_around_the_workspace_is_seen(tmp_path: Path) -> None:
    workspace = tmp_path / "top/workspace"
    put(workspace / "a.log", b"x")
    put(tmp_path / "top/.gitignore", b"*.log\n")
    scanner = Scanner(workspace)
    assert "a.log" in settle(scanner).manifest
    subprocess.run(["git", "init", "-q", tmp_path / "top"], check=True)
    assert "a.log" not in scanner.scan().manifest


def test_a_folder_that_becomes_a_link_is_seen(workspace: Path) -> None:
    put(workspace / "d/x", b"x")
    put(workspace / "e/x", b"y")
    scanner = Scanner(workspace)
    settle(scanner)
    (workspace / "d").rename(workspace / "f")
    (workspace / "d").symlink_to("e")
    manifest = scanner.scan().manifest
    assert manifest["d"] == Entry("link", target="e")
    assert "d/x" not in manifest
    assert "f/x" in manifest


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "sub/../../outside", "up/outside"])
def test_a_link_that_leaves_is_named(workspace: Path, target: str) -> None:
    put(workspace / "sub/x", b"")
    put(workspace.parent / "outside", b"secret")
    (workspace / "sub/up2").symlink_to("..")
    (workspace / "up").symlink_to("sub/up2/..")
    (workspace / "bad").symlink_to(target)
    scanner = Scanner(workspace, exclude=[] if target == "up/outside" else ["/up"])
    with pytest.raises(SyncError, match=r"'(bad|up)' is a link that leads out of the workspace"):
        scanner.scan()
    assert "bad" not in scanner.scan(strict=False).manifest
    (workspace / "bad").unlink()
    (workspace / "up").unlink()
    assert scanner.scan().problems == ()


def test_an_absolute_link_into_the_workspace_becomes_relative(workspace: Path) -> None:
    put(workspace / "data/x", b"")
    (workspace / "sub").mkdir()
    (workspace / "sub/link").symlink_to(workspace.resolve() / "data/x")
    assert Scanner(workspace).scan().manifest["sub/link"] == Entry("link", target="../data/x")


def test_a_large_file_is_left_out_and_named(workspace: Path) -> None:
    put(workspace / "big", b"x" * 2000)
    put(workspace / "small", b"x" * 1000)
    scan = Scanner(workspace, max_file_size=1000).scan()
    assert scan.manifest.keys() == {"small"}
    assert [(skipped.path, skipped.source) for skipped in scan.skipped] == [("big", "max_file_size")]


def test_what_is_no_file_is_left_out_and_named(workspace: Path) -> None:
    os.mkfifo(workspace / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(workspace / "socket"))
        scan = Scanner(workspace).scan()
    assert scan.manifest == {}
    assert {skipped.path: skipped.rule for skipped in scan.skipped} == {
        "pipe": "it is a named pipe",
        "socket": "it is a socket",
    }


@pytest.mark.parametrize("path", ["locked", "folder/"])
def test_what_cannot_be_read_is_named(workspace: Path, path: str) -> None:
    for folder in [workspace, *workspace.parents[:4]]:
        folder.chmod(folder.stat().st_mode | 0o055)
    if path.endswith("/"):
        (workspace / path).mkdir(mode=0o000)
    else:
        put(workspace / path, b"", 0o000)
    user = os.geteuid()
    if user == 0:
        # Root can read everything, so ask as somebody else.
        os.seteuid(65534)
    try:
        with pytest.raises(SyncError, match=path.rstrip("/")):
            Scanner(workspace).scan()
    finally:
        os.seteuid(user)
        (workspace / path).chmod(0o700)


def test_many_large_files_are_read_rightly(workspace: Path) -> None:
    contents = {f"{number}": bytes([number]) * ((1 << 20) + number) for number in range(6)}
    for name, content in contents.items():
        put(workspace / name, content)
    assert Scanner(workspace).scan().manifest == {
        name: entry_of(content) for name, content in contents.items()
    }


class Edits(RuleBasedStateMachine):
    """Whatever is done between two scans, the next one is what a new scanner would say."""

    root: Path
    names = st.sampled_from(
        ["a", "b", "d/a", "d/b", "d/e/a", ".gitignore", "d/.gitignore", "a.log", "d/b.log"]
    )

    @initialize(in_git=st.booleans())
    def start(self, in_git: bool) -> None:
        self.root = Path(
            subprocess.run(["mktemp", "-d"], check=True, capture_output=True, text=True).stdout.strip()
        )
        if in_git:
            subprocess.run(["git", "init", "-q", self.root], check=True)
        self.in_git = in_git
        self.scanner = Scanner(self.root)

    def clear(self, path: Path) -> None:
        for parent in [*reversed(path.relative_to(self.root).parents), path.relative_to(self.root)]:
            place = self.root / parent
            if place.is_symlink() or place.is_file():
                place.unlink()
        if path.is_dir():
            subprocess.run(["rm", "-rf", path], check=True)
        path.parent.mkdir(parents=True, exist_ok=True)

    @rule(name=names, content=st.sampled_from([b"a*\n", b"*.log\n", b"d/\n", b"!a\n", b""]))
    def write(self, name: str, content: bytes) -> None:
        path = self.root / name
        if not path.is_file():
            self.clear(path)
        path.write_bytes(content)

    @rule(name=names, to=st.sampled_from(["a", "b", "nothing"]))
    def link(self, name: str, to: str) -> None:
        self.clear(self.root / name)
        (self.root / name).symlink_to(to)

    @rule(name=names)
    def remove(self, name: str) -> None:
        self.clear(self.root / name)

    @rule(name=names)
    def make_folder(self, name: str) -> None:
        self.clear(self.root / name)
        (self.root / name).mkdir()

    @rule(name=names, executable=st.booleans())
    def change_mode(self, name: str, executable: bool) -> None:
        path = self.root / name
        if path.is_file():
            path.chmod(0o755 if executable else 0o644)

    @rule(name=names)
    def track(self, name: str) -> None:
        if self.in_git and os.path.lexists(self.root / name) and not (self.root / name).is_dir():
            subprocess.run(["git", "-C", self.root, "add", "-f", name], check=False, capture_output=True)

    @rule()
    def wait(self) -> None:
        settle(self.scanner)

    @invariant()
    def is_what_a_new_scanner_says(self) -> None:
        assert self.scanner.scan() == Scanner(self.root).scan()

    def teardown(self) -> None:
        if hasattr(self, "root"):
            subprocess.run(["rm", "-rf", self.root], check=True)


def test_any_edits_are_seen() -> None:
    checks = [HealthCheck.too_slow]
    run_state_machine_as_test(
        Edits,
        settings=settings(
            max_examples=EXAMPLES, stateful_step_count=12, deadline=None, suppress_health_check=checks
        ),
    )


def test_modes_of_folders_are_seen(workspace: Path) -> None:
    (workspace / "d").mkdir()
    scanner = Scanner(workspace)
    settle(scanner)
    (workspace / "d").chmod(0o700)
    assert stat.S_IMODE((workspace / "d").stat().st_mode) == scanner.scan().manifest["d"].mode
