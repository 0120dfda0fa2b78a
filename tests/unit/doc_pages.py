"""The documents as tests read them: pages, their blocks of code, and their code spans."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
# What a reader is told; the changelog tells what was, and is looked at less closely.
DOCS = ["README.md", *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md"))]
PAGES = [*DOCS, "CONTRIBUTING.md", "CHANGELOG.md"]

_BLOCK = re.compile(r"(?ms)^```([a-z]*)\n(.*?)^```$")


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of that language."""
    return [body for name, body in _BLOCK.findall(text(page)) if name == language]


def prose(page: str) -> str:
    """The page without its fenced blocks."""
    return _BLOCK.sub("", text(page))


def spans(page: str) -> list[str]:
    """What stands between backquotes, on one line each."""
    found = re.findall(r"(?<!`)`([^`]+)`(?!`)", prose(page))
    return [re.sub(r"\s*\n\s*", " ", span).replace("\\|", "|") for span in found]


def each(language: str) -> Iterator[tuple[str, str]]:
    """Page and block, for all blocks of that language."""
    for page in DOCS:
        for block in blocks(page, language):
            yield page, block
