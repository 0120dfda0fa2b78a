"""Who has which GPU: locks on files in a folder, and tickets of those who wait, first come first served.

A lock is flock(2)'s, so it is gone with the process that holds it, however that ends. What is written in a
file is for people. The folder may be shared by users who don't trust each other: no link is followed, only
plain files are opened, and what they say is cleaned and never acted on, but for what a ticket waits for.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import stat
import time
from contextlib import contextmanager

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, Iterator

# How long somebody may look at the queue before it is said that he does.
LOOKING = 15.0
_LONGEST = 4096
_PLAIN = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class LeaseError(Exception):
    """Why there are no GPUs, and what can be done about it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Leases:
    """The folder.

    Args:
        path: where it is; made when it is not shared.
        shared: whether other users write to it.

    Raises:
        LeaseError: it can't be used.
    """

    def __init__(self, path: str, shared: bool) -> None:
        self.path = path
        self._node = re.sub(r"[^\w.-]", "_", os.uname().nodename)
        # Others have to lock our files too, for which they open them.
        self._mode = 0o666 if shared else 0o600
        self._ticket = ""
        self._ticket_fd = -1
        hint = f"On the host: install -d -m 1777 {path}; or remove `gpu_leases` from the host's settings."
        try:
            if not shared:
                os.makedirs(path, 0o700, exist_ok=True)
            self._folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            said = "is a link or no folder" if error.errno in (errno.ELOOP, errno.ENOTDIR) else error.strerror
            raise LeaseError(f"the folder of GPU leases can't be used: {path}: {said}", hint) from None
        mode = os.fstat(self._folder).st_mode
        if mode & 0o022 and not mode & stat.S_ISVTX:
            os.close(self._folder)
            raise LeaseError(f"in {path} anybody may remove the leases of others", hint)

    def close(self) -> None:
        """Lets go of the folder and of the ticket."""
        self.drop_ticket()
        os.close(self._folder)

    # Single files.

    def _open(self, name: str, make: bool = True) -> int:
        fd = -1
        while fd < 0:
            try:
                fd = os.open(name, os.O_RDWR | _PLAIN, dir_fd=self._folder)
            except FileNotFoundError:
                if not make:
                    raise
                try:
                    fd = os.open(
                        name, os.O_RDWR | os.O_CREAT | os.O_EXCL | _PLAIN, 0o600, dir_fd=self._folder
                    )
                    os.fchmod(fd, self._mode)  # whatever the umask says
                except FileExistsError:
                    pass  # somebody was faster
        facts = os.fstat(fd)
        if not stat.S_ISREG(facts.st_mode) or facts.st_nlink > 1:
            os.close(fd)
            raise OSError(errno.EINVAL, "no plain file", name)
        return fd

    def _lock(self, name: str, make: bool = True) -> int | None:
        """The locked file, None when another has it.

        Raises:
            OSError: it can't be opened.
        """
        while True:
            fd = self._open(name, make)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.stat(name, dir_fd=self._folder, follow_symlinks=False).st_ino == os.fstat(fd).st_ino:
                    return fd
                os.close(fd)  # it was removed, and made again by another
            except FileNotFoundError:
                os.close(fd)
            except BlockingIOError:
                os.close(fd)
                return None
            except BaseException:
                os.close(fd)
                raise

    def _read(self, name: str) -> dict[str, Any]:
        try:
            fd = os.open(name, os.O_RDONLY | _PLAIN, dir_fd=self._folder)
        except OSError:
            return {}
        try:
            told = json.loads(os.read(fd, _LONGEST)) if stat.S_ISREG(os.fstat(fd).st_mode) else None
        except (OSError, ValueError, RecursionError):
            return {}
        finally:
            os.close(fd)
        return told if isinstance(told, dict) else {}

    # GPUs.

    def take(self, uuid: str) -> int | None:
        """The lock of a GPU, None when another has it; to be called :meth:`alone`.

        Raises:
            LeaseError: its file can't be used.
        """
        name = _file_of(uuid)
        try:
            return self._lock(name)
        except OSError as error:
            raise LeaseError(
                f"the lease file {os.path.join(self.path, name)} can't be used: {error.strerror}",
                "Look whose it is, and remove it when nobody uses that GPU.",
            ) from None

    def holders(self, uuids: list[str]) -> dict[str, dict[str, Any]]:
        """What those say who hold them, by uuid; to be called :meth:`alone`."""
        found = {}
        for uuid in uuids:
            try:
                fd = self._lock(_file_of(uuid), make=False)
            except OSError:
                continue
            if fd is None:
                found[uuid] = _cleaned(self._read(_file_of(uuid)))
            else:
                os.close(fd)
        return found

    @contextmanager
    def alone(self, patience: float = LOOKING) -> Iterator[None]:
        """Nobody else looks, takes or queues meanwhile; waits so many seconds for that (``patience``).

        Raises:
            LeaseError: somebody does, and does not end.
        """
        name, until = f"{self._node}.queue", time.monotonic() + patience
        try:
            while (fd := self._lock(name)) is None:
                if time.monotonic() > until:
                    raise LeaseError(f"somebody holds {os.path.join(self.path, name)}, and does not let go")
                time.sleep(0.02)
        except OSError as error:
            raise LeaseError(f"{os.path.join(self.path, name)} can't be used: {error.strerror}") from None
        try:
            yield
        finally:
            os.close(fd)

    # The queue.

    def tickets(self) -> list[dict[str, Any]]:
        """What those wait for who came before, in their order; to be called :meth:`alone`.

        Tickets of processes that are gone are removed.
        """
        before = []
        beginning = f"{self._node}.ticket-"
        for name in sorted(os.listdir(self._folder)):
            if not name.startswith(beginning):
                continue
            if name == self._ticket:
                break
            try:
                fd = self._lock(name, make=False)
            except OSError:
                continue  # gone, or nothing that we would have made
            if fd is None:
                before.append(self._read(name))
            else:
                os.close(fd)
                self._remove(name)
        return before

    def queue(self, told: dict[str, Any]) -> None:
        """Takes a ticket, behind all others; to be called :meth:`alone`.

        Args:
            told: who waits, and for what.

        Raises:
            LeaseError: it can't be written.
        """
        beginning = f"{self._node}.ticket-"
        words = [name[len(beginning) :] for name in os.listdir(self._folder) if name.startswith(beginning)]
        # One that somebody made up, with the last number there is, would leave none for the others.
        number = max((int(word) for word in words if re.fullmatch(r"0\d{9}", word)), default=0) + 1
        name = f"{beginning}{number:010d}"
        try:
            fd = self._lock(name)
        except OSError as error:
            raise LeaseError(f"no ticket can be written in {self.path}: {error.strerror}") from None
        if fd is None:
            raise LeaseError(f"somebody holds {os.path.join(self.path, name)}")
        self._ticket, self._ticket_fd = name, fd
        write(fd, told)

    def drop_ticket(self) -> None:
        """Waits no longer."""
        if self._ticket:
            self._remove(self._ticket)
            os.close(self._ticket_fd)
            self._ticket = ""

    def _remove(self, name: str) -> None:
        try:
            os.unlink(name, dir_fd=self._folder)
        except OSError:
            pass  # another user's: it is of no harm, and goes with the next one of that user


def write(fd: int, told: dict[str, Any]) -> None:
    """Writes into a locked file who has it; a full disk is no reason to fail."""
    try:
        os.ftruncate(fd, 0)
        os.pwrite(fd, json.dumps(told).encode("ascii"), 0)
    except OSError:
        pass


def who_am_i(pid: int) -> dict[str, Any]:
    """What a lease says: ``user``, ``pid``, ``node`` and ``since``."""
    from .gpus import user_name

    return {"user": user_name(os.getuid()), "pid": pid, "node": os.uname().nodename, "since": time.time()}


def where(state: str, shared: str | None) -> tuple[str, bool]:
    """The folder of the leases, and whether it is shared."""
    from .paths import expand

    return (expand(shared), True) if shared else (os.path.join(state, "gpus"), False)


def note_holders(gpus: list[dict[str, Any]], state: str, shared: str | None) -> None:
    """Notes with each card and instance who has leased it, None for nobody, and when that can't be told.

    Args:
        shared: the folder of leases that all users of the host have; None for my own.
    """
    told: dict[str, dict[str, Any]] = {}
    found = [*gpus, *(part for gpu in gpus for part in gpu["mig"] or ())]
    path, is_shared = where(state, shared)
    if found and os.path.isdir(path):
        try:
            leases = Leases(path, is_shared)
            try:
                with leases.alone(1.0):
                    told = leases.holders([one["uuid"] for one in found])
            finally:
                leases.close()
        except LeaseError:
            pass
    for one in found:
        one["lease"] = told.get(one["uuid"])


def _file_of(uuid: str) -> str:
    return f"gpu-{re.sub(r'[^A-Za-z0-9-]', '_', uuid)}.lock"


def _cleaned(told: dict[str, Any]) -> dict[str, Any]:
    # Others may write there what they like, and it is shown in a terminal.
    found: dict[str, Any] = {}
    for key in ("user", "run", "session", "node", "host"):
        if isinstance(told.get(key), str):
            found[key] = "".join(ch if ch.isprintable() else "?" for ch in told[key][:100])
    for key in ("pid", "since"):
        if isinstance(told.get(key), (int, float)):
            found[key] = told[key]
    return found
