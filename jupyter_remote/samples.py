"""What a host does, moment by moment. How it is shown is `commands/watching.py`'s and `status_line.py`'s."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .agent import messages as m
from .errors import ConnectionLost, ProtocolError, UsageError

if TYPE_CHECKING:
    from types import TracebackType

    from .connection import Connection

_SHORTEST_S = 0.05


def check_interval(interval: float) -> None:
    """Refuse what is no `interval` between two samples, in seconds.

    Raises:
        UsageError: it isn't.
    """
    if not _SHORTEST_S <= interval < float("inf"):
        raise UsageError(f"{interval!r} is no interval: at least {_SHORTEST_S:g} seconds")


class Samples:
    """An iterator of samples, as dictionaries, without an end; a context manager, which closes it.

    A sample has ``time`` (by the host's clock), ``load``, ``cpu`` (percent of all processors, None at first),
    ``cpu_count``, ``memory``, ``disk`` (of the home), ``gpus`` and ``gpu_error``, as `Remote.status` has
    them. Only the newest is ever on its way: who takes them slowly misses some, and holds up nobody.

    Args:
        connection: to the host.
        interval: seconds between two.
        who: whether they tell who uses the GPUs.
        leases: the folder of GPU leases that the host's users share.

    Raises:
        UsageError: the interval is no time.
        ConnectionLost: the link is gone.
    """

    def __init__(self, connection: Connection, interval: float, who: bool, leases: str | None) -> None:
        check_interval(interval)
        self._stream = connection.request(m.Sample(int(interval * 1000), int(who), leases))
        self._host = connection.host.name
        self._first = True
        self._closed = False

    def __iter__(self) -> Samples:
        return self

    def __next__(self) -> dict[str, Any]:
        """Waits for the next sample.

        Raises:
            ConnectionLost: the link is gone; ask for samples again.
        """
        if self._closed:
            raise StopIteration
        if not self._first:
            self._stream.send(m.Next())
        self._first = False
        try:
            answer = self._stream.receive().message
        except ConnectionLost:
            if self._closed:
                raise StopIteration from None
            raise
        if not isinstance(answer, m.Facts):
            raise ProtocolError(f"a {type(answer).__name__} came instead of a sample", host=self._host)
        return answer.data or {}

    def close(self) -> None:
        """Ends them, on the host too; may be called while another thread waits for one."""
        if not self._closed:
            self._closed = True
            self._stream.close()
            self._stream.deliver(None)  # whoever waits for the next one

    def __enter__(self) -> Samples:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()
