"""Whether an SSH server answers at an address: cheap to ask each second, where a login is not."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .transports import Transport

_TIMEOUT_S = 1.0


class Address(NamedTuple):
    """Where a server listens."""

    host: str
    port: int


def address_of(transport: Transport) -> Address | None:
    """Where the transport connects to, None when that is not by TCP from here."""
    settings = getattr(transport, "settings", None)
    if settings is None or settings.proxy_jump or settings.proxy_command:
        return None
    return Address(settings.hostname, settings.port)


def greets(address: Address) -> bool:
    """Whether a server says its first word there."""
    try:
        with socket.create_connection(address, timeout=_TIMEOUT_S) as peer:
            peer.settimeout(_TIMEOUT_S)
            return peer.recv(4) == b"SSH-"
    except OSError:
        return False
