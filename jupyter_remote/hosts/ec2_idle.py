"""A machine of EC2 that stops when nothing of mine has run there for a time: asked for, and announced.

The machine shuts itself down, so this computer may be off by then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakSet

from ..agent import messages as m
from ..durations import format_duration
from ..errors import ConfigError
from .ec2 import Machine

if TYPE_CHECKING:
    from ..config_models import HostConfig
    from ..connection import Connection

_SHUTDOWN = ["sudo", "-n", "shutdown"]
_arranged: WeakSet[Connection] = WeakSet()


def prepare(host: HostConfig, connection: Connection) -> str | None:
    """Arranges it, once for each connection.

    Returns:
        A line to tell the user, or None.

    Raises:
        ConfigError: a shutdown would terminate the machine.
        ConnectError: EC2 or the host can't be asked.
    """
    if connection in _arranged:
        return None
    seconds = host.ec2.stop_when_idle
    if seconds and not Machine(host).shutdown_stops():
        raise ConfigError(
            f"{host.name}: a shutdown would terminate the machine and lose its disk, so `ec2.stop_when_idle` "
            "can't be kept",
            host=host.name,
            hint="Set the instance's shutdown behaviour to `stop` (`aws ec2 modify-instance-attribute "
            f"--instance-initiated-shutdown-behavior stop`), or `jupyter remote set {host.name} "
            "ec2.stop_when_idle=null`.",
        )
    idle = format_duration(seconds) if seconds else ""
    options = {
        "seconds": seconds,
        "load": host.ec2.idle_load,
        "order": [*_SHUTDOWN, "-h", "+1", f"jupyter_remote: nothing has run for {idle} (ec2.stop_when_idle)"],
        "cancel": [*_SHUTDOWN, "-c"],
    }
    why = connection.ask(m.StopWhenIdle(options)).get("why")
    _arranged.add(connection)
    if why:
        return f"{host.name} can't stop itself when idle, and costs money until it is stopped: {why}"
    return f"{host.name} stops when nothing runs there for {idle} (ec2.stop_when_idle)" if seconds else None
