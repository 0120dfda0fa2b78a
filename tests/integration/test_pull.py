"""Files of a mirror brought here, and single paths brought there, over every transport."""

# Names that are no text are bytes here, which a Path is not.
# ruff: noqa: PTH115, PTH208

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hosts import Place

from jupyter_remote.connection import Connection, Stream
from jupyter_remote.errors import ConnectionLost, DiskFull, RemoteError, SyncError, UsageError
from jupyter_remote.sync.progress import Progress

ODD = [b"new\nline", b"caf\xe9", b"n" * 255, "näme".encode(), b" space ", b"a\\b", b"'\"$(x)"]


def test_what_matches_comes_once_with_time_and_mode(place: Place) -> None:
    place.run(
        "import os\nos.makedirs('results/deep')\n"
        "open('results/a.csv', 'w').write('1')\nopen('results/deep/b.csv', 'w').write('2' * 100_000)\n"
        "open('plot.png', 'w').write('p')\nopen('other.txt', 'w').write('o')\n"
        "os.utime('results/a.csv', ns=(10**18 + 7, 10**18 + 7)); os.chmod('results/a.csv', 0o750)"
    ).check()
    report = place.remote.pull(["results/**", "*.png"])
    assert sorted(report.pulled) == ["plot.png", "results/a.csv", "results/deep/b.csv"]
    assert (report.bytes, report.unchanged, report.kept, report.refused) == (100_002, 0, [], [])
    status = (place.workspace / "results" / "a.csv").stat()
    assert status.st_mode & 0o777 == 0o750
    assert abs(status.st_mtime_ns - (10**18 + 7)) < 1000
    assert (place.workspace / "results" / "deep" / "b.csv").read_text() == "2" * 100_000
    again = place.remote.pull(["results/**", "*.png"])
    assert (again.pulled, again.unchanged, again.bytes) == ([], 3, 0)
    assert not (place.workspace / ".jupyter-remote" / "partial").exists()


def test_odd_names_links_and_empty_folders(place: Place) -> None:
    place.run(
        f"import os\nos.makedirs('r/empty'); os.makedirs('r/in')\n"
        f"for name in {ODD!r}: open(b'r/in/' + name, 'wb').write(name)\n"
        "os.symlink('in', 'r/link'); os.symlink('../..', 'r/out'); os.symlink('/etc/passwd', 'r/abs')\n"
        "os.symlink('nowhere', 'r/dangling')\nos.mkfifo('r/fifo')\n"
        "os.makedirs('r/.git'); open('r/.git/config', 'w').write('x')\nopen('r/zero', 'w').close()"
    ).check()
    report = place.remote.pull(["r/"])
    here = os.fsencode(place.workspace / "r")
    assert sorted(os.listdir(here)) == sorted([b"dangling", b"empty", b"in", b"link", b"zero"])
    assert sorted(os.listdir(here + b"/in")) == sorted(ODD)
    for name in ODD:
        assert Path(os.fsdecode(here + b"/in/" + name)).read_bytes() == name
    assert os.readlink(here + b"/link") == b"in"
    assert {path for path, _ in report.refused} == {"r/out", "r/abs"}
    assert place.remote.pull(["r/"]).pulled == []


def test_an_edit_here_is_kept_aside(place: Place) -> None:
    place.run("open('a.out', 'w').write('first')").check()
    place.remote.pull(["*.out"])
    here = place.workspace / "a.out"
    here.write_text("mine!")
    assert place.remote.pull(["*.out"]).pulled == []  # the host's side has not changed
    assert here.read_text() == "mine!"
    place.run("open('a.out', 'w').write('second, longer')", sync=False).check()
    dry = place.remote.pull(["*.out"], dry_run=True)
    assert (dry.pulled, [path for path, _ in dry.kept]) == (["a.out"], ["a.out"])
    assert here.read_text() == "mine!"
    report = place.remote.pull(["*.out"])
    assert here.read_text() == "second, longer"
    ((path, kept),) = report.kept
    assert path == "a.out" and kept.startswith(".jupyter-remote/kept/")
    assert (place.workspace / kept).read_text() == "mine!"


def test_what_was_synced_and_not_edited_since_is_no_edit(local: Place) -> None:
    (local.workspace / "table.csv").write_text("1")
    local.run("open('table.csv', 'a').write('2')").check()
    report = local.remote.pull(["*.csv"])
    assert (report.pulled, report.kept) == (["table.csv"], [])
    assert (local.workspace / "table.csv").read_text() == "12"


def test_what_was_synced_by_an_earlier_process_is_no_edit(local: Place) -> None:
    for name in ("table.csv", "edited.csv"):
        (local.workspace / name).write_text("1")
    local.run("for name in ('table.csv', 'edited.csv'): open(name, 'a').write('2')").check()
    (local.workspace / "edited.csv").write_text("mine")
    report = local.open().pull(["*.csv"])
    assert report.pulled == ["edited.csv", "table.csv"]
    assert [path for path, _ in report.kept] == ["edited.csv"]
    assert (local.workspace / "table.csv").read_text() == "12"


def test_a_pulled_file_stays_the_hosts(place: Place) -> None:
    place.run(
        "import os; os.makedirs('r/empty')\n"
        "for name in 'abc': open('r/' + name, 'w').write(name * 100)\nos.symlink('a', 'r/link')"
    ).check()
    assert len(place.remote.pull(["r/"]).pulled) == 5
    here = place.workspace / "r"
    for remote in (place.remote, place.open()):  # one that remembers, and one that has to ask
        report = remote.sync()
        assert (report.sent, report.wire_bytes) == ([], 0)
        assert report.pulled == ["r/a", "r/b", "r/c", "r/link"]
    (here / "a").unlink()
    (here / "link").unlink()
    (here / "b").write_text("edited")
    remote = place.open()
    report = remote.sync(dry_run=True)
    assert (report.sent, report.deleted, report.conflicts, report.pulled) == (["r/b"], [], [], ["r/c"])
    report = remote.sync()
    assert (report.sent, report.kept) == (["r/b"], [])
    look = "import os; print(sorted(os.listdir('r')), open('r/b').read(), len(open('r/a').read()))"
    assert place.printed(look) == "['a', 'b', 'c', 'empty', 'link'] edited 100\n"
    # What was edited and sent is ours from now on, also when it is as it was pulled.
    (here / "b").write_text("b" * 100)
    assert remote.sync().sent == ["r/b"]
    (here / "b").unlink()
    assert remote.sync().deleted == ["r/b"]


def test_a_pulled_file_that_changed_on_both_sides_is_kept_aside_there(local: Place) -> None:
    local.run(
        "open('a', 'w').write('first'); open('gone', 'w').write('g'); open('new', 'w').write('n')"
    ).check()
    local.remote.pull(["a", "gone", "new"])
    (local.workspace / "a").write_text("mine")
    change = "import os; open('a', 'w').write('theirs'); os.unlink('gone'); open('new', 'w').write('newer')"
    local.run(change, sync=False).check()
    remote = local.open()
    report = remote.sync()
    assert (report.sent, report.host_changed) == (["a", "gone"], ["new"])
    ((path, kept),) = report.kept
    assert path == "a" and (Path(remote.mirror) / kept).read_text() == "theirs"
    assert (Path(remote.mirror) / "a").read_text() == "mine"
    # It is ours now: as it was pulled, it is an edit like any other.
    (Path(remote.mirror) / "a").write_text("theirs again")
    (local.workspace / "a").write_text("first")
    report = local.open().sync()
    assert (report.sent, len(report.kept)) == (["a"], 1)
    assert remote.pull(["new"]).kept == []
    assert (local.workspace / "new").read_text() == "newer"


def test_the_same_content_is_not_sent(local: Place) -> None:
    local.run("open('a.bin', 'wb').write(b'x' * 3_000_000)").check()
    (local.workspace / "a.bin").write_bytes(b"x" * 3_000_000)
    report = local.remote.pull(["a.bin"])
    assert (report.pulled, report.unchanged, report.kept) == ([], 1, [])


def test_a_link_here_in_the_way_is_refused(local: Place, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("mine")
    (local.workspace / "results").symlink_to(outside)
    (local.workspace / "file").symlink_to(outside / "precious")
    code = (
        "import os; os.makedirs('results'); open('results/x', 'w').write('x'); open('file', 'w').write('x')"
    )
    local.run(code, sync=False).check()
    report = local.remote.pull(["results/**", "file"])
    assert {path for path, _ in report.refused} == {"results/x", "file"}
    assert [path.name for path in outside.iterdir()] == ["precious"]
    assert (outside / "precious").read_text() == "mine"
    into = tmp_path / "into"
    assert sorted(local.remote.pull(["results/**", "file"], output=into).pulled) == ["file", "results/x"]
    assert (into / "results" / "x").read_text() == "x"


def test_a_cut_pull_goes_on_at_its_offset(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import hashlib, os\ncontent = os.urandom(1 << 20) * 20\nopen('big.bin', 'wb').write(content)\n"
        "open('small.bin', 'wb').write(b'small')\nprint(hashlib.sha256(content).hexdigest())"
    )
    digest = place.printed(code).strip()
    received = 0
    cut_at = 8 << 20
    original = Stream.receive

    def receive(stream: Stream) -> object:
        nonlocal received
        frame = original(stream)
        received += len(frame.payload)
        if received > cut_at:
            connection: Connection = stream._connection
            connection.close()
            raise ConnectionLost("cut by the test")
        return frame

    with monkeypatch.context() as patch:
        patch.setattr(Stream, "receive", receive)
        with pytest.raises(ConnectionLost):
            place.remote.pull(["*.bin"])
    assert not (place.workspace / "big.bin").exists()
    (partial,) = (place.workspace / ".jupyter-remote" / "partial").iterdir()
    had = partial.stat().st_size
    assert had > 6 << 20
    received, cut_at = 0, 1 << 62
    with monkeypatch.context() as patch:
        patch.setattr(Stream, "receive", receive)
        assert set(place.remote.pull(["*.bin"]).pulled) == {"big.bin", "small.bin"}
    assert received < (20 << 20) - had + (1 << 20)
    assert hashlib.sha256((place.workspace / "big.bin").read_bytes()).hexdigest() == digest
    assert not (place.workspace / ".jupyter-remote" / "partial").exists()


def test_a_pull_tells_how_far_it_is(local: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_remote.sync.progress._INTERVAL_S", 0.0)
    local.run(
        "import os\nopen('here.bin', 'wb').write(b'h' * 500_000)\n"
        "for n in range(20): open(f'{n}.bin', 'wb').write(os.urandom(200_000))"
    ).check()
    (local.workspace / "here.bin").write_bytes(b"h" * 500_000)
    told: list[Progress] = []
    local.remote.pull(["*.bin"], progress=told.append)
    assert told[0] == Progress(0, 4_500_000, 0, 21)
    # The last one is told in any case.
    assert told[-1] == told[-2] == Progress(4_500_000, 4_500_000, 21, 21)
    assert told == sorted(told) and len(set(told)) > 21
    told.clear()
    local.remote.pull(["*.bin"], progress=told.append)
    assert set(told) == {Progress(0, 0, 0, 0)}


def test_a_broken_partial_is_not_trusted(local: Place) -> None:
    local.run("open('big.bin', 'wb').write(b'abcd' * 1_000_000)").check()
    from jupyter_remote.sync.target import Target

    target = Target(local.workspace, f"local:{local.remote.mirror}")
    status = (Path(local.remote.mirror) / "big.bin").stat()
    from jupyter_remote.agent.artifacts import Found

    partial = target.partial(Found("big.bin", "file", 0o644, status.st_size, status.st_mtime_ns))
    partial.write(b"wrong" * 300_000)
    partial.close(keep=True)
    assert local.remote.pull(["big.bin"]).pulled == ["big.bin"]
    assert (local.workspace / "big.bin").read_bytes() == b"abcd" * 1_000_000


@pytest.fixture
def small_disk(local: Place) -> Iterator[Path]:
    """A file system of 4 MB in the workspace, which can be full or read-only."""
    folder = local.workspace / "r"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_one_clear_error(local: Place, small_disk: Path) -> None:
    (small_disk / "mine").write_text("mine")
    code = (
        "import os\nos.makedirs('r/out', exist_ok=True)\n"
        "for n in range(8): open(f'r/out/{n}', 'wb').write(os.urandom(700_000))"
    )
    local.run(code, sync=False).check()
    with pytest.raises(DiskFull, match="'r/out/"):
        local.remote.pull(["r/out/**"])
    come = sorted((small_disk / "out").iterdir())
    assert 0 < len(come) < 8
    assert all(path.stat().st_size == 700_000 for path in come)
    assert (small_disk / "mine").read_text() == "mine"
    into = small_disk / "into"
    with pytest.raises(DiskFull):
        local.remote.pull(["r/out/**"], output=into)


def test_a_read_only_folder_is_named_and_the_rest_comes(local: Place, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    code = (
        "import os; os.makedirs('r', exist_ok=True); open('r/a', 'w').write('a'); open('s', 'w').write('s')"
    )
    local.run(code, sync=False).check()
    with pytest.raises(SyncError, match=r"'r/a'.*[Rr]ead-only"):
        local.remote.pull(["r/a", "s"])
    assert (local.workspace / "s").read_text() == "s"


def test_bad_patterns_are_refused_before_a_host_is_asked(local: Place) -> None:
    for bad in ([], [""], ["../x"], ["a[b"], ["a//b"]):
        with pytest.raises(UsageError):
            local.remote.pull(bad)


def test_pushed_paths_survive_the_sync(place: Place) -> None:
    subprocess.run(["git", "init", "-q", str(place.workspace)], check=True)
    (place.workspace / ".gitignore").write_text("data/\n")
    (place.workspace / "data" / "empty").mkdir(parents=True)
    (place.workspace / "data" / "a").write_bytes(b"a" * 1000)
    (place.workspace / "data" / "b").write_bytes(b"b")
    (place.workspace / "data" / "c").symlink_to("a")
    report = place.remote.push(["data"])
    assert sorted(report.sent) == ["data", "data/a", "data/b", "data/c", "data/empty"]
    assert place.remote.push([place.workspace / "data"]).sent == []
    (place.workspace / "data" / "b").write_bytes(b"bb")
    assert place.remote.push(["data"]).sent == ["data/b"]
    place.remote.sync()
    listed = place.printed("import os; print(sorted(os.listdir('data')), open('data/b').read())")
    assert listed == "['a', 'b', 'c', 'empty'] bb\n"


def test_only_what_is_in_the_workspace_is_pushed(local: Place, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    (local.workspace / "out").symlink_to(tmp_path)
    for bad in ("../secret", "out/secret", "missing", ".jupyter-remote/x"):
        with pytest.raises(UsageError):
            local.remote.push([bad])
    with pytest.raises(RemoteError):
        local.remote.push(["out"])
