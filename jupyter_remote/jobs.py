"""The jobs of a host, as its scheduler has them: asked once for all runs, and what follows for each run.

What the words of a scheduler mean is `launchers/`; the agent asks it (`agent/polling.py`) and shares the
answer with every other client of this user. A run whose job has ended without an end in its log gets it
from here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from .agent import messages as m
from .agent.rundir import FINAL_STATES
from .errors import RemoteError
from .launchers import launcher
from .launchers.job import Answer, NoAnswer, Standing, Verdict
from .records import read_answer

if TYPE_CHECKING:
    from .config_models import HostConfig
    from .connection import Connection
    from .hostlink import HostLink
    from .run import Run

# Seconds between two questions: while a job waits and somebody watches, while an end is near, and the
# longest.
WAITING_S, ENDING_S = 2.0, 0.4
# A job that the scheduler does not know and whose supervisor was not seen for so long is gone.
QUIET_S = 30.0
# A job that was submitted so shortly before the scheduler was asked may not be in its answer yet.
NEW_S = 5.0
# The number of jobs before one in its queue changes slowly, and costs a question of its own.
QUEUE_S = 15.0
_NEAR_S = 15.0
# Where the settings of another package's launcher say nothing of it.
_POLL_S = 30.0
# Accounts are complete so long after the end of a job; who lists a run later asks again.
ACCOUNTS_S = 3.0
# What accounts say of a job whose figures are not complete yet.
_GOING = ("RUNNING", "PENDING", "COMPLETING", "SUSPENDED")


def ask(
    connection: Connection, argv: list[str], age: float, keys: Iterable[str] = ()
) -> tuple[Answer, dict[str, Any]]:
    """What a program of the scheduler answers, and what the folders of jobs tell.

    Args:
        connection: to the host.
        argv: the program; none for the folders only.
        age: how old an answer may be that somebody else was given, seconds.
        keys: of the jobs.
    """
    told = read_answer(connection, m.Poll(argv, round(age * 1000), list(keys)))
    answer = Answer(int(told["code"]), str(told["out"]), str(told["err"]), float(told["age"]))
    return answer, dict(told["jobs"])


class Job:
    """What the record of a run tells of its job, or of one of its tasks.

    Args:
        facts: ``job`` of the record.
        task: number of the task, "" for a job without.
    """

    def __init__(self, facts: dict[str, Any], task: str = "") -> None:
        self.task = task
        self.key = f"{facts['key']}/tasks/{task}" if task else str(facts["key"])
        self.id = f"{facts.get('id', '')}_{task}" if task else str(facts.get("id", ""))

    @classmethod
    def of(cls, record: dict[str, Any]) -> list[Job]:
        """The jobs of a run."""
        facts = record["job"]
        return [cls(facts, str(task)) for task in facts.get("tasks") or [""]]


def verdict(
    kind: str, job: Job, seen: Standing | None, facts: dict[str, Any], asked: float = 0.0
) -> Verdict | None:
    """What a run comes to whose job has ended; None as long as it may still write its end itself.

    Args:
        kind: of the launcher.
        job: the job.
        seen: how the scheduler says it stands; None when it could not be asked.
        facts: what its folder tells, `agent.jobs.standing`.
        asked: how many seconds ago the scheduler was asked: it does not know what was submitted since.
    """
    words = launcher(kind)
    if seen is not None and seen.phase == "ended":
        return words.verdict(seen)
    if seen is not None and seen.phase != "gone":
        return None
    if facts.get("end"):
        if seen is None:
            return None  # it can say it better in a moment
        told = words.ended(facts["end"])
        return words.verdict(Standing(**{**told.__dict__, "id": job.id}))
    # Of one that the scheduler itself says is over, only what its script leaves may still be on its way.
    if seen is None or (facts.get("started") and facts.get("quiet", 0) < (NEW_S if seen.word else QUIET_S)):
        return None
    if facts.get("age", NEW_S) - asked < NEW_S:
        return None
    return words.verdict(Standing("gone", seen.word, id=job.id))


def settle(
    host: HostConfig, connection: Connection, records: list[dict[str, Any]], age: float = WAITING_S
) -> None:
    """Brings records up to date whose runs have no end although their jobs do.

    One question to each scheduler, however many runs there are. One that can't be asked changes nothing.

    Args:
        host: the settings of their host.
        connection: to it.
        records: of runs; those concerned are changed.
        age: how old the scheduler's word may be, seconds.
    """
    open_ones = [r for r in records if _job(r) and r.get("state") not in FINAL_STATES]
    for kind in {str(r["job"]["launcher"]) for r in open_ones}:
        ours = [r for r in open_ones if r["job"]["launcher"] == kind]
        answer, _ = ask(connection, launcher(kind).poll(host), age)
        try:
            standings = launcher(kind).standings(answer)
        except NoAnswer:
            continue
        # What the folders tell matters only where the scheduler tells nothing.
        told = {name for name, standing in standings.items() if standing.phase != "gone"}
        unknown = [job.key for r in ours for job in Job.of(r) if job.id not in told]
        folders = ask(connection, [], 0, unknown)[1] if unknown else {}
        for record in ours:
            verdicts = _verdicts(kind, record, standings, folders, answer.age)
            if verdicts or record["job"].get("tasks"):
                record.update(connection.ask(m.Settle(str(record["id"]), verdicts)).get("run") or {})


def _job(record: dict[str, Any]) -> bool:
    facts = record.get("job")
    return isinstance(facts, dict) and isinstance(facts.get("key"), str) and _missing(record) is None


def _missing(record: dict[str, Any]) -> RemoteError | None:
    """Why nobody here can ask about its job: its launcher is a plugin's, of where it was started."""
    try:
        launcher(str(record["job"].get("launcher")))
    except RemoteError as error:
        return error
    return None


def _verdicts(
    kind: str,
    record: dict[str, Any],
    standings: dict[str, Standing],
    folders: dict[str, Any],
    asked: float,
) -> dict[str, Any]:
    found = {}
    for job in Job.of(record):
        seen = standings.get(job.id, Standing("gone", id=job.id))
        end = verdict(kind, job, seen, folders.get(job.key) or {}, asked)
        if end is not None:
            found[job.task] = end.__dict__
    return found


def note_use(connection: Connection, records: Iterable[dict[str, Any]]) -> bool:
    """Adds to the records of ended runs what their jobs have used, where the scheduler keeps accounts.

    Args:
        connection: to their host.
        records: of runs; those with a job of their own get ``job_used``, on the host too.

    Returns:
        Whether the scheduler keeps accounts, as far as it was asked.
    """
    kept = True
    ours = [
        r
        for r in records
        if _job(r) and r.get("state") in FINAL_STATES and r["job"].get("own") and "job_used" not in r
    ]
    for kind in {str(r["job"]["launcher"]) for r in ours}:
        words = launcher(kind)
        chosen = {str(r["job"]["id"]): r for r in ours if r["job"]["launcher"] == kind and r["job"].get("id")}
        argv = words.accounting(sorted(chosen)) if chosen else None
        if argv is None:
            continue
        try:
            told = words.used(ask(connection, argv, 0)[0])
        except NoAnswer:
            kept = False  # many sites have it switched off
            continue
        for number, record in chosen.items():
            tasks = {name: facts for name, facts in told.items() if name.partition("_")[0] == number}
            facts = tasks.get(number) or tasks
            if tasks and not any(str(one.get("state")) in _GOING for one in tasks.values()):
                record["job_used"] = facts
                connection.ask(m.Amend(str(record["id"]), {"job_used": facts}))
    return kept


# While runs are watched.


class _Watched:
    def __init__(self, run: Run) -> None:
        self.run = run
        self.jobs = Job.of(run.record)
        self.started = False


class Board:
    """Watches the jobs of one host for all runs that are followed here, in one thread.

    Args:
        link: to the host; while it is down nothing is asked.
    """

    def __init__(self, link: HostLink) -> None:
        self._link = link
        self._watched: list[_Watched] = []
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._hurry = 0.0
        self._failures = 0
        self._accounts = True
        self._ended: list[tuple[float, dict[str, Any]]] = []
        self._cost = 0.0

    def add(self, run: Run) -> _Watched:
        """From now on the run is told of its job, and ended when that has."""
        one = _Watched(run)
        if (missing := _missing(run.record)) is not None:
            run.tell_job(missing.message)
            return one
        with self._changed:
            self._watched.append(one)
            if self._thread is None:
                name = f"jupyter-remote jobs {self._link.host.name}"
                self._thread = threading.Thread(target=self._work, name=name, daemon=True)
                self._thread.start()
            self._changed.notify_all()
        return one

    def remove(self, one: _Watched) -> None:
        """It is over, or nobody follows it any more; what the job of a run that is over has used is noted."""
        run = one.run
        with self._changed:
            if one not in self._watched:
                return
            self._watched.remove(one)
            if run.done and self._accounts and run.record["job"].get("own"):
                self._ended.append((time.monotonic() + ACCOUNTS_S, {**run.record, "state": run.state}))
            self._changed.notify_all()

    def hurry(self) -> None:
        """Something has happened to a job: the scheduler will soon know more."""
        with self._changed:
            self._hurry = time.monotonic() + _NEAR_S
            self._changed.notify_all()

    def _work(self) -> None:
        due = 0.0
        while True:
            with self._changed:
                while (left := due - time.monotonic()) > 0 and self._watched and not self._pressing(left):
                    self._changed.wait(min(left, 0.5))
                while not self._watched and self._ended and self._ended[0][0] > time.monotonic():
                    self._changed.wait(0.5)
                if not self._watched and not self._ended:
                    self._thread = None
                    return
                watched = list(self._watched)
                now = time.monotonic()
                ended = [record for due, record in self._ended if due <= now]
                self._ended = [(due, record) for due, record in self._ended if due > now]
            if ended and (connection := self._link.live) is not None:
                with suppress(RemoteError):
                    self._accounts = note_use(connection, ended)
            if not watched:
                continue
            wait = self._interval(watched)
            with suppress(RemoteError):  # the link: whoever follows the run has it made again
                self._look(watched, wait)
            due = time.monotonic() + self._interval(watched)

    def _pressing(self, left: float) -> bool:
        return time.monotonic() < self._hurry and left > ENDING_S

    def _interval(self, watched: list[_Watched]) -> float:
        longest = min(_longest(self._link.host, one.run.record) for one in watched)
        if time.monotonic() < self._hurry:
            return max(ENDING_S, self._cost)
        if self._failures:
            return float(min(WAITING_S * 2 ** (self._failures - 1), longest))
        # A scheduler whose command takes long (Ray's does a second) is asked less often.
        wait = max(WAITING_S, 2 * self._cost)
        return min(wait, longest) if any(not one.started for one in watched) else longest

    def _look(self, watched: list[_Watched], age: float) -> None:
        connection = self._link.live
        if connection is None:
            return
        for kind in {str(one.run.record["job"]["launcher"]) for one in watched}:
            ours = [one for one in watched if one.run.record["job"]["launcher"] == kind]
            began = time.monotonic()
            answer, folders = ask(
                connection,
                launcher(kind).poll(self._link.host),
                age * 0.9,
                [j.key for one in ours for j in one.jobs],
            )
            self._cost = time.monotonic() - began
            try:
                standings: dict[str, Standing] | None = launcher(kind).standings(answer)
                self._failures = 0
            except NoAnswer as silent:
                standings = None
                self._failures += 1
                for one in ours:
                    again = self._interval(watched)
                    one.run.tell_job(f"{silent.message}; asked again in {again:.0f} s")
            for one in ours:
                if standings is not None:
                    self._judge(connection, kind, one, standings, folders, answer.age)

    def _judge(
        self,
        connection: Connection,
        kind: str,
        one: _Watched,
        standings: dict[str, Standing],
        folders: dict[str, Any],
        asked: float,
    ) -> None:
        record = one.run.record
        verdicts = _verdicts(kind, record, standings, folders, asked)
        ends = [job for job in one.jobs if (folders.get(job.key) or {}).get("end")]
        if verdicts:
            connection.ask(m.Settle(one.run.id, verdicts))
        elif ends:
            self.hurry()  # the script is through, and the scheduler about to say how
        seen = [standings[job.id] for job in one.jobs if job.id in standings]
        waiting = [standing for standing in seen if standing.phase == "waiting"]
        one.started = not waiting and any((folders.get(job.key) or {}).get("started") for job in one.jobs)
        if one.started:
            one.run.tell_job("")
        elif seen:
            first = (waiting or seen)[0]
            one.run.tell_job(launcher(kind).line(first, self._ahead(connection, kind, first)))

    def _ahead(self, connection: Connection, kind: str, standing: Standing) -> int | None:
        argv = launcher(kind).queue(standing) if standing.phase == "waiting" else None
        return launcher(kind).ahead(ask(connection, argv, QUEUE_S)[0], standing) if argv else None


def _longest(host: HostConfig, record: dict[str, Any]) -> float:
    """Seconds between two questions to the scheduler of that run while nothing waits."""
    section = launcher(str(record["job"]["launcher"])).SETTINGS
    settings = getattr(host, section or "plugin")
    return float(settings.get("poll", _POLL_S) if isinstance(settings, Mapping) else settings.poll)


_boards: WeakKeyDictionary[HostLink, Board] = WeakKeyDictionary()
_boards_lock = threading.Lock()


def board(link: HostLink) -> Board:
    """The one that watches that host."""
    with _boards_lock:
        if link not in _boards:
            _boards[link] = Board(link)
        return _boards[link]


@contextmanager
def watching(run: Run, link: HostLink) -> Iterator[None]:
    """While the block runs, the run's job is watched."""
    ours = board(link)
    one = ours.add(run)
    try:
        yield
    finally:
        ours.remove(one)
