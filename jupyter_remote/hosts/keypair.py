"""The user's key pair: found, or made when there is none. Nothing here connects to anything."""

from __future__ import annotations

import contextlib
import getpass
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError

if TYPE_CHECKING:
    from ..transports import Prompter

# The kinds that every sshd of the last ten years takes.
_USUAL = ("id_ed25519", "id_ecdsa", "id_rsa")


@dataclass(frozen=True)
class KeyPair:
    """A key pair.

    Attributes:
        private: the file of the private half.
        public: the line for `authorized_keys`, without a newline; "" for one that is not made yet.
        made: whether it was made (or would be) just now.
    """

    private: Path
    public: str
    made: bool = False

    @property
    def body(self) -> str:
        """What identifies the key in `authorized_keys`: kind and base64, without its comment."""
        return " ".join(self.public.split()[:2])


def find(chosen: str | None) -> KeyPair | None:
    """The key pair in `chosen`, else the first usual one of the user; None when there is none.

    Args:
        chosen: the file of the private key (or of its public half).

    Raises:
        ConfigError: the file is not a key.
    """
    if chosen is not None:
        path = _private(chosen)
        return _read(path) if path.exists() or _public_file(path).exists() else None
    for name in _USUAL:
        path = Path.home() / ".ssh" / name
        if path.is_file():
            return _read(path)
    return None


def where_new(chosen: str | None) -> Path:
    """Where a new key would be.

    Args:
        chosen: what the user has said.
    """
    return _private(chosen) if chosen is not None else Path.home() / ".ssh" / "id_ed25519"


def make(path: Path) -> KeyPair:
    """A new ed25519 pair, without a passphrase: a lost connection is made again when nobody is there to type.

    Args:
        path: the file of the private half, which must not exist.

    Raises:
        ConfigError: it can't be written there.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    line = f"{public} {getpass.getuser()}@{platform.node()}"
    folder = path.parent
    try:
        if not folder.exists():
            folder.mkdir(parents=True, mode=0o700)
            # `mkdir` obeys the umask, which may even take our own rights away.
            folder.chmod(0o700)
        _write(path, private, 0o600)
        try:
            _write(_public_file(path), line.encode() + b"\n", 0o644)
        except OSError:
            path.unlink()  # half a pair would be in the way of the next try
            raise
    except OSError as error:
        raise ConfigError(f"the key can't be written to {error.filename or path}: {error.strerror}") from None
    return KeyPair(path, line, made=True)


def unlock(key: KeyPair, ask: Prompter) -> None:
    """See to it that the key can be used here: by an agent, or with its passphrase, asked for once.

    Raises:
        ConfigError: it has a passphrase that nobody gives.
        PromptCancelled: the user doesn't want to answer.
    """
    from ..transports import ssh_keys  # loads paramiko

    if not key.private.is_file():
        return  # only its public half is here: an agent has the other
    try:
        ssh_keys.load(key.private)
    except TypeError:
        with contextlib.suppress(ssh_keys.Unanswered):
            if _in_agent(key) or ssh_keys.unlock(key.private, ask) is not None:
                return
        raise ConfigError(
            f"{key.private} needs its passphrase",
            hint=f"Unlock it for an agent with `ssh-add {key.private}`, or run this where you can type.",
        ) from None


def _in_agent(key: KeyPair) -> bool:
    from paramiko.agent import Agent

    try:
        with contextlib.closing(Agent()) as agent:
            return any(f"{one.get_name()} {one.get_base64()}" == key.body for one in agent.get_keys())
    except Exception:  # whatever it is that answers there, it is no agent of ours
        return False


def _write(path: Path, content: bytes, mode: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        path.chmod(mode)
    except OSError:
        with contextlib.suppress(OSError):
            path.unlink()
        raise


def _private(chosen: str) -> Path:
    path = Path(chosen).expanduser().absolute()
    return path.with_suffix("") if path.suffix == ".pub" else path


def _public_file(private: Path) -> Path:
    return private.with_name(private.name + ".pub")


def _read(private: Path) -> KeyPair:
    public = _public_file(private)
    if public.is_file():
        words = public.read_text(encoding="utf-8", errors="replace").split()
        if len(words) >= 2 and words[0].startswith(("ssh-", "ecdsa-", "sk-")):
            return KeyPair(private, " ".join(words))
        raise ConfigError(f"{public} is no public key")
    from ..transports import ssh_keys  # only for a key without its public half
    from ..transports.prompt import FrontPrompter

    try:
        key = ssh_keys.load(private)
    except TypeError:
        try:
            key = ssh_keys.unlock(private, FrontPrompter())
        except ssh_keys.Unanswered:
            raise ConfigError(
                f"{private} has no public half beside it, and needs its passphrase",
                hint=f"Make it with `ssh-keygen -y -f {private} > {public}`.",
            ) from None
    if key is None:
        raise ConfigError(f"{private} is no private key that can be read here")
    return KeyPair(private, f"{key.get_name()} {key.get_base64()}")
