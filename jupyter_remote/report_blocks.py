"""What a report is made of before it is Markdown or HTML: headings, facts, tables, code, pictures.

All texts are as they came, hostile ones too; whoever writes a format makes them harmless for it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Heading:
    """A heading; the report's own title has level 1."""

    level: int
    text: str


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Facts:
    """Names and values; those without a value are left out."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Table:
    """Rows under titles; `strong` cells, as (row, column), stand out."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    strong: frozenset[tuple[int, int]] = frozenset()


@dataclass(frozen=True)
class Code:
    """Text that is shown letter by letter; with a `summary` it is folded away under that."""

    text: str
    language: str = ""
    summary: str = ""


@dataclass(frozen=True)
class Picture:
    """A picture.

    Args:
        caption: in words; also for who can't see it.
        content: the bytes of a file.
        mime: what they are, one of `SUFFIXES`.
    """

    caption: str
    content: bytes
    mime: str = "image/png"

    @property
    def suffix(self) -> str:
        """The ending of a file's name."""
        return SUFFIXES[self.mime]


# What a browser shows as a picture, and runs no script of.
SUFFIXES = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "image/svg+xml": ".svg",
}

Block = Heading | Text | Facts | Table | Code | Picture
