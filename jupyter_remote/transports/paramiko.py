"""The `paramiko` transport: channels over one SSH connection that this process makes itself."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

import paramiko
from paramiko.agent import AgentRequestHandler

from ..config_models import HostConfig
from ..errors import ConnectError, ConnectionLost, RemoteError
from ..hosts import ssh_config
from . import Prompter
from .received import Received
from .ssh_link import Link
from .stderr import Tail

# stderr shares the channel's window with stdout. Nobody reads it alone, so a reader that waits for
# stdout looks at it this often: a host that only writes to stderr is slowed, never stuck.
_STDERR_EVERY_S = 2.0
_STDERR_CHUNK = 1 << 16
# Who took so much in one read is in the middle of a large answer. To be woken for each of its packets
# (32 KiB) would cost more than all else; a moment later there are several.
_BULK = 1 << 14
_GATHER_S = 0.001


class ParamikoChannel:
    """One command over an SSH connection."""

    def __init__(self, channel: paramiko.Channel, host: str) -> None:
        self._channel: Any = channel
        self._host = host
        self._tail = Tail()
        self._forwarding: Any = None
        self._bulk = False
        self._channel.in_buffer = Received()
        channel.settimeout(_STDERR_EVERY_S)

    def forward_agent(self) -> None:
        """Let the command use the agent of this machine."""
        self._forwarding = AgentRequestHandler(self._channel)

    def read(self, n: int) -> bytes:
        """Up to `n` bytes; b"" at the end."""
        while True:
            self._drain()
            if self._bulk and not self._channel.recv_ready():
                time.sleep(_GATHER_S)
            try:
                data: bytes = self._channel.recv(n)
                self._bulk = len(data) >= _BULK
                return data
            except TimeoutError:
                continue
            except (OSError, EOFError, paramiko.SSHException):
                return b""

    def write(self, data: bytes) -> None:
        """Send all of `data`.

        Raises:
            ConnectionLost: the connection is gone, or the channel is closed.
        """
        rest = memoryview(data)
        while rest:
            try:
                sent = self._channel.send(rest)
            except TimeoutError:
                continue  # Nothing was sent: the host takes its time.
            except (OSError, EOFError, paramiko.SSHException):
                sent = 0
            if sent == 0:
                raise ConnectionLost(f"the connection to {self._host} broke", host=self._host)
            rest = rest[sent:]

    def exit_status(self, timeout: float | None) -> int | None:
        """The exit status; None when there is none yet, or the host never sent one.

        Args:
            timeout: seconds to wait for it; None for ever.
        """
        self._channel.status_event.wait(timeout)
        status: int = self._channel.exit_status
        return status if status >= 0 else None

    def stderr_tail(self) -> str:
        """The last 64 kB of stderr."""
        self._drain()
        return self._tail.text()

    def close(self) -> None:
        """Close the channel; the connection stays. Idempotent; never raises."""
        with contextlib.suppress(Exception):
            self._channel.close()
        with contextlib.suppress(Exception):
            if self._forwarding is not None:
                self._forwarding.close()

    def _drain(self) -> None:
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            while self._channel.recv_stderr_ready():
                data = self._channel.recv_stderr(_STDERR_CHUNK)
                if not data:
                    return
                self._tail.feed(data)


class ParamikoTransport:
    """One SSH connection, made when the first channel is opened and again when it has died.

    Args:
        host: the resolved settings.
        ask: who answers questions; None for nobody.

    Raises:
        ConfigError: the ssh configuration can't be read.
    """

    def __init__(self, host: HostConfig, ask: Prompter | None) -> None:
        self.name = "paramiko"
        self.reason = ""
        self.config = host
        self.settings = ssh_config.resolve(host.destination, host=host)
        self._ask = ask
        self._lock = threading.Lock()
        self._link: Link | None = None
        self._channels: list[ParamikoChannel] = []

    def open(self, command: str) -> ParamikoChannel:
        """Start `command` in the login shell of the host.

        Raises:
            ConnectError: the host can't be reached or lets us not in; the subclass says which.
        """
        with self._lock:
            link = self._link
            if link is None or not link.alive:
                if link is not None:
                    link.close()
                self._link = None
                host, file = self.config.name, self.config.ssh.config_file
                link = self._link = Link(self.settings, host, self._ask, config_file=file)
            try:
                session = link.transport.open_session(timeout=self.settings.connect_timeout)
                channel = ParamikoChannel(session, self.config.name)
                if self.settings.forward_agent:
                    channel.forward_agent()
                session.exec_command(command)
            except (paramiko.SSHException, EOFError, OSError) as error:
                raise self._not_opened(error) from None
            self._channels.append(channel)
            return channel

    def close(self) -> None:
        """Close the channels and the connection, and the hops before it."""
        with self._lock:
            for channel in self._channels:
                channel.close()
            self._channels.clear()
            if self._link is not None:
                self._link.close()
                self._link = None

    def explain(self, status: int | None, stderr: str) -> RemoteError:
        """A command that ended early; what kept it from starting was raised by `open`."""
        lines = stderr.strip().splitlines()
        said = f": {lines[-1]}" if lines else ""
        name = self.config.name
        if status is not None:
            return ConnectError(f"the command on {name} ended with status {status}{said}", host=name)
        cause = self._link.transport.get_exception() if self._link is not None else None
        why = f" ({cause})" if cause is not None and str(cause) else ""
        return ConnectionLost(f"the connection to {name} was lost{why}{said}", host=name)

    def _not_opened(self, error: Exception) -> RemoteError:
        name = self.config.name
        if isinstance(error, paramiko.ChannelException):
            return ConnectError(
                f"{name} opens no more sessions on this connection ({error.text})",
                host=name,
                hint="Close some (`jupyter remote status`), or raise `MaxSessions` in its sshd_config.",
            )
        return ConnectionLost(
            f"the connection to {name} broke while a command was started: {error}", host=name
        )
