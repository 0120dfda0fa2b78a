"""What a terminal would show of what a run prints, line by line, without the terminal.

Text goes in as it comes, lines come out that stand alone: what was printed over is gone, colours are repeated
at the beginning of each line, and no other escape sequence is left. Pure: no files, no clock.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# Lines that the cursor may go back to; a longer way up is more than a screen.
HEIGHT = 60
LONGEST = 4000
UNCHANGED = 1 << 62
_SPECIAL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_PARTS = re.compile(
    r"\x1b\[(?P<arguments>[0-9;:?]*)[ -/]*(?P<final>[@-~])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"
    r"|\x1b[P^_X][^\x1b]*\x1b\\|\x1b[^\[\]P^_X]|[\r\n\x08]|[^\x00-\x08\x0a-\x1f\x7f]+|[\x00-\x1f\x7f]"
)
# A sequence that may go on in the next piece.
_UNFINISHED = re.compile(
    r"\x1b(?:\[[0-9;:? -/]{0,64}|\][^\x07\x1b]{0,4096}\x1b?|[P^_X][^\x1b]{0,4096}\x1b?)?\Z"
)


class Line(NamedTuple):
    """One line that is settled.

    Args:
        text: with colours.
        stream: which one began it.
        wrapped: it goes on from the line before.
        display: the number of the display that stands here, -1 for none.
    """

    text: str
    stream: str
    wrapped: bool = False
    display: int = -1


class _Row:
    """A line that may still change: a character and a style a column."""

    __slots__ = ("cells", "display", "plain", "stream", "styles", "wrapped")

    def __init__(self, stream: str, wrapped: bool = False) -> None:
        self.plain = ""
        self.cells: list[str] | None = None
        self.styles: list[str] = []
        self.stream = stream
        self.wrapped = wrapped
        self.display = -1

    def open(self) -> list[str]:
        if self.cells is None:
            self.cells = list(self.plain)
            self.styles = [""] * len(self.cells)
            self.plain = ""
        return self.cells

    @property
    def width(self) -> int:
        return len(self.plain if self.cells is None else self.cells)

    def line(self) -> Line:
        return Line(self._text(), self.stream, self.wrapped, self.display)

    def _text(self) -> str:
        if self.cells is None:
            return self.plain
        parts: list[str] = []
        style = ""
        for cell, wanted in zip(self.cells, self.styles, strict=True):
            if wanted != style:
                parts.append(("\x1b[0m" if style else "") + wanted)
                style = wanted
            parts.append(cell)
        return "".join(parts) + ("\x1b[0m" if style else "")


class Screen:
    """The end of what was printed, which may still change.

    Attributes:
        rows: the lines that are not settled, the oldest first.
        settled: how many lines are.
        changed: the number of the first line that has changed; set to `UNCHANGED` by who reads it.
    """

    def __init__(self) -> None:
        self.rows: list[_Row] = []
        self.settled = 0
        self.changed = UNCHANGED
        self._row = 0
        self._column = 0
        self._style = _Style()
        self._rest = ""

    def feed(self, stream: str, text: str) -> list[Line]:
        """Takes what was printed; returns the lines that are settled with it."""
        text = self._rest + text
        self._rest = ""
        settled: list[Line] = []
        if _SPECIAL.search(text) is None and not self._style.code and self._row >= len(self.rows) - 1:
            self._plain(stream, text, settled)
        else:
            if (cut := _UNFINISHED.search(text)) is not None:
                text, self._rest = text[: cut.start()], cut[0]
            self._parts(stream, text, settled)
        return settled

    def mark(self, stream: str, text: str, display: int) -> list[Line]:
        """Takes a display, which has a line of its own."""
        settled = self.feed(stream, "\n") if self._column else []
        self._now(stream).display = display
        self._now(stream).stream = stream
        return settled + self.feed(stream, " ".join(text.splitlines()[:1])[:LONGEST] + "\n")

    def finish(self) -> list[Line]:
        """Nothing more comes: all lines are settled."""
        self._rest = ""
        lines = [row.line() for row in self.rows]
        while lines and lines[-1].text == "" and lines[-1].display < 0 and len(lines) == len(self.rows):
            lines.pop()
        self.settled += len(lines)
        self.rows, self._row, self._column = [], 0, 0
        return lines

    def _plain(self, stream: str, text: str, settled: list[Line]) -> None:
        """The usual case, in bulk: nothing but text and line ends."""
        first, *others = text.split("\n")
        self._write(self._now(stream), first, stream)
        if not others:
            return
        if len(others) > HEIGHT and max(map(len, others)) <= LONGEST:
            self.changed = min(self.changed, self.settled + len(self.rows))
            settled.extend([row.line() for row in self.rows])
            settled.extend([Line(one, stream) for one in others[:-HEIGHT]])
            self.settled += len(self.rows) + len(others) - HEIGHT
            self.rows, self._row, self._column = [_Row(stream)], 0, 0
            one, *others = others[-HEIGHT:]
            self._write(self.rows[0], one, stream)
        for one in others:
            self._line_end(stream)
            self._write(self._now(stream), one, stream)
        self._settle(settled)

    def _parts(self, stream: str, text: str, settled: list[Line]) -> None:
        for part in _PARTS.finditer(text):
            piece, final = part[0], part["final"]
            if piece == "\n":
                self._line_end(stream)
            elif piece == "\r":
                self._column = 0
            elif piece == "\x08":
                self._column = max(0, self._column - 1)
            elif final is not None:
                self._command(stream, final, part["arguments"])
            elif piece[0] >= " " or piece[0] == "\t":
                self._write(self._now(stream), piece, stream)
            if len(self.rows) > 2 * HEIGHT:
                self._settle(settled)
        self._settle(settled)

    def _command(self, stream: str, final: str, arguments: str) -> None:
        if final == "m":
            self._style.change(arguments)
            return
        count = int(arguments) if arguments.isdigit() else 1
        if final == "A":
            self._row = max(0, self._row - min(count, HEIGHT))
        elif final == "B":
            self._row = min(max(0, len(self.rows) - 1), self._row + min(count, HEIGHT))
        elif final == "C":
            self._column = min(self._column + count, LONGEST - 1)
        elif final == "D":
            self._column = max(0, self._column - count)
        elif final == "G":
            self._column = min(max(0, count - 1), LONGEST - 1)
        elif final == "K":
            self._erase(self._now(stream), arguments)
        elif final == "J" and arguments in ("", "0"):
            self._erase(self._now(stream), "")
            for row in self.rows[self._row + 1 :]:
                row.plain, row.cells, row.styles = "", None, []

    def _erase(self, row: _Row, arguments: str) -> None:
        cells = row.open()
        if arguments == "1":
            for column in range(min(self._column + 1, len(cells))):
                cells[column], row.styles[column] = " ", ""
        else:
            start = 0 if arguments == "2" else self._column
            del cells[start:], row.styles[start:]
        self._touch()

    def _now(self, stream: str) -> _Row:
        while self._row >= len(self.rows):
            self.rows.append(_Row(stream))
        return self.rows[self._row]

    def _line_end(self, stream: str) -> None:
        self._now(stream)
        self._touch()
        self._row += 1
        self._column = 0
        if self._row == len(self.rows):
            self.rows.append(_Row(stream))

    def _write(self, row: _Row, text: str, stream: str) -> None:
        if not text:
            return
        self._touch()
        if not row.width:
            row.stream = stream
        while self._column + len(text) > LONGEST and self._row == len(self.rows) - 1:
            room = LONGEST - self._column
            self._put(row, text[:room])
            text = text[room:]
            row = _Row(stream, wrapped=True)
            self.rows.append(row)
            self._row, self._column = self._row + 1, 0
        self._put(row, text[: LONGEST - self._column])

    def _put(self, row: _Row, text: str) -> None:
        if row.cells is None and self._column == len(row.plain) and not self._style.code:
            row.plain += text
            self._column += len(text)
            return
        cells, end = row.open(), self._column + len(text)
        if self._column > len(cells):
            row.styles += [""] * (self._column - len(cells))
            cells += [" "] * (self._column - len(cells))
        cells[self._column : end] = text
        row.styles[self._column : end] = [self._style.code] * len(text)
        self._column = end

    def _touch(self) -> None:
        self.changed = min(self.changed, self.settled + self._row)

    def _settle(self, settled: list[Line]) -> None:
        """Takes away what can't change any more."""
        over = min(len(self.rows) - HEIGHT, self._row)
        if over > 0:
            settled.extend([row.line() for row in self.rows[:over]])
            del self.rows[:over]
            self._row -= over
            self.settled += over


class _Style:
    """The colours in force, as the shortest sequence that sets them."""

    _OFF = {
        "22": ("1", "2"),
        "23": ("3",),
        "24": ("4",),
        "25": ("5",),
        "27": ("7",),
        "28": ("8",),
        "29": ("9",),
    }

    def __init__(self) -> None:
        self.code = ""
        self._set: dict[str, str] = {}

    def change(self, arguments: str) -> None:
        """Takes the arguments of one SGR sequence."""
        words = arguments.replace(":", ";").split(";")
        while words:
            word = words.pop(0).lstrip("0")
            if word == "":
                self._set.clear()
            elif word in ("38", "48"):
                count = {"5": 2, "2": 4}.get(words[0] if words else "", 0)
                if count and len(words) >= count and all(one.isdigit() for one in words[:count]):
                    self._set["fg" if word == "38" else "bg"] = ";".join([word, *words[:count]])
                del words[:count]
            elif word in self._OFF:
                for one in self._OFF[word]:
                    self._set.pop(one, None)
            elif word in ("39", "49"):
                self._set.pop("fg" if word == "39" else "bg", None)
            elif word in "123456789":
                self._set[word] = word
            elif word.isdigit() and (30 <= int(word) <= 37 or 90 <= int(word) <= 97):
                self._set["fg"] = word
            elif word.isdigit() and (40 <= int(word) <= 47 or 100 <= int(word) <= 107):
                self._set["bg"] = word
        self.code = f"\x1b[{';'.join(self._set.values())}m" if self._set else ""
