"""Whether compressing pays, found out while a stream is sent, by doing it both ways.

On a slow link it does. On a fast one, or where the host is what takes the time, it only costs, and which of
these it is can't be told from here; so the bytes that get away per second are compared. Takes sizes and
times; what is compressed and how is said in segments.py.
"""

from __future__ import annotations

import time

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Callable

_MIB = 1 << 20
# What was sent before a change of ways is still on its way, and its pace would be taken for the new one's:
# so many bytes go by first (those in the window stand for three times as many where they are compressed).
_LAG = 4 * _MIB
_MEASURED = 3 * _MIB
# Where compressing takes a smaller share of the time, the link is so slow that it needn't be tried without.
_WORTH_A_TRIAL = 0.25
# What shrinks to less is compressed so fast that no link is faster.
_SHRINKS = 0.1
# A trial that is so many times slower is broken off.
_HOPELESS = 3
# When compressing was better, so many bytes go by until it is tried without again, then twice as many.
_NEXT_TRIAL = 16 * _MIB
# As fast in other words: less work for both sides decides.
_AS_FAST = 0.87


class Pace:
    """How fast bytes get away, compressed and not.

    Args:
        clock: seconds, never going back.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._compresses = True
        self._rates: dict[bool, float] = {}
        self._since_trial = 0
        self._trial_after = 0
        self._lag = _LAG
        self._begin()

    def compresses(self, size: int) -> bool:
        """Whether the next block, of so many bytes, should be compressed."""
        if self._lag > 0 and self._bytes >= self._lag:
            self._lag = 0
            self._begin()
        elif not self._lag and self._bytes >= _MEASURED:
            self._decide()
        elif not self._compresses and self._is_hopeless():
            self._turn()
        self._bytes += size
        self._since_trial += size
        return self._compresses

    def compressed(self, size: int, seconds: float) -> None:
        """How many bytes the block has become (``size``), and how long it took."""
        self._given += size
        self._deflate_s += seconds

    def disturbed(self) -> None:
        """Something else was sent in between."""
        self._restart()

    def _restart(self) -> None:
        self._lag = _LAG
        self._begin()

    def _begin(self) -> None:
        self._bytes = self._given = 0
        self._deflate_s = 0.0
        self._start = self._clock()

    def _decide(self) -> None:
        seconds = max(self._clock() - self._start, 1e-9)
        self._rates[self._compresses] = self._bytes / seconds
        if self._compresses:
            is_worth_it = self._deflate_s / seconds >= _WORTH_A_TRIAL
            if (
                is_worth_it
                and self._given > _SHRINKS * self._bytes
                and self._since_trial >= self._trial_after
            ):
                self._turn()
                return
        elif self._rates[False] < _AS_FAST * self._rates[True]:
            self._turn()
            return
        self._begin()

    def _is_hopeless(self) -> bool:
        expected = self._bytes / self._rates[True]
        return self._bytes >= _MIB and self._clock() - self._start > _HOPELESS * expected

    def _turn(self) -> None:
        self._compresses = not self._compresses
        self._since_trial = 0
        if self._compresses:
            self._trial_after = max(2 * self._trial_after, _NEXT_TRIAL)
        self._restart()
