"""A mirror that several agents use, that are killed, on disks that are full."""

from __future__ import annotations

import errno
import io
import os
import random
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from mirrors import (
    apply,
    apply_tree,
    assert_no_leftovers,
    content_of,
    entry_of,
    packed,
    put,
    python,
    random_tree,
    states,
)

from jupyter_remote.agent.entry import Stale
from jupyter_remote.agent.pack import (
    Change,
    PackError,
)
from jupyter_remote.agent.tree import Mirror

KILLS = int(os.environ.get("KILLS", "25"))


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
    """Inodes run out here: while staging, or while making folders."""
    with small_disk(tmp_path / "disk", "4m,nr_inodes=30") as disk:
        root = disk / "workspace"
        mirror = Mirror(str(root))
        put(mirror, {"a": b"old"})
        failed = 0
        for count in range(1, 30):
            # As many files as folders, so that the folders made while committing run out of inodes too.
            contents = {f"{count}-{n}/x/file": b"%d" % n for n in range(count)}
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


def fill(disk: Path) -> None:
    with (disk / "filler").open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(1 << 16))


def test_an_index_that_can_not_be_written_on_tells_the_truth_when_there_is_room(tmp_path: Path) -> None:
    """Deleting needs no room but the index's: it runs out when a change set begins, or when it ends."""
    with small_disk(tmp_path / "disk", "2m") as disk:
        root = disk / "workspace"
        mirror = Mirror(str(root))
        put(mirror, {str(n): b"" for n in range(300)})
        begun = ended = 0
        for n in range(300):
            fill(disk)
            before = mirror.generation()
            try:
                apply(mirror, [Change("delete", str(n))], {})
            except OSError as error:
                assert error.errno == errno.ENOSPC and str(error.filename).endswith("/index")
                begun, ended = begun + (root / str(n)).exists(), ended + (not (root / str(n)).exists())
                assert (mirror.generation() == before) == (root / str(n)).exists()
                (disk / "filler").unlink()
                assert set(states(Mirror(str(root)))) == set(content_of(root))
                apply(mirror, [Change("delete", str(n))], {})
            assert (set(states(mirror).values()) or {"same"}) == {"same"}
        assert begun and ended
        assert_no_leftovers(root)


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
    (root / ".jupyter-remote/index").write_text('whole 7 20 00000000\n[["a", ')
    assert mirror.inventory()[1] == {}
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
