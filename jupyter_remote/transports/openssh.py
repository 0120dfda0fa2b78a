"""The `openssh` transport: the user's own `ssh` program, with all that only it can do.

How its arguments are made and what its complaints mean; pipes and processes are in `process`. What it asks
comes here (`askpass`), because the terminal that it would ask is one that a notebook does not have.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence

from ..config_models import HostConfig
from ..errors import (
    AuthenticationError,
    ConfigError,
    ConnectError,
    ConnectionLost,
    HostKeyError,
    HostUnreachable,
    NameNotResolved,
    PortRefused,
    RemoteError,
)
from ..hosts import ssh_config
from . import Prompter, askpass
from .askpass import AskPass
from .process import ProcessChannel, ProcessTransport

# ssh's own exit status for its own failures.
_SSH_FAILED = 255

# Settings that make sense for a person's shell and would break a pipe.
_FOR_A_PIPE = (
    "RequestTTY=no",
    "RemoteCommand=none",
    "ClearAllForwardings=yes",
    "ForkAfterAuthentication=no",
    "EscapeChar=none",
    "LogLevel=ERROR",
)

_Maker = Callable[[str, "OpenSshTransport"], RemoteError]


class _AskingChannel(ProcessChannel):
    """An `ssh` whose questions are answered by the thread that reads, until its first byte comes.

    Args:
        argv: the command.
        host: the name of the host, for messages.
        asked: where the questions arrive.
    """

    def __init__(self, argv: Sequence[str], host: str, asked: AskPass) -> None:
        self._asked = asked
        self._in = False
        super().__init__(argv, host, {**os.environ, **asked.variables})

    def read(self, n: int) -> bytes:
        """Up to `n` bytes; b"" at the end, or once the channel is closed.

        Raises:
            AuthenticationError: a question was not answered.
            HostKeyError: the host's key was not accepted.
        """
        if not self._in:
            stdout = self.stdout
            try:
                if stdout is not None:
                    self._asked.serve(stdout, lambda: self._closed)
            except (OSError, ValueError):
                pass  # closed meanwhile: the read says so
            except BaseException:
                # At once, with its askpass: nothing must be sent to the host any more.
                self.kill()
                self.close()
                raise
            self._in = True
            self._asked.close()
        return super().read(n)

    def close(self) -> None:
        """End the process and what else is in its group, and its questions. Idempotent; never raises."""
        super().close()
        self._asked.close()


class OpenSshTransport(ProcessTransport):
    """Runs commands through `ssh`.

    Args:
        host: the resolved settings.
        ask: who answers what ssh asks; None for nobody.

    Raises:
        ConfigError: the ssh configuration can't be read.
    """

    def __init__(self, host: HostConfig, ask: Prompter | None = None) -> None:
        super().__init__("openssh", host.name, ())
        self.config = host
        self._ask = ask if askpass.available() else None
        self._asked: AskPass | None = None
        self.settings = ssh_config.resolve(host.destination, host=host)

    def argv(self, command: str) -> list[str]:
        """The arguments of `ssh`; the alias is the destination, so that the whole ssh config applies.

        Args:
            command: for the login shell there.
        """
        settings = self.settings
        path = ssh_config.config_path(self.config.ssh.config_file)
        config = ["-F", str(path)] if path else []
        given = ssh_config.options(self.config)
        if settings.strict_host_key_checking == "no":
            # ssh would let a changed key pass; a new one is accepted as asked for.
            given = ["-o", "StrictHostKeyChecking=accept-new", *given]
        # ssh takes the first value it meets, so what is given goes before these.
        timeouts = {
            "ConnectTimeout": max(1, round(settings.connect_timeout)),
            "ServerAliveInterval": round(settings.keepalive),
        }
        batch = "yes" if self._ask is None else "no"
        fixed = [f"BatchMode={batch}", *_FOR_A_PIPE, *(f"{key}={value}" for key, value in timeouts.items())]
        options = [part for option in fixed for part in ("-o", option)]
        return ["ssh", "-T", "-x", *config, *given, *options, "--", self.config.destination, command]

    def open(self, command: str) -> ProcessChannel:
        """Start `command`; what ssh asks is asked by the thread that reads from the channel.

        Raises:
            ConnectError: `ssh` can't be started.
        """
        if self._ask is None:
            return super().open(command)
        try:
            self._asked = AskPass(self.host, self._ask, self.settings.user_known_hosts)
        except OSError as error:
            raise ConnectError(
                f"ssh can't ask here: {error}", host=self.host, hint="Set TMPDIR to a folder of your own."
            ) from None
        try:
            channel = _AskingChannel(self.argv(command), self.host, self._asked)
        except BaseException:
            self._asked.close()
            raise
        self._channels.append(channel)
        return channel

    def explain(self, status: int | None, stderr: str) -> RemoteError:
        """What ssh complained about."""
        return askpass.error_at_end(self._asked, self._explained(status, stderr))

    def _explained(self, status: int | None, stderr: str) -> RemoteError:
        if status == _SSH_FAILED:
            for pattern, make in _COMPLAINTS:
                if match := re.search(rf"^.*(?:{pattern}).*$", stderr, re.MULTILINE | re.IGNORECASE):
                    return make(match[0].strip(), self) if make is not _changed else _changed(stderr, self)
        lines = stderr.strip().splitlines()
        said = f": {lines[-1]}" if lines else ""
        if status is None or status == _SSH_FAILED:
            return ConnectionLost(f"ssh lost the connection to {self.host}{said}", host=self.host)
        return ConnectError(f"the command on {self.host} ended with status {status}{said}", host=self.host)

    @property
    def address(self) -> str:
        """`user@hostname:port`, for messages."""
        return f"{self.settings.user}@{self.settings.hostname}:{self.settings.port}"


def _as(kind: type[RemoteError], what: str, hint: str | None = None) -> _Maker:
    return lambda line, at: kind(f"{at.host} ({at.address}): {what}: {line}", host=at.host, hint=hint)


def _changed(stderr: str, at: OpenSshTransport) -> RemoteError:
    offending = re.search(r"Offending .*? key in (\S.*?):(\d+)", stderr)
    where = f"{offending[1]}:{offending[2]}" if offending else "the known_hosts file"
    remove = re.search(r'ssh-keygen -f "?(\S+?)"? -R "?([^"\s]+)"?', stderr)
    line = (
        f'ssh-keygen -f "{remove[1]}" -R "{remove[2]}"' if remove else f"ssh-keygen -R {at.settings.hostname}"
    )
    return host_key_changed(at.host, at.address, where, line)


def host_key_changed(host: str, address: str, where: str, remove: str) -> HostKeyError:
    """The error for a host key that is not the known one; `remove` is the command that forgets that.

    Args:
        where: the file and line of the known one.
    """
    return HostKeyError(
        f"the key of {host} ({address}) is not the one in {where}: somebody may be in between",
        host=host,
        hint=f"If the machine was installed anew, forget its old key with `{remove}` and connect again.",
    )


def host_key_unknown(host: str, address: str, destination: str, fingerprint: str = "") -> HostKeyError:
    """The error for a host key that nobody has confirmed and nobody can be asked about.

    Args:
        destination: as one types it after `ssh`.
        fingerprint: "" when ssh has not told.
    """
    shown = f" ({fingerprint})" if fingerprint else ""
    return HostKeyError(
        f"the key of {host} ({address}) is not known{shown}, and nobody can be asked here",
        host=host,
        hint=f"Connect once by hand with `ssh {destination}` and confirm the key, or add it from a source "
        "you trust with `ssh-keyscan`.",
    )


def _unknown(line: str, at: OpenSshTransport) -> RemoteError:
    return host_key_unknown(at.host, at.address, at.config.destination)


def _refused_login(line: str, at: OpenSshTransport) -> RemoteError:
    keys = [str(key) for key in at.settings.identity_files if key.is_file()]
    methods = re.search(r"\(([\w,-]+)\)\.?$", line)
    allowed = f"; the host allows: {methods[1].replace(',', ', ')}" if methods else ""
    tried = f"; keys: {', '.join(keys)}" if keys else "; there is no key file"
    return AuthenticationError(
        f"{at.host} refused the user `{at.settings.user}` ({at.address}){tried}{allowed}",
        host=at.host,
    )


# In this order: a changed key is also a failed verification, and what a jump host could not reach is
# also a lost connection.
_COMPLAINTS: tuple[tuple[str, _Maker], ...] = (
    ("IDENTIFICATION HAS CHANGED|host key for .* has changed|differs from the key", _changed),
    ("revoked", _as(HostKeyError, "the host's key is revoked", "Ask who runs the machine.")),
    ("Host key verification failed|No .* host key is known", _unknown),
    (
        "Permission denied|Too many authentication failures|Authentication failed|no mutual signature",
        _refused_login,
    ),
    (
        "Could not resolve hostname|Name or service not known|Temporary failure in name",
        _as(NameNotResolved, "no address"),
    ),
    ("Connection refused", _as(PortRefused, "nothing listens there")),
    ("timed out|No route to host|Network is (unreachable|down)", _as(HostUnreachable, "no connection")),
    (
        "stdio forwarding failed|open failed|kex_exchange_identification",
        _as(HostUnreachable, "no connection"),
    ),
    (
        "Bad owner or permissions|Bad configuration option|keyword .* extra arguments",
        _as(ConfigError, "the ssh configuration is wrong", "Correct the file that ssh names."),
    ),
    (
        "Unable to negotiate|no matching",
        _as(ConnectError, "no common algorithm", "Check `ssh.cipher`, or update the older side."),
    ),
)
