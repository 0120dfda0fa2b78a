"""The sessions of this host: found by their folders, reached by their sockets, started when wanted."""

from __future__ import annotations

import fcntl
import os
import re
import socket
import subprocess
import time

from . import messages as m
from .evidence import elsewhere
from .launch import start_apart
from .paths import read_json, remove_tree, write_json
from .processes import alive, end_family, mark
from .wire import Decoder, Frame, WireError, encode

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, Iterator

_launched: list[subprocess.Popen[bytes]] = []
_kept: dict[str, SupervisorLink] = {}

# How long a supervisor may take to answer before it is called silent, which is not dead.
SILENCE = 5.0
# How long one that has given up its socket may take to be gone.
PATIENCE = 5.0
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class NoSession(Exception):
    """The session is not there, or does not answer."""


class SessionEnded(NoSession):
    """The supervisor went away instead of answering."""


class SupervisorLink:
    """A connection to the supervisor of one session.

    Args:
        path: its socket.
        made: one that leads there already.

    Raises:
        OSError: nobody listens there.
    """

    def __init__(self, path: str, made: socket.socket | None = None) -> None:
        self._socket = made or socket.socket(socket.AF_UNIX)
        try:
            if made is None:
                self._socket.connect(path)
        except OSError:
            self._socket.close()
            raise
        self._frames: list[Frame] = []
        self._decoder = Decoder()
        self.name = ""  # of the session, if the connection may serve the next run too
        self.stamp = (0, 0)
        self.watches = 0  # how many have no answer yet

    def send(self, message: m.Message, payload: bytes = b"") -> None:
        """Sends a request."""
        self._socket.sendall(encode(1, message, payload))

    def receive(self, timeout: float | None = None) -> Frame | None:
        """The next answer, or None when the supervisor has gone.

        Raises:
            TimeoutError: nothing came in time (seconds).
        """
        self._socket.settimeout(timeout)
        while not self._frames:
            try:
                data = self._socket.recv(1 << 16)
            except socket.timeout:
                raise TimeoutError from None
            except OSError:
                return None
            if not data:
                return None
            self._frames.extend(self._decoder.receive(data))
        return self._frames.pop(0)

    def ask(self, message: m.Message, payload: bytes = b"", timeout: float | None = 30) -> m.Message:
        """Sends a request and returns its answer.

        Args:
            message: the request.
            payload: bytes that belong to it.
            timeout: seconds; None for ever.

        Raises:
            NoSession: it did not answer in time.
            SessionEnded: it went away instead of answering.
        """
        try:
            self.send(message, payload)
            frame = self.receive(timeout)
        except TimeoutError:
            raise NoSession(f"the session did not answer within {timeout:g} s") from None
        except (OSError, WireError) as error:
            raise SessionEnded(str(error)) from None
        if frame is None:
            raise SessionEnded("it ended")
        return frame.message

    def leave(self) -> None:
        """Leaves the connection to the next run, or ends it when an answer is still to come on it."""
        if not self.name or self.watches or self._frames or _kept.setdefault(self.name, self) is not self:
            self.close()

    def close(self) -> None:
        """Ends the connection; the session goes on."""
        self._socket.close()


def folder_of(state: str, name: str) -> str:
    """The folder of a session.

    Raises:
        ValueError: the name can't be the name of a folder.
    """
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} can't be the name of a session: letters, digits, '.', '_' and '-' only")
    return os.path.join(state, "sessions", name)


def connect(state: str, name: str) -> SupervisorLink | None:
    """A connection to a live session, None when there is none of that name."""
    record = _record(state, name)
    if record.get("job"):
        from . import joblink  # most sessions are no jobs

        return joblink.connect(state, record)
    if not record.get("socket"):
        return None
    try:
        return SupervisorLink(record["socket"])
    except OSError:
        return None


def for_run(state: str, spec: dict[str, Any]) -> SupervisorLink:
    """As :func:`ensure`, or the connection that an earlier run has left, whose session may have ended."""
    if spec.get("launcher"):  # how that is reached changes
        return ensure(state, spec)
    name = spec["name"]
    link = _kept.pop(name, None)
    if link is not None and link.stamp == _stamp(state, name):
        return link
    if link is not None:
        link.close()
    link = ensure(state, spec)
    if not spec.get("one_run"):
        link.name, link.stamp = name, _stamp(state, name)
    return link


def _stamp(state: str, name: str) -> tuple[int, int]:
    """Another one when the session's record was written anew: the folder may be another session's now."""
    try:
        facts = os.stat(os.path.join(folder_of(state, name), "session.json"))
    except OSError:
        return (0, 0)
    return (facts.st_mtime_ns, facts.st_ino)


def ensure(state: str, spec: dict[str, Any]) -> SupervisorLink:
    """A connection to the session that the specification names, started when it isn't there.

    Raises:
        NoSession: its supervisor could not be started.
        OSError: its folder could not be written.
    """
    link = connect(state, spec["name"])
    if link is not None:
        _same(_record(state, spec["name"]), spec)
        return link
    folder = folder_of(state, spec["name"])
    os.makedirs(os.path.dirname(folder), mode=0o700, exist_ok=True)
    # Two notebooks, or a cell right behind its OpenSession, may want the same session at the same time.
    lock = _lock(state)
    try:
        link = connect(state, spec["name"])
        if link is None:
            _bury(state, folder)
            link = _launch(state, folder, spec, lock)
    finally:
        os.close(lock)
    return link


def _same(record: dict[str, Any], spec: dict[str, Any]) -> None:
    """Refuses to take a session for another that was asked for: it lives somewhere else."""
    there, wanted = record.get("launcher") or {}, spec.get("launcher") or {}
    asked = wanted.get("asked")
    if there.get("kind") != wanted.get("kind") or (asked and asked != there.get("asked")):
        how = f"a job of {there['kind']}" if there else "a process on the host itself"
        if asked and there:
            set_then = ", ".join(f"{key}={value}" for key, value in (there.get("asked") or {}).items())
            how += f", for which --set said {set_then}" if set_then else ", for which nothing was set"
        why = f"session {spec['name']} lives already, as {how}"
        raise NoSession(f"{why}: `sessions stop` ends it, --session takes another")


def bury_dead(state: str) -> None:
    """Ends and removes whatever sessions left whose supervisors are gone."""
    base = os.path.join(state, "sessions")
    lock = _lock(state)
    try:
        for name in os.listdir(base) if os.path.isdir(base) else []:
            if _dead(state, read_json(os.path.join(base, name, "session.json")) or {}):
                _bury(state, os.path.join(base, name))
    finally:
        os.close(lock)


def _lock(state: str) -> int:
    lock = os.open(os.path.join(state, "sessions.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def _dead(state: str, record: dict[str, Any]) -> bool:
    """Whether a session's supervisor is certainly gone; one that a scheduler starts is told by its job."""
    if record.get("job"):
        from . import jobs

        return jobs.is_over(state, record)
    who = record.get("supervisor") or {}
    return not alive(who) and not elsewhere(who)


def _bury(state: str, folder: str) -> None:
    # A supervisor that was killed leaves its processes and its folder. To be called with the lock, which one
    # that is being started holds too: a folder without one is nobody's.
    record = read_json(os.path.join(folder, "session.json")) or {}
    who = record.get("supervisor") or {}
    name = os.path.basename(folder)
    if record.get("job"):
        if not _dead(state, record):
            raise NoSession(f"the job of session {name} is not over; `sessions stop` ends it")
        remove_tree(folder)
        return
    if elsewhere(who):
        raise NoSession(
            f"session {name} lives on {who['node']}, which shares this folder: go there, take another "
            f"--session, or remove {folder} if that machine is gone"
        )
    if not _gone(who, PATIENCE):  # it may just be ending
        raise NoSession(f"the supervisor of session {name} (pid {who['pid']}) runs but can't be reached")
    if who:
        worker = record.get("worker") or {}
        end_family(worker["pid"] if alive(worker) else None, mark(who))
    remove_tree(folder)


def _launch(state: str, folder: str, spec: dict[str, Any], lock: int) -> SupervisorLink:
    if spec.get("launcher"):
        from . import joblink

        return joblink.launch(state, folder, spec)
    os.makedirs(folder, mode=0o700)
    write_json(os.path.join(folder, "session.json"), spec)
    read_end, write_end = os.pipe()
    log_path = os.path.join(folder, "supervisor.log")
    # It gets the lock too, so that nobody takes its folder for a dead one's when we are killed meanwhile.
    fds = [write_end, lock]
    process = start_apart("supervisor", [state, folder, *map(str, fds)], log_path, fds)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as report:
        answer = report.read()
    record = read_json(os.path.join(folder, "session.json")) or {}
    if answer == b"ok":
        # Those of earlier runs have ended meanwhile; whoever isn't asked stays behind as a zombie.
        _launched[:] = [*(one for one in _launched if one.poll() is None), process]
        return SupervisorLink(record["socket"])
    process.wait()
    with open(log_path, encoding="utf-8", errors="replace") as file:
        tail = file.read()[-2000:].strip()
    remove_tree(folder)
    raise NoSession(f"the supervisor ended at once: {tail}")


def names(state: str) -> list[str]:
    """The names of all sessions whose supervisor lives on this machine, or as a job, answering or not."""
    base = os.path.join(state, "sessions")
    found = sorted(filter(NAME.fullmatch, os.listdir(base))) if os.path.isdir(base) else []
    return [name for name in found if _lives(state, _record(state, name))]


def _lives(state: str, record: dict[str, Any]) -> bool:
    return not _dead(state, record) if record.get("job") else alive(record.get("supervisor") or {})


def records(state: str) -> Iterator[dict[str, Any]]:
    """What each live session says of itself; of one that is silent only ``name``, ``pid`` and ``silent``."""
    for name in names(state):
        link = connect(state, name)
        if link is None:
            continue
        try:
            answer = link.ask(m.Status(), timeout=SILENCE)
        except NoSession:
            record = _record(state, name)
            if _lives(state, record):
                who = record.get("supervisor") or {}
                facts = {"name": name, "pid": who.get("pid"), "silent" if who else "waiting": 1}
                yield dict(facts, **_job(record))
            continue
        finally:
            link.close()
        if isinstance(answer, m.Facts):
            yield dict(answer.data or {}, **_job(_record(state, name)))


def _job(record: dict[str, Any]) -> dict[str, Any]:
    if not record.get("job"):
        return {}
    from . import jobs

    return {"job": dict(record["job"], id=jobs.number_of(record["mailbox"]))}


def _record(state: str, name: str) -> dict[str, Any]:
    return read_json(os.path.join(folder_of(state, name), "session.json")) or {}


def _supervisor(state: str, name: str) -> dict[str, Any]:
    return _record(state, name).get("supervisor") or {}


def stop(state: str, name: str) -> bool:
    """Ends a session with all its processes, by force when it doesn't answer; returns whether there was one.

    Raises:
        NoSession: it does not end, or lives on another machine.
    """
    record = _record(state, name)
    if record.get("job"):
        from . import joblink

        return joblink.stop(state, record)
    who = record.get("supervisor") or {}
    link = connect(state, name)
    if link is not None:
        try:
            link.ask(m.StopSession(name), timeout=SILENCE)
            if _gone(who, 10):
                return True
        except NoSession:
            pass  # it was ending already, or it is silent
        finally:
            link.close()
    lived = alive(who)
    if lived:
        end_family(who["pid"], mark(who), 0)
        if not _gone(who, 2):
            raise NoSession(f"session {name} does not end")
    folder = folder_of(state, name)
    if os.path.isdir(folder):
        lock = _lock(state)
        try:
            if _supervisor(state, name) == who:
                _bury(state, folder)
        finally:
            os.close(lock)
    return lived or link is not None


def _gone(who: dict[str, Any], patience: float) -> bool:
    deadline = time.monotonic() + patience
    while alive(who):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
