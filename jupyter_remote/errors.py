"""Every error that reaches the user.

One root, :class:`RemoteError`; branches by what the user can do next. A class carries the exit code
of the command line and a standing hint; an instance may carry a better hint. Exceptions of other
libraries are mapped to these where they enter the package, never further in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


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
    """The host refused every key and every answer.

    Attributes:
        unasked: the question that nobody could be asked, or "".
        partial: whether a key was accepted, and the host wants more.
    """

    unasked = ""
    partial = False
    exit_code = 5
    default_hint = "Check `user` and `ssh_key`, or that the key is in the host's authorized_keys."


class PromptCancelled(AuthenticationError):
    """The user was asked, and did not want to answer.

    Args:
        prompt: the question.
    """

    default_hint = "Nothing was sent. Run it again to be asked again."

    def __init__(self, prompt: str, *, host: str | None = None, hint: str | None = None) -> None:
        question = prompt.strip().rpartition("\n")[2].rstrip(": ")
        super().__init__(f"cancelled at the question `{question}`", host=host, hint=hint)


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


class BuildError(RemoteError):
    """An environment could not be made."""


class ArchiveError(RemoteError):
    """An archive can't be used, or what is in it is not what was put there."""

    exit_code = 8


class ForwardError(RemoteError):
    """A port of the host can't be reached, or none can be opened for it here."""


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


class HostsFailed(RunError):
    """Some of the hosts of one call failed; the others did not, and their runs are what they are.

    Args:
        failures: what went wrong, by the host's name, in the order of the call.
        total: how many hosts there were.
    """

    def __init__(self, failures: Mapping[str, RemoteError], total: int) -> None:
        self.failures = dict(failures)
        self.total = total
        codes = {error.exit_code for error in failures.values()}
        # What a shell can act on: the code that they share, else that of the first.
        code = codes.pop() if len(codes) == 1 else next(iter(failures.values())).exit_code
        named = ", ".join(f"{host} ({_short(error)})" for host, error in failures.items())
        super().__init__(f"{len(failures)} of {total} hosts failed: {named}", run_exit_code=code)

    def _render_traceback_(self) -> list[str]:
        parts = [f"{type(self).__name__}: {self.message}"]
        for host, error in self.failures.items():
            lines = "\n".join(error._render_traceback_()).strip("\n").splitlines()
            more = len(lines) - _FIRST_LINES
            if more > 1:
                # The first lines say where, the last one says what.
                last = lines[-1]
                lines = [*lines[:_FIRST_LINES], f"… {more - 1} more lines: see the output of {host}", last]
            parts += [f"\n── {host}: {_short(error)}", *lines]
        return parts


# How much of a host's traceback the error of several shows; all of it stands in that host's output.
_FIRST_LINES = 12


def _short(error: RemoteError) -> str:
    if isinstance(error, RunError):
        kind = f"{error.ename}, " if error.ename else ""
        return f"{kind}exit code {error.exit_code}"
    return type(error).__name__


# What a host's agent calls a failed request.
FAILURES: dict[str, type[RemoteError]] = {
    "disk_full": DiskFull,
    "launch": LaunchError,
    "sync": SyncError,
    "usage": UsageError,
    "os": LaunchError,
    "agent": ProtocolError,
    "forward": ForwardError,
}
