"""The end of what a run prints, within a bound, and as HTML: bars that are printed over, colours. Pure."""

from __future__ import annotations

import re
from html import escape

from ..frames import newest_frames
from .looks import Html

LINES = 200
CHARACTERS = 1 << 15
_SGR = re.compile(r"\x1b\[([0-9;]*)m")
# Other escapes, and control characters that a page can't show.
_OTHER = re.compile(
    r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b.?|[\x00-\x08\x0b-\x1f\x7f]"
)
# The eight colours of a terminal, as far as the looks have them: black and white are the page's own.
_TONES = {1: "bad", 2: "good", 3: "warn", 4: "busy", 5: "busy", 6: "busy"}


class Tail:
    """The end of a text that grows without bound.

    Args:
        lines: that are kept, at most.
        characters: likewise.
    """

    def __init__(self, lines: int = LINES, characters: int = CHARACTERS) -> None:
        self._lines, self._characters = lines, characters
        self._pieces: list[str] = []
        self._size = 0
        self.cut = False

    def add(self, text: str) -> None:
        """Takes more text."""
        self._pieces.append(text)
        self._size += len(text)
        # Cutting for each short piece that comes would be slow, so it is done now and then.
        if self._size > 4 * self._characters or len(self._pieces) > 10_000:
            self._settle()

    def text(self) -> str:
        """What a terminal would show of it."""
        self._settle()
        return self._pieces[0]

    def _settle(self) -> None:
        raw = "".join(self._pieces)
        text = newest_frames(raw[-4 * self._characters :])
        short = text[-self._characters :]
        lines = short.splitlines(keepends=True)
        if len(short) < len(text) and len(lines) > 1:
            lines = lines[1:]  # the first is torn
        kept = "".join(lines[-self._lines :])
        self.cut = self.cut or len(kept) < len(text) or len(raw) > 4 * self._characters
        self._pieces, self._size = [kept], len(kept)


def log_html(text: str, title: str = "", *, cut: bool = False) -> Html:
    """Printed text as a box that stands at its end.

    Args:
        text: what was printed.
        title: above it.
        cut: whether there is more before it.
    """
    above = f'<div class="jr-small">{escape(title)}</div>' if title else ""
    more = '<span class="jr-small">…\n</span>' if cut else ""
    body = ansi_html(newest_frames(text)) or '<span class="jr-small">nothing printed yet</span>'
    return Html(f'{above}<div class="jr-log"><div>{more}{body}</div></div>')


def ansi_html(text: str) -> str:
    """Text with a terminal's colours as HTML; other escapes are left out."""
    pieces: list[str] = []
    tone, bold, at = "", False, 0

    def put(words: str) -> None:
        words = escape(_OTHER.sub("", words))
        if words and (tone or bold):
            style = ' style="font-weight: 600"' if bold else ""
            words = f'<span class="jr-{tone or "plain"}"{style}>{words}</span>'
        pieces.append(words)

    for match in _SGR.finditer(text):
        put(text[at : match.start()])
        at = match.end()
        tone, bold = _after(match[1], tone, bold)
    put(text[at:])
    return "".join(pieces)


def plain(text: str) -> str:
    """The same text without escapes."""
    return _OTHER.sub("", newest_frames(text))


def _after(codes: str, tone: str, bold: bool) -> tuple[str, bool]:
    numbers = [int(code or 0) for code in codes.split(";")]
    while numbers:
        number = numbers.pop(0)
        if number == 0:
            tone, bold = "", False
        elif number in (1, 22):
            bold = number == 1
        elif number == 39:
            tone = ""
        elif 30 <= number <= 37 or 90 <= number <= 97:
            tone = _TONES.get(number % 10, "")
        elif number in (38, 48) and numbers:
            # 5;N is one of 256 colours, the first 16 of which are those above; 2;R;G;B is any.
            kind = numbers.pop(0)
            parts, numbers = numbers[: 1 if kind == 5 else 3], numbers[1 if kind == 5 else 3 :]
            if number == 38 and kind == 5 and parts and parts[0] < 16:
                tone = _TONES.get(parts[0] % 8, "")
    return tone, bold
