"""The GPUs that a session has leased, and how its supervisor gets them: by a process beside it, ``seeker``.

The locks are held here, as open files, so they are free as soon as the supervisor is gone. What becomes of
the run that asked is decided in ``turns``.
"""

from __future__ import annotations

import array
import json
import os
import selectors
import socket
import subprocess
import sys

from .launch import boot_argv, environment
from .leases import where

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, Iterator

# What a process has open that has initialised CUDA or ROCm: from then on it sees the cards that it saw then.
INITIALISED = ("/dev/nvidia-uvm", "/dev/kfd", "/dev/dxg")
_MOST = 253  # descriptors that one message can carry, unix(7)


class InUse(Exception):
    """The session's process can't be moved to other GPUs any more."""


class Leasing:
    """What one session has.

    Args:
        selector: the supervisor's; the socket is registered as ``lease``.
        state: state folder of the host.
        record: of the session.
    """

    def __init__(self, selector: selectors.BaseSelector, state: str, record: dict[str, Any]) -> None:
        self._selector = selector
        self._state = state
        self._record = record
        self._request: dict[str, Any] | None = None
        self._wanted: dict[str, Any] | None = None
        self._locks: list[int] = []
        self._seeker: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._rest = b""
        self.leased: list[dict[str, Any]] = []
        # Variables for the session's processes; None as long as nothing was ever leased.
        self.visible: dict[str, str] | None = None

    @property
    def seeking(self) -> bool:
        """Whether a run waits for GPUs."""
        return self._channel is not None

    def needs(self, run: dict[str, Any]) -> bool:
        """Whether a run of that record asks for others than the session has."""
        wanted = run.get("lease")
        return wanted is not None and _what(wanted) != self._request

    def seek(self, run: dict[str, Any], worker: int | None) -> bool:
        """Begins to get what a run asks for; returns False when that is nothing.

        What the session has is given back first: who waits with something in hand may wait for ever.

        Args:
            run: its record.
            worker: pid of the session's process, None when there is none.

        Raises:
            InUse: that process has initialised its GPUs.
            OSError: the process that is to get them can't be started.
        """
        wanted = run["lease"]
        if worker is not None and _initialised(worker):
            raise InUse(
                "this session already uses its GPUs, and a process can't change to others: "
                f"it has {', '.join(one['index'] for one in self.leased) or 'those that it found'}"
            )
        self.release()
        if not wanted.get("count") and not wanted.get("ids"):
            self._request = _what(wanted)
            return False
        ours, theirs = socket.socketpair()
        argv = boot_argv([sys.executable, "-I", "-S"], "seeker", str(theirs.fileno()))
        try:
            self._seeker = subprocess.Popen(
                argv, env=environment({}), stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()], cwd="/"
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        self._channel, self._rest, self._wanted = ours, b"", _what(wanted)
        self._selector.register(ours, selectors.EVENT_READ, "lease")
        folder, shared = where(self._state, wanted.get("folder"))
        order = {
            "folder": folder,
            "shared": shared,
            "request": wanted,
            "supervisor": os.getpid(),
            "lease": {"run": run["id"], "session": self._record["name"], "host": run.get("host")},
            "visible": environment(self._record).get("CUDA_VISIBLE_DEVICES"),
        }
        ours.sendall(json.dumps(order).encode("ascii") + b"\n")
        return True

    def told(self) -> Iterator[dict[str, Any]]:
        """What the process says that gets them: ``waits``, ``refused`` (with ``hint``) or ``leased``."""
        channel = self._channel
        if channel is None:
            return
        fds = array.array("i")
        try:
            data, ancillary, _, _ = channel.recvmsg(1 << 16, socket.CMSG_SPACE(_MOST * fds.itemsize))
        except OSError:
            data, ancillary = b"", []
        for level, kind, content in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
        self._locks += fds
        for fd in fds:
            os.set_inheritable(fd, False)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            told = json.loads(line)
            if "leased" in told:
                self.leased, self.visible, self._request = told["leased"], told["visible"], self._wanted
            if "waits" not in told:
                self._forget()
            yield told
        if not data and self._channel is channel:
            self.cancel()
            yield {"refused": "the process that was to get GPUs has ended", "hint": ""}

    def cancel(self) -> None:
        """Waits no longer, and leaves nothing of that."""
        seeker = self._seeker
        if seeker is not None:
            # It takes its ticket back and goes, at once unless a driver hangs. The channel is closed after
            # that: its end makes it go too, and the signal must not come while it tidies up.
            seeker.terminate()
            try:
                seeker.wait(5.0)
            except subprocess.TimeoutExpired:
                seeker.kill()
        self._forget()

    def _forget(self) -> None:
        if self._channel is not None:
            self._selector.unregister(self._channel)
            self._channel.close()
        self._channel = self._seeker = None

    def release(self) -> None:
        """Gives everything back."""
        for fd in self._locks:
            try:
                os.ftruncate(fd, 0)
            except OSError:
                pass  # it is not ours to write; the lock is what counts
            os.close(fd)
        self._locks, self.leased, self._request = [], [], None
        self.visible = None if self.visible is None else {}


def _what(request: dict[str, Any]) -> dict[str, Any]:
    """A request without how long it waits."""
    return {key: request.get(key) for key in ("count", "ids", "min_free", "folder")}


def _initialised(pid: int) -> bool:
    folder = f"/proc/{pid}/fd"
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        try:
            if os.readlink(os.path.join(folder, name)).endswith(INITIALISED):
                return True
        except OSError:
            pass  # it was closed just now
    return False
