"""Plain values, arrays and pictures become bytes and values again, with their types."""

from __future__ import annotations

import collections
import datetime
import decimal
import fractions
import io
import math
import pathlib
import sys
import uuid
import zoneinfo
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from parcels import Colour, Sub, closure, packed, same, trip
from PIL import Image

from jupyter_remote.agent.parcel import read_parcel
from jupyter_remote.agent.variables import Packer, Unpacker, pack_all
from jupyter_remote.code_source import pack_code

ZONES = [zoneinfo.ZoneInfo("Europe/Berlin"), zoneinfo.ZoneInfo("Asia/Tokyo"), datetime.UTC]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(exclude_categories=())),
    st.binary(),
    st.complex_numbers(),
    st.datetimes(timezones=st.none() | st.sampled_from(ZONES)),
    st.timedeltas(),
    st.dates(),
    st.decimals().filter(lambda number: not number.is_snan()),
    st.uuids(),
)
TREES = st.recursive(
    SCALARS,
    lambda inside: st.one_of(
        st.lists(inside),
        st.lists(inside).map(tuple),
        st.dictionaries(SCALARS, inside),
        st.frozensets(SCALARS),
        st.binary().map(bytearray),
    ),
    max_leaves=20,
)


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(TREES)
def test_trees_of_plain_values(tree: object) -> None:
    assert same(trip(tree), tree)


@settings(max_examples=20)
@given(st.one_of(st.lists(st.floats(), min_size=64), st.lists(st.integers(), min_size=64)))
def test_long_lists_of_numbers(numbers: list[Any]) -> None:
    assert same(trip(numbers), numbers)


@pytest.mark.parametrize(
    "value",
    [
        *(10**5000, -(2**63), 2**63, True, -0.0, math.inf, "\ud800" * 2000, "ä" * 2000, ["ä\ud800"] * 100),
        *({1, 2}, set(range(100)), frozenset("ab"), range(1, 9, 2), slice(1, None), ..., NotImplemented),
        *(bytearray(b"x" * 1000), [True] * 100, [1, 2.0] * 50, {(1, "a"): [], None: {}}),
        *(pathlib.Path("/a/b"), pathlib.PurePosixPath("a"), pathlib.PureWindowsPath("c:\\a")),
        *(datetime.time(1, 2, fold=1), datetime.UTC, zoneinfo.ZoneInfo("Asia/Tokyo")),
        datetime.timezone(datetime.timedelta(hours=5, minutes=30), "somewhere"),
        datetime.datetime(2020, 10, 25, 2, 30, fold=1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")),
        *(decimal.Decimal("1.10"), fractions.Fraction(1, 3), uuid.UUID(int=5)),
        *(collections.OrderedDict(b=1, a=2), collections.Counter("aab"), collections.deque([1, 2], 3)),
        collections.defaultdict(list, a=[1]),
        *(Colour.RED, [Colour.BLUE], {Colour.RED: 1}),
        *(np.float32(1.5), np.datetime64("2020-01-01"), np.dtype([("a", "<i4"), ("b", ">f8", (2,))])),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_keep_their_types(value: object) -> None:
    assert same(trip(value), value)


def test_lists_that_are_longer_than_a_piece() -> None:
    for values in ([0.5] * 100_000, list(range(100_000)), ["text"] * 200_000):
        assert trip(values) == values


def test_a_bool_is_not_packed_as_a_number_and_an_int_not_as_a_float() -> None:
    assert same(trip([*[1.0] * 70, 1]), [*[1.0] * 70, 1])
    assert same(trip([*[1] * 70, True]), [*[1] * 70, True])


def deep(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


def circle() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def frame_in_itself() -> pd.DataFrame:
    frame = pd.DataFrame({"a": [1]})
    frame.attrs["itself"] = frame
    return frame


def figure() -> object:
    return type("Figure", (), {"__module__": "matplotlib.figure"})()  # the real one takes 5 s to import


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Sub([1]), "a parcels.Sub has no safe form"),
        (lambda: {"a": [object()]}, "a object has no safe form"),
        (figure, "a matplotlib.figure.Figure has no safe form"),
        (lambda: deep(101), "nested more than 100 deep"),
        (circle, "nested more than 100 deep, or contains itself"),
        (frame_in_itself, "it contains itself"),
        (closure, "closure"),
        (lambda: np.array([object()]), "dtype object holds Python objects"),
        (lambda: np.array([(1, "a")], dtype=[("n", int), ("o", object)]), "holds Python objects"),
        (lambda: collections.defaultdict(lambda: 1), "the factory of its defaultdict"),
        (lambda: pd.DataFrame({"a": pd.arrays.SparseArray([0, 1])}), "Sparse"),
        (lambda: sys.stdout, "has no safe form"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_has_no_safe_form_is_refused_by_name_with_a_way_out(
    make: Callable[[], object], says: str
) -> None:
    parcel, refused = pack_all({"mine": make(), "good": np.arange(3)}, False, code=pack_code)
    assert set(refused) == {"mine"}
    assert str(refused["mine"]).startswith("mine: ") and says in str(refused["mine"])
    assert refused["mine"].hint
    header, buffers = read_parcel(io.BytesIO(b"".join(parcel.pieces())).read, seal=False)
    assert len(buffers) == 1
    assert Unpacker(buffers, {}).unpack("good", header["values"]["good"]).tolist() == [0, 1, 2]


# Arrays.


@pytest.mark.parametrize(
    "dtype",
    [
        *("?", "i1", "u1", "<i2", ">i4", "u8", "f2", "<f4", ">f8", "g", "c8", "c16", "G", "S3", "U4", "V5"),
        *("M8[ns]", "M8[D]", "m8[us]", [("a", "i4"), ("b", ">f8", (2, 2)), ("c", [("d", "U2")])]),
    ],
    ids=str,
)
@pytest.mark.parametrize("shape", [(), (0,), (7,), (3, 4), (2, 0, 3)], ids=str)
def test_arrays(dtype: Any, shape: tuple[int, ...]) -> None:
    array = np.zeros(shape, dtype)
    if array.size and array.dtype.kind not in "V":
        array[...] = np.arange(array.size).reshape(shape).astype(dtype)
    for value in (array, np.asfortranarray(array), np.concatenate([array.reshape(-1)] * 2)[::2]):
        made = trip(value)
        assert made.dtype == value.dtype and made.shape == value.shape and type(made) is np.ndarray
        assert made.tobytes() == value.tobytes()
        assert made.flags.f_contiguous == value.flags.f_contiguous or not value.flags.forc
        assert made.flags.writeable or not made.nbytes


def test_arrays_that_are_views_or_files_or_masked(tmp_path: pathlib.Path) -> None:
    base = np.arange(24).reshape(2, 3, 4)
    for view in (base[:, ::2], base.T, base[::-1], np.broadcast_to(base, (2, 2, 3, 4))):
        np.testing.assert_array_equal(trip(view), view)
    mapped = np.memmap(tmp_path / "m", dtype="i4", mode="w+", shape=(3,))
    assert type(trip(mapped)) is np.ndarray
    aligned = np.zeros(3, np.dtype([("a", "i1"), ("b", "f8")], align=True))
    assert trip(aligned).dtype == aligned.dtype
    masked = np.ma.MaskedArray([1, 2, 3], [0, 1, 0], fill_value=7)
    made = trip(masked)
    assert (made.mask == masked.mask).all() and made.fill_value == 7 and made.tolist() == [1, None, 3]


def test_an_object_that_is_met_twice_travels_once() -> None:
    array = np.zeros(1000)
    made = trip({"a": [array, array], "b": array})
    assert made["a"][0] is made["a"][1] is made["b"]
    assert len(packed([array] * 100)) < 10_000


def test_a_large_array_is_not_copied() -> None:
    array = np.zeros(1000)
    packer = Packer()
    packer.pack("x", [array, np.asfortranarray(array.reshape(10, 100))])
    array[0] = 1
    assert np.frombuffer(packer.buffers[0])[0] == 1


@pytest.mark.parametrize(
    "mode", ["1", "L", "P", "LA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I", "F", "I;16"]
)
def test_pictures(mode: str) -> None:
    picture = Image.effect_noise((13, 7), 50)
    picture = picture.convert("RGB").convert(mode) if mode != "I;16" else picture.convert("I").convert(mode)
    if mode == "P":
        picture.info["transparency"] = 3
    made = trip(picture)
    assert (made.mode, made.size, made.tobytes()) == (picture.mode, picture.size, picture.tobytes())
    assert made.getpalette() == picture.getpalette()
    assert made.info.get("transparency") == picture.info.get("transparency")
