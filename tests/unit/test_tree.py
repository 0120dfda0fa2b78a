"""The host's side: whatever comes, whatever is there, files are whole, and nobody's work is lost."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mirrors import (
    apply,
    assert_no_leftovers,
    content_of,
    entry_of,
    put,
    states,
    sync,
)

from jupyter_remote.agent.entry import Entry
from jupyter_remote.agent.pack import (
    Change,
)
from jupyter_remote.agent.tree import Applied, Mirror
from jupyter_remote.sync.plan import Plan
from jupyter_remote.sync.scan import Scanner

EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "60"))


# --- what is put is there ---


def test_files_links_folders_modes_and_times_arrive(tmp_path: Path, root: Path, mirror: Mirror) -> None:
    local = tmp_path / "local"
    (local / "d/empty").mkdir(parents=True)
    (local / "d/read-only").mkdir()
    (local / "d/read-only/x").write_bytes(b"x")
    (local / "run.sh").write_bytes(b"#!")
    (local / "run.sh").chmod(0o755)
    (local / "secret").write_bytes(b"s" * 100_000)
    (local / "secret").chmod(0o400)
    (local / "link").symlink_to("d/../secret")
    (local / ("n" * 255)).write_bytes(b"")
    os.utime(local / "secret", ns=(1, 1_500_000_000_123_456_789))
    (local / "d/read-only").chmod(0o555)
    (local / "d").chmod(0o700)
    scanner = Scanner(local)
    made, applied = sync(scanner, mirror)
    assert content_of(root) == content_of(local)
    assert (root / "secret").stat().st_mtime_ns == 1_500_000_000_123_456_789
    assert applied == Applied(mirror.generation(), [], 8, 0, [])
    assert sync(scanner, mirror) == (Plan([], [], [], [], 8, 0), None)
    (local / "d/read-only").chmod(0o755)
    (local / "d/read-only/x").unlink()
    (local / "d/read-only").chmod(0o555)
    made, applied = sync(scanner, mirror)
    assert content_of(root) == content_of(local)
    assert made.deletes == ["d/read-only/x"]
    assert_no_leftovers(root)


NAMES = ("a", "b", "c d", "é", "a\nb", os.fsdecode(b"\xff\xfe"), "-x", "A")
paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)
items = st.one_of(
    st.tuples(st.just("file"), st.sampled_from([0o644, 0o755, 0o600, 0o444]), st.binary(max_size=60)),
    st.tuples(st.just("file"), st.just(0o644), st.integers(0, 255).map(lambda byte: bytes([byte]) * 70_000)),
    st.tuples(st.just("link"), st.just(0), st.sampled_from(["a", "b", "nothing", "c d"])),
    st.tuples(st.just("dir"), st.sampled_from([0o755, 0o700, 0o555]), st.just(b"")),
)
trees = st.dictionaries(paths, items, max_size=8)


def make_tree(root: Path, tree: dict[str, Any]) -> None:
    """Makes what can be made of a random tree, replacing what is there."""
    if root.exists():
        subprocess.run(["chmod", "-R", "u+rwx", root], check=True)
        shutil.rmtree(root)
    root.mkdir()
    for path, (kind, mode, value) in sorted(tree.items()):
        place = root / path
        with suppress(FileExistsError, NotADirectoryError, IsADirectoryError, FileNotFoundError):
            if any(parent.is_symlink() for parent in place.parents):
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            if kind == "file" and not os.path.lexists(place):
                place.write_bytes(value)
                place.chmod(mode)
            elif kind == "link":
                place.symlink_to(value)
            elif kind == "dir":
                place.mkdir(exist_ok=True)
    for path, (kind, mode, _) in sorted(tree.items(), reverse=True):
        if kind == "dir" and (root / path).is_dir() and not (root / path).is_symlink():
            (root / path).chmod(mode)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(history=st.lists(trees, min_size=1, max_size=4))
def test_after_any_edits_the_mirror_is_the_workspace(history: list[dict[str, Any]]) -> None:
    with TemporaryDirectory() as folder:
        local, root = Path(folder, "local"), Path(folder, "mirror")
        mirror = Mirror(str(root))
        for tree in history:
            make_tree(local, tree)
            made, applied = sync(Scanner(local), mirror)
            assert made.conflicts == []
            assert applied is None or applied.kept == []
            assert content_of(root) == content_of(local) if root.exists() else not content_of(local)
            assert set(states(mirror).values()) <= {"same"}
            assert sync(Scanner(local), mirror)[1] is None
        if root.exists():
            assert_no_leftovers(root)
        subprocess.run(["chmod", "-R", "u+rwx", folder], check=True)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(first=trees, second=trees, edits=trees, owners=st.tuples(*[st.sampled_from(["me", "you"])] * 2))
def test_no_content_that_the_host_made_is_ever_lost(
    first: dict[str, Any], second: dict[str, Any], edits: dict[str, Any], owners: tuple[str, str]
) -> None:
    with TemporaryDirectory() as folder:
        local, root = Path(folder, "local"), Path(folder, "mirror")
        mirror = Mirror(str(root))
        make_tree(local, first)
        sync(Scanner(local), mirror, owners[0])
        root.mkdir(exist_ok=True)
        made_there = []
        for number, (path, (kind, _, value)) in enumerate(sorted(edits.items())):
            place = root / path
            with suppress(FileExistsError, NotADirectoryError, IsADirectoryError, FileNotFoundError):
                if any(parent.is_symlink() for parent in place.parents):
                    continue
                place.parent.mkdir(parents=True, exist_ok=True)
                if kind == "file" and not place.is_symlink():
                    place.write_bytes(b"made there %d " % number + value)
                    made_there.append(b"made there %d " % number + value)
                elif kind == "link" and place.is_file():
                    place.unlink()
                    place.symlink_to(value)
        make_tree(local, second)
        _, applied = sync(Scanner(local), mirror, owners[1])
        subprocess.run(["chmod", "-R", "u+rwx", folder], check=True)
        everything = [
            path.read_bytes() for path in root.rglob("*") if path.is_file() and not path.is_symlink()
        ]
        assert [content for content in made_there if content not in everything] == []
        if applied is not None:
            for path, kept in applied.kept:
                assert kept.startswith(".jupyter-remote/kept/")
                assert kept.endswith("/" + path)
                assert os.path.lexists(root / kept)
            assert_no_leftovers(root)
        # And it converges: what is asked for next is little, and then nothing.
        sync(Scanner(local), mirror, owners[1])
        assert sync(Scanner(local), mirror, owners[1])[1] is None


# --- what is there already ---


def test_an_edit_of_the_host_is_kept_aside_and_reported(root: Path, mirror: Mirror) -> None:
    put(mirror, {"d/a": b"one"})
    (root / "d/a").write_bytes(b"edited there")
    applied = put(mirror, {"d/a": b"two"})
    [(path, kept)] = applied.kept
    assert path == "d/a"
    assert (root / kept).read_bytes() == b"edited there"
    assert (root / "d/a").read_bytes() == b"two"
    assert states(mirror) == {"d/a": "same"}


def test_an_unknown_file_is_kept_aside_or_adopted_when_it_is_the_same(root: Path, mirror: Mirror) -> None:
    root.mkdir()
    (root / "other").write_bytes(b"theirs")
    (root / "equal").write_bytes(b"ours")
    before = (root / "equal").stat().st_ino
    applied = put(mirror, {"other": b"ours", "equal": b"ours"})
    assert [path for path, _ in applied.kept] == ["other"]
    assert (applied.written, (root / "equal").stat().st_ino) == (1, before)
    assert states(mirror) == {"other": "same", "equal": "same"}


def test_what_another_workspace_put_is_kept_aside_unless_it_is_the_same(root: Path, mirror: Mirror) -> None:
    put(mirror, {"a": b"yours", "b": b"both"}, owner="you")
    applied = put(mirror, {"a": b"mine", "b": b"both"}, owner="me")
    assert [(path, (root / kept).read_bytes()) for path, kept in applied.kept] == [("a", b"yours")]
    assert (root / "a").read_bytes() == b"mine"


@pytest.mark.parametrize("owner", ["me", "you"])
@pytest.mark.parametrize("edited", [False, True])
def test_only_what_we_put_and_nobody_changed_is_deleted(
    root: Path, mirror: Mirror, owner: str, edited: bool
) -> None:
    put(mirror, {"a": b"one"}, owner)
    (root / "unknown").write_bytes(b"")
    if edited:
        (root / "a").write_bytes(b"edited")
    deletes = [Change("delete", "a"), Change("delete", "unknown"), Change("delete", "nowhere")]
    applied = apply(mirror, deletes, {})
    assert (root / "a").exists() == (edited or owner == "you")
    assert (root / "unknown").exists()
    assert applied.deleted == (not (root / "a").exists())


def test_a_folder_with_results_of_the_host_survives_its_deletion(root: Path, mirror: Mirror) -> None:
    folder = Change("put", "d", Entry("dir", 0o755))
    apply(mirror, [folder, Change("put", "d/a", entry_of(b"a"))], {"d/a": b"a"})
    (root / "d/result").write_bytes(b"42")
    apply(mirror, [Change("delete", "d"), Change("delete", "d/a")], {})
    assert content_of(root) == {"d": ("dir", 0o755), "d/result": ("file", 0o644, b"42")}
    assert states(mirror) == {}


def test_a_folder_with_results_that_gives_way_to_a_file_is_kept_whole(root: Path, mirror: Mirror) -> None:
    put(mirror, {"d/a": b"a"})
    (root / "d/result").write_bytes(b"42")
    applied = apply(mirror, [Change("put", "d", entry_of(b"file")), Change("delete", "d/a")], {"d": b"file"})
    [(path, kept)] = applied.kept
    assert (path, (root / kept / "result").read_bytes(), (root / "d").read_bytes()) == ("d", b"42", b"file")


def test_nothing_is_done_through_a_link(tmp_path: Path, root: Path, mirror: Mirror) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    put(mirror, {"d/a": b"a", "d/b": b"b", "d/c": b"c"})
    for path in (root / "d").iterdir():
        path.rename(outside / path.name)
    (root / "d").rmdir()
    (root / "d").symlink_to(outside)
    changes = [
        Change("put", "d/a", entry_of(b"new")),
        Change("delete", "d/b"),
        Change("chmod", "d/c", entry_of(b"c", 0o755)),
    ]
    assert states(mirror) == {"d/a": "missing", "d/b": "missing", "d/c": "missing"}
    applied = apply(mirror, changes, {"d/a": b"new"})
    assert {path.name: path.read_bytes() for path in outside.iterdir()} == {"a": b"a", "b": b"b", "c": b"c"}
    assert stat.S_IMODE((outside / "c").stat().st_mode) == 0o644
    assert [path for path, _ in applied.kept] == ["d"]
    assert content_of(root) == {"d": ("dir", 0o755), "d/a": ("file", 0o644, b"new")}


def test_every_keeping_has_its_own_folder(root: Path, mirror: Mirror) -> None:
    kept = []
    for number in range(5):
        put(mirror, {"a": b"%d" % number})
        (root / "a").write_bytes(b"edit %d" % number)
        kept += put(mirror, {"a": b"x%d" % number}).kept
    assert len({place for _, place in kept}) == 5
    assert sorted((root / place).read_bytes() for _, place in kept) == [b"edit %d" % n for n in range(5)]
