"""pandas' frames, series and indexes as nodes (see ``variables.py``): one array for each column.

Arrow would need pyarrow on both ends, and loses what it has no word for: mixed columns, frequencies, labels
that are no text. Only columns that are Arrow's already travel as such.
"""

from __future__ import annotations

from .parcel import Broken, Refused
from .variables import guest

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, Callable

    from .variables import Packer, Unpacker

MASKED = ("IntegerArray", "FloatingArray", "BooleanArray")


def pack(packer: Packer, value: Any, _depth: int) -> list[Any] | None:
    """The node of a value of pandas, None when its type is not known here."""
    pandas = guest("pandas", "a table")
    kind = type(value)
    if kind is pandas.DataFrame:
        return _pack_frame(packer, value)
    if kind is pandas.Series:
        name = packer.node(value.name)
        return ["pandas.Series", pack_array(packer, value.array), _pack_index(packer, value.index), name]
    if isinstance(value, pandas.Index):
        return ["pandas.Index", *_pack_index(packer, value)]
    if isinstance(value, pandas.api.extensions.ExtensionArray):
        return ["pandas.array", *pack_array(packer, value)]
    if kind in (pandas.Timestamp, pandas.Timedelta):
        zone = str(value.tz) if kind is pandas.Timestamp and value.tz is not None else None
        naive = value if zone is None else value.tz_convert("UTC").tz_localize(None)
        plain = naive.to_datetime64() if kind is pandas.Timestamp else naive.to_timedelta64()
        return [f"pandas.{kind.__name__}", packer.node(plain), zone]
    if kind is pandas.Period:
        return ["pandas.Period", value.ordinal, value.freqstr]
    if kind is pandas.Interval:
        return ["pandas.Interval", packer.node(value.left), packer.node(value.right), value.closed]
    if value is pandas.NA or value is pandas.NaT:
        return ["pandas.NA" if value is pandas.NA else "pandas.NaT"]
    return None


def _pack_frame(packer: Packer, frame: Any) -> list[Any]:
    numpy = guest("numpy", "a table")
    columns, index = _pack_index(packer, frame.columns), _pack_index(packer, frame.index)
    kinds = set(frame.dtypes)
    kind = kinds.pop() if len(kinds) == 1 else None
    if isinstance(kind, numpy.dtype) and not kind.hasobject:
        # One block, which is handed on as it lies in memory.
        content = ["block", packer.node(frame.to_numpy())]
    else:
        arrays = (frame.iloc[:, number].array for number in range(frame.shape[1]))
        content = ["columns", [pack_array(packer, array) for array in arrays]]
    return ["pandas.DataFrame", columns, index, *content, packer.node(dict(frame.attrs))]


def _unpack_frame(
    unpacker: Unpacker, columns: Any, index: Any, form: str, content: Any, attributes: Any
) -> Any:
    pandas = guest("pandas", "a pandas DataFrame")
    labels, rows = _unpack_index(unpacker, *columns), _unpack_index(unpacker, *index)
    if form == "block":
        frame = pandas.DataFrame(unpacker.value(content), index=rows, columns=labels, copy=False)
    else:
        series = {
            number: _series(pandas, unpack_array(unpacker, *node), rows)
            for number, node in enumerate(content)
        }
        frame = pandas.DataFrame(series, index=rows, copy=False)
        frame.columns = labels
    frame.attrs.update(unpacker.value(attributes))
    return frame


def _series(pandas: Any, array: Any, index: Any, name: Any = None) -> Any:
    # With its type, or texts would be taken for another one.
    return pandas.Series(array, index=index, name=name, dtype=array.dtype, copy=False)


def pack_array(packer: Packer, array: Any) -> list[Any]:
    """The form of a column's array, and its parts."""
    numpy = guest("numpy", "a column")
    kind, name = array.dtype, type(array.dtype).__name__
    if isinstance(kind, numpy.dtype) or name in ("NumpyEADtype", "PandasDtype"):
        raw = numpy.asarray(array)
        return ["objects", packer.node(raw.tolist())] if raw.dtype.hasobject else ["plain", packer.node(raw)]
    if name == "DatetimeTZDtype":
        plain = numpy.asarray(array.tz_convert("UTC").tz_localize(None))
        return ["zoned", packer.node(plain), str(kind.tz)]
    if name == "CategoricalDtype":
        return [
            "category",
            packer.node(array.codes),
            _pack_index(packer, array.categories),
            bool(array.ordered),
        ]
    if type(array).__name__ in MASKED:
        plain = array.to_numpy(dtype=kind.numpy_dtype, na_value=0)
        return ["masked", packer.node(plain), packer.node(numpy.asarray(array.isna()))]
    if name == "StringDtype":
        missing = numpy.asarray(array.isna())
        texts = numpy.where(missing, "", numpy.asarray(array, dtype=object)).tolist()
        nan = isinstance(getattr(kind, "na_value", None), float)
        return ["texts", packer.node(texts), packer.node(missing), kind.storage, nan]
    if name == "PeriodDtype":
        return ["period", packer.node(array.asi8), str(kind)[len("period[") : -1]]
    if name == "IntervalDtype":
        return ["interval", _pack_index(packer, array.left), _pack_index(packer, array.right), array.closed]
    if name == "ArrowDtype":
        arrow = guest("pyarrow", "a column of Arrow's")
        column = arrow.array(array)
        return ["arrow", packer.node(column)]
    raise Refused(f"a column of type {kind} has no safe form to travel in", "Convert it: x.astype(object).")


def unpack_array(unpacker: Unpacker, form: str, *fields: Any) -> Any:
    """The array of a column, as pandas takes it.

    Args:
        form: how it was packed.
    """
    pandas, numpy = guest("pandas", "a pandas column"), guest("numpy", "a column")
    if form == "plain":
        return unpacker.value(fields[0])
    if form == "objects":
        return _objects(numpy, unpacker.value(fields[0]))
    if form == "zoned":
        return pandas.DatetimeIndex(unpacker.value(fields[0])).tz_localize("UTC").tz_convert(fields[1]).array
    if form == "category":
        codes, categories = unpacker.value(fields[0]), _unpack_index(unpacker, *fields[1])
        return pandas.Categorical.from_codes(codes, categories=categories, ordered=bool(fields[2]))
    if form == "masked":
        values, mask = unpacker.value(fields[0]), unpacker.value(fields[1])
        kinds = {"f": pandas.arrays.FloatingArray, "b": pandas.arrays.BooleanArray}
        return kinds.get(values.dtype.kind, pandas.arrays.IntegerArray)(values, mask)
    if form == "texts":
        return _texts(pandas, numpy, unpacker.value(fields[0]), unpacker.value(fields[1]), *fields[2:])
    if form == "period":
        return pandas.arrays.PeriodArray(unpacker.value(fields[0]), dtype=pandas.PeriodDtype(fields[1]))
    if form == "interval":
        left, right = (_unpack_index(unpacker, *side) for side in fields[:2])
        return pandas.arrays.IntervalArray.from_arrays(left, right, closed=fields[2])
    if form == "arrow":
        arrow = guest("pyarrow", "a column of Arrow's")
        column = unpacker.value(fields[0])
        chunks = column if isinstance(column, arrow.ChunkedArray) else arrow.chunked_array([column])
        return pandas.arrays.ArrowExtensionArray(chunks)
    raise Broken(f"an unknown form of column: {form!r}")


def _objects(numpy: Any, values: list[Any]) -> Any:
    # One by one: numpy would make a second dimension of lists.
    made = numpy.empty(len(values), dtype=object)
    for number, value in enumerate(values):
        made[number] = value
    return made


def _texts(pandas: Any, numpy: Any, texts: list[str], missing: Any, storage: str, nan: bool) -> Any:
    values = numpy.array(texts, dtype=object)
    values[missing] = numpy.nan if nan else pandas.NA
    na = {"na_value": numpy.nan} if nan else {}
    try:
        kind = pandas.StringDtype(storage, **na)
    except ImportError:  # the same texts, kept in another way
        kind = pandas.StringDtype("python", **na)
    return pandas.array(values, dtype=kind)


def _pack_index(packer: Packer, index: Any) -> list[Any]:
    pandas = guest("pandas", "an index")
    names = packer.node(list(index.names))
    if isinstance(index, pandas.RangeIndex):
        return ["range", names, index.start, index.stop, index.step]
    if isinstance(index, pandas.MultiIndex):
        levels = [_pack_index(packer, level) for level in index.levels]
        return [
            "multi",
            names,
            levels,
            [packer.node(pandas.array(codes).to_numpy()) for codes in index.codes],
        ]
    frequency = getattr(index, "freqstr", None) if type(index).__name__ != "PeriodIndex" else None
    return ["plain", names, pack_array(packer, index.array), frequency]


def _unpack_index(unpacker: Unpacker, form: str, names: Any, *fields: Any) -> Any:
    pandas = guest("pandas", "a pandas index")
    told = unpacker.value(names)
    if form == "range":
        return pandas.RangeIndex(*fields, name=told[0])
    if form == "multi":
        levels = [_unpack_index(unpacker, *level) for level in fields[0]]
        codes = [unpacker.value(node) for node in fields[1]]
        return pandas.MultiIndex(levels=levels, codes=codes, names=told)
    array = unpack_array(unpacker, *fields[0])
    index = pandas.Index(array, name=told[0], dtype=array.dtype, copy=False)
    if fields[1] is not None:
        try:
            index.freq = fields[1]
        except ValueError:
            pass  # a frequency that another version of pandas has another name for
    return index


def _moment(kind: str) -> Callable[..., Any]:
    def make(unpacker: Unpacker, plain: Any, zone: str | None) -> Any:
        value = getattr(guest("pandas", f"a pandas {kind}"), kind)(unpacker.value(plain))
        return value if zone is None else value.tz_localize("UTC").tz_convert(zone)

    return make


def _unpack_series(unpacker: Unpacker, array: Any, index: Any, name: Any) -> Any:
    pandas = guest("pandas", "a pandas Series")
    values, rows = unpack_array(unpacker, *array), _unpack_index(unpacker, *index)
    return _series(pandas, values, rows, unpacker.value(name))


UNPACK: dict[str, Callable[..., Any]] = {
    "pandas.DataFrame": _unpack_frame,
    "pandas.Series": _unpack_series,
    "pandas.Index": _unpack_index,
    "pandas.array": lambda unpacker, *node: guest("pandas", "a column").array(unpack_array(unpacker, *node)),
    "pandas.Timestamp": _moment("Timestamp"),
    "pandas.Timedelta": _moment("Timedelta"),
    "pandas.Period": lambda _, number, freq: guest("pandas", "a Period").Period(ordinal=number, freq=freq),
    "pandas.Interval": lambda unpacker, left, right, closed: guest("pandas", "an Interval").Interval(
        unpacker.value(left), unpacker.value(right), closed
    ),
    "pandas.NA": lambda _: guest("pandas", "pandas.NA").NA,
    "pandas.NaT": lambda _: guest("pandas", "pandas.NaT").NaT,
}
