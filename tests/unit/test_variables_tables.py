"""Tables and tensors become bytes and values again, with their types."""

from __future__ import annotations

import collections
import datetime
import math
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from parcels import parcel_of, trip, unpacked

from jupyter_remote.agent.parcel import Broken, Refused

ROWS = 5
DAYS = pd.date_range("2020-03-27", periods=ROWS, tz="Europe/Berlin", freq="D")
LISTS = pd.ArrowDtype(pa.list_(pa.int64()))


def columns() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "int": range(ROWS),
            "float": [1.5, None, math.inf, 3, 4],
            "text": ["a", None, "c", "ä", "e" * 2000],
            "object": pd.Series([1, "a", None, [1], {"a": np.arange(2)}], dtype=object, index=DAYS),
            "texts": pd.Series([*"abcde"], dtype=object, index=DAYS),
            "category": pd.Categorical([*"abab", None], ordered=True),
            "zone": DAYS,
            "naive": DAYS.tz_localize(None).as_unit("s"),
            "offset": DAYS.tz_convert("UTC+05:30"),
            "delta": pd.to_timedelta(range(ROWS), unit="s"),
            "Int64": pd.array([1, None, 3, 4, 5], dtype="Int64"),
            "UInt8": pd.array([1, None, 3, 4, 5], dtype="UInt8"),
            "Float32": pd.array([1, None, 3, 4, 5], dtype="Float32"),
            "boolean": pd.array([True, None, True, None, False], dtype="boolean"),
            "period": pd.period_range("2020", periods=ROWS, freq="M"),
            "interval": pd.interval_range(0, ROWS, closed="left"),
            "string": pd.array([*"abcd", None], dtype="string[python]"),
            "string arrow": pd.array([*"abcd", None], dtype="string[pyarrow]"),
            "arrow": pd.Series([1, 2, None, 3, 4], dtype="int64[pyarrow]", index=DAYS),
            "arrow lists": pd.Series([[1], [2, 3], None, [], [4]], dtype=LISTS, index=DAYS),
            7: 1.0,
            ("a", "tuple"): 2,
        },
        index=DAYS,
    )  # fmt: skip


@pytest.mark.parametrize("name", columns(), ids=str)
def test_columns(name: Any) -> None:
    series = columns()[name]
    if name != "object":
        pd.testing.assert_series_equal(trip(series), series)
    pd.testing.assert_frame_equal(trip(series.to_frame()), series.to_frame())
    if name not in ("object", "arrow lists"):
        index = pd.Index(series.array, name="named")
        pd.testing.assert_index_equal(trip(index), index, exact=True)


FRAMES = {
    "all": columns(),
    "without index": columns().reset_index(drop=True),
    "one block": pd.DataFrame(np.arange(12.0).reshape(3, 4)),
    "nothing": pd.DataFrame(),
    "no columns": pd.DataFrame(index=["a", "b"]),
    "no rows": pd.DataFrame({"a": pd.Series(dtype=int), "b": pd.Series(dtype=object)}),
    "same labels": pd.DataFrame([[1, 2.0, "x"]], columns=["a", "a", 3]),
    "multi": columns().set_index(["category", "naive", "text"]),
    "multi columns": pd.DataFrame(
        np.ones((2, 4)), columns=pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["n", None])
    ),
    "texts": pd.DataFrame({"a": ["x"] * 100, "b": ["y"] * 100}),
    "categories": pd.DataFrame({"a": pd.Categorical(["a", "b"])}, index=pd.CategoricalIndex(["u", "v"])),
}


@pytest.mark.parametrize("name", FRAMES)
def test_frames(name: str) -> None:
    frame = FRAMES[name]
    frame.attrs["about"] = {"unit": "m"}
    made = trip(frame)
    pd.testing.assert_frame_equal(made, frame, check_column_type=True, check_index_type=True, check_freq=True)
    assert made.attrs == frame.attrs


@pytest.mark.parametrize(
    "value",
    [
        *(pd.Timestamp("2020"), pd.Timestamp("2020-05-05 05:05:05.000000005", tz="Asia/Tokyo")),
        *(pd.Timedelta("1h"), pd.Period("2020", "M"), pd.Interval(0, 1.5, "both"), pd.NaT, pd.NA),
    ],
    ids=repr,
)
def test_scalars_of_pandas(value: object) -> None:
    made = trip([value])[0]
    assert repr(made) == repr(value) and type(made) is type(value)


def test_indexes_keep_their_kind() -> None:
    for index in (
        *(pd.RangeIndex(3, name="a"), pd.RangeIndex(9, 0, -3), DAYS, DAYS.tz_localize(None), pd.Index([])),
        *(pd.timedelta_range(0, periods=3, freq="h"), pd.period_range("2020", periods=3, freq="Q-JAN")),
        *(pd.interval_range(0, 3), pd.Index([1, "a"], dtype=object), pd.Index(["a", "b"], name=("x", 1))),
    ):
        made = trip(index)
        pd.testing.assert_index_equal(made, index, exact=True)
        assert getattr(made, "freq", None) == getattr(index, "freq", None)


def test_tables_of_arrow() -> None:
    table = pa.table({"a": [1, None], "s": ["x", "y"], "d": pa.array(["a", "a"]).dictionary_encode()})
    table = table.replace_schema_metadata({"k": "v"})
    for value in (table, table.slice(1), table.slice(0, 0), table.to_batches()[0], table["s"]):
        made = trip(value)
        assert type(made) is type(value) and made.equals(value)
    for array in (pa.array([1, None]), pa.array([], pa.string()), pa.array(["a", "a"]).dictionary_encode()):
        assert type(trip(array)) is type(array) and trip(array).equals(array)
    assert trip(table).schema.equals(table.schema, check_metadata=True)


def test_tables_of_polars() -> None:
    frame = pl.DataFrame(
        {"a": [1, None], "s": ["x", "y"], "l": [[1], []], "d": [datetime.date(2020, 1, 1)] * 2}
    )
    frame = frame.with_columns(pl.col("s").cast(pl.Categorical).alias("c"))
    assert trip(frame).equals(frame) and trip(frame).schema == frame.schema
    assert trip(frame["l"]).equals(frame["l"]) and trip(frame["a"]).name == "a"
    with pytest.raises(Refused, match="is a plan"):
        trip(frame.lazy())


def test_tensors() -> None:
    # 200 MB and more, so it is no dependency of `make test`; `make test-torch` has it.
    torch = pytest.importorskip("torch")
    for name in ("bool", "uint8", "int64", "float16", "bfloat16", "float32", "float64", "complex64"):
        for shape in ((), (0,), (3, 4), (2, 0)):
            tensor = (torch.rand(shape) * 9).to(getattr(torch, name))
            made = trip(tensor)
            assert made.dtype == tensor.dtype and made.shape == tensor.shape and torch.equal(made, tensor)
    assert torch.equal(trip(torch.arange(12).reshape(3, 4).T), torch.arange(12).reshape(3, 4).T)
    assert torch.equal(trip(torch.tensor([1 + 2j]).conj()), torch.tensor([1 - 2j]))
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    made = trip(model.state_dict())
    assert type(made) is collections.OrderedDict
    torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4)).load_state_dict(made, strict=True)
    parameter = trip(model[0].weight)
    assert type(parameter) is torch.nn.Parameter and parameter.requires_grad
    assert trip([torch.float16, torch.Size([1, 2])]) == [torch.float16, torch.Size([1, 2])]
    with pytest.raises(Refused, match="is code and weights"):
        trip(model)
    with pytest.raises(Refused, match="sparse"):
        trip(torch.eye(3).to_sparse())
    for lie in (
        ["torch.tensor", 0, "float32", [1 << 60], [False, False], 0],
        ["torch.tensor", 0, "load", [1], [0, 0], 0],
    ):
        with pytest.raises((Broken, Refused)):
            unpacked(parcel_of(lie, b"1234"))
