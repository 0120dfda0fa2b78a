"""How a link is, as those are told who show it; light to import, for the fronts. No behaviour here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class LinkState:
    """How a link is, for who shows it.

    Args:
        host: its name.
        up: whether it stands.
        retry_in: seconds until it is tried again, 0 while it is.
        why: what went wrong last.
        owed: what is sent as soon as it is back: 1 an interrupt, 2 the end of the run, 0 nothing.
        seconds: how long it has been away.
    """

    host: str
    up: bool
    retry_in: int = 0
    why: str = ""
    owed: int = 0
    seconds: float = 0.0


Told = Callable[[LinkState], None]
