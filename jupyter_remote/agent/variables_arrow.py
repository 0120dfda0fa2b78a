"""Arrow's and polars' tables as nodes (see ``variables.py``): Arrow's own stream, uncompressed.

A stream is looked through before a library gets it: compressed buffers would be a way to make a few bytes
fill the memory, and old versions of pyarrow unpickle an extension type.
"""

from __future__ import annotations

import struct

from .parcel import Broken, Refused
from .variables import guest

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, Callable

    from .variables import Packer, Unpacker

DICTIONARY, RECORDS = 2, 3  # kinds of messages, from Message.fbs of the Arrow format
PICKLES = b"arrow.py_extension_type"


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
    data = unpacker.buffer(number)
    check_stream(data)
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
    data = unpacker.buffer(number)
    check_stream(data)
    frame = polars.read_ipc_stream(io.BytesIO(data))
    return frame.to_series(0) if form == "Series" else frame


def check_stream(data: bytearray) -> None:
    """Looks at every message of an Arrow stream without trusting any of it.

    Raises:
        Broken: it is torn, compressed, or would be unpickled.
    """
    at = 0
    try:
        while at < len(data):
            marker, size = struct.unpack_from("<Ii", data, at)
            at += 8
            if marker != 0xFFFFFFFF or size < 0 or at + size > len(data):
                raise Broken("an Arrow stream with a torn message")
            if size == 0:
                return
            metadata = bytes(data[at : at + size])
            at += size + _check_message(metadata)
    except struct.error:
        raise Broken("an Arrow stream that ends within a message") from None
    if at != len(data):
        raise Broken("an Arrow stream that is shorter than it says")


def _check_message(metadata: bytes) -> int:
    """Checks the metadata of one message and returns the size of its body."""
    if PICKLES in metadata:
        raise Broken("an Arrow extension type that is a pickle")
    message = _Table(metadata, struct.unpack_from("<I", metadata)[0])
    kind = message.number(1, "<B")
    if kind in (DICTIONARY, RECORDS):
        batch = message.table(2)
        if kind == DICTIONARY and batch is not None:
            batch = batch.table(1)
        if batch is None or batch.field(3):
            raise Broken("a compressed Arrow stream")
    body = message.number(3, "<q")
    if body < 0:
        raise Broken("an Arrow message of negative size")
    return body


class _Table:
    """A table of a flatbuffer, as far as it is needed here."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at
        self._fields = at - struct.unpack_from("<i", data, at)[0]
        if self._fields < 0:
            raise Broken("a torn Arrow message")

    def field(self, number: int) -> int:
        """Where a field is, 0 when it is not there."""
        place = 4 + 2 * number
        (size,) = struct.unpack_from("<H", self._data, self._fields)
        offset = struct.unpack_from("<H", self._data, self._fields + place)[0] if place < size else 0
        return self._at + offset if offset else 0

    def number(self, number: int, form: str) -> int:
        at = self.field(number)
        return int(struct.unpack_from(form, self._data, at)[0]) if at else 0

    def table(self, number: int) -> _Table | None:
        at = self.field(number)
        return _Table(self._data, at + struct.unpack_from("<I", self._data, at)[0]) if at else None


UNPACK: dict[str, Callable[..., Any]] = {"pyarrow.stream": _unpack_arrow, "polars.stream": _unpack_polars}
