"""The digests that outlive a kernel: found again when nothing changed, ignored in every other case."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import patch

import pytest

from jupyter_remote.sync import content, remembered
from jupyter_remote.sync.remembered import index_file, load, save
from jupyter_remote.sync.scan import Scan, Scanner

STRANGE = os.fsdecode(b"d/\xff\n")
ROWS = [("a.py", (1, 2, 3, 4, 0o100644), "ab" * 20), (STRANGE, (-1, 2**62, 0, 9, 5), "0" * 40)]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    root = tmp_path / "work"
    root.mkdir()
    for number in range(100):
        (root / f"{number}.py").write_bytes(b"%d" % number)
    (root / "link").symlink_to("1.py")
    (root / "empty").mkdir()
    return root


class Reads:
    """Scans as a new process would, and counts the files that are read."""

    def __init__(self, root: Path, index: Path) -> None:
        self.root, self.index = root, index
        self.paths: list[str] = []

    def scan(self, **options: int) -> Scan:
        self.paths = []
        real = content._read_file

        def counted(full: str, status: os.stat_result) -> object:
            self.paths.append(os.path.relpath(full, self.root))
            return real(full, status)

        with patch.object(content, "_read_file", counted):
            return Scanner(self.root, index=self.index, **options).scan()

    def fill(self) -> Scan:
        """Scans until every file was old enough to be remembered."""
        while True:
            self.index.unlink(missing_ok=True)
            scan = self.scan()
            files = [path for path, entry in scan.manifest.items() if entry.kind == "file"]
            if len(files) == len(list(load(self.index, str(self.root)))):
                return scan
            time.sleep(0.02)


@pytest.fixture
def reads(workspace: Path, tmp_path: Path) -> Reads:
    return Reads(workspace, tmp_path / "index" / "one.index")


def test_a_new_process_reads_only_what_changed(reads: Reads) -> None:
    before = reads.fill()
    assert reads.scan() == before == Scanner(reads.root).scan()
    assert reads.paths == []
    (reads.root / "7.py").write_bytes(b"x")
    (reads.root / "new.py").write_bytes(b"y")
    (reads.root / "8.py").unlink()
    assert reads.scan() == Scanner(reads.root).scan()
    assert sorted(reads.paths) == ["7.py", "new.py"]


def test_a_change_that_restores_size_and_mtime_is_seen(reads: Reads) -> None:
    reads.fill()
    path = reads.root / "17.py"
    status = path.stat()
    path.write_bytes(b"71")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert reads.scan() == Scanner(reads.root).scan()
    assert reads.paths == ["17.py"]


def test_what_is_too_fresh_is_not_remembered(reads: Reads) -> None:
    for number in range(20):
        for one in range(100):
            # In place and of the same size, within the tick of the file system's clock.
            with (reads.root / f"{one}.py").open("r+b") as file:
                file.write(b"%d" % (number % 10))
        assert reads.scan() == Scanner(reads.root).scan()


def test_a_mode_is_taken_from_the_file_of_now(reads: Reads) -> None:
    reads.fill()
    (reads.root / "5.py").chmod(0o755)
    assert reads.scan().manifest["5.py"].mode == 0o755


def test_the_size_guard_of_now_counts(reads: Reads) -> None:
    (reads.root / "large").write_bytes(b"x" * 1000)
    reads.fill()
    assert [skip.path for skip in reads.scan(max_file_size=500).skipped] == ["large"]


def damaged(content: bytes) -> list[bytes]:
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1
    return [b"", content[:10], content[:-1], content + b"x", bytes(flipped), b"x" + content[1:], b"\0" * 500]


def test_a_torn_or_foreign_index_is_no_index(reads: Reads) -> None:
    expected = reads.fill()
    for content_ in damaged(reads.index.read_bytes()):
        reads.index.write_bytes(content_)
        assert reads.scan() == expected
        assert len(reads.paths) == 100
    assert reads.scan() == expected and reads.paths == [], "it was written anew"
    assert list(load(reads.index, "/elsewhere")) == []


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.index"
    assert save(path, "/root", ROWS)
    assert list(load(path, "/root")) == ROWS
    assert path.stat().st_mode & 0o77 == 0
    assert save(path, "/root", [])
    assert list(load(path, "/root")) == []
    assert [file.name for file in path.parent.iterdir()] == ["b.index"]


def test_a_folder_that_cannot_be_written_only_costs_time(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    index = tmp_path / "file" / "one.index"
    assert not save(index, "/root", ROWS)
    assert Scanner(workspace, index=index).scan() == Scanner(workspace).scan()


def test_indexes_that_nobody_used_for_long_are_removed(tmp_path: Path) -> None:
    old, young = tmp_path / "old.index", tmp_path / "young.index"
    for path in (old, young):
        save(path, "/root", ROWS)
    os.utime(old, (0, 0))
    save(tmp_path / "one.index", "/root", ROWS)
    assert not old.exists() and young.exists()


def test_each_workspace_and_each_set_of_rules_has_its_own_file() -> None:
    names = {index_file("/a"), index_file("/b"), index_file("/a", ["x"]), index_file("/a", [], ["x"])}
    assert len(names) == 4


@pytest.mark.slow
def test_processes_that_write_at_the_same_time_leave_a_whole_index(tmp_path: Path) -> None:
    path = tmp_path / "one.index"
    code = (
        "import sys; from pathlib import Path; from jupyter_remote.sync.remembered import load, save\n"
        "path, mark = Path(sys.argv[1]), int(sys.argv[2])\n"
        "rows = [(str(n), (mark,) * 5, '%040x' % mark) for n in range(2000)]\n"
        "for _ in range(50):\n"
        "    assert save(path, '/root', rows)\n"
        "    found = list(load(path, '/root'))\n"
        "    assert len(found) == 2000 and len({row[1] for row in found}) == 1, len(found)\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(path), str(n)]) for n in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert len(list(remembered.load(path, "/root"))) == 2000
