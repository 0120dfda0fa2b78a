"""The forwards of all processes of this user: a small file each, in Jupyter's folder for what runs now.

A file says what is forwarded and by which process. Who removes it ends that forward, because its process
looks for it. No sockets here.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex
from typing import Any

from .agent.paths import read_json, write_json
from .agent.processes import alive, identity

Facts = dict[str, Any]

# What its process takes to see that a file has gone, with some room.
END_S = 10.0
_TICK = 0.05
_ERROR = ".error"


def folder() -> Path:
    """Where they are."""
    from jupyter_core.paths import jupyter_runtime_dir

    return Path(jupyter_runtime_dir()) / "remote-forwards"


def keep(facts: Facts) -> Path:
    """Writes the file of a forward of this process; it goes with the process.

    Raises:
        OSError: it can't be written.
    """
    path = folder() / f"{os.getpid()}-{token_hex(4)}.json"
    path.parent.mkdir(0o700, parents=True, exist_ok=True)
    write_json(str(path), {**facts, "process": _identity()})
    atexit.register(forget, path)
    return path


def tell(path: Path, error: str) -> None:
    """Notes why the last connection could not be made, beside the file: that must not come back."""
    note = path.with_suffix(_ERROR)
    if error and path.exists():
        note.write_text(error, encoding="utf-8")
    else:
        note.unlink(missing_ok=True)


def forget(path: Path) -> None:
    """Removes the file, which ends the forward."""
    path.unlink(missing_ok=True)
    path.with_suffix(_ERROR).unlink(missing_ok=True)


def running() -> Iterator[tuple[Path, Facts]]:
    """The forwards of processes that live, the oldest first; files of others are removed."""
    found = []
    for path in folder().glob("*.json"):
        facts = read_json(str(path))
        if facts is None:
            continue  # it has just gone
        who = facts.get("process") or {}
        if who.get("start") and not alive(who):
            forget(path)
            continue
        with contextlib.suppress(OSError):
            facts["error"] = path.with_suffix(_ERROR).read_text(encoding="utf-8")
        found.append((path, facts))
    yield from sorted(found, key=lambda one: float(one[1].get("since") or 0))


def end(path: Path, facts: Facts) -> bool:
    """Ends a forward, of whichever process, and waits for it; returns whether it has ended."""
    forget(path)
    deadline = time.monotonic() + END_S
    while _listens(int(facts["local_port"])):
        if time.monotonic() > deadline:
            return False
        time.sleep(_TICK)
    return True


def _listens(port: int) -> bool:
    """Whether the port is still taken: bound, not connected to, which would be a connection to the host."""
    import socket

    with socket.socket() as probe:
        if os.name != "nt":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _identity() -> Facts:
    try:
        return identity(os.getpid())
    except OSError:
        return {"pid": os.getpid()}  # no /proc and no ps: the file is believed while it is there
