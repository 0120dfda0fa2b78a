"""Values to bytes and back, as the tests of variables need it, and some values that are awkward."""

from __future__ import annotations

import enum
import io
import itertools
import linecache
import sys
from collections.abc import Callable
from typing import Any

from jupyter_remote.agent.parcel import Parcel, read_parcel, sealed
from jupyter_remote.agent.variables import Unpacker, pack_all
from jupyter_remote.arrow_stream import check_stream
from jupyter_remote.code_source import pack_code


class Colour(enum.Enum):
    RED = 1
    BLUE = "b"


class Sub(list):  # type: ignore[type-arg]
    pass


def closure() -> Callable[[], int]:
    count = 1
    return lambda: count


NUMBERS = itertools.count()


def cell(source: str) -> dict[str, Any]:
    """What a cell of a notebook defines."""
    name = f"<test cell {next(NUMBERS)}>"
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(source, name, "exec"), space)
    return space


def packed(value: object, trusted: bool = False) -> bytes:
    parcel, refused = pack_all({"x": value}, trusted, code=pack_code)
    if refused:
        raise refused["x"]
    content = b"".join(sealed(parcel.pieces()))
    assert len(content) == parcel.size
    return content


def unpacked(
    content: bytes, trusted: bool = False, code: bool = False, space: dict[str, Any] | None = None
) -> Any:
    header, buffers = read_parcel(io.BytesIO(content).read)
    space = sys.modules["__main__"].__dict__ if space is None else space
    return Unpacker(buffers, space, pickle=trusted, code=code, check=check_stream).unpack(
        "x", header["values"]["x"]
    )


def trip(value: object, **how: Any) -> Any:
    return unpacked(packed(value, how.get("trusted", False)), **how)


def same(one: Any, other: Any) -> bool:
    """Equal, in every part, and of the same types; NaN is itself."""
    if type(one) is not type(other):
        return False
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return same(list(one), list(other)) and same(list(one.values()), list(other.values()))
    if isinstance(one, (set, frozenset)):
        return {(type(value), repr(value)) for value in one} == {
            (type(value), repr(value)) for value in other
        }
    return one == other if isinstance(one, int) else repr(one) == repr(other)


def parcel_of(node: object, *buffers: bytes) -> bytes:
    return b"".join(sealed(Parcel({"values": {"x": node}, "refused": {}}, list(buffers)).pieces()))
