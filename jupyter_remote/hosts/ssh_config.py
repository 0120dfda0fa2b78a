"""What the user's ssh configuration says about a host: its aliases, and the settings of one of them.

`ssh -G` answers where the binary exists, paramiko's parser where not. Nothing here connects to anything.
"""

from __future__ import annotations

import base64
import binascii
import getpass
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from .ssh_files import Scan, matches, scan

if TYPE_CHECKING:
    from ..config_models import HostConfig

_G_TIMEOUT_S = 15.0
_KEEPALIVE_S = 30
_DEFAULT_KEYS = ("id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk", "id_xmss", "id_dsa")


@dataclass(frozen=True)
class SshSettings:
    """One host as ssh would connect to it.

    Attributes:
        alias: what was asked for; `hostname`, `user` and `port` are what it stands for.
        identity_files: key files to try, which need not exist.
        certificate_files: certificates for them, beyond those that lie beside a key.
        proxy_jump: the hops in order, each `[user@]alias[:port]`.
        strict_host_key_checking: `yes`, `no`, `accept-new` or `ask`.
        keepalive: seconds between two signs of life, 0 for none.
        needs_openssh: why paramiko can't connect there, or None.
        source: `ssh -G` or `paramiko`, whichever read the configuration.
    """

    alias: str
    hostname: str
    user: str
    port: int = 22
    identity_files: tuple[Path, ...] = ()
    certificate_files: tuple[Path, ...] = ()
    identities_only: bool = False
    proxy_jump: tuple[str, ...] = ()
    proxy_command: str | None = None
    user_known_hosts: tuple[Path, ...] = ()
    global_known_hosts: tuple[Path, ...] = ()
    strict_host_key_checking: str = "ask"
    host_key_alias: str | None = None
    connect_timeout: float = 30.0
    keepalive: float = _KEEPALIVE_S
    forward_agent: bool = False
    compression: bool = False
    ciphers: tuple[str, ...] = ()
    identity_agent: str | None = None
    needs_openssh: str | None = None
    source: str = "ssh -G"


def config_path(config_file: str | Path | None) -> Path | None:
    """The configuration file that ssh is told to use, or None for ssh's own default ones."""
    chosen = config_file or os.environ.get("JUPYTER_REMOTE_SSH_CONFIG")
    return Path(chosen).expanduser() if chosen else None


def _scan(config_file: str | Path | None) -> Scan:
    path = config_path(config_file)
    if path is not None:
        return scan((path,))
    return scan((Path.home() / ".ssh" / "config", Path("/etc/ssh/ssh_config")))


def stamp(config_file: str | Path | None) -> object:
    """Something that changes when a file of the ssh configuration does."""
    return _scan(config_file).stamp


def is_alias(name: str, config_file: str | Path | None = None) -> bool:
    """Whether a `Host` (or `Match host`) line other than a bare `*` names `name`."""
    return any(matches(patterns, name) for patterns in _scan(config_file).patterns)


def aliases(config_file: str | Path | None = None) -> list[str]:
    """The names that `Host` lines spell out, in their order."""
    words = [word for patterns in _scan(config_file).patterns for word in patterns]
    return list(dict.fromkeys(word for word in words if not re.search(r"[*?!]", word)))


def options(host: HostConfig) -> list[str]:
    """The arguments of `ssh` for what the host's entry sets itself; all else is for the ssh configuration."""
    given: list[str] = []
    if host.port is not None:
        given += ["-p", str(host.port)]
    if host.user is not None:
        given += ["-l", host.user]
    if host.ssh_key is not None:
        given += ["-i", str(Path(host.ssh_key).expanduser()), "-o", "IdentitiesOnly=yes"]
    ssh = host.ssh
    if ssh.compression is not None:
        given += ["-o", f"Compression={_yes_no(ssh.compression)}"]
    if ssh.forward_agent is not None:
        given += ["-o", f"ForwardAgent={_yes_no(ssh.forward_agent)}"]
    if ssh.cipher is not None:
        given += ["-o", f"Ciphers={ssh.cipher}"]
    if ssh.keepalive is not None:
        given += ["-o", f"ServerAliveInterval={round(ssh.keepalive)}"]
    if "connect_timeout" in host.model_fields_set:
        given += ["-o", f"ConnectTimeout={max(1, round(host.connect_timeout))}"]
    if ssh.host_key_alias is not None:
        given += ["-o", f"HostKeyAlias={ssh.host_key_alias}"]
    if (strict := ssh.strict_host_key_checking) is not None:
        word = strict if isinstance(strict, str) else "ask" if strict else "accept-new"
        word = "accept-new" if word == "no" else word
        given += ["-o", f"StrictHostKeyChecking={word}"]
    return given


def resolve(
    alias: str, *, host: HostConfig | None = None, config_file: str | Path | None = None
) -> SshSettings:
    """What connecting to `alias` takes.

    Args:
        alias: an alias of the ssh configuration, or the name of a machine.
        host: an entry whose settings win over the ssh configuration's.
        config_file: the ssh configuration to use; the entry's own one wins.

    Raises:
        ConfigError: ssh can't read its configuration.
    """
    if host is not None and host.ssh.config_file:
        config_file = host.ssh.config_file
    path = config_path(config_file)
    given = tuple(options(host)) if host is not None else ()
    known = _scan(config_file)
    if shutil.which("ssh"):
        # `Match exec` runs a program: its answer may be another one each time.
        ask = _ssh_g.__wrapped__ if known.runs_programs else _ssh_g
        found, source = ask(alias, given, path, known.stamp), "ssh -G"
    else:
        found, source = _by_paramiko(alias, given, known), "paramiko"
    return _settings(alias, found, host, source)


def openssh_reason(host: HostConfig) -> str | None:
    """Why `transport: auto` means `openssh` for this host, or None when paramiko will do.

    Raises:
        ConfigError: ssh can't read its configuration.
    """
    if not shutil.which("ssh"):
        return None
    reason = resolve(host.destination, host=host).needs_openssh
    if reason is None and host.ssh.cipher is not None:
        from paramiko import Transport

        if host.ssh.cipher.split(",")[0] not in getattr(Transport, "_preferred_ciphers", ()):
            reason = f"paramiko has no cipher {host.ssh.cipher}"
    return reason


@lru_cache(maxsize=256)
def _ssh_g(alias: str, given: tuple[str, ...], path: Path | None, stamp: object) -> dict[str, list[str]]:
    argv = ["ssh", "-G", *(("-F", str(path)) if path else ()), *given, "--", alias]
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_G_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        raise ConfigError(
            f"`{' '.join(argv)}` gave no answer within {_G_TIMEOUT_S:.0f} s", host=alias
        ) from None
    if done.returncode != 0:
        raise ConfigError(f"ssh can't use its configuration: {done.stderr.strip()}", host=alias)
    found: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        key, _, value = line.partition(" ")
        found.setdefault(key.lower(), []).append(value.strip())
    return found


def _by_paramiko(alias: str, given: tuple[str, ...], known: Scan) -> dict[str, list[str]]:
    import paramiko

    try:
        looked_up = paramiko.SSHConfig.from_text(known.text).lookup(alias)
    except (paramiko.SSHException, ImportError, ValueError) as error:
        raise ConfigError(f"the ssh configuration can't be used: {error}", host=alias) from None
    values: dict[str, Any] = dict(looked_up)  # Most are text, some are lists of it.
    found = {key: [*value] if isinstance(value, list) else [value] for key, value in values.items() if value}
    flags = {"-p": "port", "-l": "user", "-i": "identityfile"}
    for flag, value in zip(given[::2], given[1::2], strict=True):
        key, setting = (flags[flag], value) if flag in flags else value.split("=", 1)
        found[key.lower()] = [setting]
    return found


def _settings(alias: str, found: dict[str, list[str]], host: HostConfig | None, source: str) -> SshSettings:
    def one(key: str, default: str = "") -> str:
        value = found.get(key, [default])[0]
        return default if value.lower() == "none" else value

    def flag(key: str) -> bool:
        return one(key).lower() in ("yes", "true")

    hostname = one("hostname", alias)
    user, port = one("user") or _own_name(), int(one("port", "22"))
    tokens = {
        "%": "%", "h": hostname, "n": alias, "p": str(port), "r": user, "u": _own_name(),
        "d": str(Path.home()), "k": one("hostkeyalias", alias), "i": str(getattr(os, "getuid", lambda: 0)()),
    }  # fmt: skip

    def expand(text: str) -> str:
        return re.sub(r"%(.)", lambda m: tokens.get(m[1], m[0]), text)

    def files(key: str, defaults: tuple[str, ...]) -> tuple[Path, ...]:
        words = [word for value in found.get(key, defaults) for word in _paths(value)]
        return tuple(Path(expand(word)).expanduser() for word in words if word.lower() != "none")

    home = "~/.ssh/"
    keys = [
        Path(expand(name.strip('"'))).expanduser()
        for name in found.get("identityfile", [home + k for k in _DEFAULT_KEYS])
    ]
    if host is not None and host.ssh_key:
        # ssh itself would also try the keys of the configuration; the entry names the one that is meant.
        keys = [Path(host.ssh_key).expanduser()]
    jumps = tuple(expand(hop.strip()) for hop in one("proxyjump").split(",") if hop.strip())
    command = expand(one("proxycommand")) or None
    timeout = one("connecttimeout")
    strict = one("stricthostkeychecking", "ask").lower()
    keepalive = one("serveraliveinterval", "0")
    explicit_keepalive = host is not None and host.ssh.keepalive is not None
    default_timeout = host.connect_timeout if host is not None else 30.0
    control = one("controlpath")
    reason = _openssh_only(found, keys, command, Path(expand(control)).expanduser() if control else None)
    return SshSettings(
        alias=alias,
        hostname=hostname,
        user=user,
        port=port,
        identity_files=tuple(keys),
        certificate_files=files("certificatefile", ()),
        identities_only=flag("identitiesonly"),
        proxy_jump=jumps,
        proxy_command=command,
        user_known_hosts=files("userknownhostsfile", (home + "known_hosts", home + "known_hosts2")),
        global_known_hosts=files(
            "globalknownhostsfile", ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
        ),
        strict_host_key_checking={"true": "yes", "false": "no", "off": "no"}.get(strict, strict),
        host_key_alias=one("hostkeyalias") or None,
        connect_timeout=float(timeout) if timeout.isdigit() and int(timeout) else default_timeout,
        keepalive=float(keepalive) if explicit_keepalive or keepalive != "0" else _KEEPALIVE_S,
        forward_agent=one("forwardagent", "no").lower() not in ("no", "false"),
        compression=flag("compression"),
        ciphers=(host.ssh.cipher,) if host is not None and host.ssh.cipher else (),
        identity_agent=expand(found["identityagent"][0]) if "identityagent" in found else None,
        needs_openssh=reason,
        source=source,
    )


def _openssh_only(
    found: dict[str, list[str]], keys: list[Path], command: str | None, control: Path | None
) -> str | None:
    """Why only OpenSSH itself can make this connection, if so."""

    def has(key: str) -> bool:
        return found.get(key, ["no"])[0].lower() not in ("no", "none", "false", "")

    present = [key for key in keys if key.is_file()]
    security = [key for key in present if _is_security_key(key)]
    if has("pkcs11provider"):
        return "PKCS11Provider: the key is on a smart card"
    if has("proxyusefdpass"):
        return "ProxyUseFdpass hands over a socket, which only ssh itself can take"
    if has("forwardagent") and found.get("identityagent", ["SSH_AUTH_SOCK"])[0] != "SSH_AUTH_SOCK":
        return "ForwardAgent with an IdentityAgent of its own"
    if control is not None and control.exists():
        return f"a connection of ssh is open already (ControlPath {control})"
    if any(key.name not in _DEFAULT_KEYS for key in security) or (security and security == present):
        return f"{security[0]} is a security key (FIDO)"
    # Debian switches GSSAPI on for everybody; it means something only to who has a ticket and no key.
    if has("gssapiauthentication") and not present and "SSH_AUTH_SOCK" not in os.environ and _has_ticket():
        return "GSSAPIAuthentication with a Kerberos ticket"
    if command and os.name == "nt":
        return "a ProxyCommand on Windows"
    return None


def _is_security_key(key: Path) -> bool:
    try:
        if (public := key.with_name(key.name + ".pub")).is_file():
            return public.read_bytes().startswith(b"sk-")
        with key.open("rb") as stream:
            body = stream.read(400)
    except OSError:
        return False
    try:
        # The public half stands near the start of the file, unencrypted, with its type as text.
        return b"sk-" in base64.b64decode(b"".join(body.split(b"\n")[1:4]))
    except (binascii.Error, ValueError):
        return False


def _has_ticket() -> bool:
    return "KRB5CCNAME" in os.environ or (
        hasattr(os, "getuid") and Path(f"/tmp/krb5cc_{os.getuid()}").exists()
    )


def _paths(text: str) -> list[str]:
    """The paths of a list as `ssh -G` prints it: with spaces between them, and perhaps in them."""
    words: list[str] = []
    for word in text.split():
        if words and not re.match(r"[/~%]|[A-Za-z]:|none$", word):
            words[-1] += f" {word}"
        else:
            words.append(word)
    return [word.strip('"') for word in words]


def _own_name() -> str:
    return getpass.getuser()


def _yes_no(value: bool) -> str:
    return "yes" if value else "no"
