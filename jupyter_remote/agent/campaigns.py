"""The campaigns of this host: each a folder with a plan, a journal of what became of the steps, and a driver.

``<state>/campaigns/<name>/``: ``plan.json`` as the client made it, ``journal.jsonl`` one line for all that
happened, ``driver.json`` who drives it, ``stop`` when it is to end, ``halt`` (with the reason) when it is to
start no more steps. Here is what agents ask for, and what follows from plan and journal; the process that
starts the steps is ``campaign_driver.py``. What a step's run did is in its own directory, which is the truth.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import time

from . import messages as m
from . import sessions, shared
from .evidence import elsewhere
from .launch import start_apart
from .paths import expand, read_json, remove_tree, write_json
from .processes import alive
from .records import standing
from .rundir import FINAL_STATES, WRITE, RunDir, write_all

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, Callable

# What is kept of a run's end.
SAID = ("exit_code", "reason", "started", "seconds")
WAITING, ACTIVE, SKIPPED = "waiting", "active", "skipped"
FAILED = ("failed", "lost")
# The exit code of a run that was over its time limit.
TIMED_OUT = 124
ENDING_S = 5.0


class Book:
    """Plan and journal of one campaign.

    Args:
        state: state folder of this host.
        name: of the campaign.

    Raises:
        ValueError: the name can't be the name of a folder.
    """

    def __init__(self, state: str, name: str) -> None:
        self.folder = os.path.join(state, "campaigns", os.path.basename(sessions.folder_of(state, name)))
        self.stop_path = os.path.join(self.folder, "stop")
        self.halt_path = os.path.join(self.folder, "halt")
        self._journal = os.path.join(self.folder, "journal.jsonl")
        self.plan: dict[str, Any] = read_json(os.path.join(self.folder, "plan.json")) or {}
        self._at = 0
        self._steps: dict[str, dict[str, Any]] = {
            step["key"]: {"state": WAITING, "runs": [], "tries": 0} for step in self.plan.get("steps", ())
        }

    @property
    def driver(self) -> dict[str, Any]:
        """The identity of the process that drives it, or did."""
        return read_json(os.path.join(self.folder, "driver.json")) or {}

    @property
    def halted(self) -> str:
        """Why it starts no more steps; "" as long as it does."""
        return str((read_json(self.halt_path) or {}).get("reason") or "")

    def note(self, key: str, **facts: Any) -> None:
        """Appends what happened to a step.

        Args:
            key: of the step.

        Raises:
            OSError: a full disk.
        """
        fd = os.open(self._journal, WRITE, 0o600)
        try:
            write_all(fd, json.dumps(dict(facts, key=key, t=time.time())).encode("ascii") + b"\n")
        finally:
            os.close(fd)

    def steps(self) -> dict[str, dict[str, Any]]:
        """How each step stands, by its key; what was read of the journal before is not read again."""
        try:
            with open(self._journal, "rb") as file:
                file.seek(self._at)
                data = file.read()
        except OSError:
            data = b""
        whole = data.rfind(b"\n") + 1
        self._at += whole
        for line in data[:whole].splitlines():
            try:
                row = json.loads(line)
                one = self._steps[row["key"]]
            except (ValueError, KeyError):
                continue  # torn by a full disk
            runs, tries = one["runs"], one["tries"]
            if row["state"] == ACTIVE:
                runs.append(row["run"])
                tries += 1
            self._steps[row["key"]] = {"runs": runs, "tries": tries, **row}
        return self._steps


def decide(
    plan: dict[str, Any], steps: dict[str, dict[str, Any]], now: float, halted: str = ""
) -> tuple[list[str], dict[str, str]]:
    """Which steps are to be started now, and which never will be, with the reason.

    Args:
        halted: why nothing more is started, "" when it is.
    """
    starts: list[str] = []
    skips: dict[str, str] = {}
    failed = [key for key, one in steps.items() if is_failure(one)]
    room = plan["concurrency"] - sum(one["state"] == ACTIVE for one in steps.values())
    for step in plan["steps"]:
        one = steps[step["key"]]
        if one["state"] != WAITING:
            continue
        before = {key: steps[key]["state"] for key in step["after"]}
        ended = [key for key, now_is in before.items() if now_is in (*FINAL_STATES[1:], SKIPPED)]
        if halted:
            skips[step["key"]] = halted
        elif failed and plan["stop_on_failure"]:
            skips[step["key"]] = f"{failed[0]} failed, and stop_on_failure is set"
        elif ended:
            skips[step["key"]] = f"it comes after {ended[0]}, which is {before[ended[0]]}"
        elif len(starts) < room and set(before.values()) <= {"finished"} and one.get("until", 0) <= now:
            starts.append(step["key"])
    return starts, skips


def is_failure(one: dict[str, Any]) -> bool:
    """Whether a step has failed for good: by itself, not because somebody stopped it."""
    return one["state"] in FAILED or (one["state"] == "stopped" and one.get("exit_code") == TIMED_OUT)


# What agents ask for.


def act(state: str, message: m.Campaign, plan: dict[str, Any] | None) -> dict[str, Any]:
    """Starts, resumes, stops or describes campaigns.

    Raises:
        ValueError: there is no such campaign, or it goes on already.
        OSError: it could not be written.
    """
    name = message.name
    if message.action == "list":
        return {"campaigns": [_told(state, book) for book in _all(state)]}
    book = Book(state, name)
    if plan is None and not book.plan:
        return {}
    if message.action in ("start", "resume"):
        os.makedirs(book.folder, mode=0o700, exist_ok=True)
        lock = os.open(f"{book.folder}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            book = Book(state, name)
            # Sent again after a link broke, it is the same campaign.
            again = plan is not None and book.plan.get("id") == plan["id"]
            if not again:
                _free(state, book)
                if plan:
                    _renew(state, book, plan)
                else:
                    _reset(state, book, message.options or {})
            if not (again and book.driver):
                _launch(state, name, message.secrets or {})
        finally:
            os.close(lock)
        book = Book(state, name)
    elif message.action == "halt":
        write_json(book.halt_path, message.options or {})
    elif message.action == "stop":
        with open(book.stop_path, "wb"):
            pass
        if not alive(book.driver):
            end_active(state, book, set())
    return _told(state, book)


def read_plan(read: Callable[[int], bytes]) -> dict[str, Any]:
    """A plan as it comes from a client.

    Raises:
        ValueError: it is none.
    """
    import zlib

    pieces = list(iter(lambda: read(1 << 16), b""))
    plan: dict[str, Any] = json.loads(zlib.decompress(b"".join(pieces)))
    return plan


def end_active(state: str, book: Book, told: set[str]) -> None:
    """Ends the runs of a campaign that are under way, except those that were told so."""
    for one in book.steps().values():
        run_id = one["runs"][-1] if one["state"] == ACTIVE else None
        record = RunDir(state, run_id).record() if run_id and run_id not in told else None
        if record is None or record["state"] in FINAL_STATES:
            continue
        try:
            link = sessions.connect(state, record["session"])
            if link is not None:
                told.add(record["id"])
                try:
                    link.ask(m.Signal(record["id"], 2))
                finally:
                    link.close()
        except sessions.NoSession:
            pass  # it is just ending


def live(state: str) -> bool:
    """Whether a campaign goes on here."""
    return any(alive(book.driver) for book in _all(state))


def forgotten(state: str, dry: bool) -> list[str]:
    """The campaigns that have ended and whose runs are all gone; removed unless ``dry``."""
    found = []
    for book in _all(state):
        steps = book.steps().values()
        places = [
            os.path.join(state, p, run) for one in steps for run in one["runs"] for p in ("runs", "trash")
        ]
        over = all(one["state"] not in (WAITING, ACTIVE) for one in steps) and not alive(book.driver)
        if over and not any(map(os.path.exists, places)):
            found.append(os.path.basename(book.folder))
            if not dry:
                remove_tree(book.folder)
    return found


def _all(state: str) -> list[Book]:
    base = os.path.join(state, "campaigns")
    names = sorted(filter(sessions.NAME.fullmatch, os.listdir(base))) if os.path.isdir(base) else []
    return [book for book in (Book(state, name) for name in names) if book.plan]


def _free(state: str, book: Book) -> None:
    who = book.driver
    deadline = time.monotonic() + ENDING_S
    while alive(who) and time.monotonic() < deadline:
        if not all(_now(state, one)["state"] in (*FINAL_STATES, SKIPPED) for one in book.steps().values()):
            break
        time.sleep(0.01)  # it has nothing more to do: it is about to see that, and to go
    if alive(who) or elsewhere(who):
        where = f" on {elsewhere(who)}" if elsewhere(who) else ""
        name = os.path.basename(book.folder)
        raise ValueError(f"campaign {name} goes on{where}; `campaign stop {name}` ends it")


def _renew(state: str, book: Book, plan: dict[str, Any]) -> None:
    remove_tree(book.folder)
    os.makedirs(book.folder, mode=0o700)
    diff = plan.pop("diff", None)
    if diff:
        plan["diff"] = shared.put(state, shared.DIFFS, diff)
    write_json(os.path.join(book.folder, "plan.json"), plan)


def _reset(state: str, book: Book, options: dict[str, Any]) -> None:
    """What has not ended well waits again; what failed by itself only when that is wanted."""
    for path in (book.stop_path, book.halt_path):
        if os.path.exists(path):
            os.unlink(path)
    for key, one in book.steps().items():
        one = _now(state, one)
        # Active is what was noted and never came.
        again = one["state"] in ("stopped", SKIPPED, "lost", ACTIVE)
        if one["state"] != "lost" and is_failure(one):
            again = bool(options.get("failed"))
        if again:
            book.note(key, state=WAITING, tries=0)


def _launch(state: str, name: str, secrets: dict[str, Any]) -> None:
    read_end, write_end = os.pipe()
    log_path = os.path.join(Book(state, name).folder, "driver.log")
    arguments = [state, name, str(write_end)]
    process = start_apart("campaign_driver", arguments, log_path, [write_end], subprocess.PIPE)
    os.close(write_end)
    assert process.stdin is not None
    try:
        with process.stdin as pipe:
            pipe.write(json.dumps(secrets).encode("ascii"))
    except BrokenPipeError:
        pass  # it is told below
    with os.fdopen(read_end, "rb") as report:
        if report.read() != b"ok":
            raise sessions.NoSession(f"the campaign's supervisor ended at once; see {log_path}")


def _now(state: str, one: dict[str, Any]) -> dict[str, Any]:
    """How a step stands, by the word of its run while that is under way."""
    record = standing(RunDir(state, one["runs"][-1])) if one["state"] == ACTIVE else None
    if record is None:
        return one
    return dict(
        one, job=int("job" in record), **{key: record[key] for key in (*SAID, "state") if key in record}
    )


def _told(state: str, book: Book) -> dict[str, Any]:
    plan, steps = book.plan, book.steps()
    keys = ("name", "id", "created", "hosts", "file", "pass_env", "stop_on_failure")
    whole = {key: plan.get(key) for key in keys}
    whole["steps"] = [
        dict(
            _now(state, steps[s["key"]]),
            # By the journal: a run that has failed may be one that is tried again.
            failed=int(is_failure(steps[s["key"]])),
            **{key: s[key] for key in ("key", "step", "params", "folder", "pull")},
        )
        for s in plan["steps"]
    ]
    whole.update(driven=int(alive(book.driver)), stopping=int(os.path.exists(book.stop_path)))
    whole["workspace"] = expand(plan["workspace"])
    return whole
