"""What is no honest parcel is refused, before anything is made of it."""

from __future__ import annotations

import io
import json
import pickle
import struct
from hashlib import sha256

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from parcels import packed, parcel_of, same, unpacked

from jupyter_remote.agent.parcel import LENGTH, MAGIC, Broken, Refused, read_parcel, read_pieces, unsealed
from jupyter_remote.agent.variables import Unpacker
from jupyter_remote.arrow_stream import check_stream


def compressed_arrow() -> bytes:
    sink = pa.BufferOutputStream()
    table = pa.table({"a": np.zeros(1_000_000)})
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def plain_arrow() -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, pa.schema([("a", pa.string())])) as writer:
        writer.write_table(pa.table({"a": ["abc", "de"]}))
    return bytes(sink.getvalue())


def lists(deep: int) -> object:
    return ["list", "-", [lists(deep - 1)]] if deep else 1


ROWS = ["range", ["list", "-", [None]], 0, 5, 1]
ARRAY = ["numpy.array", 0, "<f8", [2], "C", 0, 0]
LIES = {
    "pickle": (["pickle", 0, "3.11", 0, []], [pickle.dumps(print)]),
    "object array": (["numpy.array", 0, "|O", [2], "C", 0, 0], [bytes(16)]),
    "object field": (["numpy.array", 0, [["a", "|O"]], [2], "C", 0, 0], [bytes(16)]),
    "huge shape": (["numpy.array", 0, "<f8", [1 << 40], "C", 0, 0], [bytes(16)]),
    "shape that overflows": (["numpy.array", 0, "<f8", [1 << 62, 4], "C", 0, 0], [b""]),
    "negative shape": (["numpy.array", 0, "<f8", [-1, -2], "C", 0, 0], [bytes(16)]),
    "shape of bools": (["numpy.array", 0, "<f8", [True, 2], "C", 0, 0], [bytes(16)]),
    "shape of text": (["numpy.array", 0, "<f8", "22", "C", 0, 0], [bytes(16)]),
    "endless empty items": (["numpy.array", 0, "|S0", [1 << 40], "C", 0, 0], [b""]),
    "bad order": (["numpy.array", 0, "<f8", [2], "K", 0, 0], [bytes(16)]),
    "bad dtype": (["numpy.array", 0, "nonsense", [2], "C", 0, 0], [bytes(16)]),
    "no buffer": (ARRAY, []),
    "negative buffer": ([*ARRAY[:-1], -1], [bytes(16)]),
    "bool for a buffer": ([*ARRAY[:-1], False], [bytes(16)]),
    "one buffer for two": (["list", "-", [ARRAY, ARRAY]], [bytes(16)]),
    "unknown tag": (["os.system", 0, "true"], []),
    "tag of a module": (["variables_code.pack", 0], []),
    "tag of a list": ([[], 1], []),
    "no tag": ([], []),
    "object": ({"a": 1}, []),
    "same of nothing": (["same", 5], []),
    "deep": (json.loads("[" * 300 + "]" * 300), []),
    "deep lists": (lists(150), []),
    "list of a number": (["list", "-", 5], []),
    "torn numbers": (["list", "d", 0], [b"1234567"]),
    "text lengths": (["list", "s", 0, 1], [struct.pack("<q", 5), b"abc"]),
    "negative text": (["list", "s", 0, 1], [struct.pack("<qq", 5, -2), b"abc"]),
    "dict of two lengths": (["dict", ["-", [1, 2]], ["-", [1]]], []),
    "unhashable key": (["dict", ["-", [["list", "-", []]]], ["-", [1]]], []),
    "broken text": (["str", 0], [b"\xff\xff"]),
    "broken number": (["int", "xyz"], []),
    "a constructor's argument": (["decimal.Decimal", ["list", "-", ["x"]]], []),
    "factory": (["collections.defaultdict", "print", ["dict", ["-", []], ["-", []]]], []),
    "enum that is none": (["enum", 0, "subprocess", "Popen", "true"], []),
    "picture": (["PIL.image", 0, "RGB", [1 << 20, 1 << 20], "", "", None, 0], [b"123"]),
    "picture of a mode": (["PIL.image", 0, "XYZ", [1, 1], "", "", None, 0], [b"123"]),
    "picture without height": (["PIL.image", 0, "L", [1 << 40, 0], "", "", None, 0], [b""]),
    "compressed arrow": (["pyarrow.stream", 0, "table", 0], [compressed_arrow()]),
    "noise for arrow": (["pyarrow.stream", 0, "table", 0], [bytes(range(256))]),
    "cut arrow": (["pyarrow.stream", 0, "table", 0], [plain_arrow()[:-70]]),
    "arrow with bad offsets": (
        ["pyarrow.stream", 0, "table", 0],
        [plain_arrow().replace(struct.pack("<iii", 0, 3, 5), struct.pack("<iii", 0, 3, 1 << 30))],
    ),
    "frame of other lengths": (
        ["pandas.DataFrame", 0, ROWS, ROWS, "block", ARRAY, ["dict", ["-", []], ["-", []]]], [bytes(16)],
    ),
    "codes out of range": (
        ["pandas.Series", 0, ["category", ["numpy.array", 1, "<i8", [2], "C", 0, 0],
         ["range", ["list", "-", [None]], 0, 1, 1], False], ["range", ["list", "-", [None]], 0, 2, 1], None],
        [struct.pack("<qq", 0, 77)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_refused(lie: str) -> None:
    node, buffers = LIES[lie]
    with pytest.raises((Broken, Refused)) as caught:
        unpacked(parcel_of(node, *buffers))
    if lie != "enum that is none":
        assert type(caught.value) is Broken


def test_the_lies_are_lies_by_what_they_lie_about() -> None:
    assert unpacked(parcel_of(ARRAY, struct.pack("<dd", 1, 2))).tolist() == [1, 2]
    assert unpacked(parcel_of(["pyarrow.stream", 0, "table", 0], plain_arrow()))["a"].to_pylist() == [
        "abc",
        "de",
    ]
    check_stream(bytearray(plain_arrow()))
    assert unpacked(parcel_of(["PIL.image", 0, "RGB", [1, 1], "", "", None, 0], b"123")).getpixel((0, 0)) == (
        49,
        50,
        51,
    )


def frame_of(header: bytes, rest: bytes = b"", size: int | None = None) -> bytes:
    content = MAGIC + LENGTH.pack(len(header) if size is None else size) + header + rest
    return content + sha256(content).digest()


@pytest.mark.parametrize(
    "content",
    [
        *(
            b"",
            b"garbage" * 20,
            MAGIC,
            MAGIC + b"\0",
            frame_of(b"{}", size=1 << 60),
            frame_of(b"{}", size=1 << 25),
        ),
        *(frame_of(b"[]"), frame_of(b"{}"), frame_of(b"["), frame_of(b"[" * 100_000), frame_of(b"\xff")),
        *(
            frame_of(b'{"buffers":[-1]}'),
            frame_of(b'{"buffers":[1.5]}'),
            frame_of(b'{"buffers":[true]}', b"x"),
        ),
        *(frame_of(b'{"buffers":[1152921504606846976]}', b"x"), frame_of(b'{"buffers":"x"}')),
        *(packed([1] * 99)[:-1], packed(1) + b"x", packed("a" * 9999).replace(b"aaaa", b"aaab", 1)),
    ],
    ids=lambda content: repr(content[27:60]),
)
def test_what_is_no_parcel_is_refused(content: bytes) -> None:
    with pytest.raises(Broken):
        read_parcel(io.BytesIO(content).read)


def test_every_cut_is_noticed_and_every_piece_size_does() -> None:
    value = {"a": np.arange(5), "b": "text" * 500}
    content = packed(value)
    for at in range(len(content)):
        with pytest.raises(Broken):
            read_parcel(io.BytesIO(content[:at]).read)
        with pytest.raises(Broken):
            list(unsealed(io.BytesIO(content[:at]).read))
    for size in (1, 7, 1000):
        pieces = [content[at : at + size] for at in range(0, len(content), size)]
        header, buffers = read_parcel(read_pieces(pieces))
        assert same(Unpacker(buffers, {}).unpack("x", header["values"]["x"])["b"], value["b"])


@given(st.data())
def test_changed_bytes_never_pass(data: st.DataObject) -> None:
    content = bytearray(packed([1.5, "a", np.arange(3)]))
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Broken):
        read_parcel(io.BytesIO(content).read)
