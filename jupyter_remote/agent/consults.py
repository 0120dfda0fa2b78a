"""Questions about half-typed code on their way to the session's worker and back; one at a time.

A busy worker is never waited for. What the answer is, the worker knows (`introspection.py`).
"""

from __future__ import annotations

from . import messages as m
from .wire import encode

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, Callable

    from .child import Child
    from .turns import Turns

BUSY = {"busy": 1}


class Consults:
    """The question that the worker has now.

    Args:
        turns: whose turn it is, and where the worker is.
        answer: sends a message on a stream of an agent.
    """

    def __init__(self, turns: Turns, answer: Callable[[Any, int, m.Message], None]) -> None:
        self._turns = turns
        self._answer = answer
        self._number = 0
        self._asker: tuple[Any, int] | None = None
        self._asked: Child | None = None

    def ask(self, agent: Any, stream: int, message: m.Consult, code: bytes) -> None:
        """Hands a question on, or says at once that the worker is busy."""
        place = self._turns.place
        child = place.child
        waits = self._asker is not None and self._asked is child
        if self._turns.busy or not place.ready or waits or child is None or child.channel is None:
            self._answer(agent, stream, m.Facts(BUSY))
            return
        self._number += 1
        self._asker, self._asked = (agent, stream), child
        handed = m.Consult(message.session, message.what, message.cursor, message.detail, self._number)
        try:
            child.channel.sendall(encode(0, handed, code))
        except OSError:
            self._asker = None  # it has just died
            self._answer(agent, stream, m.Facts(BUSY))

    def told(self, message: m.Consulted) -> None:
        """Hands the worker's answer back."""
        if self._asker is not None and message.number == self._number:
            (agent, stream), self._asker = self._asker, None
            self._answer(agent, stream, m.Facts(message.facts))
