"""Commands of this machine as channels: `sh -c` itself, or any argv prefix that leads to another shell.

Only pipes and process groups are handled here; what a failed `ssh` means is in `openssh`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence

from ..errors import ConnectError, ConnectionLost, RemoteError
from .stderr import Tail

# How long a command may take to end by itself, after its stdin has ended and again after SIGTERM.
_GRACE_S = 1.0
_STDERR_CHUNK = 1 << 16


class ProcessChannel:
    """A child process in a process group of its own, so that Ctrl-C in the notebook does not reach it.

    Args:
        argv: what to run.
        host: the name of the host, for messages.
        env: its variables; those of this process when None.

    Raises:
        ConnectError: the program is not there or can't be started.
    """

    def __init__(self, argv: Sequence[str], host: str, env: Mapping[str, str] | None = None) -> None:
        self._host = host
        self._tail = Tail()
        self._closing = threading.Lock()
        self._closed = False
        self._reading = threading.Lock()
        self._writing = threading.Lock()
        try:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env=env,
                start_new_session=os.name == "posix",
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        except OSError as error:
            raise ConnectError(
                f"`{argv[0]}` can't be started: {error.strerror}",
                host=host,
                hint=f"Install `{argv[0]}`, or check the PATH.",
            ) from None
        self._drain = threading.Thread(target=self._read_stderr, name=f"stderr of {argv[0]}", daemon=True)
        self._drain.start()

    def read(self, n: int) -> bytes:
        """Up to `n` bytes; b"" at the end, or once the channel is closed."""
        with self._reading:
            stream = self._process.stdout
            if stream is None or stream.closed:
                return b""
            return os.read(stream.fileno(), n)

    def write(self, data: bytes) -> None:
        """Send all of `data`.

        Raises:
            ConnectionLost: the process is gone, or the channel is closed.
        """
        with self._writing:
            stream = self._process.stdin
            if stream is None or stream.closed:
                raise ConnectionLost(f"the connection to {self._host} is closed", host=self._host)
            rest = memoryview(data)
            try:
                while rest:
                    rest = rest[os.write(stream.fileno(), rest) :]
            except OSError:
                raise ConnectionLost(f"the connection to {self._host} broke", host=self._host) from None

    @property
    def stdout(self) -> int | None:
        """The descriptor of its output; None once that is closed."""
        stream = self._process.stdout
        return None if stream is None or stream.closed else stream.fileno()

    def exit_status(self, timeout: float | None) -> int | None:
        """The exit status, 128 + n for a signal; None while the process runs.

        Args:
            timeout: seconds to wait for its end; None for ever.
        """
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        # What was said last is often the reason, and may still be in the pipe.
        self._drain.join(0.5)
        return status if status >= 0 else 128 - status

    def stderr_tail(self) -> str:
        """The last 64 kB of stderr."""
        return self._tail.text()

    def kill(self) -> None:
        """Kill the process and what else is in its group; `close` is still to be called."""
        self._signal(getattr(signal, "SIGKILL", signal.SIGTERM))

    def close(self) -> None:
        """End the process and what else is in its group. Idempotent; never raises."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            # The end of its input is what a well-behaved command ends by. A writer that is stuck on a
            # full pipe holds the lock; then only the signal helps.
            if self._writing.acquire(timeout=0.1):
                self._close(self._process.stdin)
                self._writing.release()
            for number in (None, signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
                if number is not None:
                    self._signal(number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(_GRACE_S)
                    break
            # The process itself is gone; what it started and left in its group goes too.
            self._signal(getattr(signal, "SIGKILL", signal.SIGTERM))
            self._drain.join(_GRACE_S)
            if self._writing.acquire(timeout=_GRACE_S):
                self._close(self._process.stdin)
                self._writing.release()
            # A file descriptor must not be closed under a thread that reads it: the number may be reused.
            if self._reading.acquire(timeout=_GRACE_S):
                self._close(self._process.stdout)
                self._reading.release()

    @staticmethod
    def _close(stream: object) -> None:
        with contextlib.suppress(OSError):
            stream.close()  # type: ignore[attr-defined]

    def _signal(self, number: int) -> None:
        with contextlib.suppress(OSError):
            if os.name == "posix":
                os.killpg(self._process.pid, number)
            elif self._process.poll() is None:
                self._process.kill()

    def _read_stderr(self) -> None:
        stream = self._process.stderr
        assert stream is not None
        with stream, contextlib.suppress(OSError):
            while data := os.read(stream.fileno(), _STDERR_CHUNK):
                self._tail.feed(data)
        # Whoever forgets to close the channel leaves no zombie.
        self._process.wait()


class ProcessTransport:
    """`local` and `command`: `prefix` followed by `sh -c COMMAND`.

    Args:
        name: `local` or `command`.
        host: the name of the host, for messages.
        prefix: what leads to the host's shell, for example `docker exec -i NAME`.
    """

    def __init__(self, name: str, host: str, prefix: Sequence[str]) -> None:
        self.name = name
        self.reason = ""
        self.host = host
        self._prefix = tuple(prefix)
        self._channels: list[ProcessChannel] = []

    def argv(self, command: str) -> list[str]:
        """What is run for `command`."""
        return [*self._prefix, "sh", "-c", command]

    def open(self, command: str) -> ProcessChannel:
        """Start `command`.

        Raises:
            ConnectError: the program of the prefix can't be started.
        """
        channel = ProcessChannel(self.argv(command), self.host)
        self._channels.append(channel)
        return channel

    def close(self) -> None:
        """End every channel."""
        while self._channels:
            self._channels.pop().close()

    def explain(self, status: int | None, stderr: str) -> RemoteError:
        """A command that ended early."""
        lines = stderr.strip().splitlines()
        said = f": {lines[-1]}" if lines else ""
        if status is None:
            return ConnectionLost(f"the command for {self.host} stopped answering{said}", host=self.host)
        what = f"`{self._prefix[0]}`" if self._prefix else "the command"
        hint = f"Try it by hand: `{' '.join(self._prefix)} sh -c 'echo works'`" if self._prefix else ""
        return ConnectError(f"{what} ended with status {status}{said}", host=self.host, hint=hint)
