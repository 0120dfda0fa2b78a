"""What of a file travels: the least that it takes, and never anything but the right content at its end."""

from __future__ import annotations

import io
import os
import random
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mirrors import Contents, entry_of, packed, put

from jupyter_remote.agent.entry import Entry
from jupyter_remote.agent.pack import Change, PackError, pack, unpack
from jupyter_remote.agent.recipe import RECEIVED, Copy, Recipe, block_size, rows
from jupyter_remote.agent.staging import MissingContent
from jupyter_remote.agent.tree import Mirror
from jupyter_remote.sync.delta import Table, rest, steps
from jupyter_remote.sync.transfer import Base, decide

EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "60"))
MB = 1 << 20


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def table_of(old: bytes) -> Table:
    return Table(len(old), b"".join(rows(io.BytesIO(old).read, len(old))))


def followed(recipe: list[Copy | bytes], old: bytes) -> bytes:
    """The file that a recipe makes."""
    return b"".join(s if isinstance(s, bytes) else old[s.offset : s.offset + s.length] for s in recipe)


def literal(old: bytes, new: bytes) -> int:
    """How many bytes of a new file travel; what is made of them is compared."""
    recipe = list(steps(io.BytesIO(new).read, table_of(old)))
    assert followed(recipe, old) == new
    return sum(len(step) for step in recipe if isinstance(step, bytes))


# --- changed blocks ---


EDITS: dict[str, tuple[Callable[[bytes], bytes], int]] = {
    "nothing": (lambda old: old, 0),
    "appended": (lambda old: old + noise(300_000, 1), 300_000),
    "patched": (lambda old: old[:5_000_000] + b"patch" + old[5_000_005:], 5),
    "inserted in the middle": (lambda old: old[: 8 * MB] + noise(1000, 2) + old[8 * MB :], 1000),
    "inserted between odd bytes": (lambda old: old[:7_777_777] + b"x" + old[7_777_777:], 1),
    "inserted at the start": (lambda old: noise(1000, 3) + old, 1000),
    "much inserted": (lambda old: old[: 3 * MB] + noise(9 * MB, 4) + old[3 * MB :], 9 * MB),
    "removed": (lambda old: old[:4_000_001] + old[6_500_000:], 0),
    "cut off": (lambda old: old[:9_999_999], 0),
    "emptied": (lambda old: b"", 0),
    "replaced by less": (lambda old: old[: 5 * MB] + noise(1000, 5) + old[6 * MB :], 1000),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_in_one_place_costs_the_edit_and_two_blocks(name: str) -> None:
    old = noise(16 * MB + 12_345)
    edit, brought = EDITS[name]
    assert literal(old, edit(old)) <= brought + 2 * block_size(len(old))


def test_many_edits_cost_two_blocks_each() -> None:
    old = noise(16 * MB)
    new = bytearray(old)
    chance = random.Random(1)
    places = sorted((chance.randrange(len(old)) for _ in range(20)), reverse=True)
    for number, place in enumerate(places):
        if number % 2:
            new[place:place] = chance.randbytes(100)
        else:
            del new[place : place + 100]
    assert literal(old, bytes(new)) <= 20 * (2 * block_size(len(old)) + 100)


def test_text_and_rows_of_numbers_have_anchors_too() -> None:
    lines = b"".join(b"%08d,%f,%s\n" % (n, n * 0.37, b"label") for n in range(200_000))
    assert (
        literal(lines, lines[: 2 * MB] + b"one,more,row\n" + lines[2 * MB :])
        <= 2 * block_size(len(lines)) + 13
    )
    assert literal(bytes(8 * MB), bytes(4 * MB) + b"x" + bytes(4 * MB)) <= 2 * block_size(8 * MB)


def test_other_content_is_sent_once() -> None:
    assert literal(noise(4 * MB, 1), noise(4 * MB, 2)) == 4 * MB


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    pieces=st.lists(st.integers(0, 5), max_size=12),
    again=st.lists(st.integers(0, 5), max_size=12),
    odd=st.integers(0, 9000),
    short=st.integers(1, 100_000),
    received=st.integers(0, 200_000),
)
def test_whatever_was_there_the_recipe_makes_the_new_file(
    pieces: list[int], again: list[int], odd: int, short: int, received: int
) -> None:
    parts = [noise(20_000 + 5000 * n, n) for n in range(5)] + [bytes(30_000)]
    old = b"".join(parts[n] for n in pieces)
    new = b"".join([noise(odd, 9), *(parts[n] for n in again)])
    stream = io.BytesIO(new)
    received = min(received, len(new))
    recipe = list(steps(lambda n: stream.read(min(n, short)), table_of(old), received))
    if received:
        assert recipe.pop(0) == Copy(RECEIVED, received)
    assert followed(recipe, old) == new[received:]
    assert all(len(step) <= 256 * 1024 for step in recipe if isinstance(step, bytes))


def test_memory_does_not_grow_with_the_file() -> None:
    class Endless(io.RawIOBase):
        left = 48 * MB

        def read(self, size: int = -1) -> bytes:
            size = min(size, self.left)
            self.left -= size
            return noise(64 * 1024, self.left >> 16)[:size]

    table = Table(48 * MB, b"".join(rows(Endless().read, 48 * MB)))
    tracemalloc.start()
    for _ in steps(Endless().read, table):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * MB


# --- what is decided ---


def test_each_content_takes_the_shortest_way() -> None:
    old, new, other = entry_of(noise(2 * MB, 1)), entry_of(noise(2 * MB, 2)), entry_of(noise(300, 3))
    cut, done, gone = entry_of(noise(5000, 4)), entry_of(noise(5000, 5)), entry_of(noise(5000, 6))
    tiny = entry_of(b"tiny")
    remote = {
        "big": (old, "me", "same"),
        "was": (other, "you", "same"),
        "edited": (gone, "me", "changed"),
        "small": (tiny, "me", "same"),
    }
    puts = {
        "big": new, "copy": new, "now": other, "cut": cut, "done": done, "new": gone, "small2": tiny,
        "big2": old,
    }  # fmt: skip
    changes = [Change("delete", "was"), *(Change("put", path, entry) for path, entry in puts.items())]
    received = {cut.digest: 3000, done.digest: 5000}
    made = decide(changes, remote, received)
    ways = {
        path: (r.base, list(r.steps(io.BytesIO(noise(5000, 4)).read))) for path, r in made.recipes.items()
    }
    assert made.bases == {"big": Base([old], new.size, 0, False)}
    assert ways == {
        "copy": (new.digest, [Copy(0, 2 * MB)]),
        "now": (other.digest, [Copy(0, 300)]),
        "cut": ("", [Copy(RECEIVED, 3000), noise(5000, 4)[3000:]]),
        "done": ("", [Copy(RECEIVED, 5000)]),
        "big2": (old.digest, [Copy(0, 2 * MB)]),
    }
    refused = {old.digest, other.digest, cut.digest, done.digest}
    made = decide(changes, remote, received, refused)
    assert (set(made.recipes), made.bases) == ({"copy"}, {})


# --- what the host makes of it ---


def apply(
    mirror: Mirror, contents: Contents, recipes: dict[str, Recipe], deletes: tuple[str, ...] = ()
) -> int:
    """Applies a change set made by recipes; returns its size in bytes."""
    changes = [Change("put", path, entry_of(content)) for path, content in contents.items()]
    changes += [Change("delete", path) for path in deletes]
    data = b"".join(pack(changes, lambda path: io.BytesIO(contents[path]), recipes))
    mirror.apply(mirror.generation(), "me", io.BytesIO(data).read)
    return len(data)


def copy_of(content: bytes) -> Recipe:
    return Recipe(entry_of(content).digest, lambda _: [Copy(0, len(content))])


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    return Mirror(str(tmp_path / "mirror"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "mirror"


def test_a_renamed_file_travels_by_name(root: Path, mirror: Mirror) -> None:
    content = noise(5 * MB)
    put(mirror, {"a": content})
    assert apply(mirror, {"d/b": content}, {"d/b": copy_of(content)}, ("a",)) < 500
    assert (root / "d/b").read_bytes() == content
    assert not (root / "a").exists()
    assert {path: state for path, (_, _, state) in mirror.inventory()[1].items()} == {"d/b": "same"}


def test_a_file_that_comes_twice_is_sent_once_and_is_two_files(root: Path, mirror: Mirror) -> None:
    content = noise(MB)
    assert apply(mirror, {"a": content, "b": content}, {"b": copy_of(content)}) < 1.01 * MB
    assert (root / "a").read_bytes() == (root / "b").read_bytes() == content
    assert (root / "a").stat().st_ino != (root / "b").stat().st_ino


def test_changed_blocks_make_a_whole_file(root: Path, mirror: Mirror) -> None:
    old = noise(4 * MB)
    put(mirror, {"a": old})
    new = old[: 2 * MB] + b"inserted" + old[2 * MB :] + b"appended"
    [told] = [b"".join(mirror.blocks([(entry_of(old).digest, len(old))]))]
    assert told[:1] == b"\1"
    recipe = Recipe(entry_of(old).digest, partial(steps, table=Table(len(old), told[1:])))
    assert apply(mirror, {"a": new}, {"a": recipe}) < 4 * block_size(len(old))
    assert (root / "a").read_bytes() == new


def edit(path: Path, content: bytes) -> None:
    """Changes a file so that a stat doesn't show it."""
    status = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(status.st_mtime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("how", ["deleted", "replaced by a link", "changed", "changed unseen", "cut unseen"])
def test_content_that_is_gone_is_named_and_the_rest_is_kept(
    how: str, tmp_path: Path, root: Path, mirror: Mirror
) -> None:
    content, other = noise(300_000), noise(400_000, 1)
    put(mirror, {"a": content})
    before = mirror.generation()
    if how == "changed unseen":
        edit(root / "a", bytes(300_000))
    elif how == "changed":
        (root / "a").write_bytes(b"shorter")
    else:
        (root / "a").unlink()
    if how == "replaced by a link":
        (tmp_path / "secret").write_bytes(content)
        (root / "a").symlink_to(tmp_path / "secret")
    recipe = copy_of(content)
    if how == "cut unseen":
        put(mirror, {"a": content})
        before = mirror.generation()
        recipe = Recipe(entry_of(content).digest, lambda _: [Copy(200_000, 300_000)])
    with pytest.raises(MissingContent) as caught:
        apply(mirror, {"other": other, "b": content}, {"b": recipe})
    assert caught.value.digests == [entry_of(content).digest]
    assert mirror.generation() == before
    assert not (root / "b").exists()
    assert mirror.received() == {entry_of(other).digest: 400_000}
    data = b"".join(pack([Change("put", "b", entry_of(content))], lambda _: io.BytesIO(content)))
    mirror.apply(mirror.generation(), "me", io.BytesIO(data).read)
    assert (root / "b").read_bytes() == content


class Cut(Exception):
    """The link is gone."""


def cut(mirror: Mirror, contents: Contents, size: int) -> None:
    """A change set of which only so many bytes come."""
    data = packed([Change("put", path, entry_of(content)) for path, content in contents.items()], contents)
    stream = io.BytesIO(data[:size])

    def read(n: int) -> bytes:
        if not (piece := stream.read(min(n, 10_000))):
            raise Cut
        return piece

    with pytest.raises(Cut):
        mirror.apply(mirror.generation(), "me", read)


def test_what_came_before_a_cut_is_not_sent_again(root: Path, mirror: Mirror) -> None:
    contents = {"a": noise(300_000), "b": noise(2 * MB, 1), "c": noise(300_000, 2)}
    cut(mirror, contents, 1_500_000)
    received = mirror.received()
    digests = {path: entry_of(content).digest for path, content in contents.items()}
    assert received[digests["a"]] == 300_000
    assert 1_000_000 < received[digests["b"]] < 1_300_000
    assert digests["c"] not in received
    # A second cut doesn't take from what is there.
    cut(mirror, {"b": contents["b"]}, 500_000)
    assert mirror.received() == received
    changes = [Change("put", path, entry_of(content)) for path, content in contents.items()]
    made = decide(changes, {}, received)
    assert apply(mirror, contents, made.recipes) < 2 * MB + 600_000 - 1_290_000
    assert {path: (root / path).read_bytes() for path in contents} == contents
    assert mirror.received() == {}
    assert {path.name for path in (root / ".jupyter-remote").iterdir()} == {"index", "lock", "staging"}


def test_what_was_received_and_is_wrong_is_asked_for_again(root: Path, mirror: Mirror) -> None:
    content = noise(300_000)
    cut(mirror, {"a": content}, 280_000)
    [place] = (root / ".jupyter-remote/received").glob("*/*")
    edit(place, bytes(place.stat().st_size))
    recipes = decide([Change("put", "a", entry_of(content))], {}, mirror.received()).recipes
    with pytest.raises(MissingContent):
        apply(mirror, {"a": content}, recipes)
    assert mirror.received() == {}


def test_nothing_is_copied_through_a_linked_folder(tmp_path: Path, root: Path, mirror: Mirror) -> None:
    content = noise(300_000)
    put(mirror, {"d/a": content})
    (root / "d").rename(tmp_path / "outside")
    (root / "d").symlink_to(tmp_path / "outside")
    with pytest.raises(MissingContent):
        apply(mirror, {"b": content}, {"b": copy_of(content)})


def test_what_was_received_long_ago_or_for_a_finished_sync_is_removed(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut(mirror, {"a": noise(300_000)}, 280_000)
    put(mirror, {"b": b"b"}, "someone else")
    assert len(mirror.received()) == 1
    put(mirror, {"c": b"c"})
    assert mirror.received() == {}
    cut(mirror, {"a": noise(300_000)}, 280_000)
    monkeypatch.setattr("jupyter_remote.agent.contents._KEPT_S", -1)
    put(mirror, {"d": b"d"}, "someone else")
    assert mirror.received() == {}


LIES: dict[str, list[object]] = {
    "more than the file": [Copy(0, 301)],
    "nothing": [Copy(0, 0)],
    "from before the start": [Copy(-3, 300)],
    "received later": [b"x", Copy(RECEIVED, 299)],
}


@pytest.mark.parametrize("name", LIES)
def test_impossible_steps_are_refused(name: str, mirror: Mirror) -> None:
    entry = Entry("file", 0o644, 300, entry_of(b"").digest)
    recipe = Recipe("", lambda _: LIES[name])  # type: ignore[arg-type, return-value]
    data = b"".join(pack([Change("put", "a", entry)], lambda _: io.BytesIO(bytes(300)), {"a": recipe}))
    with pytest.raises(PackError):
        mirror.apply(0, "me", io.BytesIO(data).read)
    with pytest.raises(PackError):
        list(unpack(io.BytesIO(data).read))


def test_the_rest_of_a_file_is_its_rest() -> None:
    assert b"".join(s for s in rest(io.BytesIO(b"abcdef").read, 2) if isinstance(s, bytes)) == b"cdef"
