"""Processes that a session left behind when its supervisor was killed: found, and ended.

They are known by the marker in their environment, which a process inherits wherever it goes, and which names
the supervisor. Only processes of this user, and only when that supervisor is certainly gone.
"""

from __future__ import annotations

from .processes import alive, command_of, end_family, marked, unmark

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any


def find() -> dict[str, list[int]]:
    """The processes whose supervisor is gone, by the marker they carry."""
    found: dict[str, list[int]] = {}
    for pid, marker in marked().items():
        who = unmark(marker)
        if who is not None and not alive(who):
            found.setdefault(marker, []).append(pid)
    return found


def end() -> list[dict[str, Any]]:
    """Ends them, with what is below them; returns ``pid`` and ``command`` of each that carried a marker."""
    ended = []
    for marker, pids in find().items():
        facts = [{"pid": pid, "command": command_of(pid)} for pid in pids]
        left = set(end_family(None, marker))
        ended += [fact for fact in facts if fact["pid"] not in left]
    return ended
