"""Files of a host's environments: read, replaced whole, locked, watched, measured; and a word to the user."""

from __future__ import annotations

import fcntl
import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator


def rename(root: str, name: str, digest: str) -> str | None:
    """Gives an environment its name; returns which had it before."""
    path = os.path.join(root, "names.json")
    lock = open_lock(os.path.join(root, "names.lock"))
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        names = read_json(path) or {}
        before = names.get(name)
        if before != digest:
            write_json(path, dict(sorted({**names, name: digest}.items())))
        return before
    finally:
        os.close(lock)


def open_lock(path: str) -> int:
    """A file to be locked, which may be another user's where `env_root` is shared."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except PermissionError:
        return os.open(path, os.O_RDONLY)


def follow(path: str) -> Iterator[bytes]:
    """What has come into a file since the last time, again and again."""
    at = 0
    while True:
        try:
            with open(path, "rb") as file:
                file.seek(at)
                data = file.read(1 << 20)
        except OSError:
            data = b""
        at += len(data)
        yield data


def expand(path: str) -> str:
    path = os.path.expandvars(os.path.expanduser(path))
    return os.path.normpath(os.path.join(os.path.expanduser("~"), path))


def size_of(path: str) -> int:
    total, seen = 0, set()
    for folder, _, names in os.walk(path):
        for name in names:
            facts = os.lstat(os.path.join(folder, name))
            if facts.st_nlink == 1 or facts.st_ino not in seen:
                total += facts.st_size
                seen.add(facts.st_ino)
    return total


def read_json(path: str) -> dict[str, Any] | None:
    try:
        with open(path, encoding="utf-8") as file:
            value = json.load(file)
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def write_json(path: str, value: dict[str, Any]) -> None:
    staged = f"{path}.{os.getpid()}.tmp"
    with open(staged, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.replace(staged, path)


def say(text: str) -> None:
    """Tells the user `text`, apart from what programs print."""
    print("==> " + text, flush=True)
