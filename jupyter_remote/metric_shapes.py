"""Lines that differ in their numbers only: a regular expression for each such shape."""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from .metric_lines import step_of


@dataclass(frozen=True)
class Rows:
    """Lines of one shape that follow on each other, and say the same names and tags.

    Args:
        names: of the numbers.
        tags: of all.
        steps: of each line; None when they say none.
        times: of each line; None when they say none.
        columns: the numbers, for each name one of each line.
    """

    names: tuple[str, ...]
    tags: Mapping[str, str]
    steps: array[float] | None
    times: array[float] | None
    columns: list[array[float]]


class Shape:
    """Lines with the same words.

    Args:
        pattern: of one line with the end of it, with a group for each number that matters.
        names, tags: what it says.
        groups: which group each value is.
        step: the group of the step, None for none, or what is counted: the groups of how far and of how many.
        epoch: the groups of the epoch that such a line says for itself and later ones.
        time: the group of the moment.
    """

    def __init__(
        self,
        pattern: str,
        names: Sequence[str],
        tags: Mapping[str, str],
        groups: Sequence[int],
        step: int | dict[str, tuple[int, int | None]] | None,
        epoch: tuple[int, int | None] | None,
        time: int | None,
    ) -> None:
        self.pattern = re.compile("^" + pattern + "\n", re.MULTILINE)
        self.match = re.compile(pattern + "\n").match
        self.names, self.tags = tuple(names), tags
        self._groups, self._step, self._epoch, self._time = groups, step, epoch, time
        self.says = self.names, tuple(sorted(tags.items()))
        self.next: Shape = self

    @property
    def needs_epoch(self) -> bool:
        """Whether the step is one within the epoch that the lines before said."""
        return isinstance(self._step, dict)

    @property
    def sets_epoch(self) -> bool:
        """Whether its lines say the epoch."""
        return self._epoch is not None

    def rows(self, found: Sequence[Any], epoch: Any) -> tuple[Rows, Any]:
        """The numbers of lines.

        Args:
            found: the groups of each; with one group its text.
            epoch: before them.

        Returns:
            The rows, and the epoch after them.
        """
        width = self.pattern.groups
        flat_ = array("d")
        if width:
            flat_.extend(map(float, found if width == 1 else chain.from_iterable(found)))
        columns = [flat_[group::width] for group in self._groups]
        times = None if self._time is None else flat_[self._time :: width]
        steps: array[float] | None = None
        if isinstance(self._step, int):
            steps = flat_[self._step :: width]
        elif self._step is not None:
            steps = array("d")
            for at in range(0, len(flat_), width):
                counts = {
                    kind: (flat_[at + n], None if total is None else flat_[at + total])
                    for kind, (n, total) in self._step.items()
                }
                step = step_of(counts, counts.get("epoch", epoch))
                steps.append(math.nan if step is None else step)
        if self._epoch is not None and found:
            n, total = self._epoch
            last = flat_[len(flat_) - width :]
            epoch = last[n], None if total is None else last[total]
        return Rows(self.names, self.tags, steps, times, columns), epoch
