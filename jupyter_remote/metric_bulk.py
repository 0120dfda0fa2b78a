"""What many lines of one source say: those of a shape that is known all at once, the others one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .metric_lines import Found, LineParser
from .metric_shapes import Rows, Shape, learn

_MOST_SHAPES = 12
# Learning a shape takes as long as parsing up to 60 lines: the first are free, then one line in so many may.
_FREE, _ONE_IN = 8, 211


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

    def read(self, text: str) -> Iterator[tuple[int, int, Rows | list[Found]]]:
        """What whole lines say.

        Args:
            text: each line of it ends with a line feed.

        Yields:
            The number of a line, from 0, how many they are, and what they say: rows, or of one line a list.
        """
        at, line = 0, 0
        if self._shapes and (all_ := self._all_alike(text)):
            yield 0, len(all_), self._rows(self._shapes[0], all_)
            return
        before: Shape | None = None
        while at < len(text):
            shape, found, at_next = self._some_alike(text, at, before)
            if shape is not None:
                yield line, len(found), self._rows(shape, found)
                line += len(found)
            else:
                at_next = text.index("\n", at) + 1
                yield line, 1, self._one(text[at : at_next - 1])
                line += 1
            before, at = shape, at_next

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
