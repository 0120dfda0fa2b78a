"""Messages about the host itself: what it is, has and runs; used as names of `messages.py`."""

from __future__ import annotations

from .message import Message

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, ClassVar


class Status(Message):
    """Load, memory, disk, GPUs, sessions and active runs, answered by Facts.

    Args:
        leases: the folder of GPU leases that users share, None for one's own.
    """

    leases: str | None = None
    kind: ClassVar[int] = 26


class ListSessions(Message):
    """The live sessions, answered by Facts."""

    kind: ClassVar[int] = 27


class StopSession(Message):
    """End one session (all when ``name`` is None) with all its processes; Facts says which."""

    name: str | None = None
    kind: ClassVar[int] = 28


class EndRemains(Message):
    """End what dead supervisors left behind, and remove their folders; Facts says what was ``ended``."""

    kind: ClassVar[int] = 85


class Clean(Message):
    """Remove leftovers; answered in Data frames up to End; `leftovers.clean`.

    The payload, when there is one, is zlib of a JSON list: of the runs only these.
    """

    options: dict[str, Any]
    kind: ClassVar[int] = 75


class Environments(Message):
    """The environments below ``root`` (the default place when empty), answered by Facts."""

    root: str = ""
    kind: ClassVar[int] = 150


class RemoveEnvironment(Message):
    """Remove an environment or one of its names; ``force``: also while it is used; Facts says what went."""

    name: str
    root: str = ""
    force: int = 0
    kind: ClassVar[int] = 151


class Poll(Message):
    """Ask a scheduler: run ``argv``, unless somebody did less than ``age`` milliseconds ago.

    Facts: ``code``, ``out``, ``err``, ``jobs`` (by key, what `jobs.standing` tells).
    """

    argv: list[Any]
    age: int
    keys: list[Any]
    kind: ClassVar[int] = 170


class Settle(Message):
    """Write the end of a run that nobody else can write; Facts: the ``run``'s record.

    Args:
        verdicts: by task, or ``""`` for the run itself: ``state``, ``exit_code``, ``reason``.
    """

    run_id: str
    verdicts: dict[str, Any]
    kind: ClassVar[int] = 171


class Meet(Message):
    """Where processes of several hosts could meet on this one; Facts: ``port``, ``address``, ``node``."""

    kind: ClassVar[int] = 125


class StopWhenIdle(Message):
    """Switch this machine off when idle, or no longer; `idle.arrange`. Facts: ``why`` it can't be done."""

    options: dict[str, Any]
    kind: ClassVar[int] = 180


class Probe(Message):
    """What the host is and has, found out in one go, answered by Facts. ``asked``: see `probe.probe`."""

    asked: dict[str, Any]
    kind: ClassVar[int] = 130


class Sample(Message):
    """Samples of load, memory and GPUs, each a Facts, until this is cancelled; the next when Next has come.

    Args:
        interval: milliseconds between two.
        who: 0 when it need not be told who uses and who has leased the GPUs.
        leases: as for Status.
    """

    interval: int
    who: int = 1
    leases: str | None = None
    kind: ClassVar[int] = 140


class Next(Message):
    """The last sample was taken, and the next one is wanted."""

    kind: ClassVar[int] = 141


class Forward(Message):
    """Connect to a port that the host reaches; ``host`` is empty for its own loopback.

    Facts says that the connection stands; then Data comes and goes, and End from each side when it has no
    more to say. A Failure is a reset.
    """

    host: str
    port: int
    kind: ClassVar[int] = 160


class Listening(Message):
    """Ports on which something listens; Facts: ``listening``, see `forwarding.listeners`."""

    kind: ClassVar[int] = 161


class Campaign(Message):
    """Have a campaign started, resumed, stopped, halted or described (`campaigns.act`); or all, by ``list``.

    For ``start`` its plan follows in Data frames (zlib of JSON) up to End. Answered in Data frames up to End.

    Args:
        secrets: values of variables that its steps get, never written down.
    """

    action: str
    name: str = ""
    options: dict[str, Any] | None = None
    secrets: dict[str, Any] | None = None
    kind: ClassVar[int] = 186


class Metrics(Message):
    """What a run printed or wrote that may be metrics, since the ``cursor``; `metrics.news` says the answer.

    Args:
        cursor: the one of the last answer; empty at first. Only this side knows what is in it.
        wanted: what to look for, see `metrics.news`.
    """

    run_id: str
    cursor: dict[str, Any]
    wanted: dict[str, Any]
    kind: ClassVar[int] = 190
