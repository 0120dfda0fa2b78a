"""The `openssh` transport: the user's own `ssh` program, with all that only it can do.

How its arguments are made and what its complaints mean; pipes and processes are in `process`. It runs
in batch mode: a question of ssh's own would go to a terminal that a notebook does not have.
"""

from __future__ import annotations

import re
from collections.abc import Callable

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
from .process import ProcessTransport

# ssh's own exit status for its own failures.
_SSH_FAILED = 255

# Settings that make sense for a person's shell and would break a pipe.
_FOR_A_PIPE = (
    "BatchMode=yes",
    "RequestTTY=no",
    "RemoteCommand=none",
    "ClearAllForwardings=yes",
    "ForkAfterAuthentication=no",
    "EscapeChar=none",
    "LogLevel=ERROR",
)

_Maker = Callable[[str, "OpenSshTransport"], RemoteError]


class OpenSshTransport(ProcessTransport):
    """Runs commands through `ssh`.

    Args:
        host: the resolved settings.

    Raises:
        ConfigError: the ssh configuration can't be read.
    """

    def __init__(self, host: HostConfig) -> None:
        super().__init__("openssh", host.name, ())
        self.config = host
        self.settings = ssh_config.resolve(host.destination, host=host)

    def argv(self, command: str) -> list[str]:
        """The arguments of `ssh`; the alias is the destination, so that the whole ssh config applies."""
        settings = self.settings
        path = ssh_config.config_path(self.config.ssh.config_file)
        config = ["-F", str(path)] if path else []
        given = ssh_config.options(self.config)
        # ssh takes the first value it meets, so what is given goes before these.
        timeouts = {
            "ConnectTimeout": max(1, round(settings.connect_timeout)),
            "ServerAliveInterval": round(settings.keepalive),
        }
        fixed = [*_FOR_A_PIPE, *(f"{key}={value}" for key, value in timeouts.items())]
        options = [part for option in fixed for part in ("-o", option)]
        return ["ssh", "-T", "-x", *config, *given, *options, "--", self.config.destination, command]

    def explain(self, status: int | None, stderr: str) -> RemoteError:
        """What ssh complained about."""
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
    """The error for a host key that is not the known one; `remove` is the command that forgets that."""
    return HostKeyError(
        f"the key of {host} ({address}) is not the one in {where}: somebody may be in between",
        host=host,
        hint=f"If the machine was installed anew, forget its old key with `{remove}` and connect again.",
    )


def host_key_unknown(host: str, address: str, destination: str, fingerprint: str = "") -> HostKeyError:
    """The error for a host key that nobody has confirmed and nobody can be asked about."""
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
