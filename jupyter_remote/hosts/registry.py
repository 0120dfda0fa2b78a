"""The kinds of hosts (`type:` in hosts.yaml) as a table to read.

A row says which transport carries the bytes, and what an entry of that kind can't do without. What a
kind does beyond that is a module of its own. Other packages may add rows (docs/plugins.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..plugins import Kinds

if TYPE_CHECKING:
    from ..config_models import HostConfig
    from ..connection import Connection
    from .ec2 import Machine


@dataclass(frozen=True)
class Kind:
    """One kind of host.

    Attributes:
        summary: what it is, for lists.
        transport: the key of `transports.registry` that reaches such a host.
        lacks: what the entry lacks, or "" when it is complete.
        located: the settings with the address that it has now; asked before each connection.
        machine: what starts and stops it, where that can be done from here.
        prepare: what is arranged there before runs; returns a line to tell the user, or None.
    """

    summary: str
    transport: Callable[[HostConfig], str]
    lacks: Callable[[HostConfig], str]
    located: Callable[[HostConfig], HostConfig] = lambda host: host
    machine: Callable[[HostConfig], Machine] | None = None
    prepare: Callable[[HostConfig, Connection], str | None] = lambda host, connection: None


def _nothing(host: HostConfig) -> str:
    return ""


def _no_machine_named(host: HostConfig) -> str:
    named = host.hostname or host.ec2.instance_id or host.ec2.tags
    return "" if named else "`ec2.instance_id`, `ec2.tags` or `hostname`"


def _ec2_located(host: HostConfig) -> HostConfig:
    from .ec2 import located

    return located(host)


def _ec2_machine(host: HostConfig) -> Machine:
    from .ec2 import Machine

    return Machine(host)


def _ec2_prepare(host: HostConfig, connection: Connection) -> str | None:
    from .ec2_idle import prepare

    return prepare(host, connection)


_OURS = {
    "ssh": Kind("a machine reached by ssh", lambda host: host.transport, _nothing),
    "ec2": Kind(
        "a machine of Amazon EC2, reached by ssh",
        lambda host: host.transport,
        _no_machine_named,
        _ec2_located,
        _ec2_machine,
        _ec2_prepare,
    ),
    "command": Kind(
        "whatever a command leads to (a container, a pod, a job)",
        lambda host: "command",
        lambda host: "" if host.command else "`command`, a list such as [docker, exec, -i, NAME]",
    ),
    "local": Kind("this machine", lambda host: "local", _nothing),
}

KINDS: Mapping[str, Kind] = Kinds("hosts", _OURS)
