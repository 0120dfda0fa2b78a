"""Whether a run that has no end in its log will ever get one: worked out from facts, never from silence.

The facts are the identity of its supervisor (pid, start time, boot id, machine) and what runs here. One that
is stopped, swapped out or overloaded is alive; one on another machine that shares the folder can't be judged.
"""

from __future__ import annotations

import time

from .processes import alive, boot_id, boot_time, node

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any


def elsewhere(who: dict[str, Any]) -> str | None:
    """The other machine on which that process ran, None for this one."""
    there = who.get("node")
    return str(there) if there and there != node() and who.get("boot") != boot_id() else None


def why_lost(record: dict[str, Any]) -> str | None:
    """Why nobody will write an end to the log of this run; None unless that is certain.

    Args:
        record: its ``run.json``; empty when there is none, because its supervisor was killed just before.
    """
    who = record.get("supervisor") or {}
    if alive(who) or elsewhere(who) or record.get("job"):  # what became of a job is the scheduler's to say
        return None
    if who.get("boot") and who["boot"] != boot_id():
        since = boot_time()
        when = f" at {time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(since))} UTC" if since else ""
        return f"the host was restarted{when}"
    return "its supervisor was killed"
