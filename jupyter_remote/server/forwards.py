"""Ports of hosts that lead here: those of all processes of this user, and the ones that pages have opened.

How bytes get there is `forward.py`'s business, what processes know of each other's `forward_records.py`'s.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jupyter_remote

from .. import forward_records
from ..errors import ForwardError
from ..forward import Forward
from .operations import Operation, Work
from .problems import NotFound

NAMES = ("host", "port", "to", "local_port", "url", "since")


class Forwards:
    """The forwards, for one server.

    Args:
        root: the server's folder.
        changed: called when one was opened or ended, from a thread.
    """

    def __init__(self, root: Path, changed: Callable[[], None]) -> None:
        self._root = root
        self._changed = changed
        self._mine: list[Forward] = []
        self._lock = threading.Lock()
        self._closed = False

    def open(self, host: str, options: Mapping[str, Any]) -> Work:
        """What opens one; ``options`` are ``NewForward`` of rest-api.yml."""

        def work(operation: Operation) -> dict[str, Any]:
            remote = jupyter_remote.connect(host, workspace=self._root)
            made = remote.forward(options["port"], local_port=options.get("local_port"), to=options.get("to"))
            with self._lock:  # pages open several at once
                self._mine = [*(one for one in self._mine if not one.ended.is_set()), made]
                closed = self._closed
            if closed:
                made.close()
            self._changed()
            operation.tell(f"{made.url} leads to {made.target}", 1.0)
            return {"forwards": [one for one in listing() if one["local_port"] == made.local_port]}

        return work

    def end(self, identity: str) -> Work:
        """What ends one, of whichever process."""

        def work(operation: Operation) -> dict[str, Any]:
            path, facts = find(identity)
            if not forward_records.end(path, facts):
                pid = (facts.get("process") or {}).get("pid")
                raise ForwardError(f"{facts['url']} did not end; its process is {pid}", host=facts["host"])
            self._changed()
            return {}

        return work

    def hosts(self) -> set[str]:
        """The hosts whose links are needed for those of this server."""
        return {one.host for one in self._mine if not one.ended.is_set()}

    def close(self) -> list[threading.Thread]:
        """Ends those of this server; returns the threads that do it."""
        with self._lock:
            self._closed = True
            mine = list(self._mine)
        threads = [threading.Thread(target=one.close, daemon=True) for one in mine]
        for thread in threads:
            thread.start()
        return threads


def listing() -> list[dict[str, Any]]:
    """``Forward`` documents, the oldest first; in a thread."""
    return [
        {
            "id": path.stem,
            **{name: facts.get(name) for name in NAMES},
            "error": facts.get("error") or "",
            "process": (facts.get("process") or {}).get("pid"),
        }
        for path, facts in forward_records.running()
    ]


def find(identity: str) -> tuple[Path, forward_records.Facts]:
    """The record of one.

    Raises:
        NotFound: there is none of that id.
    """
    for path, facts in forward_records.running():
        if path.stem == identity:
            return path, facts
    raise NotFound(f"there is no forward {identity}")
