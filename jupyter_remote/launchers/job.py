"""What launchers take and return: plain values, the same for every scheduler."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from ..errors import RemoteError


class NoAnswer(RemoteError):
    """The scheduler could not be asked now. Nothing follows from that for any job."""


@dataclass(frozen=True)
class Work:
    """What is to be started.

    Args:
        name: of the session.
        one_run: ``cell`` or ``program`` when it ends with that one run, None for a session that stays.
    """

    name: str
    one_run: str | None = None


@dataclass(frozen=True)
class Order:
    """What the agent submits. Words may hold ``{script}``, ``{folder}`` and ``{key}`` (of the job: its
    folder, and a name that no other has), and ``{id}``.

    Args:
        kind: of the launcher.
        script: the job's script; ``{python}``, ``{boot}``, ``{state}``, ``{session}``, ``{folder}``,
            ``{workspace}`` and ``{agent}`` (the folder of our code) stand for words quoted for sh.
        submit: argv; it prints the job's id.
        id: a regular expression whose first group is the id in what it prints.
        cancel: argv that ends the job.
        relay: argv that runs the program ``{relay}`` (one word for all of its words) beside the supervisor,
            with its input and output; empty when there is no such way.
        tasks: their numbers, when the job runs several times side by side (an array); the script then sets
            ``folder`` to that of its task.
        each: words before a program's argv that start it on every node; ``{ranks}`` is a folder for what
            those print that are not shown.
        direct: whether the supervisor's socket can be reached from the host as it is.
        python: the user's Python there, when that isn't the host's.
    """

    kind: str
    script: str
    submit: list[str]
    id: str
    cancel: list[str]
    relay: list[str] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)
    each: list[str] = field(default_factory=list)
    direct: bool = False
    python: str = ""

    def document(self) -> dict[str, Any]:
        """As it goes to the host."""
        return {key: value for key, value in asdict(self).items() if value}


@dataclass(frozen=True)
class Answer:
    """What a program on the host answered: exit code, both outputs, and how many seconds ago."""

    code: int
    out: str
    err: str = ""
    age: float = 0.0


# Begins what is said of a job that waits for what can't come; fronts show that as a warning too.
WILL_NOT_START = "queued, but will not start"

Phase = Literal["waiting", "running", "ended", "gone"]


@dataclass(frozen=True)
class Standing:
    """How a job stands.

    Args:
        phase: ``gone`` when the scheduler does not know it (any more), or, with a word, how it ended.
        word: the scheduler's own word for its state.
        reason: its own word for why it waits or has ended.
        start: when it is expected to start, as the scheduler says it; empty when not known.
        exit_code: of its script.
        signal: that ended it, 0 for none.
        queue: in which it waits.
        nodes: where it runs.
        id: what the scheduler calls it.
    """

    phase: Phase
    word: str = ""
    reason: str = ""
    start: str = ""
    exit_code: int = 0
    signal: int = 0
    queue: str = ""
    nodes: str = ""
    id: str = ""


@dataclass(frozen=True)
class Verdict:
    """What the end of a job means for a run: its state, exit code, and why, in words."""

    state: Literal["finished", "failed", "stopped", "lost"]
    exit_code: int
    reason: str
