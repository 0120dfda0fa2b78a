"""Which host each combination of a step goes to. Pure.

A step that comes after another is on the same host, because each host runs its part alone. What belongs
together so goes, as a whole, to the host that has the least to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .filling import Params


@dataclass(frozen=True)
class Piece:
    """A step with one combination, before it has a host.

    Args:
        number: of the step.
        params: the combination.
        pool: the hosts it may go to.
        each: whether it goes to all of them.
    """

    number: int
    params: Params
    pool: tuple[str, ...]
    each: bool


class NowhereError(Exception):
    """No host is left for a step.

    Args:
        number: of the step.
        before: of the one with `each` that it comes after, when that is the reason.
    """

    def __init__(self, number: int, before: int | None = None) -> None:
        super().__init__(number, before)
        self.number = number
        self.before = before


def place(pieces: Sequence[Piece], after: Mapping[int, Sequence[int]]) -> list[tuple[Piece, str]]:
    """Every piece with its host, those with `each` once for every host.

    Args:
        pieces: all of them.
        after: by step, the steps that it comes after; in an order in which those come first.

    Raises:
        NowhereError: there is no host for one.
    """
    by_step: dict[int, list[int]] = {}
    for index, piece in enumerate(pieces):
        by_step.setdefault(piece.number, []).append(index)
    pools = [list(piece.pool) for piece in pieces]
    families = _Families(len(pieces))
    for number, others in after.items():
        for other in others:
            before, kin = by_step[other], by_step[number]
            if not pieces[before[0]].each:
                families.join([*before, *kin])
                continue
            # It is on every host of its pool, so whatever comes after it may be on any of these.
            allowed = set(pools[before[0]])
            for one in kin:
                pools[one] = [host for host in pools[one] if host in allowed]
            if not pools[kin[0]]:
                raise NowhereError(number, other)
    load = dict.fromkeys((host for piece in pieces for host in piece.pool), 0)
    for index, piece in enumerate(pieces):
        for host in pools[index] if piece.each else ():
            load[host] += 1
    members: dict[int, list[int]] = {}
    for index, piece in enumerate(pieces):
        if not piece.each:
            members.setdefault(families.head(index), []).append(index)
    chosen: dict[int, str] = {}
    placed = []
    for index, piece in enumerate(pieces):
        if piece.each:
            placed += [(piece, host) for host in pools[index]]
            continue
        head = families.head(index)
        if head not in chosen:
            common = set(pools[head]).intersection(*(pools[one] for one in members[head]))
            possible = [host for host in pools[head] if host in common]
            if not possible:
                raise NowhereError(piece.number)
            chosen[head] = min(possible, key=lambda host: load[host])
            load[chosen[head]] += len(members[head])
        placed.append((piece, chosen[head]))
    return placed


class _Families:
    """Who belongs together: sets that are joined, each known by its first member."""

    def __init__(self, count: int) -> None:
        self._above = list(range(count))

    def head(self, one: int) -> int:
        while self._above[one] != one:
            self._above[one] = self._above[self._above[one]]
            one = self._above[one]
        return one

    def join(self, kin: Sequence[int]) -> None:
        for one in kin[1:]:
            first, second = sorted((self.head(kin[0]), self.head(one)))
            self._above[second] = first
