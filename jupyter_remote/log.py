"""What a run has printed, as bytes, while they come from the host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .agent import messages as m
from .errors import ProtocolError

if TYPE_CHECKING:
    from .connection import Stream


class Log:
    """The printed output of one run up to some moment; iterate over it for its bytes, once.

    Args:
        stream: on which a `Tail` was asked.

    Attributes:
        record: ``run.json`` as the host has it.
        seq: the newest event that the bytes have to do with; whoever attaches after it misses nothing.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        answer = stream.receive().message
        if not isinstance(answer, m.Facts):
            raise ProtocolError(f"a {type(answer).__name__} came instead of a log")
        facts = answer.data or {}
        self.record = dict(facts["run"])
        self.seq = int(facts["seq"])

    def __iter__(self) -> Iterator[bytes]:
        try:
            while isinstance((frame := self._stream.receive()).message, m.Data):
                yield frame.payload
            if not isinstance(frame.message, m.End):
                raise ProtocolError(f"a {type(frame.message).__name__} came in the midst of a log")
        finally:
            self._stream.close()
