"""A run as the client sees it: its events as they come, its end, its result, and ways to stop it."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .agent import messages as m
from .agent.rundir import OUTPUT_KINDS
from .errors import Interrupted, LaunchError, ProtocolError, RunError, UsageError

if TYPE_CHECKING:
    from .connection import Connection, Stream
    from .sync.session import SyncReport
    from .variables import Moved

# Displays are whole objects in memory; a host that sends more than this for one is not believed.
LARGEST_EVENT = 1 << 28


@dataclass(frozen=True)
class Event:
    """Something that happened in a run.

    Args:
        seq: its number in the log; a viewer that has it resumes after it.
        time: seconds since the epoch, by the host's clock.
        kind: stdout, stderr, display, update_display, clear_output, result, error, state or end.
        text: what was printed (stdout, stderr), decoded; a character cut in two comes with its second half.
        raw: the printed bytes.
        data: the other fields of the event (``data``, ``metadata``, ``transient`` of a display; ``ename``,
            ``evalue``, ``traceback`` of an error; ``state``; ``exit_code`` and ``seconds`` of the end).
    """

    seq: int
    time: float
    kind: str
    text: str = ""
    raw: bytes = b""
    data: dict[str, Any] = field(default_factory=dict)


class Run:
    """One execution on a host; made by :class:`~jupyter_remote.Remote`, never directly.

    Args:
        connection: the live agent.
        record: ``run.json`` as the host has it.
        stream: the stream on which its events come.
    """

    def __init__(self, connection: Connection, record: dict[str, Any], stream: Stream) -> None:
        self.record = record
        self.id: str = record["id"]
        self.host: str = connection.host.name
        self.label: str | None = record.get("label")
        self.state: str = record.get("state", "queued")
        self.exit_code: int | None = record.get("exit_code")
        self.seconds: float = 0.0
        self.reason: str | None = None
        self.result: dict[str, Any] | None = None
        self.error: dict[str, Any] | None = None
        self.sync_report: SyncReport | None = None
        self.sent: Moved | None = None
        self.received: Moved | None = None
        self.wanted: tuple[str, ...] = tuple(map(str, record.get("fetch") or ()))
        self.fetched: dict[str, Any] = {}
        self.seq = 0
        self._connection = connection
        self._stream = stream
        self._level = 0
        self._ended = False
        self._parts: dict[int, bytes] = {}
        self._decoders = {kind: codecs.getincrementaldecoder("utf-8")("replace") for kind in OUTPUT_KINDS}
        self._events = self._receive()

    def __repr__(self) -> str:
        return f"<Run {self.id} on {self.host}: {self.state}>"

    @property
    def done(self) -> bool:
        """Whether its end has been seen."""
        return self._ended

    def events(self) -> Iterator[Event]:
        """The events not taken yet, in order, up to the end; waits for them.

        Raises:
            ConnectionLost: the link is gone (the run is not: attach to it again).
        """
        return self._events

    def wait(self, sink: Callable[[Event], None] | None = None) -> Run:
        """Waits for the end.

        Args:
            sink: called with each event, in this thread.

        Returns:
            This run. Failed user code raises nothing here: see :meth:`check`.

        Raises:
            ConnectionLost: the link is gone (the run is not: attach to it again).
        """
        for event in self._events:
            if sink is not None:
                sink(event)
        return self

    def check(self) -> Run:
        """Raises when the run did not end well.

        Raises:
            Interrupted: it was stopped.
            LaunchError: its process could not be started.
            UsageError: variables could not be sent or fetched.
            RunError: the user's code failed.
        """
        if self.state == "finished" or not self.done:
            return self
        error = self.error or {}
        name, text = error.get("ename", ""), error.get("evalue", "")
        code = self.exit_code or 1
        if name == "LaunchError":
            hint = f"Check the name, and `python` and `env_setup` in `jupyter remote show {self.host}`."
            raise LaunchError(f"{self.host}: no process could be started: {text}", host=self.host, hint=hint)
        if name == "VariableError":
            raise UsageError(f"{self.host}: {text}", host=self.host)
        message = f"{name}: {text}" if name else self._ending(code)
        cls = Interrupted if self.state == "stopped" else RunError
        raise cls(
            message,
            host=self.host,
            ename=name,
            evalue=text,
            traceback=error.get("traceback") or [f"{self.host}: {message}"],
            run_exit_code=code,
        )

    def fetch(self) -> dict[str, Any]:
        """The variables that were asked for with ``fetch``, by name; waits for the end of the run.

        Returns:
            :attr:`fetched`, which is filled the first time.

        Raises:
            RunError, Interrupted, LaunchError: the run did not end well, so there are none.
            UsageError: some are not defined there, or can't travel; the others are in :attr:`fetched`.
            ProtocolError: what the host sent is not what it says.
            ConnectionLost: the link is gone; attach to the run again, and fetch them from that one.
        """
        self.wait().check()
        if self.received is None and self.wanted:
            from .variables import take

            self.fetched, self.received, failed = take(self._connection, self.id, self.wanted)
            if failed is not None:
                raise failed
        return self.fetched

    def _ending(self, code: int) -> str:
        why = f" ({self.reason})" if self.reason else ""
        return f"run {self.id} {self.state} with exit code {code}{why}"

    def interrupt(self) -> None:
        """Interrupts the code (SIGINT); called again, ends its processes (TERM, then KILL).

        Raises:
            ConnectionLost: the link is gone.
        """
        self._level += 1
        self._connection.ask(m.Signal(self.id, min(self._level, 2)))

    def stop(self) -> None:
        """Ends its processes (TERM, then KILL).

        Raises:
            ConnectionLost: the link is gone.
        """
        self._level = 1
        self.interrupt()

    def _receive(self) -> Iterator[Event]:
        try:
            while not self.done:
                frame = self._stream.receive()
                if not isinstance(frame.message, m.Events):
                    raise ProtocolError(f"a {type(frame.message).__name__} among events", host=self.host)
                yield from self._unpack(frame.message.events, frame.payload)
        finally:
            self._stream.close()

    def _unpack(self, events: list[Any], payload: bytes) -> Iterator[Event]:
        at = 0
        for fields in events:
            try:
                size = int(fields.pop("n", 0))
                raw = payload[at : at + size]
                at += size
                if len(raw) != size:
                    raise ValueError("its bytes are missing")
                event = self._event(fields, raw)
                if event is not None:
                    self._note(event)
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise ProtocolError(f"a broken event of run {self.id}: {error}", host=self.host) from None
            if event is None:
                continue
            if event.kind == "end":
                yield from self._rest(event)
            yield event

    def _rest(self, end: Event) -> Iterator[Event]:
        # Bytes that never became a whole character are shown as what they are: broken.
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

    def _note(self, event: Event) -> None:
        self.seq = event.seq
        if event.kind == "result":
            self.result = event.data["data"]
        elif event.kind == "error":
            self.error = event.data
        elif event.kind == "state":
            self.state = event.data["state"]
        elif event.kind == "end":
            self._ended = True
            self.state = event.data["state"]
            self.exit_code = int(event.data["exit_code"])
            self.seconds = float(event.data["seconds"])
            self.reason = event.data.get("reason")
