"""The metrics of runs of before, for tables and pictures: final values and series, by run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .compared import Compared

if TYPE_CHECKING:
    from .comparison import Comparison


@dataclass(frozen=True)
class Points:
    """A series as it is drawn.

    Args:
        steps: None where no value has one.
        times: seconds since the epoch, by the host's clock.
        values: as long as `times`.
    """

    steps: Sequence[float] | None
    times: Sequence[float]
    values: Sequence[float]


def filled(runs: Sequence[Compared], *, ask: bool) -> list[Compared]:
    return list(runs)


def points_of(compared: Comparison, names: Sequence[str], *, ask: bool) -> Mapping[tuple[str, str], Points]:
    return {}
