"""A process that a supervisor owns, a worker or a program, and the pipes to it.

Knows file descriptors and signals; what is started is decided in ``launch``.
"""

from __future__ import annotations

import array
import fcntl
import os
import signal
import socket
import subprocess
import sys
import termios

from .launch import CHANNEL
from .processes import MARKER, identity
from .wire import encode

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from .messages import Message

CHUNK = 1 << 17


class Child:
    """A running process, leader of its own session, with separate pipes for its two outputs.

    Args:
        argv: program and arguments.
        cwd: folder it starts in.
        env: its environment; the session's marker is added.
        marker: what its processes are known by.
        setup: path of a shell script that prepares and then becomes ``argv``, or None; see `env_setup.py`.
        channel: whether it gets a socket for messages, and a pipe that acknowledges its events.

    Raises:
        OSError: it could not be started.
    """

    def __init__(
        self,
        argv: list[str],
        cwd: str,
        env: dict[str, str],
        marker: str,
        setup: str | None = None,
        channel: bool = False,
    ) -> None:
        out_read, out_write = os.pipe()
        err_read, err_write = os.pipe()
        ours, theirs = socket.socketpair() if channel else (None, None)
        ack_read, self._ack = os.pipe() if channel else (-1, -1)
        env = dict(env, **{MARKER: marker})
        passed = []
        if theirs is not None:
            env[CHANNEL] = f"{theirs.fileno()},{ack_read}"
            passed = [theirs.fileno(), ack_read]
        if setup:
            import shutil

            argv = [shutil.which("bash") or "/bin/sh", setup]
        for fd in (out_write, err_write):
            _widen(fd)
        try:
            self._process = subprocess.Popen(
                argv,
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=out_write,
                stderr=err_write,
                pass_fds=passed,
                start_new_session=True,
            )
        except OSError:
            os.close(out_read)
            os.close(err_read)
            if ours is not None:
                ours.close()
                os.close(self._ack)
            raise
        finally:
            os.close(out_write)
            os.close(err_write)
            if theirs is not None:
                theirs.close()
                os.close(ack_read)
        self.pid = self._process.pid
        self.identity = identity(self.pid)
        self.channel = ours
        self.pipes = {out_read: "stdout", err_read: "stderr"}
        self.exit_code: int | None = None
        for fd in self.pipes:
            os.set_blocking(fd, False)

    def ended(self, status: int) -> None:
        """Notes the status that waitpid(2) gave for it."""
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
        self.exit_code = self._process.returncode = code

    def interrupt(self) -> None:
        """SIGINT to its process group, as a terminal's Ctrl-C would."""
        try:
            os.killpg(self.pid, signal.SIGINT)
        except ProcessLookupError:
            pass

    def acknowledge(self) -> None:
        """Lets the worker go on after an event: it is in the log, behind what was printed before it."""
        try:
            os.write(self._ack, b".")
        except OSError:
            pass  # it has ended

    def tell(self, message: Message, payload: bytes = b"") -> None:
        """Sends the worker a message; that it has just died is told when its end is taken."""
        assert self.channel is not None
        try:
            self.channel.sendall(encode(0, message, payload))
        except OSError:
            pass

    def close_channel(self) -> None:
        """Ends the exchange of messages."""
        if self.channel is not None:
            self.channel.close()
            os.close(self._ack)
            self.channel = None

    def close(self) -> None:
        """Lets go of its pipes."""
        for fd in self.pipes:
            os.close(fd)
        self.pipes = {}
        self.close_channel()


def waiting(fd: int) -> int:
    """How many bytes a pipe holds now."""
    size = array.array("i", [0])
    fcntl.ioctl(fd, termios.FIONREAD, size)
    return size[0]


def _widen(fd: int) -> None:
    # A larger pipe means fewer switches between a printing process and its supervisor.
    if sys.platform.startswith("linux"):
        try:
            fcntl.fcntl(fd, 1031, 1 << 18)  # F_SETPIPE_SZ, fcntl(2)
        except OSError:
            pass  # over the user's limit: the default serves too
