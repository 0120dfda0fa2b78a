"""The sessions of this host: found by their folders, reached by their sockets, started when wanted."""

from __future__ import annotations

import fcntl
import os
import re
import socket
import subprocess
import sys
import time

from . import messages as m
from .launch import boot_argv, environment
from .paths import read_json, remove_tree, write_json
from .processes import alive, end_family, mark
from .wire import Decoder, Frame, WireError, encode

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, Iterator

_launched: list[subprocess.Popen[bytes]] = []

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class NoSession(Exception):
    """The session is not there, or does not answer."""


class SupervisorLink:
    """A connection to the supervisor of one session.

    Args:
        path: its socket.

    Raises:
        OSError: nobody listens there.
    """

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.connect(path)
        except OSError:
            self._socket.close()
            raise
        self._frames: list[Frame] = []
        self._decoder = Decoder()

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

        Raises:
            NoSession: the supervisor went away instead of answering, or did not in time.
        """
        try:
            self.send(message, payload)
            frame = self.receive(timeout)
        except (OSError, TimeoutError, WireError) as error:
            raise NoSession(str(error) or "no answer") from None
        if frame is None:
            raise NoSession("it ended")
        return frame.message

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
    record = read_json(os.path.join(folder_of(state, name), "session.json")) or {}
    if not record.get("socket"):
        return None
    try:
        return SupervisorLink(record["socket"])
    except OSError:
        return None


def ensure(state: str, spec: dict[str, Any]) -> SupervisorLink:
    """A connection to the session that the specification names, started when it isn't there.

    Raises:
        NoSession: its supervisor could not be started.
        OSError: its folder could not be written.
    """
    link = connect(state, spec["name"])
    if link is not None:
        return link
    folder = folder_of(state, spec["name"])
    os.makedirs(os.path.dirname(folder), mode=0o700, exist_ok=True)
    # Two notebooks, or a cell right behind its OpenSession, may want the same session at the same time.
    lock = os.open(os.path.join(state, "sessions.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        link = connect(state, spec["name"])
        if link is None:
            bury(folder)
            link = _launch(state, folder, spec)
    finally:
        os.close(lock)
    return link


def bury(folder: str) -> None:
    """Ends what a supervisor that was killed has left: its processes and its folder."""
    record = read_json(os.path.join(folder, "session.json"))
    if record and record.get("supervisor") and not alive(record["supervisor"]):
        worker = record.get("worker") or {}
        end_family(worker["pid"] if alive(worker) else None, mark(record["supervisor"]))
    remove_tree(folder)


def _launch(state: str, folder: str, spec: dict[str, Any]) -> SupervisorLink:
    os.makedirs(folder, mode=0o700)
    write_json(os.path.join(folder, "session.json"), spec)
    read_end, write_end = os.pipe()
    log_path = os.path.join(folder, "supervisor.log")
    argv = boot_argv([sys.executable, "-I", "-S"], "supervisor", state, folder, str(write_end))
    with open(log_path, "ab") as log:
        # Its own session and no descriptor of ours: it must not notice when the link goes.
        process = subprocess.Popen(
            argv,
            cwd="/",
            env=environment({}),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[write_end],
            start_new_session=True,
        )
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


def records(state: str) -> Iterator[dict[str, Any]]:
    """What each live session says of itself."""
    base = os.path.join(state, "sessions")
    for name in sorted(os.listdir(base)) if os.path.isdir(base) else []:
        link = connect(state, name) if NAME.fullmatch(name) else None
        if link is None:
            continue
        try:
            answer = link.ask(m.Status(), timeout=5)
        except NoSession:
            continue
        finally:
            link.close()
        if isinstance(answer, m.Facts):
            yield answer.data or {}


def stop(state: str, name: str) -> bool:
    """Ends a session with all its processes; returns whether there was one.

    Raises:
        NoSession: it does not end.
    """
    record = read_json(os.path.join(folder_of(state, name), "session.json")) or {}
    link = connect(state, name)
    if link is None:
        if record:
            bury(folder_of(state, name))
        return False
    try:
        link.ask(m.StopSession(name))
    finally:
        link.close()
    deadline = time.monotonic() + 10
    while alive(record.get("supervisor") or {}):
        if time.monotonic() > deadline:
            raise NoSession(f"session {name} does not end")
        time.sleep(0.01)
    return True
