"""What this machine knows of the way to a host: ssh settings, keys, agent, known_hosts, name, port, greeting.

Only looks: nothing is logged in to, nothing is asked of the user, nothing is written.
"""

from __future__ import annotations

import os
import socket
import stat
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import RemoteError
from ..transports.known_hosts import fingerprint, host_label, lookup
from . import ssh_config
from .registry import KINDS
from .ssh_config import SshSettings

if TYPE_CHECKING:
    from ..config_models import HostConfig

_TIMEOUT_S = 5.0
# What an agent may answer to the request for its keys, and how long it may take.
_LIST_KEYS, _KEYS_ANSWER, _AGENT_S = 11, 12, 2.0


def look(host: HostConfig) -> dict[str, Any]:
    """The facts, as plain values.

    Args:
        host: the resolved settings.

    Returns:
        Empty where no ssh leads to the host; `error` alone where its ssh settings can't be read.
    """
    if KINDS[host.type].transport(host) in ("local", "command"):
        return {}
    try:
        host = KINDS[host.type].located(host)
        ssh = ssh_config.resolve(host.destination, host=host)
        reason = ssh_config.openssh_reason(host) if host.transport == "auto" else None
    except RemoteError as error:  # the files can't be read, or the machine is switched off
        return {"error": error.message}
    found: dict[str, Any] = {
        "settings": {
            "hostname": ssh.hostname,
            "user": ssh.user,
            "port": ssh.port,
            "proxy_jump": list(ssh.proxy_jump),
            "proxy_command": ssh.proxy_command,
            "strict": ssh.strict_host_key_checking,
            "identities_only": ssh.identities_only,
            "forward_agent": ssh.forward_agent,
            "source": ssh.source,
            "file": str(ssh_config.config_path(host.ssh.config_file) or "~/.ssh/config"),
        },
        "transport": {"wanted": host.transport, "reason": reason},
        "keys": [_key(path) for path in ssh.identity_files if _is_there(path)],
        "named_key": host.ssh_key,
        "agent": _agent(ssh.identity_agent),
        "known": _known(ssh),
    }
    if not ssh.proxy_jump and not ssh.proxy_command:
        found.update(_addresses(ssh.hostname, ssh.port))
    return found


def known(host: HostConfig) -> list[dict[str, Any]]:
    """The keys of the host that are known now, as plain values."""
    host = KINDS[host.type].located(host)
    return _known(ssh_config.resolve(host.destination, host=host))


def knock(local: Mapping[str, Any]) -> dict[str, Any]:
    """How a server greets at the address, or why it doesn't: for a host to which a connection has failed.

    A server takes it for a login that was broken off, and may ban who does that often.

    Args:
        local: what `look` found.
    """
    if not local.get("addresses"):
        return {}
    try:
        where = (local["settings"]["hostname"], local["settings"]["port"])
        with socket.create_connection(where, timeout=_TIMEOUT_S) as peer:
            peer.settimeout(_TIMEOUT_S)
            greeting = b""
            # A server may say other lines before its version.
            while b"SSH-" not in greeting and len(greeting) < 4096 and (piece := peer.recv(512)):
                greeting += piece
    except TimeoutError:
        return {"port": "silent"}
    except ConnectionRefusedError:
        return {"port": "refused"}
    except OSError as error:
        return {"port": error.strerror or str(error)}
    line = greeting[max(0, greeting.find(b"SSH-")) :].decode("ascii", "replace").split("\n")[0]
    return {"greeting": "".join(ch for ch in line if ch.isprintable())[:100]}


def _is_there(path: Path) -> bool:
    return path.exists() or path.with_name(path.name + ".pub").exists()


def _key(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = {"path": str(path), "private": path.exists()}
    try:
        found["mode"] = stat.S_IMODE(path.stat().st_mode) if path.exists() else None
        head = path.read_bytes()[:4096] if path.exists() else b""
        found["readable"] = True
    except OSError as error:
        found.update(readable=False, problem=error.strerror)
        return found
    found["is_key"] = b"PRIVATE KEY-----" in head or not path.exists()
    found["public"] = path.with_name(path.name + ".pub").exists()
    return found


def _agent(chosen: str | None) -> dict[str, Any]:
    """Whether an agent answers, and how many keys it holds."""
    if chosen is not None and chosen.lower() == "none":
        return {"socket": None, "why": "IdentityAgent none"}
    path = chosen
    if chosen in (None, "SSH_AUTH_SOCK"):
        path = os.environ.get("SSH_AUTH_SOCK")
    elif chosen.startswith("$"):
        path = os.environ.get(chosen.strip("${}"))
    if not path:
        return {"socket": None, "why": "SSH_AUTH_SOCK is not set"}
    try:
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(_AGENT_S)
            peer.connect(str(Path(path).expanduser()))
            peer.sendall(struct.pack(">IB", 1, _LIST_KEYS))
            answer = b""
            while len(answer) < 9 and (piece := peer.recv(4096)):
                answer += piece
        kind, count = struct.unpack(">BI", answer[4:9])
    except (OSError, struct.error) as error:
        return {"socket": path, "keys": None, "why": getattr(error, "strerror", None) or "no answer"}
    return {"socket": path, "keys": count if kind == _KEYS_ANSWER else 0}


def _known(ssh: SshSettings) -> list[dict[str, Any]]:
    label = ssh.host_key_alias or host_label(ssh.hostname, ssh.port)
    return [
        {
            "where": f"{entry.file}:{entry.line}",
            "marker": entry.marker,
            "kind": entry.kind,
            "fingerprint": fingerprint(entry.blob),
        }
        for entry in lookup((*ssh.user_known_hosts, *ssh.global_known_hosts), label)
    ]


def _addresses(name: str, port: int) -> dict[str, Any]:
    try:
        resolved = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except OSError as error:
        return {"addresses": [], "dns": error.strerror or str(error)}
    return {"addresses": list(dict.fromkeys(str(one[4][0]) for one in resolved))}
