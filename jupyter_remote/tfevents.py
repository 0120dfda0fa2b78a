"""TensorBoard's event files: scalars out of their records. Pure; bytes in, numbers out.

A file is records (TensorFlow's `record_writer.h`): length (8 bytes, little endian), its masked CRC-32C, the
content, its masked CRC-32C. The content is a protobuf `Event` (`event.proto`: 1 wall_time double, 2 step
int64, 5 summary), a `Summary` has values (1), and a value a tag (1), simple_value (2, float) or tensor (8);
of tensors only those of one number count (`tensor.proto`: 1 dtype, 4 tensor_content, 5 float_val, 6
double_val).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_HEAD = struct.Struct("<QI")
_POLYNOMIAL = 0x82F63B78
_MASK = 0xA282EAD8
_FLOAT, _DOUBLE = 1, 2


class Broken(ValueError):
    """The bytes are no records of events."""


def _table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _table()


def masked_crc(data: bytes) -> int:
    """The checksum of a record: CRC-32C (Castagnoli), rotated by 15 bits and offset, as TensorFlow does."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF


def records(data: bytes) -> Iterator[bytes]:
    """The contents of whole records; half of one at the end is left out, and one with a wrong checksum.

    Raises:
        Broken: a length has a wrong checksum, so nobody knows where the next record begins.
    """
    at = 0
    while at + 12 <= len(data):
        length, crc = _HEAD.unpack_from(data, at)
        if masked_crc(data[at : at + 8]) != crc:
            raise Broken(f"the length of the record at byte {at} has a wrong checksum")
        end = at + 12 + length
        if end + 4 > len(data):
            return
        content = data[at + 12 : end]
        if masked_crc(content) == int.from_bytes(data[end : end + 4], "little"):
            yield content
        at = end + 4


def scalars(content: bytes) -> Iterator[tuple[str, float, int, float]]:
    """Tag, value, step and time (seconds since the epoch) of each scalar in a record."""
    moment, step, summaries = 0.0, 0, []
    try:
        for number, value in _fields(content):
            if number == 1 and isinstance(value, bytes) and len(value) == 8:
                moment = struct.unpack("<d", value)[0]
            elif number == 2 and isinstance(value, int):
                step = value - (1 << 64) if value >> 63 else value
            elif number == 5 and isinstance(value, bytes):
                summaries.append(value)
        for summary in summaries:
            for number, value in _fields(summary):
                if number == 1 and isinstance(value, bytes) and (one := _scalar(value)) is not None:
                    yield one[0], one[1], step, moment
    except (IndexError, struct.error):
        return  # no protobuf


def _scalar(content: bytes) -> tuple[str, float] | None:
    tag, number = "", None
    for field, value in _fields(content):
        if field == 1 and isinstance(value, bytes):
            tag = value.decode("utf-8", "replace")
        elif field == 2 and isinstance(value, bytes) and len(value) == 4:
            number = struct.unpack("<f", value)[0]
        elif field == 8 and isinstance(value, bytes):
            number = _tensor(value)
    return None if number is None or not tag else (tag, number)


def _tensor(content: bytes) -> float | None:
    kind, found = 0, b""
    for field, value in _fields(content):
        if field == 1 and isinstance(value, int):
            kind = value
        elif field in (4, 5, 6) and isinstance(value, bytes):
            found = value
    code = {_FLOAT: "<f", _DOUBLE: "<d"}.get(kind)
    if code is None or struct.calcsize(code) != len(found):
        return None
    return float(struct.unpack(code, found)[0])


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protobuf message: number, and an integer or bytes (fixed and length-delimited ones)."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire == 2:
            size, at = _varint(data, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise IndexError("no wire type of ours")
        if at + size > len(data):
            raise IndexError("cut short")
        yield number, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise IndexError("too long")
