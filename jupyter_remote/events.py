"""What happens in a run, one by one, out of the frames that bring it. No link and no run is known here."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from .agent.rundir import OUTPUT_KINDS

if TYPE_CHECKING:
    from .agent.wire import Frame

# Displays are whole objects in memory; a host that sends more than this for one is not believed.
LARGEST_EVENT = 1 << 28


class Frames(Protocol):
    """What brings a run's events: a stream of a connection, or what stands for one."""

    over: bool

    def receive(self) -> Frame:
        """The next events; waits for them."""
        ...

    def close(self) -> None:
        """No more are wanted."""
        ...

    def deliver(self, frame: Frame | None) -> None:
        """Wakes who waits: with a frame, or None for the end."""
        ...


@dataclass(frozen=True)
class Event:
    """Something that happened in a run.

    Args:
        seq: its number in the log; a viewer that has it resumes after it.
        time: seconds since the epoch, by the host's clock.
        kind: stdout, stderr, display, update_display, clear_output, comm, result, error, input_request,
            input_reply, state, gap or end.
        text: what was printed (stdout, stderr), decoded; a character cut in two comes with its second half.
        raw: the printed bytes.
        data: the other fields of the event (``data``, ``metadata``, ``transient`` of a display; ``ename``,
            ``evalue``, ``traceback`` of an error; ``action``, ``comm_id``, ``data`` of a comm; ``state``;
            ``exit_code`` and ``seconds`` of the end).
    """

    seq: int
    time: float
    kind: str
    text: str = ""
    raw: bytes = b""
    data: dict[str, Any] = field(default_factory=dict)


class EventDecoder:
    """Puts events together that come in parts, and characters that are cut in two."""

    def __init__(self) -> None:
        self._parts: dict[int, bytes] = {}
        self._decoders = {kind: codecs.getincrementaldecoder("utf-8")("replace") for kind in OUTPUT_KINDS}

    def forget_parts(self) -> None:
        """What came of an event that is not whole comes again from its start."""
        self._parts.clear()

    def unpack(self, events: list[Any], payload: bytes) -> Iterator[Event]:
        """The events of a frame that are whole with it.

        Args:
            events: as in :class:`agent.messages.Events`.
            payload: of the frame.

        Raises:
            ValueError, TypeError, KeyError, AttributeError: they are none.
        """
        at = 0
        for fields in events:
            size = int(fields.pop("n", 0))
            raw = payload[at : at + size]
            at += size
            if len(raw) != size:
                raise ValueError("its bytes are missing")
            event = self._event(fields, raw)
            if event is not None:
                yield event

    def rest(self, end: Event) -> Iterator[Event]:
        """Bytes that never became a whole character, shown as what they are: broken."""
        for kind, decoder in self._decoders.items():
            if text := decoder.decode(b"", True):
                yield Event(end.seq, end.time, kind, text)

    def _event(self, fields: dict[str, Any], raw: bytes) -> Event | None:
        seq, kind, moment = int(fields.pop("seq")), str(fields.pop("kind")), float(fields.pop("t"))
        if seq in self._parts:
            raw = self._parts.pop(seq) + raw
        if fields.pop("more", 0):
            if len(raw) > LARGEST_EVENT:
                raise ValueError("it is too large")
            self._parts[seq] = raw
            return None
        if kind in OUTPUT_KINDS:
            return Event(seq, moment, kind, self._decoders[kind].decode(raw), raw)
        fields.pop("blob", None)
        if raw:
            fields.update(json.loads(raw))
        fields.pop("kind", None)
        return Event(seq, moment, kind, data=fields)
