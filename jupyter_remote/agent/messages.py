"""Every message of the protocol: one frozen record each, with its kind number beside it.

Fields are JSON values; what is large or raw travels as the frame's payload (stated per message). A
request opens a stream; its answers come on the same stream. Between agent, supervisor and worker the
same messages are used. No behaviour belongs here.

The records are dataclasses to the type checker only: making 25 real ones costs 25 ms in each of the
three processes that a first cell starts, this costs 1.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, ClassVar, dataclass_transform
else:

    def dataclass_transform(**_options):
        return lambda cls: cls


class MessageError(Exception):
    """Fields that don't fit the message they claim to be."""


_TYPES = {
    "int": (int,),
    "str": (str,),
    "int | None": (int, type(None)),
    "str | None": (str, type(None)),
    "dict[str, Any]": (dict,),
    "dict[str, Any] | None": (dict, type(None)),
    "list[Any]": (list,),
}
KINDS: dict[int, type[Message]] = {}


@dataclass_transform(frozen_default=True)
class Message:
    """Base of all messages: the fields are the annotations of the subclass, in order."""

    kind: ClassVar[int] = -1
    _fields: ClassVar[dict[str, tuple[type, ...]]] = {}

    def __init_subclass__(cls) -> None:
        cls._fields = {name: _TYPES[t] for name, t in cls.__annotations__.items() if name != "kind"}
        KINDS[cls.kind] = cls

    if not TYPE_CHECKING:

        def __init__(self, *args, **kwargs):
            names = list(self._fields)
            values = dict(zip(names, args), **kwargs)
            for name in names:
                if name not in values:
                    if not hasattr(type(self), name):
                        raise MessageError(f"missing field {name!r}")
                    values[name] = getattr(type(self), name)
                value, expected = values[name], self._fields[name]
                if not isinstance(value, expected) or isinstance(value, bool):
                    raise MessageError(f"field {name!r} is a {type(value).__name__}")
            if len(values) > len(names) or len(args) > len(names):
                raise MessageError(f"unknown field {sorted(set(values) - set(names))}")
            self.__dict__.update(values)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((self.kind, repr(self.__dict__)))

    def __repr__(self) -> str:
        # Secrets travel in messages, and a repr ends in logs and tracebacks.
        shown = {k: "..." if k == "secrets" and v else v for k, v in self.__dict__.items()}
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in shown.items())})"


# --- any direction, on an open stream ---------------------------------------------------------------


class Data(Message):
    """A piece of a byte stream (payload)."""

    kind: ClassVar[int] = 1


class End(Message):
    """Nothing more comes on this stream from this side."""

    kind: ClassVar[int] = 2


class Credit(Message):
    """The sender of this can take ``amount`` more bytes (payload and header) on this stream."""

    amount: int
    kind: ClassVar[int] = 3


class Cancel(Message):
    """Nobody reads this stream any more."""

    kind: ClassVar[int] = 4


class Failure(Message):
    """A request failed. ``error`` is a name the client maps to its own classes (see connection.py)."""

    error: str
    message: str
    hint: str | None = None
    details: dict[str, Any] | None = None
    kind: ClassVar[int] = 5


class Facts(Message):
    """An answer that is one JSON object. When it is large it is the payload instead of ``data``."""

    data: dict[str, Any] | None = None
    kind: ClassVar[int] = 6


# --- agent to client --------------------------------------------------------------------------------


class Hello(Message):
    """First frame of an agent, right after the magic bytes (stream 0)."""

    protocol: int
    version: str
    facts: dict[str, Any] | None = None
    kind: ClassVar[int] = 10


class Events(Message):
    """Events of a run, in order. An event with ``n`` owns the next n bytes of the payload.

    An event whose bytes don't fit one frame comes in parts: all but the last have ``more``.
    """

    events: list[Any]
    kind: ClassVar[int] = 11


class Accepted(Message):
    """The run exists on the host from now on; its record as ``run.json`` has it."""

    run: dict[str, Any]
    kind: ClassVar[int] = 12


# --- requests of the client -------------------------------------------------------------------------


class Ping(Message):
    """Answered by an empty Facts."""

    kind: ClassVar[int] = 20


class Inventory(Message):
    """What the workspace's mirror holds, answered by Data frames (zlib of JSON) and End."""

    workspace: str
    kind: ClassVar[int] = 21


class Sync(Message):
    """A change set (packed, in Data frames up to End) on top of a generation of the mirror."""

    workspace: str
    generation: int
    owner: str
    kind: ClassVar[int] = 22


class Execute(Message):
    """Start a run; the payload is the code. Sent again with the same id it attaches instead.

    Args:
        run: the run's record: id, kind (``cell`` | ``program``), label, notebook, cwd, env, timeout,
            argv (of a program), script (name of the file that the code is saved as), send and fetch (names
            of variables that come before and go after it), trust (``pickle`` when these may be pickled).
        session: name, python, env_setup, idle (seconds), one_run, workspace.
        generation: the workspace must be at this generation, None when that doesn't matter.
        secrets: variables whose values are never written down.
        after: stream id of a Sync of this connection that must have succeeded first.
        values: stream id of a Put of this connection that must have succeeded first.
    """

    run: dict[str, Any]
    session: dict[str, Any]
    generation: int | None = None
    secrets: dict[str, Any] | None = None
    after: int | None = None
    values: int | None = None
    kind: ClassVar[int] = 23


class Attach(Message):
    """The events of a run after ``seq``, up to its end."""

    run_id: str
    seq: int = 0
    kind: ClassVar[int] = 24


class Signal(Message):
    """Interrupt (``level`` 1: SIGINT), or end (2: TERM, then KILL) the processes of a run."""

    run_id: str
    level: int
    kind: ClassVar[int] = 25


class Status(Message):
    """Load, memory, disk, GPUs, sessions and active runs, answered by Facts."""

    kind: ClassVar[int] = 26


class ListSessions(Message):
    """The live sessions, answered by Facts."""

    kind: ClassVar[int] = 27


class StopSession(Message):
    """End one session (all when ``name`` is None) with all its processes; Facts says which."""

    name: str | None = None
    kind: ClassVar[int] = 28


class OpenSession(Message):
    """Start the session now, so that it is there when the first run comes; answered by Facts."""

    session: dict[str, Any]
    kind: ClassVar[int] = 29


class Blocks(Message):
    """What the host tells of the blocks of contents (``[digest, size]`` each), in Data frames up to End."""

    workspace: str
    contents: list[Any]
    kind: ClassVar[int] = 38


class Find(Message):
    """What of a mirror matches patterns (``patterns.py``), answered by Data frames and End.

    The content is zlib of JSON lines, one row (``artifacts.Found``) each.
    """

    workspace: str
    patterns: list[Any]
    kind: ClassVar[int] = 30


class Fetch(Message):
    """Files of a mirror; the payload is JSON, the rows wanted. Answered as ``artifacts.py`` says, and End.

    Args:
        content: 0 for an answer without content.
    """

    workspace: str
    content: int = 1
    kind: ClassVar[int] = 31


# --- agent to supervisor, supervisor to worker -------------------------------------------------------


class Watch(Message):
    """Tell me (Grew) as soon as the log of the run is past ``seq``."""

    run_id: str
    seq: int
    kind: ClassVar[int] = 40


class Grew(Message):
    """The log has reached ``seq``."""

    seq: int
    kind: ClassVar[int] = 41


class Ready(Message):
    """The worker can run cells."""

    facts: dict[str, Any] | None = None
    kind: ClassVar[int] = 42


class Happened(Message):
    """An event of the worker's: a display, a result, an error. Large ones name a blob."""

    event: dict[str, Any]
    kind: ClassVar[int] = 43


class Finished(Message):
    """The cell has ended: ``outcome`` is ``ok``, ``error`` or ``interrupted``."""

    outcome: str
    kind: ClassVar[int] = 44


# --- variables -----------------------------------------------------------------------------------------


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
