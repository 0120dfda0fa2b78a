"""One request to an agent and its answers, with credit both ways, so that nobody buffers without a bound.

The link that it travels on is in ``connection.py``.
"""

from __future__ import annotations

import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from .agent import messages as m
from .agent.streams import COUNTED, WINDOW
from .agent.wire import MAX_PAYLOAD, Frame, WireError, encode
from .errors import ConnectionLost

if TYPE_CHECKING:
    from .connection import Connection

# A lock that is waited for without a time-out can't be interrupted on Windows.
_TICK = 0.5
# An agent sends as long as it has any credit, so the last frame may go beyond the window.
_FRAME = 256
_MORE = MAX_PAYLOAD + (1 << 20)


class Stream:
    """One request and its answers.

    Attributes:
        over: set by who knows that the last answer has come, so that the agent needn't be told of a `close`.
    """

    def __init__(self, connection: Connection, number: int, *, shows_run: bool = False) -> None:
        self.number = number
        self.over = False
        self._shows_run = shows_run
        self._connection = connection
        self._inbox: SimpleQueue[Frame | None] = SimpleQueue()
        self._room = WINDOW
        self._window = WINDOW
        self._changed = threading.Condition()
        self._taken = 0
        self._failed: m.Failure | None = None
        self._waiting = 0

    def send(self, message: m.Message, payload: bytes = b"") -> None:
        """Sends a frame; Data waits for the agent's credit.

        Raises:
            ConnectionLost: the link is gone.
            RemoteError: the request has failed already, so there is no use in sending more.
        """
        if isinstance(message, COUNTED):
            with self._changed:
                while self._room <= 0 or self._failed is not None:
                    if self._failed is not None:
                        raise self._connection.failure(self._failed)
                    self._connection.check()
                    self._changed.wait(_TICK)
                self._room -= len(payload)
        self._connection.write(encode(self.number, message, payload))

    def widen(self, amount: int) -> None:
        """Lets the agent send so many bytes more before it has to wait for what was taken here.

        Args:
            amount: how many.

        Raises:
            ConnectionLost: the link is gone.
        """
        self._window += amount
        self.send(m.Credit(amount))

    def receive(self) -> Frame:
        """The next answer.

        Raises:
            ConnectionLost: the link is gone.
            Stale: the workspace on the host has changed.
            RemoteError: the request failed there.
        """
        while True:
            try:
                frame = self._inbox.get(timeout=_TICK)
                break
            except Empty:
                continue
        if frame is None:
            self._inbox.put(None)
            self._connection.check()
            raise ConnectionLost(self._connection.lost_text(), host=self._connection.host.name)
        with self._changed:
            self._waiting -= self._weight(frame)
        if isinstance(frame.message, m.Failure):
            raise self._connection.failure(frame.message)
        if isinstance(frame.message, COUNTED):
            self._taken += len(frame.payload)
            if self._taken >= self._window // 4:
                self.send(m.Credit(self._taken))
                self._taken = 0
        return frame

    def deliver(self, frame: Frame | None) -> None:
        """Called by the reader thread; None means the end of the connection.

        Raises:
            WireError: the agent sends more than it was given room for.
        """
        if frame is not None and isinstance(frame.message, m.Credit):
            with self._changed:
                self._room += frame.message.amount
                self._changed.notify_all()
            return
        if frame is not None and isinstance(frame.message, m.Failure):
            with self._changed:
                self._failed = frame.message
                self._changed.notify_all()
        if frame is not None:
            with self._changed:
                self._waiting += self._weight(frame)
                if self._waiting > self._window + _MORE:
                    raise WireError("the agent sends more than it was given room for")
        self._inbox.put(frame)

    def _weight(self, frame: Frame) -> int:
        """What a frame that nobody has taken yet counts for."""
        if self._shows_run:
            return len(frame.payload) if isinstance(frame.message, COUNTED) else 0
        # Objects made of JSON take some twenty times the room of their text.
        return frame.size + _FRAME

    def close(self) -> None:
        """No more interest in answers."""
        self._connection.forget(self)
