"""Trees that things happen to, and scanners that have seen all of it: for the tests of the watcher."""

from __future__ import annotations

import contextlib
import mmap
import random
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

from jupyter_remote.sync import inotify
from jupyter_remote.sync.scan import Scanner


def put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def settle(*scanners: Scanner) -> None:
    """Scans until nothing is too fresh to be trusted, and only what changes is looked at."""
    deadline = time.monotonic() + 30
    for scanner in scanners:
        while scanner.scan(thorough=True) and not is_settled(scanner):
            assert time.monotonic() < deadline
            # Each look at rules that are still too fresh runs git.
            time.sleep(0.06)
        # What the scanner opened to read it is no longer suspected, so that only an event names it.
        with patch.object(inotify, "_MANY_OPENED", 0):
            scanner.scan(), scanner.scan()


def is_settled(scanner: Scanner) -> bool:
    listing = scanner._listing
    if listing is None or scanner._known.unsettled:
        return False
    return None not in [*listing.sources.values(), *(folder.mark for folder in listing.watched.values())]


def notes_maps(path: Path) -> bool:
    """Whether a write through a memory map leaves a trace that a scan can see; on tmpfs it doesn't."""
    before = path.stat().st_mtime_ns
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        mapped[0] = mapped[0]
        mapped.flush()
    return path.stat().st_mtime_ns != before


class Edits:
    """A tree, and things that happen to one."""

    names = ("a", "b", "c.log", "d", "d/a", "d/b", "d/e", "d/e/a", "d/e/f/a", "g", "g/a", "g/e/a", "x/y/z/a")

    def __init__(self, folder: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        self.root, self.outside = folder / "tree", folder / "outside"
        self.in_git = bool(seed % 2)
        self.size = 1
        self.maps: list[mmap.mmap] = []
        for name in ("a", "d/a", "d/e/a"):
            put(self.root / name, b"first")
        self.outside.mkdir()
        if self.in_git:
            subprocess.run(["git", "init", "-q", self.root], check=True)
        self.map("a")
        self.notes_maps = notes_maps(self.root / "a")
        self.scanner = Scanner(self.root)

    def close(self) -> None:
        for mapped in self.maps:
            mapped.close()

    def step(self) -> str:
        """Does something; what can't be done now is not done."""
        edits: list[Callable[[str], object]] = [
            self.write, self.write, self.append, self.replace, self.remove, self.make_folder, self.make_deep,
            self.chmod, self.link, self.hard_link, self.hard_link_outside, self.write_outside, self.rename,
            self.move_out, self.move_in, self.swap, self.ignore, self.track, self.map, self.flash,
        ]  # fmt: skip
        if self.notes_maps:
            edits.append(self.write_map)
        edit, name = self.chance.choice(edits), self.chance.choice(self.names)
        with contextlib.suppress(OSError, shutil.Error, subprocess.CalledProcessError):
            edit(name)
        return f"{edit.__name__} {name}"

    def content(self) -> bytes:
        self.size += 1
        return b"x" * self.size

    def other(self) -> Path:
        return self.root / self.chance.choice(self.names)

    def write(self, name: str) -> None:
        put(self.root / name, self.content())

    def append(self, name: str) -> None:
        with (self.root / name).open("ab") as file:
            file.write(b"x")

    def replace(self, name: str) -> None:
        put(self.root / "new~", self.content())
        (self.root / "new~").replace(self.root / name)

    def remove(self, name: str) -> None:
        path = self.root / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()

    def make_folder(self, name: str) -> None:
        (self.root / name).mkdir(parents=True)

    def make_deep(self, name: str) -> None:
        put(self.root / name / "p" / "q" / "r", self.content())

    def chmod(self, name: str) -> None:
        (self.root / name).chmod(self.chance.choice((0o700, 0o755)))

    def link(self, name: str) -> None:
        (self.root / name).symlink_to(self.chance.choice(("a", "b", "nothing")))

    def hard_link(self, name: str) -> None:
        (self.root / name).hardlink_to(self.other())

    def hard_link_outside(self, name: str) -> None:
        put(self.outside / "linked", b"y" * self.chance.randrange(1, 9))
        (self.root / name).hardlink_to(self.outside / "linked")

    def write_outside(self, name: str) -> None:
        with (self.outside / "linked").open("ab") as file:
            file.write(b"y")

    def rename(self, name: str) -> None:
        (self.root / name).rename(self.other())

    def move_out(self, name: str) -> None:
        (self.root / name).rename(self.outside / f"moved{self.chance.randrange(3)}")

    def move_in(self, name: str) -> None:
        (self.outside / f"moved{self.chance.randrange(3)}").rename(self.root / name)

    def swap(self, name: str) -> None:
        """A folder makes place for another with the same names in it."""
        path = self.root / name
        shutil.copytree(path, self.outside / "copy", symlinks=True)
        for file in (self.outside / "copy").rglob("*"):
            if file.is_file() and not file.is_symlink():
                file.write_bytes(self.content())
        path.rename(self.outside / "old")
        (self.outside / "copy").rename(path)
        shutil.rmtree(self.outside / "old")

    def ignore(self, name: str) -> None:
        rules = self.chance.choice((b"*.log\n", b"b\n", b"/d/e/\n", b"g\n!a\n", b"\n"))
        put((self.root / name).parent / ".gitignore", rules)

    def track(self, name: str) -> None:
        if self.in_git:
            subprocess.run(["git", "-C", self.root, "add", "-f", name], check=True, capture_output=True)

    def map(self, name: str) -> None:
        with (self.root / name).open("r+b") as file:
            self.maps.append(mmap.mmap(file.fileno(), 0))

    def write_map(self, name: str) -> None:
        if self.maps:
            mapped = self.chance.choice(self.maps)
            mapped[0] = (mapped[0] + 1) % 256
            mapped.flush()

    def flash(self, name: str) -> None:
        self.write(name)
        self.remove(name)
