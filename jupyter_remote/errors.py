"""Every error that reaches the user.

One root, :class:`RemoteError`; branches by what the user can do next. A class carries the exit code
of the command line and a standing hint; an instance may carry a better hint. Exceptions of other
libraries are mapped to these where they enter the package, never further in.
"""

from __future__ import annotations

from collections.abc import Sequence


class RemoteError(Exception):
    """Root of all errors of this package.

    Args:
        message: what happened, and where, in one sentence.
        host: name of the host concerned, if there is one.
        hint: what the user can do next; the class's own hint when None.
    """

    exit_code = 1
    default_hint = ""

    def __init__(self, message: str, *, host: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.host = host
        self.hint = self.default_hint if hint is None else hint

    def __str__(self) -> str:
        text = self.message
        if self.host and self.host not in text:
            text = f"{self.host}: {text}"
        return f"{text}\n{self.hint}" if self.hint else text

    def _render_traceback_(self) -> list[str]:
        # IPython asks the exception for its own rendering: the frames inside this package say
        # nothing to the user, the message does.
        return [f"{type(self).__name__}: {self}"]


class UsageError(RemoteError):
    """The call itself is wrong: an unknown option, a bad value, two options that exclude each other."""

    exit_code = 2


class ConfigError(RemoteError):
    """The configuration can't be used: a file, a line and a key are named in the message."""

    exit_code = 3


class UnknownHost(ConfigError):
    """No host of that name is configured, and no alias of the ssh configuration has it."""


class ConnectError(RemoteError):
    """The host could not be reached or could not be talked to."""

    exit_code = 4


class HostUnreachable(ConnectError):
    """No connection: time-out, no route, a jump host that failed."""

    default_hint = "Check the network or the VPN, then try `ssh HOST` by hand."


class NameNotResolved(HostUnreachable):
    """The host's name has no address."""

    default_hint = "Check the spelling of `hostname`, the VPN, and the alias in ~/.ssh/config."


class PortRefused(HostUnreachable):
    """The machine answers, but nothing listens on that port."""

    default_hint = "Check `port`, and that sshd runs on the host."


class AuthenticationError(ConnectError):
    """The host refused every key and every answer."""

    exit_code = 5
    default_hint = "Check `user` and `ssh_key`, or that the key is in the host's authorized_keys."


class HostKeyError(ConnectError):
    """The host's key is unknown and nobody could be asked, or it has changed."""

    exit_code = 5


class ConnectionLost(ConnectError):
    """The link broke after it stood. What ran on the host still runs."""


class ProtocolError(ConnectError):
    """The other side sent something that is not our protocol, or another version of it."""


class SyncError(RemoteError):
    """The workspace could not be brought to the host, or files from it."""

    exit_code = 6


class SyncConflict(SyncError):
    """The other side changed the same files; they are named, and nothing was overwritten."""


class DiskFull(SyncError):
    """A file system of the host has no room (or the quota is used up)."""

    default_hint = (
        "Free some space there (`jupyter remote status HOST` shows it), or set `workspace:` to another disk."
    )


class HistoryError(RemoteError):
    """The local history of runs can't be read or written. No run fails of it."""


class LaunchError(RemoteError):
    """A process could not be started on the host."""

    exit_code = 7


class NoPython(LaunchError):
    """The host has no Python that the agent can use (3.8 or newer)."""

    default_hint = "Install Python 3.8 or newer there, or put one on the PATH of a non-interactive login."


class RunError(RemoteError):
    """The user's own code failed on the host.

    Args:
        message: the exception's own line, for example ``ValueError: bad shape``.
        ename, evalue: name and text of the remote exception.
        traceback: the remote traceback as IPython or Python printed it, a list of blocks of text.
        run_exit_code: exit code of the run (128 + n for a signal).
    """

    def __init__(
        self,
        message: str,
        *,
        host: str | None = None,
        ename: str = "",
        evalue: str = "",
        traceback: Sequence[str] = (),
        run_exit_code: int = 1,
    ) -> None:
        super().__init__(message, host=host)
        self.ename = ename
        self.evalue = evalue
        self.traceback = list(traceback)
        self.exit_code = run_exit_code

    def _render_traceback_(self) -> list[str]:
        return self.traceback or [self.message]


class Interrupted(RunError):
    """The run was interrupted from here."""

    def __init__(self, message: str, **details: object) -> None:
        details.setdefault("run_exit_code", 130)
        super().__init__(message, **details)  # type: ignore[arg-type]
