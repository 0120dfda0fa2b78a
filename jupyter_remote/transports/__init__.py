"""Transports: a duplex byte stream to a command on a host, and nothing more.

Here are the interfaces and the table of transports. Each transport is a module that is imported when
it is first used; who asks the user is a `Prompter`, so that no transport knows about notebooks.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..plugins import Kinds

if TYPE_CHECKING:
    from ..config_models import HostConfig
    from ..errors import RemoteError


class Prompter(Protocol):
    """Somebody who may be able to answer a question."""

    def ask(self, prompt: str, *, secret: bool) -> str | None:
        """The answer to `prompt`, not shown while typed when `secret`; None when nobody can answer."""
        ...


class Channel(Protocol):
    """One command on a host: its stdin, stdout and end. One thread may read while another writes."""

    def read(self, n: int) -> bytes:
        """Up to `n` bytes, as soon as there are some; b"" at the end."""
        ...

    def write(self, data: bytes) -> None:
        """Send all of `data`.

        Raises:
            ConnectionLost: the other side is gone.
        """
        ...

    def close(self) -> None:
        """End the command's streams, and the processes here that carry them. Never raises."""
        ...

    def exit_status(self, timeout: float | None) -> int | None:
        """The command's status (128 + n for a signal), or None if there is none within `timeout` seconds."""
        ...

    def stderr_tail(self) -> str:
        """The last 64 kB of what came on stderr, with control characters made visible."""
        ...


class Transport(Protocol):
    """A way to a host. Channels may be opened one after another and side by side.

    Attributes:
        name: the key of this transport in `registry`.
        reason: why it was chosen, "" when it was asked for or the only one.
    """

    name: str
    reason: str

    def open(self, command: str) -> Channel:
        """Start `command`, a line for the host's login shell.

        Raises:
            ConnectError: the host can't be reached, or lets us not in; the subclass says which.
        """
        ...

    def close(self) -> None:
        """End all channels and connections. Never raises."""
        ...

    def explain(self, status: int | None, stderr: str) -> RemoteError:
        """What it means that a channel ended early with this exit status and stderr."""
        ...


Factory = Callable[["HostConfig", Prompter | None], Transport]


def _local(host: HostConfig, ask: Prompter | None) -> Transport:
    from .process import ProcessTransport

    return ProcessTransport("local", host.name, ())


def _command(host: HostConfig, ask: Prompter | None) -> Transport:
    from .process import ProcessTransport

    return ProcessTransport("command", host.name, host.command)


def _openssh(host: HostConfig, ask: Prompter | None) -> Transport:
    from .openssh import OpenSshTransport

    return OpenSshTransport(host, ask)


def _paramiko(host: HostConfig, ask: Prompter | None) -> Transport:
    from .paramiko import ParamikoTransport

    return ParamikoTransport(host, ask)


def _auto(host: HostConfig, ask: Prompter | None) -> Transport:
    from ..hosts.ssh_config import openssh_reason

    # paramiko takes longer to import than `ssh -G` to answer, so the one is done while waiting for the other.
    threading.Thread(target=import_module, args=(f"{__name__}.paramiko",), daemon=True).start()
    reason = openssh_reason(host)
    transport = _openssh(host, ask) if reason else _paramiko(host, ask)
    transport.reason = reason or "the ssh configuration asks for nothing that only OpenSSH can do"
    return transport


registry: Mapping[str, Factory] = Kinds(
    "transports",
    {"auto": _auto, "paramiko": _paramiko, "openssh": _openssh, "command": _command, "local": _local},
)


def make_transport(host: HostConfig, ask: Prompter | None) -> Transport:
    """The transport that the host's settings ask for; nothing is connected yet.

    Args:
        host: the resolved settings.
        ask: who answers questions about passwords and unknown host keys; None for nobody.

    Raises:
        ConfigError: the ssh configuration can't be read, or `ssh_key` names no file.
        HostUnreachable: the machine is switched off.
    """
    from ..errors import ConfigError
    from ..hosts.registry import KINDS

    host = KINDS[host.type].located(host)
    name = KINDS[host.type].transport(host)
    if host.ssh_key is not None and name not in ("local", "command"):
        key = Path(host.ssh_key).expanduser()
        # A public half is enough: the private one may be in the agent.
        if not key.is_file() and not key.with_name(key.name + ".pub").is_file():
            raise ConfigError(f"hosts.{host.name}.ssh_key: there is no file {key}", host=host.name)
    return registry[name](host, ask)
