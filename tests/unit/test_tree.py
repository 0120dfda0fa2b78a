"""The host's side: whatever comes, whatever is there, files are whole, and nobody's work is lost."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mirrors import Contents, apply, apply_tree, entry_of, packed, put, random_tree

from jupyter_remote.agent.entry import BadContent, BadPath, Entry, Stale, TreeError, new_digest
from jupyter_remote.agent.pack import (
    MAX_HEADER,
    MAX_SEGMENT,
    Change,
    ChangedWhileReading,
    PackError,
    pack,
    unpack,
)
from jupyter_remote.agent.tree import Applied, Mirror
from jupyter_remote.sync.plan import Plan, plan
from jupyter_remote.sync.scan import Scanner

EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "60"))
KILLS = int(os.environ.get("KILLS", "25"))


def states(mirror: Mirror) -> dict[str, str]:
    return {path: state for path, (_, _, state) in mirror.inventory()[1].items()}


def sync(scanner: Scanner, mirror: Mirror, owner: str = "me") -> tuple[Plan, Applied | None]:
    """What a client does, without a connection in between."""
    while True:
        generation, inventory = mirror.inventory()
        made = plan(scanner.scan().manifest, inventory, owner)
        if not made.changes:
            return made, None
        stream = io.BytesIO(b"".join(pack(made.changes, scanner.open)))
        with suppress(Stale):
            return made, mirror.apply(generation, owner, stream.read)


def content_of(root: Path) -> dict[str, tuple[Any, ...]]:
    """Everything below a folder but our own: kind, mode, and content or target."""
    found: dict[str, tuple[Any, ...]] = {}
    for place in root.rglob("*"):
        path = str(place.relative_to(root))
        if path.split("/")[0] == ".jupyter-remote":
            continue
        mode = stat.S_IMODE(place.lstat().st_mode)
        if place.is_symlink():
            found[path] = ("link", str(place.readlink()))
        elif place.is_dir():
            found[path] = ("dir", mode)
        else:
            found[path] = ("file", mode, place.read_bytes())
    return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "mirror"


@pytest.fixture
def mirror(root: Path) -> Mirror:
    return Mirror(str(root))


def assert_no_leftovers(root: Path) -> None:
    state = root / ".jupyter-remote"
    staging = state / "staging"
    assert not staging.exists() or not list(staging.iterdir())
    assert {path.name for path in state.iterdir()} <= {"index.json", "lock", "staging", "kept", "old"}


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


# --- generations ---


def test_the_generation_moves_with_every_change_set_and_never_comes_back(root: Path, mirror: Mirror) -> None:
    assert mirror.generation() == 0
    seen = [put(mirror, {"a": b"%d" % number}).generation for number in range(3)]
    assert seen == sorted(set(seen))
    assert Mirror(str(root)).generation() == mirror.generation() == seen[-1]
    shutil.rmtree(root)
    assert mirror.generation() == 0
    assert put(mirror, {"a": b"0"}).generation > seen[-1]


def test_a_stale_change_set_does_nothing(root: Path, mirror: Mirror) -> None:
    first = put(mirror, {"a": b"one"}).generation
    second = put(mirror, {"a": b"two"}).generation
    with pytest.raises(Stale) as caught:
        apply(mirror, [Change("put", "a", entry_of(b"three"))], {"a": b"three"}, base=first)
    assert caught.value.current == second
    assert (root / "a").read_bytes() == b"two"
    assert_no_leftovers(root)


def test_a_change_set_that_became_stale_while_it_came_does_nothing(root: Path, mirror: Mirror) -> None:
    stream = io.BytesIO(packed([Change("put", "a", entry_of(b"late"))], {"a": b"late"}))

    def read(size: int) -> bytes:
        if stream.tell() == 0:
            put(Mirror(str(root)), {"b": b"quick"})
        return stream.read(size)

    with pytest.raises(Stale):
        mirror.apply(0, "me", read)
    assert set(content_of(root)) == {"b"}
    # What came is kept for the next try, which then leaves nothing.
    assert mirror.received() == {entry_of(b"late").digest: 4}
    put(mirror, {"c": b"c"})
    assert_no_leftovers(root)


def test_two_processes_at_once_end_consistent(tmp_path: Path, root: Path) -> None:
    program = """
import sys
from jupyter_remote.agent.tree import Mirror, Stale
from mirrors import put
root, name = sys.argv[1:]
for n in range(15):
    contents = {f"shared{n % 3}": b"%s %d" % (name.encode(), n), name + str(n): b"own"}
    while True:
        try:
            put(Mirror(root), contents, name)
            break
        except Stale:
            pass
"""
    processes = [python(program, str(root), name) for name in ("one", "two", "three")]
    for process in processes:
        assert process.stdout is not None
        process.stdout.close()
    assert [process.wait() for process in processes] == [0, 0, 0]
    mirror = Mirror(str(root))
    inventory = mirror.inventory()[1]
    assert set(states(mirror).values()) == {"same"}
    assert {path for path in inventory if not path.startswith("shared")} == {
        f"{name}{n}" for name in ("one", "two", "three") for n in range(15)
    }
    # Each of the 45 change sets is either what is there, or was replaced by its own owner, or is kept.
    everything = {path.read_bytes() for path in root.rglob("shared*")}
    for n in range(3):
        assert (root / f"shared{n}").read_bytes() in everything
    assert_no_leftovers(root)


# --- killed, and full disks ---


APPLY_FOREVER = """
import random, sys
from mirrors import Mirror, apply_tree, random_tree
root, seed = sys.argv[1], int(sys.argv[2])
print("ready", flush=True)
while True:
    apply_tree(Mirror(root), random_tree(random.Random(seed)))
    seed += 1
"""


def python(program: str, *args: str) -> subprocess.Popen[bytes]:
    """A process that can import `mirrors` and the package."""
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": f"{here}:{here.parents[1]}"}
    return subprocess.Popen([sys.executable, "-c", program, *args], env=environment, stdout=subprocess.PIPE)


def is_whole(content: bytes) -> bool:
    return len(content) in (8, 800, 160_000) and content == content[:8] * (len(content) // 8)


def test_killed_at_any_point_files_are_whole_and_the_next_sync_converges(root: Path) -> None:
    chance = random.Random(7)
    for number in range(KILLS):
        with python(APPLY_FOREVER, str(root), str(1000 * number)) as process:
            assert process.stdout is not None
            process.stdout.readline()
            with suppress(subprocess.TimeoutExpired):
                process.wait(chance.uniform(0, 0.06))
            assert process.poll() is None, "it failed before it was killed"
            process.send_signal(signal.SIGKILL)
        for path, (kind, *details) in content_of(root).items():
            assert kind != "file" or is_whole(details[1]), path
        # Everything there is ours: whatever was killed, nothing may look like an edit of the host's.
        mirror = Mirror(str(root))
        tree = random_tree(chance)
        assert "changed" not in states(mirror).values()
        assert apply_tree(mirror, tree).kept == []
        there = {path: None if found[0] == "dir" else found[2] for path, found in content_of(root).items()}
        assert there == tree
        assert_no_leftovers(root)


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("incompressible", [True, False])
def test_a_full_disk_is_an_error_by_name_and_leaves_all_as_it_was(
    tmp_path: Path, incompressible: bool
) -> None:
    with small_disk(tmp_path / "disk", "2m") as disk:
        mirror = Mirror(str(disk / "workspace"))
        put(mirror, {"a": b"old", "b": b"old"})
        before = content_of(disk / "workspace"), mirror.generation()
        big = os.urandom(3_000_000) if incompressible else bytes(3_000_000)
        with pytest.raises(OSError, match=r"No space left on device.*'big'"):
            put(mirror, {"a": b"new", "big": big})
        assert (content_of(disk / "workspace"), mirror.generation()) == before
        assert_no_leftovers(disk / "workspace")
        put(mirror, {"a": b"new"})
        assert (disk / "workspace/a").read_bytes() == b"new"


def test_a_disk_that_fills_at_any_step_leaves_whole_files(tmp_path: Path) -> None:
    """Inodes run out here: while staging, while making folders, or when the index is written."""
    with small_disk(tmp_path / "disk", "4m,nr_inodes=40") as disk:
        root = disk / "workspace"
        mirror = Mirror(str(root))
        put(mirror, {"a": b"old"})
        failed = 0
        for count in range(1, 30):
            # As many files as folders, so that the folders made while committing run out of inodes too.
            contents = {f"{count}-{n}/x/file": b"%d" % n for n in range(count % 10 + 1)}
            try:
                put(mirror, contents)
            except OSError:
                failed += 1
            assert "changed" not in states(mirror).values()
            assert mirror.generation() > 0
            assert_no_leftovers(root)
            deletes = [Change("delete", path) for path in mirror.inventory()[1] if path != "a"]
            apply(mirror, deletes, {})
            for path in root.glob(f"{count}-*"):
                shutil.rmtree(path)
        assert failed
        assert content_of(root) == {"a": ("file", 0o644, b"old")}


def test_a_host_that_fails_half_way_tells_the_truth_afterwards(root: Path, mirror: Mirror) -> None:
    put(mirror, {"a": b"a", "z": b"z"})
    too_long = "/".join(["x" * 250] * 17)
    with pytest.raises(OSError, match="too long"):
        put(mirror, {"a": b"A", too_long: b"M", "z": b"Z"})
    assert (root / "a").read_bytes() == b"A"
    assert states(mirror) == {"a": "same", "z": "same"}
    assert mirror.inventory()[1]["a"][0] == entry_of(b"A")
    assert mirror.inventory()[1]["z"][0] == entry_of(b"z")
    assert_no_leftovers(root)


def test_a_broken_index_loses_nothing(root: Path, mirror: Mirror) -> None:
    put(mirror, {"a": b"a", "b": b"b"})
    (root / ".jupyter-remote/index.json").write_text('{"generation": 7, "entries": {"a": [')
    assert mirror.inventory() == (0, {})
    applied = put(mirror, {"a": b"a", "b": b"new"})
    assert [path for path, _ in applied.kept] == ["b"]


def test_what_a_killed_agent_staged_is_removed_and_what_a_living_one_stages_is_not(
    root: Path, mirror: Mirror
) -> None:
    staging = root / ".jupyter-remote/staging"
    (staging / "1-1").mkdir(parents=True)
    (staging / "1-1/lock").touch()
    (staging / "1-1/content").write_bytes(b"x")
    (staging / "2-2").mkdir()
    stream = io.BytesIO(packed([Change("put", "a", entry_of(b"a"))], {"a": b"a"}))
    living: list[set[str]] = []

    def read(size: int) -> bytes:
        if not living:
            living.append({path.name for path in staging.iterdir()})
            with pytest.raises(PackError):
                Mirror(str(root)).apply(0, "me", io.BytesIO().read)
            living.append({path.name for path in staging.iterdir()})
        return stream.read(size)

    mirror.apply(0, "me", read)
    assert len(living[0]) == 1
    assert living[0] == living[1]


# --- the stream ---


def members(data: bytes) -> list[tuple[Change, bytes]]:
    return [(change, b"".join(body)) for change, body in unpack(io.BytesIO(data).read)]


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    contents=st.dictionaries(
        st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1).filter(
            lambda n: n not in (".", "..") and n.lower() != ".jupyter-remote"
        ),
        st.one_of(
            st.binary(max_size=100), st.integers(0, 400_000).map(lambda n: random.Random(n).randbytes(n))
        ),
        max_size=4,
    ),
    size=st.integers(1, 300_000),
)
def test_what_is_packed_comes_out(contents: Contents, size: int) -> None:
    changes = [Change("put", path, entry_of(content)) for path, content in contents.items()]
    changes += [
        Change("delete", "x/gone"),
        Change("chmod", "x/m", entry_of(b"", 0o755)),
        Change("put", "x/l", Entry("link", target=os.fsdecode(b"\xff"))),
        Change("put", "x/f", Entry("dir", 0o700)),
    ]
    stream = io.BytesIO(packed(changes, contents))
    out = [(change, b"".join(body)) for change, body in unpack(lambda n: stream.read(min(n, size)))]
    assert out == [(change, contents.get(change.path, b"")) for change in changes]


def test_small_files_compress_together_and_noise_is_not_compressed() -> None:
    many = {f"f{n}.py": b"import numpy\nprint(%d)\n" % n * 20 for n in range(500)}
    changes = [Change("put", path, entry_of(content)) for path, content in many.items()]
    assert len(packed(changes, many)) < sum(map(len, many.values())) / 3
    noise = {"noise": os.urandom(1_000_000)}
    data = packed([Change("put", "noise", entry_of(noise["noise"]))], noise)
    assert noise["noise"][:200_000] in data
    assert len(data) < 1_001_000


def test_content_that_is_not_consumed_is_skipped() -> None:
    contents = {"a": os.urandom(700_000), "b": b"b"}
    changes = [Change("put", path, entry_of(content)) for path, content in contents.items()]
    assert [change.path for change, _ in unpack(io.BytesIO(packed(changes, contents)).read)] == ["a", "b"]


@pytest.mark.parametrize("content", [b"", b"12", b"1234", b"abc"])
def test_a_file_that_changed_since_the_plan_is_noticed(content: bytes) -> None:
    with pytest.raises(ChangedWhileReading) as caught:
        packed([Change("put", "a", entry_of(b"123"))], {"a": content})
    assert caught.value.path == "a"


def test_a_file_that_vanished_since_the_plan_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(ChangedWhileReading):
        list(pack([Change("put", "a", entry_of(b"123"))], lambda path: (tmp_path / path).open("rb")))


def segment(data: bytes, code: bytes = b"R", length: int | None = None) -> bytes:
    return code + (len(data) if length is None else length).to_bytes(4, "big") + data


def header(*fields: object) -> bytes:
    data = json.dumps(fields).encode()
    return len(data).to_bytes(4, "big") + data


FILE = list(entry_of(b"x"))
END = bytes(4)

LIES: dict[str, bytes] = {
    "nothing": b"",
    "no end": segment(header("delete", "a", None, None)),
    "half a segment": segment(END, length=5),
    "an unknown segment": segment(END, code=b"Q"),
    "a huge segment": segment(b"", length=MAX_SEGMENT + 1),
    "a huge header": segment((MAX_HEADER + 1).to_bytes(4, "big")),
    "not compressed": segment(b"this is not deflate", code=b"Z"),
    "not JSON": segment((3).to_bytes(4, "big") + b"[[[" + END),
    "deep JSON": segment((100_000).to_bytes(4, "big") + b"[" * 100_000),
    "not a list": segment((2).to_bytes(4, "big") + b"{}" + END),
    "too few fields": segment(header("delete", "a") + END),
    "an unknown operation": segment(header("exec", "a", FILE, None) + END),
    "a put of nothing": segment(header("put", "a", None, None) + END),
    "a path that is a number": segment(header("delete", 1, None, None) + END),
    "a negative size": segment(header("put", "a", [*FILE[:2], -1, *FILE[3:]], None) + END),
    "an impossible size": segment(header("put", "a", [*FILE[:2], 2**70, *FILE[3:]], None) + END),
    "a size that is true": segment(header("put", "a", [*FILE[:2], True, *FILE[3:]], None) + b"x" + END),
    "a folder with content": segment(header("put", "a", ["dir", 0o755, 1, "", ""], None) + b"x" + END),
    "a setuid mode": segment(header("put", "a", ["file", 0o4755, *FILE[2:]], None) + b"x" + END),
    "a digest that is a path": segment(
        header("put", "a", [*FILE[:3], "../../../../etc/passwd" + "0" * 18, ""], None)
    ),
    "a link to nowhere": segment(header("put", "a", ["link", 0, 0, "", ""], None) + END),
    "a link with NUL": segment(header("put", "a", ["link", 0, 0, "", "a\0b"], None) + END),
    "less content than said": segment(header("put", "a", FILE, None)),
    "a time beyond time": segment(header("put", "a", FILE, 2**64) + b"x" + END),
    "more after the end": segment(END + b"more"),
}


@pytest.mark.parametrize("name", LIES)
def test_a_lie_is_an_error_and_nothing_is_done(name: str, root: Path, mirror: Mirror) -> None:
    put(mirror, {"a": b"old"})
    before = content_of(root), mirror.generation()
    with pytest.raises(PackError):
        mirror.apply(mirror.generation(), "me", io.BytesIO(LIES[name]).read)
    assert (content_of(root), mirror.generation()) == before
    assert_no_leftovers(root)


def test_content_of_another_digest_is_refused_by_name(root: Path, mirror: Mirror) -> None:
    lie = segment(header("put", "innocent", FILE, None) + b"y" + END)
    with pytest.raises(BadContent, match="innocent"):
        mirror.apply(0, "me", io.BytesIO(lie).read)
    assert content_of(root) == {}


def test_a_path_that_comes_twice_is_refused(mirror: Mirror) -> None:
    with pytest.raises(BadPath, match="twice"):
        apply(mirror, [Change("delete", "a"), Change("put", "a", Entry("dir", 0o755))], {})


BAD_PATHS = (
    "", "/", "/etc/passwd", "..", "../x", "a/../../x", "a/..", ".", "./a", "a/.", "a//b", "a/", "a\0b",
    "\ud800", ".jupyter-remote", ".jupyter-remote/index.json", ".Jupyter-Remote/x",
)  # fmt: skip


@pytest.mark.parametrize("path", BAD_PATHS)
@pytest.mark.parametrize("op", ["put", "delete", "chmod"])
def test_a_path_out_of_the_workspace_is_refused(
    path: str, op: str, tmp_path: Path, root: Path, mirror: Mirror
) -> None:
    lie = segment(header(op, path, None if op == "delete" else FILE, None) + b"x" * (op == "put") + END)
    with pytest.raises(BadPath):
        mirror.apply(0, "me", io.BytesIO(lie).read)
    assert content_of(root) == {}
    assert list(tmp_path.iterdir()) == [root]


@settings(max_examples=EXAMPLES, deadline=None)
@given(data=st.data())
def test_any_damage_is_an_error_of_ours_or_does_no_harm(data: st.DataObject) -> None:
    contents = {"a": b"a" * 1000, "b/c": random.Random(1).randbytes(20_000)}
    changes = [Change("put", path, entry_of(content)) for path, content in contents.items()]
    stream = bytearray(packed(changes, contents))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(stream) - 1))
        if data.draw(st.booleans()):
            stream[at] ^= data.draw(st.integers(1, 255))
        else:
            del stream[at:]
            break
    with TemporaryDirectory() as folder:
        try:
            Mirror(folder).apply(0, "me", io.BytesIO(bytes(stream)).read)
        except TreeError:
            assert content_of(Path(folder)) == {}
        for path, (kind, *details) in content_of(Path(folder)).items():
            # Damage to a name or a mode goes unnoticed here; the transport has its own checksums.
            assert kind != "file" or details[1] in contents.values(), path


def test_a_compression_bomb_is_unpacked_in_pieces(mirror: Mirror) -> None:
    size = 1 << 27
    zeros = bytes(1 << 20)
    digest = new_digest()
    for _ in range(1 << 7):
        digest.update(zeros)

    class Zeros(io.RawIOBase):
        left = size

        def read(self, count: int = -1) -> bytes:
            piece = zeros[: min(count, self.left)]
            self.left -= len(piece)
            return piece

    changes = [Change("put", "z", Entry("file", 0o644, size, digest.hexdigest()))]
    data = b"".join(pack(changes, lambda path: Zeros()))  # type: ignore[arg-type,return-value]
    assert len(data) < 1_000_000
    largest = max(len(block) for _, body in unpack(io.BytesIO(data).read) for block in body)
    assert largest <= 1 << 18


def test_mirrors_can_be_shared_between_threads(root: Path, mirror: Mirror) -> None:
    errors: list[BaseException] = []

    def work(name: str) -> None:
        for n in range(10):
            try:
                while True:
                    with suppress(Stale):
                        put(mirror, {f"{name}{n}": b"x"})
                        break
            except BaseException as error:
                errors.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert set(states(mirror)) == {f"{name}{n}" for name in "abc" for n in range(10)}
