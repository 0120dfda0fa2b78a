"""How much this process may publish: below what a Jupyter server takes of one kernel before it drops output.

The server's own limits are 1,000 messages and 1,000,000 bytes a second, over three seconds. Waiting here
loses nothing: what isn't taken waits in the log on the host.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Allowance:
    """A stock that fills up with time; taking more than there is waits.

    Args:
        rate: what comes in a second.
        most: what it holds.
        clock: seconds, never going back.
        sleep: waits so many.
    """

    def __init__(
        self,
        rate: float,
        most: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate, self._most = rate, most
        self._clock, self._sleep = clock, sleep
        self._left = most
        self._seen = clock()
        self._lock = threading.Lock()

    def take(self, amount: float) -> None:
        """Take so much, and wait until what was taken has come in.

        Args:
            amount: bytes, or messages.
        """
        if (wait := self._owed(amount)) > 0:
            self._sleep(wait)

    def spare(self, amount: float) -> bool:
        """Take so much if it is there; return whether it was.

        Args:
            amount: as of :meth:`take`.
        """
        with self._lock:
            self._fill()
            if self._left < amount:
                return False
            self._left -= amount
            return True

    def _owed(self, amount: float) -> float:
        with self._lock:
            self._fill()
            self._left -= amount
            return -self._left / self._rate

    def _fill(self) -> None:
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._seen) * self._rate)
        self._seen = now


# All cells of a notebook share its server's limits.
BYTES = Allowance(rate=700_000, most=1_500_000)
MESSAGES = Allowance(rate=250, most=500)
