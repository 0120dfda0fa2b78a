"""The kinds of hosts (`type:` in hosts.yaml) as a table to read.

A row says which transport carries the bytes, and what an entry of that kind can't do without. What a
kind does beyond that is a module of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..config_models import HostConfig


@dataclass(frozen=True)
class Kind:
    """One kind of host.

    Attributes:
        summary: what it is, for lists.
        transport: the key of `transports.registry` that reaches such a host.
        lacks: what the entry lacks, or "" when it is complete.
    """

    summary: str
    transport: Callable[[HostConfig], str]
    lacks: Callable[[HostConfig], str]


def _nothing(host: HostConfig) -> str:
    return ""


KINDS: dict[str, Kind] = {
    "ssh": Kind("a machine reached by ssh", lambda host: host.transport, _nothing),
    "ec2": Kind(
        "a machine of Amazon EC2, reached by ssh",
        lambda host: host.transport,
        lambda host: "" if host.hostname or host.ec2.instance_id else "`hostname` or `ec2.instance_id`",
    ),
    "command": Kind(
        "whatever a command leads to (a container, a pod, a job)",
        lambda host: "command",
        lambda host: "" if host.command else "`command`, a list such as [docker, exec, -i, NAME]",
    ),
    "local": Kind("this machine", lambda host: "local", _nothing),
}
