"""Who is who among the hosts of one call: the variables that torch.distributed, jax and others read.

Pure but for reading the ssh configuration; which hosts there are and when they start is `several.py`.
"""

from __future__ import annotations

import secrets
import time
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .hosts import ssh_config

if TYPE_CHECKING:
    from .config_models import HostConfig

# The range of `agent/meeting.py`, for when the first host can't be asked in time.
_FIRST_PORT, _PORTS = 20000, 12000

# What a host is on the network, and which account of it: two aliases with one place are one machine.
Place = tuple[object, ...]


def new_group() -> str:
    """An id for the runs of one call; it sorts by time: ``g20261122-014500-7f3a``."""
    return f"g{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"


def place_of(host: HostConfig) -> Place:
    """What the settings say of where it is."""
    if host.type == "local":
        return ("local",)  # whatever its workspace is: sessions are the same
    if host.type == "command":
        return ("command", *host.command)
    found = ssh_config.resolve(host.destination, host=host)
    jump = found.proxy_jump or found.proxy_command
    return ("ssh", found.hostname.lower(), found.port, found.user, jump)


def twins(names: Sequence[str], places: Sequence[Place]) -> list[bool]:
    """Which of the hosts are another name for one of the others; the first by name is the one itself."""
    firsts: dict[Place, str] = {}
    for name, place in zip(names, places, strict=True):
        firsts[place] = min(name, firsts.get(place, name))
    return [firsts[place] != name for name, place in zip(names, places, strict=True)]


def master_address(hosts: Sequence[HostConfig], places: Sequence[Place], own: str) -> str:
    """The address at which the other hosts reach the first.

    Args:
        hosts, places: in the order of the call.
        own: what the first host says its address is; empty when it could not be asked.
    """
    first, place = hosts[0], places[0]
    if first.address:
        return first.address
    if all(one == place for one in places):
        return "127.0.0.1"
    name = str(place[1]) if place[0] == "ssh" else ""
    # What is loopback from here (a forwarded port, the built-in host) is another machine from there.
    if name and not _is_loopback(name):
        return name
    return own or name or "127.0.0.1"


def fallback_port(group: str) -> int:
    """A port that all hosts work out alike, when the first can't be asked for a free one.

    Args:
        group: the id of the call.
    """
    return _FIRST_PORT + zlib.crc32(group.encode()) % _PORTS


def variables(rank: int, world: int, address: str, port: int) -> dict[str, str]:
    """The environment of one host's run: one process on each host.

    Args:
        rank: of this host.
        world: how many there are.
        port: of the first host, where they meet.
    """
    return {
        "RANK": str(rank),
        "WORLD_SIZE": str(world),
        "LOCAL_RANK": "0",
        "NODE_RANK": str(rank),
        "MASTER_ADDR": address,
        "MASTER_PORT": str(port),
    }


def _is_loopback(name: str) -> bool:
    return name == "localhost" or name.startswith("127.") or name == "::1"
