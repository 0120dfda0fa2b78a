"""Control of a supervisor by files, where its socket can't be reached: on another node, behind a scheduler.

A request is a file that appears whole in the folder ``in``, its answer one in ``out``. Both ends look now and
then, the more seldom the longer nothing came. A folder is opened before it is listed, which is what makes a
network file system ask its server instead of its cache. What requests mean is decided elsewhere.
"""

from __future__ import annotations

import os
import time

from . import messages as m
from .wire import Decoder, Frame, WireError, encode

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Callable, Iterator

# Seconds between two looks: at first, at most while there was something in the last minutes, at most later.
FIRST, LIVELY, IDLE = 0.01, 0.2, 1.0
LIVELY_FOR = 600.0
# An answer that nobody has taken for so long belongs to an agent that is gone.
STALE = 120.0
BEAT = 5.0


def listing(folder: str) -> list[str]:
    """The names in a folder, as its file server has them now; none when it isn't there."""
    try:
        fd = os.open(folder, os.O_RDONLY)
    except OSError:
        return []
    try:
        return sorted(name for name in os.listdir(fd) if not name.startswith("."))
    finally:
        os.close(fd)


class Pace:
    """When to look again: soon after something came, ever more seldom afterwards."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._wait = FIRST
        self.due = 0.0

    def found(self) -> None:
        """Something came."""
        self._last, self._wait = time.monotonic(), FIRST
        self.due = self._last + FIRST

    def nothing(self) -> None:
        """Nothing came."""
        now = time.monotonic()
        most = LIVELY if now - self._last < LIVELY_FOR else IDLE
        self._wait = min(self._wait * 1.25, most)
        self.due = now + self._wait

    @property
    def left(self) -> float:
        """Seconds until then."""
        return max(self.due - time.monotonic(), 0.0)


class Mailbox:
    """The two folders.

    Args:
        folder: where they are.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.inbox = os.path.join(folder, "in")
        self.outbox = os.path.join(folder, "out")
        self.beat_path = os.path.join(folder, "beat")
        self.pace = Pace()
        self._sent = 0
        self._beat = 0.0
        self._me = f"{os.uname().nodename}-{os.getpid()}-{id(self):x}"

    def create(self) -> None:
        """Makes them, for this user only."""
        for path in (self.inbox, self.outbox):
            os.makedirs(path, mode=0o700, exist_ok=True)

    # The agent's end.

    def post(self, message: m.Message, payload: bytes = b"") -> str:
        """Puts a request there; its name is what its answer goes by.

        Raises:
            FileNotFoundError: nobody takes requests here any more.
        """
        self._sent += 1
        name = f"{time.time_ns():020d}.{self._me}.{self._sent}"
        _appear(self.inbox, name, encode(1, message, payload))
        self.pace.found()
        return name

    def answered(self, name: str) -> Frame | None:
        """The answer to that request, when there is one."""
        path = os.path.join(self.outbox, name)
        if name not in listing(self.outbox):
            return None
        frame = _read(path)
        os.unlink(path)
        return frame

    def withdraw(self, wanted: Callable[[m.Message], bool]) -> bool:
        """Takes those requests back that nobody has taken yet; returns whether there were any."""
        found = False
        for name in listing(self.inbox):
            frame = _read(os.path.join(self.inbox, name))
            if frame is not None and wanted(frame.message):
                found = _claim(os.path.join(self.inbox, name)) is not None or found
        return found

    def waiting(self) -> int:
        """How many requests nobody has taken yet."""
        return len(listing(self.inbox))

    # The supervisor's end.

    def take(self) -> Iterator[tuple[str, Frame]]:
        """The requests that are there, each once, in the order in which they were made."""
        names = listing(self.inbox)
        for name in names:
            frame = _claim(os.path.join(self.inbox, name))
            if frame is not None:
                yield name, frame
        self.pace.found() if names else self.pace.nothing()

    def answer(self, name: str, message: m.Message) -> None:
        """Answers a request."""
        try:
            _appear(self.outbox, name, encode(1, message))
        except OSError:
            pass  # who asked is told nothing, and asks again

    def beat(self) -> None:
        """Shows now and then that somebody is there."""
        now = time.monotonic()
        if now - self._beat < BEAT:
            return
        self._beat = now
        try:
            fd = os.open(self.beat_path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.utime(fd)
            finally:
                os.close(fd)
            for name in listing(self.outbox):
                path = os.path.join(self.outbox, name)
                if os.stat(self.beat_path).st_mtime - os.stat(path).st_mtime > STALE:
                    os.unlink(path)
        except OSError:
            pass  # a full disk, or somebody has taken the answer

    def close(self) -> bool:
        """Takes no more requests; False when one has just come, and then it still does."""
        closed = self.inbox + ".closed"
        try:
            os.rename(self.inbox, closed)
        except OSError:
            return True
        if listing(closed):
            os.rename(closed, self.inbox)
            return False
        return True


def _appear(folder: str, name: str, content: bytes) -> None:
    # Under a name that no listing takes for a request, and only then under its own.
    staged = os.path.join(folder, f".{name}")
    fd = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
        os.replace(staged, os.path.join(folder, name))
    except OSError:
        if os.path.exists(staged):
            os.unlink(staged)
        raise


def _claim(path: str) -> Frame | None:
    """What is in the file, which is gone then: of two who want it one gets it."""
    folder, name = os.path.split(path)
    taken = os.path.join(os.path.dirname(folder), f"taken.{name}")
    try:
        os.rename(path, taken)
    except OSError:
        return None
    try:
        return _read(taken)
    finally:
        os.unlink(taken)


def _read(path: str) -> Frame | None:
    try:
        with open(path, "rb") as file:
            return next(iter(Decoder().receive(file.read())), None)
    except (OSError, WireError):
        return None
