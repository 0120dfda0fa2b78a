"""The jobs of a host, as its scheduler has them: asked once for all runs, and what follows for each run.

What the words of a scheduler mean is `launchers/`; the agent asks it (`agent/polling.py`) and shares the
answer with every other client of this user. A run whose job has ended without an end in its log gets it
from here. While runs are followed, `job_board.py` asks again and again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .agent import messages as m
from .agent.rundir import FINAL_STATES
from .errors import RemoteError
from .launchers import launcher
from .launchers.job import Answer, NoAnswer, Standing, Verdict
from .records import read_answer

if TYPE_CHECKING:
    from .config_models import HostConfig
    from .connection import Connection

# How old an answer of the scheduler may be, seconds, where nobody says otherwise.
RECENT_S = 2.0
# A job that the scheduler does not know and whose supervisor was not seen for so long is gone.
QUIET_S = 30.0
# A job that was submitted so shortly before the scheduler was asked may not be in its answer yet.
NEW_S = 5.0
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
    host: HostConfig, connection: Connection, records: list[dict[str, Any]], age: float = RECENT_S
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
            ends = verdicts(kind, record, standings, folders, answer.age)
            if ends or record["job"].get("tasks"):
                record.update(connection.ask(m.Settle(str(record["id"]), ends)).get("run") or {})


def _job(record: dict[str, Any]) -> bool:
    facts = record.get("job")
    return isinstance(facts, dict) and isinstance(facts.get("key"), str) and missing(record) is None


def missing(record: dict[str, Any]) -> RemoteError | None:
    """Why nobody here can ask about its job: its launcher is a plugin's, of where it was started."""
    try:
        launcher(str(record["job"].get("launcher")))
    except RemoteError as error:
        return error
    return None


def verdicts(
    kind: str,
    record: dict[str, Any],
    standings: dict[str, Standing],
    folders: dict[str, Any],
    asked: float,
) -> dict[str, Any]:
    """What follows for a run from how its jobs stand: by task, of those that are over.

    Args:
        kind: of the launcher.
        record: of the run.
        standings: what the scheduler tells, by id.
        folders: what the folders of jobs tell, by key.
        asked: how old the scheduler's word is, seconds.
    """
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
