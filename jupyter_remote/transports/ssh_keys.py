"""Keys to log in with: those of an agent, those of files, their certificates, and how one is unlocked.

A passphrase is asked for once in this process and kept in its memory only, with the unlocked key; nothing
here writes. What is tried in which order, and what the host says to it, is in `ssh_auth`.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import datetime
import os
import socket
import struct
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import paramiko
from paramiko.agent import Agent, AgentSSH

from ..hosts.ssh_config import SshSettings
from . import Prompter
from .prompt import Secret, passphrases

_TRIES = 3
_FOR_EVER = 2**64 - 1


class Unanswered(Exception):
    """The key needs its passphrase, and nobody can be asked."""


class _SocketAgent(AgentSSH):  # The stubs leave out what it inherits.
    """The agent of an `IdentityAgent` line; paramiko's own class knows only SSH_AUTH_SOCK."""

    def __init__(self, path: str) -> None:
        super().__init__()
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(10)
            connection.connect(path)
            self._connect(connection)  # type: ignore[attr-defined]
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        self._close()  # type: ignore[attr-defined]


class _NoAgent:
    def get_keys(self) -> tuple[()]:
        return ()

    def close(self) -> None:
        pass


def open_agent(settings: SshSettings) -> Any:
    """The agent that the settings name; one without keys where there is none."""
    chosen = settings.identity_agent
    if chosen is not None and chosen.startswith("$"):
        chosen = os.environ.get(chosen.strip("${}"), "none")
    try:
        if chosen is None or chosen == "SSH_AUTH_SOCK":
            return Agent()
        if chosen.lower() == "none":
            return _NoAgent()
        return _SocketAgent(str(Path(chosen).expanduser()))
    except (paramiko.SSHException, OSError):
        return _NoAgent()  # An agent that is gone is no reason to fail: there are the files.


def public_blob(path: Path) -> bytes | None:
    """The public half of a key file, from the file beside it."""
    return _blob_of(path.with_name(path.name + ".pub"))


def load(path: Path, passphrase: str | None = None) -> paramiko.PKey | None:
    """The key in a file, None when it is of a kind that paramiko can't use.

    Raises:
        TypeError: it needs a passphrase, or another one.
    """
    read: Any = paramiko.PKey.from_path
    try:
        return read(path, None if passphrase is None else passphrase.encode())  # type: ignore[no-any-return]
    except (paramiko.PasswordRequiredException, TypeError):
        raise TypeError("needs a passphrase") from None
    except KeyboardInterrupt:
        # Another one: the frames of this would show the passphrase to who prints variables.
        raise KeyboardInterrupt from None
    except Exception:
        # cryptography and paramiko raise half a dozen classes for a key they can't read, and a wrong
        # passphrase is one of them.
        if passphrase is not None:
            raise TypeError("needs another passphrase") from None
        return None


_unlocked: dict[tuple[Path, int, int], paramiko.PKey] = {}
_asking: dict[Path, threading.Lock] = {}


def unlock(path: Path, ask: Prompter | None) -> paramiko.PKey | None:
    """The key in an encrypted file; the user is asked for the passphrase unless this process knows it.

    Connections that need the same key at the same time ask once.

    Args:
        path: the key file.
        ask: who may know the passphrase; None for nobody.

    Returns:
        None when no right one was given.

    Raises:
        Unanswered: nobody can be asked.
        PromptCancelled: the user doesn't want to answer.
    """
    with _asking.setdefault(path, threading.Lock()):
        if (key := _unlocked.get(_stamp(path))) is not None:
            return key
        known = passphrases.get(str(path))
        if known is not None and (key := _opened(path, known)) is not None:
            return key
        for _ in range(_TRIES):
            given = ask.ask(f"Passphrase of {path}: ", secret=True) if ask is not None else None
            if given is None:
                raise Unanswered
            given = Secret(given)
            if not given:
                return None  # as with ssh: not this key
            if (key := _opened(path, given)) is not None:
                return key
    return None


def _opened(path: Path, passphrase: Secret) -> paramiko.PKey | None:
    with contextlib.suppress(TypeError):
        key = load(path, passphrase)
        if key is not None:
            _unlocked[_stamp(path)] = key
            passphrases[str(path)] = passphrase
        return key
    return None


def _stamp(path: Path) -> tuple[Path, int, int]:
    status = path.stat()
    return path, status.st_mtime_ns, status.st_size


# Certificates.


def certify(key: Any, files: Sequence[Path]) -> str:
    """Give a key the certificate that is for it.

    Args:
        key: of a file or of an agent.
        files: where certificates may be (`CertificateFile`); paramiko itself takes that beside the key.

    Returns:
        What to say of the certificate in a message, "" when there is none.
    """
    plain = bytes(key.asbytes())
    for file in files:
        certificate = _blob_of(file)
        if certificate is not None and _is_for(certificate, plain):
            with contextlib.suppress(Exception):  # of a kind that paramiko doesn't know
                key.load_certificate(str(file))
                return f" with the certificate {file}{_ended(certificate, plain)}"
    if (beside := getattr(key, "public_blob", None)) is not None:
        return f" with its certificate{_ended(beside.key_blob, plain)}"
    return ""


def _blob_of(file: Path) -> bytes | None:
    try:
        return base64.b64decode(file.read_text().split()[1])
    except (OSError, ValueError, IndexError, binascii.Error):
        return None


def _after_string(blob: bytes, at: int) -> int:
    return at + 4 + int(struct.unpack(">I", blob[at : at + 4])[0])


def _is_for(certificate: bytes, plain: bytes) -> bool:
    """Whether a certificate is for the public key: after its nonce stand the key's own numbers."""
    try:
        numbers = plain[_after_string(plain, 0) :]
        at = _after_string(certificate, _after_string(certificate, 0))
        return bool(numbers) and certificate[at : at + len(numbers)] == numbers
    except struct.error:
        return False


def _ended(certificate: bytes, plain: bytes) -> str:
    """`, which ended at …` when it is over: the host would only say no."""
    try:
        at = _after_string(certificate, _after_string(certificate, 0))
        at += len(plain) - _after_string(plain, 0) + 8 + 4  # the numbers, serial, kind
        at = _after_string(certificate, _after_string(certificate, at))  # its name, the users it is for
        _, until = struct.unpack(">QQ", certificate[at : at + 16])
    except struct.error:
        return ""
    now = datetime.datetime.now(datetime.UTC)
    if until == _FOR_EVER or until >= now.timestamp():
        return ""
    return f", which ended at {datetime.datetime.fromtimestamp(until, now.tzinfo):%Y-%m-%d %H:%M} UTC"


def forget() -> None:
    """Forget every passphrase and every unlocked key of this process."""
    _unlocked.clear()
    passphrases.clear()
