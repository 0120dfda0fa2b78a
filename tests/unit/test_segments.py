"""The outer layer of a change set: whatever is compressed or not, the same bytes come out."""

from __future__ import annotations

import io
import itertools
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_remote.agent.entry import FILE, Entry, new_digest
from jupyter_remote.agent.pace import Pace
from jupyter_remote.agent.pack import PUT, Change, ChangedWhileReading, pack, unpack
from jupyter_remote.agent.segments import MAX_SEGMENT, PackError, SegmentReader, SegmentWriter

MIB = 1 << 20


class Swinging(Pace):
    """Compresses every other block."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = 0

    def compresses(self, size: int) -> bool:
        self.blocks += 1
        return self.blocks % 2 == 0


def reading(data: bytes, cut: int) -> Callable[[int], bytes]:
    file = io.BytesIO(data)
    return lambda size: file.read(min(size, cut))


@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 300_000)), max_size=8),
    st.sampled_from([1009, 65536, 10 * MIB]),
    st.booleans(),
)
def test_bytes_survive_every_mixture(parts: list[tuple[bool, int]], cut: int, swings: bool) -> None:
    writer = SegmentWriter(Swinging() if swings else None)
    contents = [os.urandom(size) if plain else b"text " * (size // 5 + 1) for plain, size in parts]
    pieces = []
    for (plain, _), content in zip(parts, contents, strict=True):
        pieces += writer.add(content, plain)
    pieces += writer.flush()
    reader = SegmentReader(reading(b"".join(pieces), cut))
    for content in contents:
        assert b"".join(reader.stream(len(content))) == content
    assert not reader.pending()
    with pytest.raises(PackError, match="cut short"):
        reader.take(1)


@pytest.mark.parametrize("size", [1, MAX_SEGMENT, MAX_SEGMENT + 1, 5 * MAX_SEGMENT // 2])
@pytest.mark.parametrize("piece", [100_003, 256 * 1024, 3 * MIB])
def test_plain_bytes_share_segments_however_they_come(size: int, piece: int) -> None:
    content, writer, pieces = os.urandom(size), SegmentWriter(), []
    for at in range(0, size, piece):
        pieces += writer.plain(content[at : at + piece], size - at)
    pieces += writer.add(b"and text")
    pieces += writer.flush()
    data = b"".join(pieces)
    assert len(data) < size + 5 * (size // MAX_SEGMENT + 1) + 40
    reader = SegmentReader(io.BytesIO(data).read)
    assert b"".join(reader.stream(size)) == content
    assert reader.take(8) == b"and text"


def test_bytes_of_a_plain_segment_that_nobody_takes_are_noticed() -> None:
    data = b"R" + (10).to_bytes(4, "big") + bytes(10)
    for cut in (7, 100):
        reader = SegmentReader(reading(data, cut))
        reader.take(2)
        assert reader.pending()


def entry_of(content: bytes) -> Entry:
    digest = new_digest()
    digest.update(content)
    return Entry(FILE, 0o644, len(content), digest.hexdigest())


@pytest.mark.parametrize("swings", [False, True])
def test_a_change_set_of_all_sizes(tmp_path: Path, swings: bool) -> None:
    sizes = [0, 1, 9000, 131_072, 262_144, 262_145, 700_000, MIB, 2 * MIB + 1]
    contents = {
        f"{kind}{size}": (os.urandom(size) if kind == "n" else b"t" * size) for kind in "nt" for size in sizes
    }
    for path, content in contents.items():
        (tmp_path / path).write_bytes(content)
    changes = [Change(PUT, path, entry_of(content)) for path, content in contents.items()]
    pieces = pack(changes, lambda path: (tmp_path / path).open("rb", 0), None, Swinging() if swings else None)
    data = b"".join(pieces)
    found = {
        change.path: b"".join(p for p in body if isinstance(p, bytes))
        for change, body in unpack(reading(data, 70_001))
    }
    assert found == contents


class Torn(io.FileIO):
    """A file that something is done to after its first block has been read."""

    def __init__(self, path: Path, then: Callable[[], object]) -> None:
        super().__init__(path)
        self._then, self._reads = then, itertools.count()

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size) or b""
        if next(self._reads) == 0:
            self._then()
        return data


@pytest.mark.parametrize("size", [1000, 300_000, 3 * MIB])
@pytest.mark.parametrize("what", ["written", "longer", "shorter", "replaced"])
def test_what_is_done_to_a_file_while_it_is_read_is_noticed(tmp_path: Path, size: int, what: str) -> None:
    path, content = tmp_path / "a", os.urandom(size)

    def then() -> None:
        with path.open("r+b") as file:
            if what == "shorter":
                file.truncate(size // 2)
            else:
                file.seek(0 if what == "written" else size)
                file.write(b"new")
        os.utime(path, ns=(1, 1))

    def replaced() -> None:
        path.unlink()
        path.write_bytes(b"x" * size)

    path.write_bytes(content)
    made = pack(
        [Change(PUT, "a", entry_of(content))], lambda _: Torn(path, replaced if what == "replaced" else then)
    )
    is_late = size == 1000 or what == "replaced" or (what == "written" and size < MIB)
    if is_late:
        # What was opened, or was read before, is what the plan says.
        assert [c.path for c, _ in unpack(io.BytesIO(b"".join(made)).read)] == ["a"]
    else:
        with pytest.raises(ChangedWhileReading):
            list(made)
