"""Jobs: what a scheduler starts for a session on whatever machine it chooses, and what is known of each here.

The client says what is submitted, asked and cancelled (`launchers/` there: text and argv); here it is done.
What belongs to one job is in ``<state>/jobs/<key>``, on a file system that its node shares with this one:
``script``, ``job.json`` (what the scheduler calls it), the mailbox, ``beat`` (touched as long as its
supervisor lives), and ``end`` (exit code, and what the scheduler said then), written by the script itself as
its last act. Of a job with several tasks each has such a folder, and a state folder, of its own below
``tasks``.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time

from .launch import boot_argv, environment
from .mailbox import Mailbox, listing
from .paths import read_json, remove_tree, write_json
from .processes import boot_id
from .sessions import NoSession

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any

KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/tasks/[0-9]+)?")
SUBMIT_S = 120.0


class Refused(NoSession):
    """The job could not be submitted; ``details`` says what the program answered."""

    def __init__(self, kind: str, argv: list[str], code: int, said: str) -> None:
        super().__init__(f"{argv[0]} refused the job: {said or f'exit code {code}'}")
        self.details = {"launcher": kind, "code": code, "said": said}


def home(state: str, key: str) -> str:
    """The folder of a job, or of one of its tasks (``KEY/tasks/N``).

    Raises:
        ValueError: it is none.
    """
    if not KEY.fullmatch(key):
        raise ValueError(f"{key!r} is not the key of a job")
    return os.path.join(state, "jobs", key)


def over(folder: str) -> bool:
    """Whether a job is known to have ended, with all its tasks."""
    names = listing(folder)
    if "tasks" in names and "end" not in names:
        tasks = os.path.join(folder, "tasks")
        return all(over(os.path.join(tasks, name)) for name in listing(tasks))
    return "end" in names or not os.path.isdir(folder)


def is_over(state: str, record: dict[str, Any]) -> bool:
    """Whether the job of that ``session.json`` was never submitted, or takes no more requests."""
    place = home(state, record["job"]["key"])
    names = listing(place)
    if "job.json" not in names or not {"in", "tasks"}.intersection(names):
        return True
    # One that runs on this machine has not outlived its boot, whoever should have noted its end.
    boot = (record.get("supervisor") or {}).get("boot")
    return over(place) or bool(record["launcher"].get("direct") and boot and boot != boot_id())


def command(argv: list[str], timeout: float | None = None) -> tuple[int, str, str]:
    """Exit code and the two outputs of a program of the scheduler's; one that isn't there gives 127.

    Args:
        argv: the program and its words.
        timeout: seconds that it may take; None for any.
    """
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            env=environment({}),
            cwd="/",
            encoding="utf-8",
            errors="replace",
        )
    except FileNotFoundError:
        return 127, "", f"there is no {argv[0]} here"
    except subprocess.TimeoutExpired:
        return 124, "", f"{argv[0]} did not answer within {timeout:g} s"
    except OSError as error:
        return 126, "", str(error)
    return done.returncode, done.stdout, done.stderr.strip()


# From the order to the job.


def submit(state: str, folder: str, spec: dict[str, Any]) -> dict[str, Any]:
    """Submits what will start the supervisor of a session; returns what its ``session.json`` says.

    Args:
        state: state folder.
        folder: of the session, not made yet.
        spec: of the session; ``launcher`` says how, see the client's ``launchers/``.

    Raises:
        Refused: it was not taken.
        OSError: a folder could not be written.
    """
    order = spec["launcher"]
    key = f"{spec['name']}-{time.time_ns():x}"
    place = home(state, key)
    record = dict(spec, job={"key": key, "launcher": order["kind"], "own": int(bool(spec.get("one_run")))})
    if order.get("tasks"):
        record["job"]["tasks"] = order["tasks"]
    for name in order.get("tasks") or [None]:
        there = place if name is None else home(state, f"{key}/tasks/{name}")
        inside = folder if name is None else os.path.join(there, "sessions", spec["name"])
        Mailbox(there).create()
        os.makedirs(inside, mode=0o700, exist_ok=True)
        write_json(os.path.join(inside, "session.json"), dict(record, mailbox=there))
    os.makedirs(folder, mode=0o700, exist_ok=True)
    write_json(os.path.join(folder, "session.json"), dict(record, mailbox=place))
    script = os.path.join(place, "script")
    with open(script, "w", encoding="utf-8") as file:
        file.write(_script(spec, state, folder, place))
    os.chmod(script, 0o700)
    argv = [
        word.replace("{script}", script).replace("{folder}", place).replace("{key}", key)
        for word in order["submit"]
    ]
    code, out, said = command(argv, SUBMIT_S)
    found = re.search(order["id"], out)
    if code or found is None:
        remove_tree(folder)
        remove_tree(place)
        raise Refused(order["kind"], argv, code, "\n".join(filter(None, (said, out.strip())))[-4000:])
    write_json(os.path.join(place, "job.json"), {"id": found[1], "at": time.time()})
    return dict(record, mailbox=place)


def _script(spec: dict[str, Any], state: str, folder: str, place: str) -> str:
    order, name = spec["launcher"], str(spec["name"])
    first, *rest = boot_argv([sys.executable, "-I", "-S"], "supervisor")
    words = {
        "{folder}": shlex.quote(place),
        "{python}": shlex.quote(first),
        "{boot}": " ".join(map(shlex.quote, rest)),
        "{state}": shlex.quote(state),
        "{session}": shlex.quote(folder),
        "{workspace}": shlex.quote(str(spec.get("workspace") or os.path.expanduser("~"))),
        "{agent}": shlex.quote(rest[-1]),
    }
    if order.get("tasks"):  # the script sets `folder` to that of its task
        words["{state}"], words["{session}"] = '"$folder"', f'"$folder"/sessions/{shlex.quote(name)}'
    text = str(order["script"])
    for word, value in words.items():
        text = text.replace(word, value)
    return text


def number_of(place: str) -> str:
    """What the scheduler calls the job."""
    return str((read_json(os.path.join(place, "job.json")) or {}).get("id", ""))


def note_end(place: str, text: str) -> None:
    """Writes down that a job has ended, unless it has done so itself."""
    path = os.path.join(place, "end")
    if not os.path.exists(path):
        with open(f"{path}.tmp", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(f"{path}.tmp", path)


def standing(place: str, now: float) -> dict[str, Any]:
    """What a job's folder tells: its ``age``, ``started``, for how long it is ``quiet``, its ``end``.

    Args:
        place: the folder.
        now: the time by the clock of its file server, so that no two clocks are compared.
    """
    names = listing(place)
    known = read_json(os.path.join(place.partition("/tasks/")[0], "job.json")) or {}
    facts: dict[str, Any] = {"started": int("beat" in names)}
    facts["age"] = round(time.time() - known.get("at", 0), 1)
    if "end" in names:
        with open(os.path.join(place, "end"), encoding="utf-8", errors="replace") as file:
            facts["end"] = file.read(1 << 16)
    elif facts["started"]:
        facts["quiet"] = round(now - os.stat(os.path.join(place, "beat")).st_mtime, 1)
    return facts
