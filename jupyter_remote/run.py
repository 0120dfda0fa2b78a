"""A run as the client sees it: its events as they come, its end, its result, and ways to stop it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from . import history
from .agent import messages as m
from .agent.rundir import CALLBACK
from .agent.wire import Frame
from .errors import ConnectionLost, ProtocolError, RemoteError, UsageError
from .events import Event, EventDecoder, Frames
from .linkstate import LinkState, Told
from .run_ending import failure
from .run_results import RunResults

if TYPE_CHECKING:
    from .connection import Connection
    from .hostlink import HostLink
    from .sync.session import SyncReport
    from .variables import Moved

# How often variables are asked for again when the link breaks meanwhile.
TAKES = 5


class Run(RunResults):
    """One execution on a host; made by :class:`~jupyter_remote.Remote`, never directly.

    Args:
        link: to its host; when it breaks, the run goes on with another one.
        record: ``run.json`` as the host has it.
        stream: the stream on which its events come.
        seq: the last event that was seen before.

    Attributes:
        on_link: told when the link is lost, of each change until it is back, and then; None for nobody.
        notice: what the user should know of its host, or None.
        in_env: name and digest of the environment it ran in, when it has ended; None when in none.
        on_job: told how its job stands as long as that waits in a queue, "" when it has started.
        started_here: whether this object started it, so that nobody else is there to be asked.
    """

    def __init__(self, link: HostLink, record: dict[str, Any], stream: Frames, seq: int = 0) -> None:
        self.record = record
        self.id: str = record["id"]
        self.host: str = link.host.name
        self.label: str | None = record.get("label")
        self.state: str = record.get("state", "queued")
        self.exit_code: int | None = record.get("exit_code")
        self.seconds: float = 0.0
        self.reason: str | None = None
        self.left: dict[str, Any] | None = None
        self.in_env: str | None = None
        self.result: dict[str, Any] | None = None
        self.error: dict[str, Any] | None = None
        self.sync_report: SyncReport | None = None
        self.notice: str | None = None
        self.sent: Moved | None = None
        self.received: Moved | None = None
        self.wanted: tuple[str, ...] = tuple(map(str, record.get("fetch") or ()))
        self.fetched: dict[str, Any] = {}
        self.seq = seq
        self.on_link: Told | None = None
        self.on_job: Callable[[str], None] | None = None
        self.started_here = False
        self._link = link
        self._stream = stream
        self._following = False
        self._stopped = False
        self._owed = 0
        self._unsent: m.Answer | None = None
        self._told: LinkState | None = None
        self._job_words: str | None = None
        self._lock = threading.Lock()
        self._level = 0
        self._ended = False
        self._decoder = EventDecoder()
        # How much was printed up to here, with what the host has given up: it tells a gap's exact size.
        self._printed = 0 if seq == 0 else None
        self._events = self._receive()

    def __repr__(self) -> str:
        return f"<Run {self.id} on {self.host}: {self.state}>"

    @property
    def done(self) -> bool:
        """Whether its end has been seen."""
        return self._ended

    def events(self) -> Iterator[Event]:
        """The events not taken yet, each once, in order, up to the end; waits for them.

        A link that breaks is made again meanwhile, however long that takes: see `on_link`.

        Raises:
            ConnectError: the link can't be made again (the run goes on there: attach to it).
        """
        if self._stopped and not self._ended:
            self._stopped = False
            self._events = self._receive(again=True)
        return self._events

    def wait(self, sink: Callable[[Event], None] | None = None) -> Run:
        """Waits for the end.

        Args:
            sink: called with each event, in this thread.

        Returns:
            This run. Failed user code raises nothing here: see :meth:`check`.

        Raises:
            ConnectError: the link can't be made again (the run goes on there: attach to it).
        """
        for event in self.events():
            if sink is not None:
                sink(event)
        return self

    def detach(self) -> None:
        """Takes no more events for now, also in a thread that waits; who asks later goes on from there."""
        self._stopped = True
        self._stream.close()
        self._stream.deliver(None)

    def check(self) -> Run:
        """Raises when the run did not end well.

        Raises:
            Interrupted: it was stopped.
            LaunchError: its process could not be started.
            UsageError: variables could not be sent or fetched.
            RunError: the user's code failed.
        """
        if (error := failure(self)) is not None:
            raise error
        return self

    def fetch(self) -> dict[str, Any]:
        """The variables that were asked for with ``fetch``, by name; waits for the end of the run.

        Returns:
            :attr:`fetched`, which is filled the first time.

        Raises:
            RunError, Interrupted, LaunchError: the run did not end well, so there are none.
            UsageError: some are not defined there, or can't travel; the others are in :attr:`fetched`.
            ProtocolError: what the host sent is not what it says.
            ConnectError: the link can't be made again; attach to the run, and fetch them from that one.
        """
        self.wait().check()
        if self.received is None and self.wanted:
            self.fetched, self.received, failed = self._taken()
            if failed is not None:
                raise failed
        return self.fetched

    def _taken(self) -> tuple[dict[str, Any], Moved, UsageError | None]:
        """The variables from the host, where they stay until they are here: a link that breaks is no loss."""
        from .variables import take

        connection = self._link.connection()
        for _ in range(TAKES):
            try:
                return take(connection, self.id, self.wanted)
            except ConnectionLost:
                lost = time.monotonic()
                connection = self._link.restore(self._tell)
                self._tell(LinkState(self.host, True, seconds=time.monotonic() - lost))
        return take(connection, self.id, self.wanted)

    def interrupt(self) -> None:
        """Interrupts the code (SIGINT); called again, ends its processes (TERM, then KILL).

        While somebody waits for its events and the link is down, it is sent as soon as the link is back.

        Raises:
            ConnectError: nobody waits for its events, and the host can't be reached.
        """
        self._level += 1
        level = min(self._level, 2)
        if not self._following:
            self._link.connection().ask(m.Signal(self.id, level))
            return
        with self._lock:
            self._owed = max(self._owed, level)
        while True:
            try:
                return self._pay()
            except ConnectionLost:
                # Who waits for the events pays when there is a link again, unless that was just now.
                if self._link.live is None:
                    return

    def _pay(self) -> None:
        """Sends the signal that is owed."""
        with self._lock:
            level, self._owed = self._owed, 0
        if not level:
            return
        try:
            connection = self._link.live
            if connection is None:
                raise ConnectionLost("the link is down", host=self.host)
            connection.ask(m.Signal(self.id, level))
        except ConnectionLost:
            with self._lock:
                self._owed = max(self._owed, level)
            raise

    def stop(self) -> None:
        """Ends its processes (TERM, then KILL).

        Raises:
            ConnectError: nobody waits for its events, and the host can't be reached.
        """
        self._level = 1
        self.interrupt()

    def question(self) -> int | None:
        """The number of the question (event ``input_request``) that waits for an answer, None when none does.

        Raises:
            ConnectError: the host can't be reached.
        """
        number = self._link_now().ask(m.Asked(self.id)).get("request")
        return number if isinstance(number, int) else None

    def answer(self, request: int, text: str = "", *, how: str | None = None) -> None:
        """Answers a question of the code; the first answer counts.

        While somebody waits for its events and the link is down, it is sent as soon as the link is back.

        Args:
            request: the question's number, ``data["request"]`` of the event ``input_request``.
            text: what `input` returns there.
            how: ``eof`` for the end of the input, ``refused`` when nobody can be asked; instead of a text.

        Raises:
            ConnectError: nobody waits for its events, and the host can't be reached.
        """
        self._unsent = m.Answer(self.id, request, {"text": text} if how is None else {"how": how})
        try:
            self._send_answer()
        except ConnectionLost:
            if not self._following:
                raise

    def _send_answer(self) -> None:
        if self._unsent is not None:
            self._link_now().ask(self._unsent)
            self._unsent = None

    def _link_now(self) -> Connection:
        """The connection; who waits for events has it made again, anybody else makes it here."""
        connection = self._link.live if self._following else self._link.connection()
        if connection is None:
            raise ConnectionLost("the link is down", host=self.host)
        return connection

    def _receive(self, again: bool = False) -> Iterator[Event]:
        self._following = True
        try:
            if again:
                self._resume()
            with self._watched():
                while not self.done:
                    frame = self._next_frame()
                    if frame is None:
                        return
                    if not isinstance(frame.message, m.Events):
                        raise ProtocolError(f"a {type(frame.message).__name__} among events", host=self.host)
                    yield from self._unpack(frame.message.events, frame.payload)
        finally:
            self._following = False
            self._stopped = True
            self._stream.over = self.done
            self._stream.close()

    def _watched(self) -> AbstractContextManager[None]:
        """While its events are taken its job is watched, where it has one."""
        if not self.record.get("job"):
            return nullcontext()
        from . import job_board  # most runs have none

        return job_board.watching(self, self._link)

    def tell_job(self, words: str) -> None:
        """Called with how its job stands (``words``); from the thread that asks the scheduler."""
        if self.on_job is not None and words != self._job_words:
            self._job_words = words
            self.on_job(words)

    def _next_frame(self) -> Frame | None:
        """The next one; None when it was told from another thread to take no more."""
        while not self._stopped:
            with suppress(ConnectionLost):
                frame = self._stream.receive()
                self._link.works()
                return frame
            if not self._stopped:
                self._resume()
        return None

    def _resume(self) -> None:
        """Goes on after the last event over another connection.

        Raises:
            RemoteError: there can't be another one.
        """
        # What came of an event that was not whole comes again, from its start.
        self._decoder.forget_parts()
        self._stream.close()
        lost = time.monotonic()
        while True:
            try:
                connection = self._link.restore(self._tell)
                with suppress(ConnectionLost):
                    self._stream = connection.request(m.Attach(self.id, self.seq, self._printed))
                    accepted(self._stream.receive().message)
                    self._pay()
                    self._send_answer()
                    break
            except RemoteError as error:
                raise self._left(error) from None
        self._tell(LinkState(self.host, True, seconds=time.monotonic() - lost))

    def _left(self, error: RemoteError) -> RemoteError:
        error = copy(error)  # others may be told of the same one
        error.hint = (
            f"{error.hint}\nRun {self.id} goes on there; `attach {self.id}` comes back to it.".strip()
        )
        return error

    def _tell(self, state: LinkState) -> None:
        state = replace(state, owed=self._owed)
        if self.on_link is not None and state != self._told:
            self.on_link(state)
        self._told = state

    def _unpack(self, events: list[Any], payload: bytes) -> Iterator[Event]:
        unpacked = self._decoder.unpack(events, payload)
        while True:
            try:
                event = next(unpacked, None)
                if event is None:
                    return
                self._note(event)
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise ProtocolError(f"a broken event of run {self.id}: {error}", host=self.host) from None
            if event.kind == "end":
                yield from self._decoder.rest(event)
            yield event

    def _note(self, event: Event) -> None:
        self.seq = event.seq
        if event.raw:
            self.hear(event.raw)
        if self._printed is not None:
            self._printed += int(event.data["bytes"]) if event.kind == "gap" else len(event.raw)
        if event.kind == "result":
            self.result = event.data["data"]
        elif event.kind == "error":
            self.error = event.data
        elif event.kind == "state":
            self.state = event.data["state"]
        elif event.kind == "job":
            from . import job_board

            job_board.board(self._link).hurry()  # its scheduler ends it, and will say why
        elif event.kind == "end":
            self._ended = True
            if self.record.get("kind") != CALLBACK:
                history.ended(self.id, event.data, event.time)
            self.state = event.data["state"]
            self.exit_code = int(event.data["exit_code"])
            self.seconds = float(event.data["seconds"])
            self.reason = event.data.get("reason")
            self.left = event.data.get("left")
            self.in_env = str(event.data.get("in_env") or "") or None


def accepted(message: m.Message) -> dict[str, Any]:
    """The run's record, from the host's answer to `Execute` or `Attach`.

    Raises:
        ProtocolError: it is another answer.
    """
    if not isinstance(message, m.Accepted):
        raise ProtocolError(f"a {type(message).__name__} came instead of a run")
    return message.run
