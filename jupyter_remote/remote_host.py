"""The verbs of a host itself: what it is, has and runs; those of runs and files are in ``remote.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .agent import messages as m

if TYPE_CHECKING:
    from .config_models import HostConfig
    from .connection import Connection
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
        """Ends a session with all its processes.

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

    def connection(self) -> Connection:
        """The live connection, opened when there is none.

        Raises:
            ConnectError, LaunchError, DiskFull: each with its advice.
        """
        return self.link.connection()

    def close(self) -> None:
        """Ends the link; sessions and runs go on."""
        self.link.close()
