"""What many lines of one source say: those of a shape that is known all at once, the others one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .metric_learn import learn
from .metric_lines import Found, LineParser
from .metric_shapes import Rows, Shape

_MOST_SHAPES = 12
# Learning a shape takes as long as parsing up to 60 lines: the first are free, then one line in so many may.
_FREE, _ONE_IN = 8, 211


@dataclass(frozen=True)
class Lines:
    """What lines of known shapes say.

    Args:
        order: of each line, to which of `rows` it belongs.
        rows: of each shape.
    """

    order: Sequence[int]
    rows: Sequence[Rows]


Said = Lines | list[Found]


class BulkParser:
    """A `LineParser` that is quick with lines that differ in their numbers only; it says the same.

    Args:
        names, regexes: see `LineParser`.

    Raises:
        re.error: one of them is none.
    """

    def __init__(self, names: Sequence[str] = (), regexes: Sequence[str] = ()) -> None:
        self._parser = LineParser(names, regexes)
        self._apart = LineParser(names)
        # What expressions of one's own tell apart is not known.
        self._learns = not regexes
        self._shapes: list[Shape] = []
        self._slow = self._tried = 0

    @property
    def epoch(self) -> tuple[float, float | None] | None:
        """The epoch that the output said last, and of how many."""
        return self._parser.epoch

    @epoch.setter
    def epoch(self, epoch: tuple[float, float | None] | None) -> None:
        self._parser.epoch = epoch

    def read(self, text: str) -> Iterator[Said]:
        """What whole lines say, in order.

        Args:
            text: each line of it ends with a line feed.
        """
        if self._shapes and (all_ := self._all_alike(text)):
            yield from self._said([(self._shapes[0], all_)])
            return
        at = 0
        before: Shape | None = None
        runs: list[tuple[Shape, list[Any]]] = []
        while at < len(text):
            shape, found, end = self._some_alike(text, at, before)
            if shape is not None:
                runs.append((shape, found))
            else:
                yield from self._said(runs)
                runs = []
                end = text.index("\n", at) + 1
                yield self._one(text[at : end - 1])
            before, at = shape, end
        yield from self._said(runs)

    def _said(self, runs: list[tuple[Shape, list[Any]]]) -> Iterator[Said]:
        shapes = {shape for shape, _ in runs}
        alike = len({shape.says for shape in shapes}) < len(shapes)
        if alike or any(shape.needs_epoch for shape in shapes):
            for shape, found in runs:
                yield Lines([0] * len(found), [self._rows(shape, found)])
            return
        # One shape after the other is quicker, when none depends on another.
        numbers: dict[Shape, int] = {}
        all_: list[list[Any]] = []
        order: list[int] = []
        for shape, found in runs:
            number = numbers.setdefault(shape, len(all_))
            if number == len(all_):
                all_.append([])
            all_[number] += found
            order += [number] * len(found)
        last = next((shape for shape, _ in reversed(runs) if shape.sets_epoch), None)
        rows = [self._rows(shape, all_[number]) for shape, number in numbers.items() if shape is not last]
        if last is not None:
            rows.insert(numbers[last], self._rows(last, all_[numbers[last]]))
        if rows:
            yield Lines(order, rows)

    def _all_alike(self, text: str) -> list[Any]:
        shape = self._shapes[0]
        last = text.rfind("\n", 0, len(text) - 1) + 1
        if not shape.match(text) or not shape.match(text, last):
            return []
        found = shape.pattern.findall(text)
        return found if len(found) == text.count("\n") else []

    def _some_alike(self, text: str, at: int, before: Shape | None) -> tuple[Shape | None, list[Any], int]:
        shape, match = None, None
        if before is not None:
            shape = before.next  # what came after it the last time
            match = shape.match(text, at)
        if match is None:
            for number, shape in enumerate(self._shapes):
                match = shape.match(text, at)
                if match is not None:
                    if number:
                        self._shapes.insert(0, self._shapes.pop(number))
                    break
            else:
                return None, [], at
        assert shape is not None
        if before is not None:
            before.next = shape
        found = []
        one = shape.pattern.groups == 1
        while match is not None:
            found.append(match[1] if one else match.groups())
            at = match.end()
            match = shape.match(text, at)
        return shape, found, at

    def _rows(self, shape: Shape, found: list[Any]) -> Rows:
        rows, self._parser.epoch = shape.rows(found, self._parser.epoch)
        return rows

    def _one(self, line: str) -> list[Found]:
        said = self._parser.line(line)
        self._slow += 1
        if self._learns and self._tried < _FREE + self._slow // _ONE_IN:
            self._tried += 1
            shape = learn(line, self._without_state)
            if shape is not None:
                self._shapes.insert(0, shape)
                del self._shapes[_MOST_SHAPES:]
        return said

    def _without_state(self, line: str) -> list[Found]:
        self._apart.epoch = None
        return self._apart.line(line)
