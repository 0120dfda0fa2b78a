"""The last ten minutes of a host, for its sparklines: means of a few seconds each, in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from .looks import Html, sparkline

SPAN_S = 600.0
STEP_S = 5.0
_STEPS = int(SPAN_S / STEP_S)


class Trend:
    """Series of fractions by name: `cpu`, `memory`, and `gpu 0` for the use of that card."""

    def __init__(self) -> None:
        # Of each step: its number, the sum and the count of what was told.
        self._series: dict[str, deque[list[float]]] = {}
        self._drawn: dict[str, tuple[int, Html]] = {}
        self._now = 0

    def add(self, now: float, facts: Mapping[str, Any]) -> None:
        """Take a sample that came at that time."""
        self._now = step = int(now // STEP_S)
        for name, value in fractions(facts):
            series = self._series.setdefault(name, deque(maxlen=_STEPS + 1))
            if series and series[-1][0] == step:
                series[-1][1] += value
                series[-1][2] += 1
            else:
                series.append([step, value, 1])

    def points(self, name: str) -> list[tuple[float, float | None]]:
        """Step and mean of a series, with a None where steps are missing."""
        found: list[tuple[float, float | None]] = []
        for step, total, count in tuple(self._series.get(name, ())):
            if step < self._now - _STEPS:
                continue
            if found and step > found[-1][0] + 1:
                found.append((found[-1][0] + 1, None))
            found.append((step, total / count))
        return found

    def spark(self, name: str) -> Html:
        """The sparkline of a series; drawn anew once in a step, for all who show it."""
        drawn = self._drawn.get(name)
        if drawn is None or drawn[0] != self._now:
            svg = sparkline(
                self.points(name), (self._now - _STEPS, self._now), name=f"{name}, the last 10 minutes"
            )
            drawn = self._drawn[name] = (self._now, svg)
        return drawn[1]


def fractions(facts: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """What of a sample has a trend, from 0 to 1."""
    if facts.get("cpu") is not None:
        yield "cpu", facts["cpu"] / 100
    memory = facts.get("memory") or {}
    if memory.get("total") and memory.get("available") is not None:
        yield "memory", 1 - memory["available"] / memory["total"]
    for gpu in facts.get("gpus") or ():
        if gpu.get("utilization") is not None:
            yield f"gpu {gpu.get('index')}", gpu["utilization"] / 100
