"""What happened, in order: the events that go to every page, kept long enough for one that was cut off.

Everything here is called in the server's loop.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

# An event is a document of a few hundred bytes; a page that missed more begins anew.
KEPT = 2000


class Hub:
    """Numbers events, keeps the last ones, and wakes who listens.

    Args:
        kept: how many are kept.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self.server = secrets.token_hex(8)
        self.seq = 0
        self._kept: deque[tuple[int, str, dict[str, Any]]] = deque(maxlen=kept)
        self._listeners: set[Callable[[], None]] = set()

    def publish(self, subject: str, key: str, **fields: Any) -> None:
        """Tells all pages.

        Args:
            subject: ``host``, ``run``, ``operation`` or ``prompt``.
            key: which one it is about: of several events of one key, the last one says all.
            fields: of the event.
        """
        self.seq += 1
        self._kept.append((self.seq, f"{subject} {key}", {"subject": subject, "seq": self.seq, **fields}))
        self.wake()

    def wake(self) -> None:
        """There may be something new for those who listen."""
        for listener in list(self._listeners):
            listener()

    def listen(self, listener: Callable[[], None]) -> None:
        """Calls it whenever there may be something new."""
        self._listeners.add(listener)

    def leave(self, listener: Callable[[], None]) -> None:
        """Calls it no more."""
        self._listeners.discard(listener)

    @property
    def listeners(self) -> int:
        """How many pages there are."""
        return len(self._listeners)

    def has(self, seq: int) -> bool:
        """Whether all that came after `seq` is still here."""
        return self.seq - len(self._kept) <= seq <= self.seq

    def since(self, seq: int) -> Iterator[dict[str, Any]]:
        """The events after `seq`, in order; of several of one key the last."""
        news = [entry for entry in reversed(self._kept) if entry[0] > seq]
        seen: set[str] = set()
        chosen = []
        for _, key, event in news:
            if key not in seen:
                seen.add(key)
                chosen.append(event)
        return iter(chosen[::-1])
