"""Every message of the protocol: one frozen record each, with its kind number beside it.

Fields are JSON values; what is large or raw travels as the frame's payload (stated per message). A
request opens a stream; its answers come on the same stream. Between agent, supervisor and worker the
same messages are used. No behaviour belongs here.
"""

from __future__ import annotations

from .message import KINDS, Message, MessageError
from .messages_host import (
    Campaign,
    Clean,
    EndRemains,
    Environments,
    Forward,
    Listening,
    ListSessions,
    Meet,
    Metrics,
    Next,
    Poll,
    Probe,
    RemoveEnvironment,
    Sample,
    Settle,
    Status,
    StopSession,
    StopWhenIdle,
)
from .messages_live import Answer, Asked, Consult, Consulted, Put, Take

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, ClassVar

# fmt: off
__all__ = [
    "KINDS", "Message", "MessageError",
    "Campaign", "Clean", "EndRemains", "Environments", "Forward", "ListSessions", "Listening", "Meet",
    "Metrics", "Next", "Poll", "Probe", "RemoveEnvironment", "Sample", "Settle", "Status", "StopSession",
    "StopWhenIdle", "Answer", "Asked", "Consult", "Consulted", "Put", "Take",
]
# fmt: on


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
    """What the workspace's mirror holds, answered by Data frames (see inventory.py) and End."""

    workspace: str
    kind: ClassVar[int] = 21


class Sync(Message):
    """A change set (packed, in Data frames up to End) on top of a generation of the mirror.

    Args:
        yields: path -> [size, mtime_ns] of files of the host's own that were pulled and edited since: they
            are replaced as long as they are still like this, and not kept aside.
    """

    workspace: str
    generation: int
    owner: str
    yields: dict[str, Any] | None = None
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
    """The events of a run after ``seq``, up to its end.

    Args:
        printed: how many printed bytes, gaps included, the client has; it makes the size of a gap exact.
    """

    run_id: str
    seq: int = 0
    printed: int | None = None
    kind: ClassVar[int] = 24


class Signal(Message):
    """Interrupt (``level`` 1: SIGINT), or end (2: TERM, then KILL) the processes of a run."""

    run_id: str
    level: int
    kind: ClassVar[int] = 25


class OpenSession(Message):
    """Start the session now, so that it is there when the first run comes; answered by Facts."""

    session: dict[str, Any]
    kind: ClassVar[int] = 29


class CallBack(Message):
    """What a front end says to widgets of a session; the payload is JSON, see `comms.Comms.hear`.

    Answered as Execute, by an empty Facts when there is no such session.

    Args:
        run: the record of the run that it is to be: id, host.
        seen: the id of one before it, of which everything was seen.
    """

    run: dict[str, Any]
    session: str
    seen: str | None = None
    kind: ClassVar[int] = 110


class Blocks(Message):
    """What the host tells of the blocks of contents (``[digest, size]`` each), in Data frames up to End."""

    workspace: str
    contents: list[Any]
    kind: ClassVar[int] = 38


class Find(Message):
    """What of a mirror matches patterns (``patterns.py``), answered by Data frames and End.

    The content is zlib of JSON lines, one row (``artifacts.Found``) each.

    Args:
        since: only files changed at that time or later, nanoseconds since the epoch; 0 for all.
    """

    workspace: str
    patterns: list[Any]
    since: int = 0
    kind: ClassVar[int] = 30


class Fetch(Message):
    """Files of a mirror; the payload is JSON, the rows wanted. Answered as ``artifacts.py`` says, and End.

    Args:
        content: 0 for an answer without content.
    """

    workspace: str
    content: int = 1
    kind: ClassVar[int] = 31


class Look(Message):
    """Whether paths of a mirror are as they were pulled.

    The payload is zlib of JSON, rows for `artifacts.look_at`. Answered by Facts: ``states``, one letter
    for each.
    """

    workspace: str
    kind: ClassVar[int] = 60


class WasPut(Message):
    """Whether these are what a sync put at their paths.

    The payload is zlib of JSON, ``[path, digest, target]`` each. Answered by Facts: ``put``, a 1 or a 0
    for each.
    """

    workspace: str
    kind: ClassVar[int] = 61


class Tail(Message):
    """What a run (or one rank of it) has printed, the last ``lines`` or all, in Data frames up to End.

    A Facts comes first: the run's record, and the number of the newest event of which something is shown.
    """

    run_id: str
    lines: int | None = None
    rank: int | None = None
    kind: ClassVar[int] = 66


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
    """The cell has ended: ``outcome`` is ``ok``, ``error`` or ``interrupted``; what it ``used``."""

    outcome: str
    used: dict[str, Any] | None = None
    kind: ClassVar[int] = 44


# --- the records of runs ----------------------------------------------------------------------------


class ListRuns(Message):
    """Records of runs, newest first, in Data frames (zlib of JSON) up to End; `records.newest`.

    Args:
        query: limit, before (an id), state, label, campaign, since (an id), ids, deleted, code (with it).
    """

    query: dict[str, Any]
    kind: ClassVar[int] = 70


class ReadRun(Message):
    """All of one run, in Data frames up to End; `records.read`."""

    run_id: str
    kind: ClassVar[int] = 71


class ChangeRuns(Message):
    """``label`` (with ``text``), ``delete``, ``restore`` or ``purge`` runs; Facts: done, refused."""

    action: str
    run_ids: list[Any]
    text: str | None = None
    kind: ClassVar[int] = 72


class Amend(Message):
    """What the client learned of a run that has started; the payload is its diff."""

    run_id: str
    facts: dict[str, Any]
    kind: ClassVar[int] = 73


class Surveyed(Message):
    """The worker's interpreter and its packages (`usage.survey`)."""

    facts: dict[str, Any]
    kind: ClassVar[int] = 74
