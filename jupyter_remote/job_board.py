"""The jobs of a host watched while runs are followed here: one thread asks for all of them, now and then.

What an answer of the scheduler means for a run is in `jobs.py`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from .agent import messages as m
from .errors import RemoteError
from .jobs import Job, ask, missing, note_use, verdicts
from .launchers import launcher
from .launchers.job import NoAnswer, Standing

if TYPE_CHECKING:
    from .config_models import HostConfig
    from .connection import Connection
    from .hostlink import HostLink
    from .run import Run

# Seconds between two questions: while a job waits and somebody watches, and while an end is near.
WAITING_S, ENDING_S = 2.0, 0.4
# The number of jobs before one in its queue changes slowly, and costs a question of its own.
QUEUE_S = 15.0
# So long after something has happened to a job more is expected.
_NEAR_S = 15.0
# Where the settings of another package's launcher say nothing of it.
_POLL_S = 30.0
# Accounts are complete so long after the end of a job; who lists a run later asks again.
ACCOUNTS_S = 3.0


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
        if (why := missing(run.record)) is not None:
            run.tell_job(why.message)
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
        found = verdicts(kind, record, standings, folders, asked)
        ends = [job for job in one.jobs if (folders.get(job.key) or {}).get("end")]
        if found:
            connection.ask(m.Settle(one.run.id, found))
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
