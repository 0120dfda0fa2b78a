"""Many rows of one file at once: cells in columns become the points of all. Pure; what a single row says, and
what can't be said of many, is `metric_rows.py`'s. Both say the same.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Mapping, Sequence
from itertools import compress
from typing import Any

from .metric_lines import MOMENTS, by_priority
from .metric_shapes import Rows

# Of so many kinds at most are the rows that are taken together: where each has other words, each is one.
_MOST_KINDS = 32
# What a cell is: a number, nothing, or else a text, which is a tag.
Is = str | bool
NUMBER, NOTHING = True, False
Cells = Sequence[Any]
# Gives the numbers of a column (any number where there is none), and what its cells are: of each, or of all.
Classify = Callable[[Cells], tuple["array[float]", "Sequence[Is] | Is"]]


def alike(
    names: Sequence[str], columns: Sequence[Cells], classify: Classify
) -> tuple[list[int], list[Rows]] | None:
    """What rows with the same names say, in groups of those that say the same.

    Args:
        names: of the columns, each once.
        columns: of each name the cells of all rows.
        classify: says what cells are.

    Returns:
        Of each row its group, and the groups. None where they are too many or say the same names, or where it
        depends on the values of single rows what is the step or the time.
    """
    numbers: list[array[float]] = []
    classes: list[Sequence[Is] | Is] = []
    for column in columns:
        told, what = classify(column)
        numbers.append(told)
        classes.append(what)
    differing = [what for what in classes if not isinstance(what, (str, bool))]
    if not differing:
        rows = _rows(dict(zip(names, zip(classes, numbers, strict=True), strict=True)))
        return None if rows is None else ([0] * len(columns[0]), [rows])
    ids: dict[tuple[Is, ...], int] = {}
    order = [ids.setdefault(key, len(ids)) for key in zip(*differing, strict=True)]
    if len(ids) > _MOST_KINDS:
        return None
    found = []
    for key, number in ids.items():
        chosen = [of == number for of in order]
        rest = iter(key)
        cells: dict[str, tuple[Any, array[float]]] = {}
        for name, what, all_ in zip(names, classes, numbers, strict=True):
            mine = what if isinstance(what, (str, bool)) else next(rest)
            cells[name] = mine, array("d", compress(all_, chosen)) if mine is NUMBER else all_
        rows = _rows(cells)
        if rows is None:
            return None
        found.append(rows)
    return (order, found) if differ(found) else None


def differ(groups: Sequence[Rows]) -> bool:
    """Whether each group says other names or tags: else their points would lose their order."""
    said = [(rows.names, *sorted(rows.tags.items())) for rows in groups if rows.names]
    return len(set(said)) == len(said)


def _rows(cells: Mapping[str, tuple[Any, array[float]]]) -> Rows | None:
    """As `LineParser.mapping` of each row."""
    numbers = {name: values for name, (what, values) in cells.items() if what is NUMBER}
    step = moment = None
    for name in by_priority(numbers):
        finite = sum(map(math.isfinite, numbers[name]))
        if finite == len(numbers[name]):
            step = name
            break
        if finite:
            return None
    for name in MOMENTS:
        values = numbers.get(name, ())
        inside = sum([1e9 < value < 1e11 for value in values])
        if inside and inside == len(values):
            moment = name
            break
        if inside:
            return None
    named = [name for name in numbers if name != step and not (moment is not None and name in MOMENTS)]
    tags = {name: what for name, (what, _) in cells.items() if isinstance(what, str)}
    return Rows(
        tuple(named),
        tags,
        None if step is None else numbers[step],
        None if moment is None else numbers[moment],
        [numbers[name] for name in named],
    )
