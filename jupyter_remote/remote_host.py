"""The verbs of a host itself: what it is, has and runs; those of runs and files are in ``remote.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .agent import messages as m
from .agent.processes import boot_id

if TYPE_CHECKING:
    from .config_models import HostConfig
    from .connection import Connection
    from .forward import Forward
    from .hostlink import HostLink
    from .samples import Samples


class HostVerbs:
    """One host and the link to it.

    Args:
        host: the resolved settings.
        link: makes and keeps the connection.
    """

    def __init__(self, host: HostConfig, link: HostLink) -> None:
        self.host = host
        self.link = link
        self._forwards: list[Forward] = []

    @property
    def info(self) -> dict[str, Any]:
        """What the agent said first: python, platform, home, version, protocol."""
        return self.connection().hello

    @property
    def transport_name(self) -> str:
        """Which transport leads there."""
        return str(self.connection().transport.name)

    def status(self) -> dict[str, Any]:
        """Load, memory, disks, GPUs, sessions; sizes in bytes."""
        return self.connection().ask(m.Status(self.host.gpu_leases))

    def samples(self, interval: float = 1.0, *, who: bool = True) -> Samples:
        """Load, memory and GPUs again and again, the newest each time; to be closed.

        Args:
            interval: seconds between two samples.
            who: whether they say who uses the GPUs and who has leased them, looked at every 10 s.

        Raises:
            UsageError: the interval is no time.
            ConnectError: the host can't be reached.
        """
        from .samples import Samples

        return Samples(self.connection(), interval, who, self.host.gpu_leases)

    def sessions(self) -> list[dict[str, Any]]:
        """The live sessions of this user on the host."""
        return list(self.connection().ask(m.ListSessions())["sessions"])

    def stop_session(self, name: str) -> None:
        """Ends the session ``name`` with all its processes.

        Raises:
            UsageError: there is none of that name.
        """
        self.connection().ask(m.StopSession(name))

    def stop_sessions(self) -> list[str]:
        """Ends all sessions of this user on the host; returns their names."""
        return list(self.connection().ask(m.StopSession())["stopped"])

    def end_remains(self) -> list[dict[str, Any]]:
        """Ends my processes whose session was killed on the host; returns ``pid`` and ``command`` of each."""
        return list(self.connection().ask(m.EndRemains())["ended"])

    def listening(self) -> dict[int, str] | None:
        """Ports of the host on which something listens, mine with the command; None where it can't tell."""
        told = self.connection().ask(m.Listening()).get("listening")
        return None if told is None else {int(port): str(command) for port, command in told}

    def forward(
        self, port: int, *, local_port: int | None = None, to: str | None = None, ipv6: bool = False
    ) -> Forward:
        """Makes a port of the host one of this machine, on its loopback address alone.

        It needs nothing to listen there yet. New connections work again when a broken link is back.

        Args:
            port: of the host.
            local_port: the one wanted here, `port` when None; when it is taken another free one is found.
            to: another machine that the host reaches, instead of the host's own loopback address.
            ipv6: listen on ``::1`` too.

        Returns:
            What says where it is and ends it; it ends with this process, and with :meth:`close`.

        Raises:
            UsageError: a port is none.
            ForwardError: no port can be opened here.
            ConnectError, LaunchError, DiskFull: the host can't be reached.
        """
        from .forward import Forward

        info = self.info  # here, where a password can be asked for
        if to is None and local_port in (None, port) and info.get("boot") == boot_id() != "":
            local_port = 0  # the host is this machine: on its own port the forward would lead to itself
        forward = Forward(self.link, port, to, local_port, ipv6=ipv6)
        self._forwards = [one for one in self._forwards if not one.ended.is_set()] + [forward]
        return forward

    def connection(self) -> Connection:
        """The live connection, opened when there is none.

        Raises:
            ConnectError, LaunchError, DiskFull: each with its advice.
        """
        return self.link.connection()

    def close(self) -> None:
        """Ends the link, and what was forwarded over it; sessions and runs go on."""
        for forward in self._forwards:
            forward.close()
        self.link.close()
