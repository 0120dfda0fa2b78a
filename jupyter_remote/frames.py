"""What a terminal would still show of printed text: of a line that was printed over, the newest frame.

Pure: text in, shorter text out that ends in the same picture. How often it is shown is not decided here.
"""

from __future__ import annotations

import re

_MOVES = re.compile(r"\r(?!\n)|\x08|\x1b\[\d*A")
# A move, or a stretch of text between two of them.
_PARTS = re.compile(r"\r*\n|\r|\x08|\x1b\[(?P<up>\d*)A|[^\r\n\x08\x1b]+|\x1b")
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_ERASES = re.compile(r"\x1b\[[02]?K")


def newest_frames(text: str, before: str = "\n") -> str:
    """Return `text` without what it prints over itself.

    A line with carriage returns keeps its newest frame (and what a longer one left standing), a backspace
    takes the character before it, and lines that the cursor goes back up to (the nested bars of tqdm) are
    kept once. All moves out of `text` stay: what stood there may be printed over by it.

    Args:
        text: what was printed next.
        before: the last character that was printed before it.
    """
    if _MOVES.search(text) is None:
        return text
    rows = {0: _Line(fresh=before == "\n")}
    row = 0
    if before == "\r":
        rows[0].go_back()
    for part in _PARTS.finditer(text):
        piece, up = part[0], part["up"]
        if piece.endswith("\n"):
            row += 1
            rows.setdefault(row, _Line(fresh=True))
        elif up is not None:
            row -= int(up or 1)
            rows.setdefault(row, _Line(fresh=False))
        elif piece == "\r":
            rows[row].go_back()
        elif piece == "\x08":
            rows[row].rub_out()
        else:
            rows[row].frame += piece
    first, last = min(rows), max(rows)
    # A row that was only gone through has nothing to say, but those below hang on it.
    body = "\n".join(rows[number].text() if number in rows else "" for number in range(first, last + 1))
    shown = "\x1b[A" * -first + body + "\x1b[A" * (last - row)
    return shown[1:] if before == "\r" and shown.startswith("\r") else shown


class _Line:
    """One line while it is printed over.

    Args:
        fresh: it was empty before; otherwise nobody knows at which column its text begins.
    """

    def __init__(self, fresh: bool) -> None:
        self._went_back = fresh
        self._fresh = fresh
        self._lead = ""
        self._below = ""
        self.frame = ""

    def go_back(self) -> None:
        """The next text is printed over this line from its start."""
        if self._went_back:
            self._below = _over(self._below, self.frame)
        else:
            self._lead, self._went_back = self.frame, True
        self.frame = ""

    def rub_out(self) -> None:
        """Take the last character back, also one that was printed before."""
        taken = self.frame[-1:] not in ("", "\x08")
        self.frame = self.frame[:-1] if taken else self.frame + "\x08"

    def text(self) -> str:
        """What has to be printed for the same picture and the same end of it."""
        if not self._went_back:
            return self.frame
        back = "" if self._fresh else "\r"
        if not self.frame:
            # Back at the start with the newest frame still standing, as after `print(x, end="\r")`.
            return self._lead + back + self._below + ("\r" if self._below else "")
        if self._below and _width(self.frame) < _width(self._below) and not _ERASES.search(self.frame):
            # What is printed next goes on after the short frame, so the cursor has to stand there.
            return f"{self._lead}{back}{self._below}\r{self.frame}"
        return self._lead + back + self.frame


def _over(below: str, frame: str) -> str:
    """What stands on a line when `frame` is printed over `below`."""
    if not below or not frame:
        return frame or below
    if _ERASES.search(frame) or _width(frame) >= _width(below):
        return frame
    if "\x1b" in below or "\x1b" in frame:
        # Where colours begin and end can't be cut by columns: the one below shows through as it is.
        return f"{below.partition(chr(13))[0]}\r{frame}"
    return frame + below[len(frame) :]


def _width(text: str) -> int:
    longest = max(text.split("\r"), key=len)
    return len(_ESCAPES.sub("", longest)) if "\x1b" in longest else len(longest)
