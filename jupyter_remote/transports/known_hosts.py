"""known_hosts files: which keys a host may show. Reading, matching and adding; asking is not done here."""

from __future__ import annotations

import base64
import binascii
import fnmatch
import hashlib
import hmac
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """One line of a file that names the host.

    Attributes:
        marker: "", `@revoked` or `@cert-authority`.
        kind: the type of the key, for example `ssh-ed25519`.
        blob: the public key, as it is on the wire.
    """

    file: Path
    line: int
    marker: str
    kind: str
    blob: bytes


def host_label(hostname: str, port: int) -> str:
    """How a host is named in the file: bare at port 22, else `[hostname]:port`."""
    return hostname.lower() if port == 22 else f"[{hostname.lower()}]:{port}"


def lookup(files: Iterable[Path], label: str) -> list[Entry]:
    """All lines of the files that name `label`; files that are not there have none."""
    return [entry for file in files for entry in _entries(file, label)]


def add(file: Path, label: str, kind: str, blob: bytes) -> None:
    """Append a key.

    Args:
        label: what the key is known by: a host, or `[host]:port`.
        blob: the key, as it travels.

    Raises:
        OSError: the file can't be written.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    line = f"{label} {kind} {base64.b64encode(blob).decode()}\n"
    with file.open("a+b") as stream:
        size = stream.seek(0, os.SEEK_END)
        if size:
            stream.seek(size - 1)
            # Without this an unfinished last line would take in the new one, and both would be lost.
            line = line if stream.read(1) == b"\n" else "\n" + line
        stream.write(line.encode())


def fingerprint(blob: bytes) -> str:
    """`SHA256:…`, as ssh shows it.

    Args:
        blob: the key, as it travels.
    """
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def fingerprint_of_line(line: bytes) -> str:
    """The fingerprint of the key in a line, "" when there is none."""
    words = [word for word in line.split() if not word.startswith(b"@")]
    try:
        return fingerprint(base64.b64decode(words[2], validate=True))
    except (IndexError, binascii.Error):
        return ""


def _entries(file: Path, label: str) -> Iterable[Entry]:
    try:
        lines = file.read_bytes().splitlines() if file.is_file() else []
    except OSError:
        lines = []
    for number, raw in enumerate(lines, 1):
        words = raw.decode("utf-8", "replace").split()
        marker = words.pop(0) if words and words[0].startswith("@") else ""
        if len(words) < 3 or words[0].startswith("#") or not _names(words[0], label):
            continue
        try:
            yield Entry(file, number, marker, words[1], base64.b64decode(words[2], validate=True))
        except binascii.Error:
            continue


def _names(patterns: str, label: str) -> bool:
    """Whether the first field of a line names `label`; a `!pattern` that does makes it not."""
    found = False
    for pattern in patterns.split(","):
        negated = pattern.startswith("!")
        pattern = pattern[negated:]
        if pattern.startswith("|1|"):
            hit = _hashed_as(pattern, label)
        else:
            # Brackets are no character class here but part of `[host]:port`.
            hit = fnmatch.fnmatchcase(label, pattern.lower().replace("[", "[[]"))
        if hit and negated:
            return False
        found |= hit
    return found


def _hashed_as(pattern: str, label: str) -> bool:
    try:
        salt = base64.b64decode(pattern.split("|")[2], validate=True)
    except (binascii.Error, IndexError):
        return False
    return hmac.compare_digest(_hash(label, salt), pattern)


def _hash(label: str, salt: bytes) -> str:
    digest = hmac.new(salt, label.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"
