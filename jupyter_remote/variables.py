"""Variables between this process and a session: packed and sent before a run, fetched and made here after it.

What a value looks like on the way is `agent/variables.py`'s business; here is who is trusted with what, and
what is told when a value can't travel.
"""

from __future__ import annotations

import contextlib
import keyword
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .agent import messages as m
from .agent.parcel import Broken, Parcel, Refused, read_parcel, read_pieces, sealed
from .agent.variables import Unpacker, pack_all
from .arrow_stream import check_stream
from .code_source import pack_code
from .errors import ConnectionLost, ProtocolError, UsageError

if TYPE_CHECKING:
    from .config_models import HostConfig
    from .connection import Connection, Stream


# What a host may send ahead of what was taken here, beyond a stream's first window. What comes is hashed and
# copied beside other threads: with less, the host would stand still each time that this side is busy.
AHEAD = 3 << 20


@dataclass(frozen=True)
class Moved:
    """Variables that went to a session or came from one.

    Args:
        names: of the variables.
        bytes: what travelled.
        seconds: how long that took.
    """

    names: tuple[str, ...]
    bytes: int
    seconds: float


def check_names(names: Sequence[str], host: str) -> tuple[str, ...]:
    """The names of variables, each once.

    Raises:
        UsageError: one can't be the name of a variable.
    """
    for name in names:
        if not name.isidentifier() or keyword.iskeyword(name):
            raise UsageError(f"{name!r} can't be the name of a variable", host=host)
    return tuple(dict.fromkeys(names))


def pack(values: Mapping[str, object], host: HostConfig) -> Parcel:
    """The variables as they travel; large ones are views of the values themselves, so don't change these.

    Raises:
        UsageError: one can't be sent; its name, its type and the ways out are told.
    """
    check_names(list(values), host.name)
    try:
        parcel, refused = pack_all(values, host.trust == "pickle", code=pack_code)
    except Refused as error:
        refused = {"": error}
    if refused:
        raise _refusal("can't send to", refused.values(), host.name)
    return parcel


class Sending:
    """Variables on their way to a session, however often the link breaks meanwhile.

    Args:
        session: what the session is started with when there is none.
        run_id: the run that they are for.
        names: of the variables.
        parcel: all of them.

    Attributes:
        moved: what travelled, once all are known to be there.
    """

    def __init__(self, session: dict[str, Any], run_id: str, names: Sequence[str], parcel: Parcel) -> None:
        self.moved: Moved | None = None
        self._message = m.Put(session, run_id)
        self._names = tuple(names)
        self._parcel = parcel
        self._start = time.monotonic()
        self._connection: Connection | None = None
        self._stream: Stream | None = None

    def over(self, connection: Connection) -> int | None:
        """Sends them, unless they are there or have been sent over this connection.

        Returns:
            The number of the stream that `Execute` has to wait for; None when they are there already.

        Raises:
            DiskFull, LaunchError: the host can't take them.
            ConnectionLost: the link is gone.
        """
        if self.moved is not None:
            return None
        if self._stream is None or self._connection is not connection:
            self._start, self._connection, self._stream = time.monotonic(), connection, None
            stream = connection.request(self._message)
            try:
                for piece in sealed(self._parcel.pieces()):
                    stream.send(m.Data(), piece)
                stream.send(m.End())
            except BaseException:
                stream.close()  # or the host would go on waiting for the rest
                raise
            self._stream = stream
        return self._stream.number

    def finish(self) -> Moved:
        """Waits until they are there.

        Raises:
            DiskFull, LaunchError, ConnectionLost: they are not.
        """
        if self.moved is None:
            assert self._stream is not None
            self._stream.receive()
            self._stream.close()
            self.moved = Moved(self._names, self._parcel.size, time.monotonic() - self._start)
        return self.moved


def take(
    connection: Connection, run_id: str, names: Sequence[str]
) -> tuple[dict[str, Any], Moved, UsageError | None]:
    """The variables that a run has left on the host.

    Args:
        connection: to the host.
        run_id: of the run, which has ended well.
        names: what was asked for; no other name is taken.

    Returns:
        The values by name, what travelled, and an error for those that could not.

    Raises:
        ProtocolError: what the host sent is not what it says.
        UsageError: they were fetched before.
        ConnectionLost: the link is gone; they can be fetched again.
    """
    host = connection.host
    start = time.monotonic()
    stream = connection.request(m.Take(run_id))
    stream.widen(AHEAD)
    counted = _Counted(stream)
    try:
        header, buffers = read_parcel(read_pieces(counted.pieces(host.name)))
        nodes, refused = _nodes(header, names)
        stream.send(m.End())
        values = _unpacked(nodes, buffers, refused, host)
        with contextlib.suppress(ConnectionLost):  # everything is here
            stream.receive()
    except Broken as broken:
        message = f"the variables that {host.name} sent are broken: {broken}"
        raise ProtocolError(message, host=host.name) from None
    finally:
        stream.close()
    moved = Moved(tuple(values), counted.size, time.monotonic() - start)
    return values, moved, _refusal("can't fetch from", refused.values(), host.name) if refused else None


def _unpacked(
    nodes: dict[str, Any], buffers: list[bytearray], refused: dict[str, Refused], host: HostConfig
) -> dict[str, Any]:
    """The values; those that can't be made here are added to the refused ones."""
    trusted = host.trust == "pickle"
    unpacker = Unpacker(buffers, sys.modules["__main__"].__dict__, pickle=trusted, check=check_stream)
    values = {}
    for name, node in nodes.items():
        try:
            values[name] = unpacker.unpack(name, node)
        except Refused as error:
            refused[name] = error
    return values


class _Counted:
    """The content that comes on a stream, and how much it is."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.size = 0

    def pieces(self, host: str) -> Iterator[bytes]:
        while True:
            frame = self._stream.receive()
            if isinstance(frame.message, m.End):
                return
            if not isinstance(frame.message, m.Data):
                raise ProtocolError(f"a {type(frame.message).__name__} among variables", host=host)
            self.size += len(frame.payload)
            yield frame.payload


def _nodes(header: dict[str, Any], names: Sequence[str]) -> tuple[dict[str, Any], dict[str, Refused]]:
    """What came under each name, and why others did not."""
    nodes, told = header.get("values"), header.get("refused")
    if not isinstance(nodes, dict) or not isinstance(told, dict):
        raise Broken("it has no values")
    if sorted([*nodes, *told]) != sorted(names):
        raise Broken("other variables came than were asked for")
    refused = {}
    for name, why in told.items():
        if not isinstance(why, list) or len(why) != 2 or not all(isinstance(text, str) for text in why):
            raise Broken("it does not say why a variable is missing")
        refused[name] = Refused(*(text[:2000] for text in why))
    return nodes, refused


def _refusal(verb: str, errors: Iterable[Refused], host: str) -> UsageError:
    errors = list(errors)
    hints = dict.fromkeys(error.hint for error in errors if error.hint)
    text = "; ".join(str(error) for error in errors)
    return UsageError(f"{verb} {host}: {text}", host=host, hint="\n".join(hints))
