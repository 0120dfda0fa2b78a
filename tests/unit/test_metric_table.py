"""Points in columns, few for many, and TensorBoard's records."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_remote import metric_table
from jupyter_remote.agent.metric_files import _frames as frames
from jupyter_remote.metric_table import Table, thinned
from jupyter_remote.tfevents import Broken, masked_crc, records, scalars

values = st.lists(st.floats(allow_nan=True, allow_infinity=True) | st.just(math.nan), max_size=400)


@given(values, st.integers(-1, 120))
def test_few_points_have_the_ends_and_extremes_of_all(numbers: list[float], points: int) -> None:
    kept = list(thinned(numbers, points))
    assert len(kept) <= max(points, 5)
    assert kept == sorted(set(kept))
    if len(numbers) <= max(points, 5):
        assert kept == list(range(len(numbers)))
        return
    assert kept[0] == 0 and kept[-1] == len(numbers) - 1
    real = [v for v in numbers if v == v]
    shown = [numbers[i] for i in kept if numbers[i] == numbers[i]]
    if real:
        assert (min(shown), max(shown)) == (min(real), max(real))
    # A gap stays one.
    assert any(math.isnan(numbers[i]) for i in kept) == any(map(math.isnan, numbers))


def test_very_many_points_are_few_and_exact() -> None:
    table = Table()
    for step in range(300_000):
        table.add("loss", float(step % 1000) if step != 123_456 else -5.0, step, 0.0, "output")
    series = table.series("loss", 2000)
    assert len(series.values) <= 2000
    assert (series.steps[0], series.steps[-1], min(series.values), max(series.values)) == (
        0,
        299_999,
        -5,
        999,
    )
    assert series.steps[series.values.index(-5.0)] == 123_456


def test_what_is_too_much_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metric_table, "MOST_POINTS", 10)
    monkeypatch.setattr(metric_table, "MOST_NAMES", 3)
    table = Table()
    for number in range(20):
        table.add("a", number, None, 0, "output", {"n": str(number)})
    for number in range(5):
        table.add(f"name{number}", 1, None, 0, "output")
    assert len(table) == 10 and table.names == ["a", "name0", "name1"]
    assert table.dropped == 10 + 5
    assert table.finals() == {"a": 19, "name0": 1, "name1": 1}


def test_two_sources_that_use_one_name_are_two_curves() -> None:
    table = Table()
    table.add("loss", 1, 1, 0, "output")
    table.add("loss", 2, 1, 0, "metrics.csv", {"a": "b"})
    table.add("loss", 3, None, 0, "output")
    assert table.names == ["loss", "loss@metrics.csv"]
    assert table.series("loss", 10).values == [1, 3]
    assert table.series("loss", 10).steps == [0, 1]  # one of them says no step
    assert table.params() == {"a": "b"}
    assert [one.value for one in table.without("output")] == [2]


# TensorBoard.


def varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def part(field: int, content: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(content)) + content


def frame(content: bytes) -> bytes:
    head = struct.pack("<Q", len(content))
    return head + struct.pack("<I", masked_crc(head)) + content + struct.pack("<I", masked_crc(content))


def event(tag: str, value: bytes, step: int, moment: float = 1.7e9) -> bytes:
    summary = part(5, part(1, part(1, tag.encode()) + value))
    return b"\x09" + struct.pack("<d", moment) + b"\x10" + varint(step % (1 << 64)) + summary


def simple(number: float) -> bytes:
    return b"\x15" + struct.pack("<f", number)


def tensor(number: float, packed: bool) -> bytes:
    content = b"\x08\x01" + (
        part(4, struct.pack("<f", number)) if packed else part(5, struct.pack("<f", number))
    )
    return part(8, content)


def test_the_checksum_is_the_one_of_the_format() -> None:
    # CRC-32C of "123456789" is 0xE3069283; masked as in TensorFlow's crc32c.h.
    assert masked_crc(b"123456789") == ((0xE3069283 >> 15 | 0xE3069283 << 17) + 0xA282EAD8) & 0xFFFFFFFF


@given(
    st.lists(st.tuples(st.text("abc/", min_size=1), st.floats(width=32), st.integers(-5, 2**40))),
    st.sampled_from([simple, lambda n: tensor(n, True), lambda n: tensor(n, False)]),
)
def test_scalars_of_records(wanted: list[tuple[str, float, int]], how: object) -> None:
    data = frame(b"\x09" + struct.pack("<d", 1.0) + part(3, b"brain.Event:2"))
    data += b"".join(frame(event(tag, how(value), step)) for tag, value, step in wanted)  # type: ignore[operator]
    found = [one for content in records(data) for one in scalars(content)]
    assert repr(found) == repr([(tag, value, step, 1.7e9) for tag, value, step in wanted])


@given(st.integers(0, 400), st.integers(0, 7))
def test_a_record_that_is_half_written_comes_when_it_is_whole(cut: int, flipped: int) -> None:
    data = b"".join(frame(event("loss", simple(n), n)) for n in range(5))
    content, used, broken = frames(data[:cut], min(cut, len(data)))
    assert not broken
    rest, _, _ = frames(data[used:], len(data) - used)
    steps = [step for one in (content, rest) for c in records(one) for _, _, step, _ in scalars(c)]
    assert steps == [0, 1, 2, 3, 4]
    # A bit of a content that is wrong costs that record.
    bad = bytearray(data)
    bad[20] ^= 1 << flipped
    assert len(list(records(bytes(bad)))) == 4


def test_a_picture_is_passed_over_and_garbage_ends_it() -> None:
    picture, small = frame(event("image", part(4, bytes(100_000)), 1)), frame(event("loss", simple(1), 2))
    content, used, broken = frames((picture + small)[: 1 << 16], len(picture + small))
    assert (content, used, broken) == (b"", len(picture), False)
    assert frames(b"\xff" * 64, 64) == (b"", 0, True)
    with pytest.raises(Broken):
        list(records(b"\x01" + bytes(30)))


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader_of_records(data: bytes) -> None:
    list(scalars(data))
    assert list(records(frame(data))) == [data]
