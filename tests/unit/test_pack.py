"""The packed stream of a change set: what goes in comes out, and no lie does harm."""

from __future__ import annotations

import io
import json
import os
import random
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mirrors import (
    Contents,
    apply,
    assert_no_leftovers,
    content_of,
    entry_of,
    packed,
    put,
)

from jupyter_remote.agent.entry import BadContent, BadPath, Entry, TreeError, new_digest
from jupyter_remote.agent.pack import (
    MAX_HEADER,
    MAX_SEGMENT,
    Change,
    ChangedWhileReading,
    PackError,
    pack,
    unpack,
)
from jupyter_remote.agent.tree import Mirror

EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "60"))


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
