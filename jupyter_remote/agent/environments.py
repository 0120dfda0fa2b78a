"""Environments that `env create` made here: found by name, kept while they are used, listed, removed.

``<root>/<digest>/env.json`` appears when one is whole, and ``<root>/names.json`` gives them names. Who builds
or removes one holds ``<root>/<digest>.lock`` alone, who uses one shares it. They are built by a run of the
client's.
"""

from __future__ import annotations

import fcntl
import os
import re
import time

from .paths import expand, read_json, remove_tree, state_folder, write_json

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
DIGEST = re.compile(r"[0-9a-f]{12}")
PATIENCE = 1.0
# Who uses one holds it until the end of its process, which comes a moment after the end of its run.
ENDING = 3.0
_shared: dict[str, int] = {}  # as long as this process lives


def root_of(setting: str | None) -> str:
    """The folder of the environments.

    Args:
        setting: the host's `env_root`; None for a folder beside the runs.
    """
    return expand(setting) if setting else os.path.join(state_folder(), "envs")


def _names(root: str) -> dict[str, Any]:
    return read_json(os.path.join(root, "names.json")) or {}


def _facts(root: str, digest: str) -> dict[str, Any] | None:
    return read_json(os.path.join(root, digest, "env.json")) if DIGEST.fullmatch(digest) else None


def use(setting: str | None, name: str, keep: bool = True) -> tuple[str, str]:
    """The Python of an environment, which (``keep``) nobody removes while this process lives; and its name.

    Args:
        setting: as of :func:`root_of`.

    Raises:
        FileNotFoundError: there is none of that name, or it is not whole.
    """
    root = root_of(setting)
    names = _names(root)
    digest = str(names.get(name, name))
    what = f"environment {name!r}"
    if _facts(root, digest) is None:
        known = ", ".join(sorted(names)) or "none"
        raise FileNotFoundError(f"there is no {what} in {root}; there is: {known}. `env create` makes one")
    folder = os.path.join(root, digest)
    if keep and digest not in _shared:
        lock = _lock(root, digest, fcntl.LOCK_SH, PATIENCE)
        if lock is None or _facts(root, digest) is None:
            raise FileNotFoundError(f"the {what} is being built anew or removed; try again when that is done")
        _shared[digest] = lock
        try:
            os.utime(os.path.join(folder, "env.json"))
        except OSError:
            pass  # somebody else's
    python = os.path.join(folder, "env", "bin", "python")
    if not os.access(python, os.X_OK):
        gone = os.path.realpath(python)
        raise FileNotFoundError(f"the {what} is broken: its Python {gone} is gone; create it again")
    return python, name if name == digest else f"{name} {digest}"


def _lock(root: str, digest: str, how: int, patience: float = 0.0) -> int | None:
    lock = os.open(os.path.join(root, digest + ".lock"), os.O_RDONLY | os.O_CLOEXEC)
    end = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(lock, how | fcntl.LOCK_NB)
            return lock
        except OSError:
            if time.monotonic() >= end:
                os.close(lock)
                return None
            time.sleep(0.05)


def listing(setting: str | None, state: str) -> dict[str, Any]:
    """All there are, with their names, when they were last used, and my live sessions in them.

    Args:
        setting: as of :func:`root_of`.
    """
    root = root_of(setting)
    names, sessions, found = _names(root), _sessions(state), []
    for digest in sorted(os.listdir(root)) if os.path.isdir(root) else ():
        if not DIGEST.fullmatch(digest):
            continue
        facts = _facts(root, digest)
        one: dict[str, Any] = dict(facts or {}, digest=digest, whole=int(facts is not None))
        if facts is not None:
            one["used"] = os.stat(os.path.join(root, digest, "env.json")).st_mtime
        one["names"] = sorted(name for name, named in names.items() if named == digest)
        one["sessions"] = sorted(name for name, used in sessions.items() if used == digest)
        found.append(one)
    return {"root": root, "environments": found}


def _sessions(state: str) -> dict[str, str]:
    from .sessions import folder_of, names

    used = {}
    for name in names(state):
        record = read_json(os.path.join(folder_of(state, name), "session.json")) or {}
        used[name] = str(record.get("in_env") or "").rpartition(" ")[2]
    return used


def remove(setting: str | None, name: str, force: bool, state: str) -> dict[str, Any]:
    """Removes an environment; where it has other names too, only this one.

    Args:
        setting: as of :func:`root_of`.
        force: also while sessions live in it.

    Raises:
        ValueError: there is none, or it is used.
    """
    root = root_of(setting)
    if not os.path.isdir(root):
        raise ValueError(f"there is no environment here: {root} does not exist")
    naming = os.open(os.path.join(root, "names.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(naming, fcntl.LOCK_EX)
        return _remove(root, name, force, state)
    finally:
        os.close(naming)


def _remove(root: str, name: str, force: bool, state: str) -> dict[str, Any]:
    names = _names(root)
    digest = str(names.get(name, name))
    if not DIGEST.fullmatch(digest) or not os.path.isdir(os.path.join(root, digest)):
        if names.pop(name, None) is not None:
            write_json(os.path.join(root, "names.json"), names)
            return {"digest": digest, "kept": []}
        known = ", ".join(sorted(names)) or "none"
        raise ValueError(f"there is no environment {name!r} in {root}; there is: {known}")
    others = sorted(one for one, named in names.items() if named == digest and one != name)
    whole = name == digest or not others
    lock = None
    if whole:
        lock = _lock(root, digest, fcntl.LOCK_EX)
        if lock is None and not force:
            mine = sorted(one for one, used in _sessions(state).items() if used == digest)
            lock = _lock(root, digest, fcntl.LOCK_EX, PATIENCE if mine else ENDING)
        if lock is None and not force:
            who = f"session {', '.join(mine)}" if mine else "a process of somebody, or a build,"
            raise ValueError(
                f"{who} uses environment {name}: end that first (`sessions stop`), or use --force"
            )
        if lock is None:
            os.unlink(
                os.path.join(root, digest + ".lock")
            )  # what holds it has nothing to do with the next one
        aside = os.path.join(root, f".{digest}.{os.getpid()}")
        os.rename(os.path.join(root, digest), aside)
        remove_tree(aside)
    kept = {one: named for one, named in names.items() if (one != name if not whole else named != digest)}
    write_json(os.path.join(root, "names.json"), kept)
    if lock is not None:
        os.close(lock)
    return {"digest": digest, "kept": [] if whole else others}
