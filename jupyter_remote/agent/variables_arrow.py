"""Arrow's and polars' tables as nodes (see ``variables.py``): Arrow's own stream, uncompressed.

A stream of a host's is looked through before a library gets it: see the client's ``arrow_stream.py``.
"""

from __future__ import annotations

from .parcel import Refused
from .variables import guest

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, Callable

    from .variables import Packer, Unpacker


def pack(packer: Packer, value: Any, _depth: int) -> list[Any] | None:
    """The node of a table or column, None when its type is not known here."""
    if type(value).__module__.partition(".")[0] == "polars":
        return _pack_polars(packer, value)
    arrow = guest("pyarrow", "an Arrow table")
    kinds = {
        arrow.Table: "table",
        arrow.RecordBatch: "batch",
        arrow.ChunkedArray: "chunked",
        arrow.Array: "array",
    }
    form = next((name for kind, name in kinds.items() if isinstance(value, kind)), None)
    if form is None:
        return None
    table = value
    if form == "batch":
        table = arrow.Table.from_batches([value])
    elif form in ("chunked", "array"):
        table = arrow.table({"": value})
    sink = arrow.BufferOutputStream()
    with arrow.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return ["pyarrow.stream", form, packer.add(sink.getvalue())]


def _unpack_arrow(unpacker: Unpacker, form: str, number: int) -> Any:
    arrow = guest("pyarrow", "an Arrow table")
    data = _stream(unpacker, number)
    table = arrow.ipc.open_stream(arrow.py_buffer(data)).read_all()
    table.validate(full=True)
    if form == "table":
        return table
    if form == "batch":
        batches = table.combine_chunks().to_batches()
        return batches[0] if batches else arrow.RecordBatch.from_pylist([], schema=table.schema)
    column = table.column(0)
    if form == "chunked":
        return column
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _pack_polars(packer: Packer, value: Any) -> list[Any] | None:
    import io

    polars = guest("polars", "a polars table")
    if isinstance(value, polars.LazyFrame):
        raise Refused("a polars LazyFrame is a plan, not data", "Send x.collect().")
    if type(value) not in (polars.DataFrame, polars.Series):
        return None
    frame = value.to_frame() if type(value) is polars.Series else value
    if any(kind == polars.Object for kind in frame.dtypes):
        raise Refused("a polars column of Python objects", "Convert it: its values have to be of one type.")
    sink = io.BytesIO()
    frame.write_ipc_stream(sink, compression="uncompressed")
    return ["polars.stream", type(value).__name__, packer.add(sink.getbuffer())]


def _unpack_polars(unpacker: Unpacker, form: str, number: int) -> Any:
    import io

    polars = guest("polars", "a polars table")
    data = _stream(unpacker, number)
    frame = polars.read_ipc_stream(io.BytesIO(data))
    return frame.to_series(0) if form == "Series" else frame


def _stream(unpacker: Unpacker, number: int) -> bytearray:
    data = unpacker.buffer(number)
    if unpacker.check is not None:
        unpacker.check(data)
    return data


UNPACK: dict[str, Callable[..., Any]] = {"pyarrow.stream": _unpack_arrow, "polars.stream": _unpack_polars}
