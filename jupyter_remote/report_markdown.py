"""A report as Markdown (CommonMark with GitHub's tables): pictures are files beside it.

What a run printed may be anything: in a table or heading every character that means something to Markdown
or HTML is escaped, and a block of code has a longer fence than anything in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote

from .report_blocks import Block, Code, Facts, Heading, Picture, Table, Text

# What means something anywhere in a line (an underscore within a word does not), and at the start of one.
_SPECIAL = re.compile(r"[\\`*\[\]|~<>&$]|(?<!\w)_|_(?!\w)")
_AT_START = re.compile(r"^(\d*)([#+=.)-])(?=\s|#|$)")
_TICKS = re.compile(r"`+")


def render(blocks: Iterable[Block], files: Mapping[int, str]) -> str:
    """The document.

    Args:
        blocks: in order.
        files: where the pictures are, by number of their block; one that is not there is only named.
    """
    return "\n\n".join(_block(block, files.get(number)) for number, block in enumerate(blocks)) + "\n"


def _block(block: Block, file: str | None) -> str:
    match block:
        case Heading(level, text):
            return f"{'#' * level} {_text(text)}"
        case Text(text):
            return _text(text)
        case Facts(rows):
            return _table(("", ""), rows)
        case Table(columns, rows, strong):
            marked = tuple(
                tuple(
                    f"**{_text(cell)}**" if (r, c) in strong and cell else _text(cell)
                    for c, cell in enumerate(row)
                )
                for r, row in enumerate(rows)
            )
            return _table(columns, marked, ready=True)
        case Code(text, language, summary):
            code = _fenced(text, language)
            return (
                f"<details><summary>{_html(summary)}</summary>\n\n{code}\n\n</details>" if summary else code
            )
        case Picture(caption):
            shown = _text(caption)
            return f"![{shown}]({quote(file)})" if file else f"*(picture: {shown})*"


def _table(columns: tuple[str, ...], rows: tuple[tuple[str, ...], ...], *, ready: bool = False) -> str:
    lines = [f"| {' | '.join(map(_text, columns))} |", f"|{'---|' * len(columns)}"]
    lines += [f"| {' | '.join(row if ready else map(_text, row))} |" for row in rows]
    return "\n".join(lines)


def _fenced(text: str, language: str) -> str:
    longest = max((len(ticks) for ticks in _TICKS.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    shown = "".join(c if c in "\n\t" or c.isprintable() else "�" for c in text)
    return f"{fence}{language}\n{shown.rstrip()}\n{fence}"


def _text(text: str) -> str:
    """One line that means nothing but itself."""
    return _AT_START.sub(r"\1\\\2", _SPECIAL.sub(r"\\\g<0>", _one_line(text)))


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _html(text: str) -> str:
    from html import escape

    return escape(_one_line(text))
