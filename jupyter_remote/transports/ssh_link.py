"""One authenticated SSH connection of paramiko: the socket, the hops before it, the handshake, the end.

Host keys are judged in `ssh_hostkey`, logging in is in `ssh_auth`, channels are in `paramiko`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import logging
import os
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterable
from typing import IO, Any

import paramiko
from paramiko.packet import Packetizer

from ..errors import ConnectError, HostUnreachable, NameNotResolved, PortRefused, PromptCancelled, RemoteError
from ..hosts import ssh_config
from ..hosts.ssh_config import SshSettings
from . import Prompter
from .ssh_auth import Login
from .ssh_hostkey import HostKeyCheck
from .stderr import printable

# A longer chain is a configuration that leads in a circle.
_MAX_HOPS = 8

# They check as they encrypt; the digest over each packet that AES-CTR needs takes five times as long as AES.
_FASTEST_CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")

# RFC 4254, 5.1: why a channel was not opened.
_PROHIBITED = 1

# Without a handler Python itself would print paramiko's log lines into the notebook.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class _Packets(Packetizer):
    """Leaves re-keying to the server.

    paramiko asks for new keys after 512 MiB and sometimes dies of it (its issue 822). An OpenSSH server
    asks by itself, within what the ciphers allow: after 64 GiB or 2**31 packets.
    """

    REKEY_BYTES = 2**40
    REKEY_PACKETS = 2**31 + 2**30


class _SshTransport(paramiko.Transport):
    """Asks only for plain host keys: a certificate's authority can't be checked by paramiko."""

    @property
    def preferred_keys(self) -> tuple[str, ...]:
        return tuple(self._filter_algorithm("keys"))  # type: ignore[attr-defined]


class Link:
    """A connection and what it stands on.

    Args:
        settings: where to.
        host: the name of the host, for messages.
        ask: who answers questions; None for nobody.
        config_file: the ssh configuration that the jump hosts are looked up in.
        depth: how many hops were made before.

    Raises:
        ConnectError: which subclass says what failed; nothing is left open.
    """

    def __init__(
        self,
        settings: SshSettings,
        host: str,
        ask: Prompter | None,
        *,
        config_file: str | None = None,
        depth: int = 0,
    ) -> None:
        self.settings = settings
        self._host = host
        self._ask = ask
        self._config_file = config_file
        self._depth = depth
        self._ends = contextlib.ExitStack()
        try:
            self.transport = self._connect()
        except PromptCancelled as cancelled:
            self.close()
            cancelled.host = cancelled.host or host
            raise
        except BaseException:
            self.close()
            raise

    @property
    def alive(self) -> bool:
        """Whether new channels can be opened."""
        return self.transport.is_active() and self.transport.is_authenticated()

    def close(self) -> None:
        """Close the connection, then the hops before it, then the proxy. Never raises."""
        with contextlib.suppress(Exception):
            self._ends.close()

    def _connect(self) -> paramiko.Transport:
        settings = self.settings
        check = HostKeyCheck(settings, self._host, self._ask)
        transport = _SshTransport(self._socket(), packetizer_class=_Packets)
        self._ends.callback(_end, transport)
        transport.banner_timeout = transport.handshake_timeout = settings.connect_timeout
        transport.auth_timeout = max(settings.connect_timeout, 120.0)
        transport.use_compression(settings.compression)
        options = transport.get_security_options()
        options.key_types = _known_first(check.kinds, options.key_types)
        if settings.ciphers:
            self._set_ciphers(options, settings.ciphers)
        else:
            options.ciphers = _first(_FASTEST_CIPHERS, options.ciphers)
        try:
            transport.start_client(timeout=settings.connect_timeout)
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise self._no_handshake(error) from None
        if not transport.initial_kex_done:
            raise HostUnreachable(
                f"{self._where()} did not finish its greeting within {settings.connect_timeout:.0f} s",
                host=self._host,
            )
        key = transport.get_remote_server_key()
        check.verify(key.get_name(), key.asbytes())
        Login(transport, settings, self._host, self._ask).run()
        transport.set_keepalive(round(settings.keepalive))
        return transport

    def _set_ciphers(self, options: Any, ciphers: tuple[str, ...]) -> None:
        wanted = [word for part in ciphers for word in part.split(",")]
        known = [word for word in wanted if word in options.ciphers]
        if not known:
            raise ConnectError(
                f"paramiko has no cipher `{','.join(wanted)}`",
                host=self._host,
                hint=f"Valid for `ssh.cipher` are {', '.join(options.ciphers)}; or set `transport: openssh`.",
            )
        options.ciphers = tuple(known)

    # The way there.

    def _socket(self) -> Any:
        if self.settings.proxy_command:
            return self._through_command(self.settings.proxy_command)
        if self.settings.proxy_jump:
            return self._through_hops(self.settings.proxy_jump)
        try:
            connected = socket.create_connection(
                (self.settings.hostname, self.settings.port), timeout=self.settings.connect_timeout
            )
        except OSError as error:
            raise self._no_connection(error) from None
        self._ends.callback(connected.close)
        # Without this a small message waits for the acknowledgement of the one before: 44 ms instead of 1.5.
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return connected

    def _through_hops(self, hops: tuple[str, ...]) -> paramiko.Channel:
        if self._depth >= _MAX_HOPS:
            raise HostUnreachable(
                f"{self._where()}: the jump hosts lead in a circle ({' -> '.join(hops)})",
                host=self._host,
                hint="Check `ProxyJump` in the ssh config: a `Host *` block applies to the jump host too.",
            )
        user, alias, port = _parse_hop(hops[-1])
        settings = ssh_config.resolve(alias, config_file=self._config_file)
        # As with ssh, what is before the last hop in the list is that hop's own way.
        changes: dict[str, Any] = {"proxy_jump": hops[:-1], "proxy_command": None} if len(hops) > 1 else {}
        changes |= ({"user": user} if user else {}) | ({"port": port} if port else {})
        settings = dataclasses.replace(settings, **changes, connect_timeout=self.settings.connect_timeout)
        hop = Link(settings, alias, self._ask, config_file=self._config_file, depth=self._depth + 1)
        self._ends.callback(hop.close)
        target = (self.settings.hostname, self.settings.port)
        try:
            return hop.transport.open_channel(
                "direct-tcpip", target, ("127.0.0.1", 0), timeout=self.settings.connect_timeout
            )
        except (paramiko.SSHException, EOFError, OSError) as error:
            hint = f"Try `ssh {alias}` by hand, and from there {target[0]} at port {target[1]}."
            if isinstance(error, paramiko.ChannelException) and error.code == _PROHIBITED:
                hint = (
                    f"{alias} forbids forwarding (`AllowTcpForwarding` of its sshd); where it has nc, "
                    f"`ProxyCommand ssh {alias} nc %h %p` instead of `ProxyJump` does without."
                )
            raise HostUnreachable(
                f"the jump host {alias} can't reach {self._where()}: {_said(error)}",
                host=self._host,
                hint=hint,
            ) from None

    def _through_command(self, command: str) -> socket.socket:
        ours, theirs = socket.socketpair()
        self._ends.callback(ours.close)
        said: IO[bytes] = self._ends.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        self._proxy_said = said
        with theirs:
            process = subprocess.Popen(
                ["sh", "-c", f"exec {command}"],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._proxy_said,
                start_new_session=os.name == "posix",
            )
        self._ends.callback(_stop, process)
        return ours

    # What failed.

    def _where(self) -> str:
        return f"{self._host} ({self.settings.hostname}:{self.settings.port})"

    def _no_connection(self, error: OSError) -> RemoteError:
        if isinstance(error, socket.gaierror):
            return NameNotResolved(
                f"{self._where()}: the name has no address ({_said(error)})", host=self._host
            )
        if error.errno == errno.ECONNREFUSED or isinstance(error, ConnectionRefusedError):
            return PortRefused(f"{self._where()}: nothing listens there ({_said(error)})", host=self._host)
        if isinstance(error, TimeoutError):
            timeout = f"no answer within {self.settings.connect_timeout:.0f} s"
            return HostUnreachable(f"{self._where()}: {timeout}", host=self._host)
        return HostUnreachable(f"{self._where()}: no connection ({_said(error)})", host=self._host)

    def _no_handshake(self, error: Exception) -> RemoteError:
        if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
            return ConnectError(
                f"{self._where()}: {_said(error)}", host=self._host, hint="Try `transport: openssh`."
            )
        if self.settings.proxy_command:
            self._proxy_said.seek(0)
            said = printable(self._proxy_said.read(4096).decode("utf-8", "replace")).strip()
            command = f"`{self.settings.proxy_command}`"
            return HostUnreachable(
                f"{self._where()}: the ProxyCommand {command} failed{': ' + said if said else ''}",
                host=self._host,
            )
        return HostUnreachable(
            f"{self._where()} ended the connection during the greeting ({_said(error)})",
            host=self._host,
            hint="Something listens there, but it may be no sshd, or one that is too busy (`MaxStartups`). "
            "Try `ssh HOST` by hand.",
        )


def _known_first(known: list[str], all_types: Any) -> tuple[str, ...]:
    """The algorithms for host keys, those of known keys first; an RSA key is asked for by its signatures."""
    wanted = [
        name
        for kind in known
        for name in (("rsa-sha2-512", "rsa-sha2-256") if kind == "ssh-rsa" else (kind,))
    ]
    return _first(wanted, all_types)


def _first(wanted: Iterable[str], known: Any) -> tuple[str, ...]:
    """What paramiko knows, what is wanted before the rest."""
    first = [name for name in wanted if name in known]
    return (*first, *(name for name in known if name not in first))


def _parse_hop(hop: str) -> tuple[str, str, int | None]:
    """`[user@]alias[:port]`, also as a URL and with an IPv6 address in brackets."""
    user, _, rest = hop.removeprefix("ssh://").rpartition("@")
    if rest.startswith("["):
        alias, _, port = rest[1:].partition("]")
        port = port.removeprefix(":")
    else:
        alias, _, port = rest.partition(":") if rest.count(":") == 1 else (rest, "", "")
    return user, alias, int(port) if port.isdigit() else None


def _said(error: Exception) -> str:
    text = getattr(error, "strerror", None) or getattr(error, "text", None) or str(error)
    return printable(str(text)).strip().splitlines()[0] if str(text).strip() else type(error).__name__


def _end(transport: Any) -> None:
    transport.close()
    # After a failed handshake its timer would keep the interpreter alive until it fires.
    transport.packetizer.complete_handshake()
    transport.sock.close()
    if transport.is_alive() and transport is not threading.current_thread():
        transport.join(5)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(1)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
