"""`start` and `stop`: machines that can be switched on and off from here."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import jupyter_remote

from ..call import Show, configuration, one_host
from ..durations import format_duration
from ..errors import Interrupted, RemoteError, UsageError
from ..hosts.registry import KINDS
from ..parsing import Values

if TYPE_CHECKING:
    from ..config_models import HostConfig
    from ..hosts.ec2 import Machine, Told


def start(values: Values, show: Show) -> None:
    """`start HOST`.

    Raises:
        UsageError: hosts of its kind can't be started from here.
        LaunchError, ConfigError, ConnectError: it does not start.
        Interrupted: nobody waits any more.
    """
    host, machine = _machine(values["host"])
    try:
        now = machine.start(_say(host.name))
    except KeyboardInterrupt:
        raise Interrupted(
            f"no longer waiting for {host.name}; it may go on starting, and cost money",
            host=host.name,
            hint=f"`jupyter remote stop {host.name}` stops it.",
        ) from None
    print(f"{host.name}: {now.id} ({now.kind}) runs, and its sshd answers")
    if host.ec2.stop_when_idle:
        idle = format_duration(host.ec2.stop_when_idle)
        print(f"{host.name}: once cells have run there, it stops when nothing runs for {idle}")


def stop(values: Values, show: Show) -> None:
    """`stop HOST [--force]`.

    Raises:
        UsageError: hosts of its kind can't be stopped from here, or runs of mine go on there.
        LaunchError, ConfigError, ConnectError: it does not stop.
        Interrupted: nobody waits any more.
    """
    host, machine = _machine(values["host"])
    if not values["force"] and machine.look().state == "running" and (busy := _busy(host.name)):
        raise UsageError(
            f"{host.name} still runs {', '.join(busy)}",
            host=host.name,
            hint="Stop them (`jupyter remote runs stop ID`), or add --force: its disk keeps their output.",
        )
    jupyter_remote.connect(host.name).close()
    try:
        now = machine.stop(_say(host.name))
    except KeyboardInterrupt:
        raise Interrupted(f"no longer waiting for {host.name}; it goes on stopping", host=host.name) from None
    print(f"{host.name}: {now.id} has stopped")


def _machine(spec: str | None) -> tuple[HostConfig, Machine]:
    name = one_host(spec)
    host = configuration().host(name)
    make = KINDS[host.type].machine
    if make is None:
        able = ", ".join(kind for kind, row in KINDS.items() if row.machine is not None)
        raise UsageError(
            f"{name} is {KINDS[host.type].summary}: only hosts of type {able} can be started and stopped",
            host=name,
        )
    return host, make(host)


def _busy(name: str) -> list[str]:
    """The runs that go on there; none when it can't be asked, which must keep nobody from stopping it."""
    try:
        sessions = jupyter_remote.connect(name).sessions()
    except RemoteError as error:
        print(f"{name} could not be asked what runs there: {error.message}", file=sys.stderr)
        return []
    return [str(run) for one in sessions for run in (one.get("active"), *(one.get("queued") or ())) if run]


def _say(name: str) -> Told:
    return lambda line: print(f"{name}: {line}", file=sys.stderr, flush=True)
