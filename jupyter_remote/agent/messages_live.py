"""Messages between the user and the interpreter of a live session; used as names of `messages.py`."""

from __future__ import annotations

from .message import Message

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, ClassVar


class Answer(Message):
    """What the user says to a question (event ``input_request``) of a run; Facts: whether it was ``taken``.

    Args:
        request: the question's number.
        secrets: ``text``, or ``how`` it was not answered: ``eof`` or ``refused``. Never written down.
    """

    run_id: str
    request: int
    secrets: dict[str, Any]
    kind: ClassVar[int] = 100


class Asked(Message):
    """Which ``request`` of a run is not answered yet; Facts, empty when there is none."""

    run_id: str
    kind: ClassVar[int] = 101


class Consult(Message):
    """What half-typed code (payload) means in a session; Facts, with ``busy`` when its worker can't say now.

    Args:
        session: its name.
        what: ``complete`` or ``inspect``.
        cursor: where in the code, in characters.
        detail: how much help, as IPython's detail level.
        number: between supervisor and worker.
    """

    session: str
    what: str
    cursor: int
    detail: int = 0
    number: int = 0
    kind: ClassVar[int] = 102


class Consulted(Message):
    """The worker's answer to a Consult: ``matches`` (text, type, start, end) or ``data``; empty when none."""

    number: int
    facts: dict[str, Any]
    kind: ClassVar[int] = 103


class Put(Message):
    """Variables for a run that is to come, in Data frames (a ``parcel.py``) up to End; answered by Facts.

    To a supervisor, without Data: they are on their way, so it has to wait for that run.
    """

    session: dict[str, Any]
    run_id: str
    kind: ClassVar[int] = 95


class Take(Message):
    """The variables that a run has left, answered by Data frames (a ``parcel.py``) and End.

    They are removed when the client has answered End: it has them. That is answered by Facts.
    """

    run_id: str
    kind: ClassVar[int] = 96
