"""What the documents tell the user to type is typed: read by the parser that reads what users type."""

from __future__ import annotations

import re
import shlex

from doc_pages import DOCS, blocks, spans

from jupyter_remote.errors import UsageError
from jupyter_remote.options import AUTOREMOTE, CELL, LINE, walk
from jupyter_remote.parsing import build, invoke, parse, split_line

COMMANDS = {words: command for words, command in walk() if not command.subcommands}
PARSER = build(LINE, {words: lambda values, obj: None for words in COMMANDS})
# In tables and sentences a line may end where the reader knows how it goes on.
_ELLIPSIS = {"…", "..."}


def complaint(line: str) -> str | None:
    """What the program would say of this line, or None when it would do it."""
    name, _, rest = line.partition(" ")
    try:
        if name in ("%%remote", "%autoremote"):
            parse(CELL if name == "%%remote" else AUTOREMOTE, split_line(rest))
        else:
            invoke(PARSER, split_line(rest), name)
    except UsageError as error:
        return str(error)
    return None


def typed(block: str) -> list[str]:
    """The lines of a block of shell that are ours, as `%remote` would have them."""
    found = []
    for line in block.replace("\\\n", " ").splitlines():
        for part in re.split(r"\s(?:&&|\|\|?|>)\s", line):
            if re.match(r"\s*jupyter remote ", part):
                words = shlex.split(part, comments=True)
                found.append(shlex.join(["%remote", *words[2:]]))
    return found


def complaints(page: str, lines: list[str]) -> list[str]:
    return [f"{page}: {line}: {said}" for line in lines if (said := complaint(line))]


def test_lines_of_shell_are_understood() -> None:
    wrong = []
    for page in DOCS:
        wrong += complaints(page, [line for block in blocks(page, "sh") for line in typed(block)])
    assert wrong == []


def test_magic_lines_of_cells_are_understood() -> None:
    wrong = []
    for page in DOCS:
        wrong += complaints(page, magic_lines(page))
    assert wrong == []


def magic_lines(page: str) -> list[str]:
    """The lines of blocks that are `%remote` or `%%remote`, without what is said behind `#`."""
    found = [line for kind in ("python", "") for block in blocks(page, kind) for line in block.splitlines()]
    return [line.partition(" #")[0] for line in found if re.match(r"(%%?remote|%autoremote)\b", line)]


def test_commands_in_sentences_are_understood() -> None:
    """A bare command (`jupyter remote run`) is its name; with more words it is a line that must be right."""
    wrong = []
    for page in DOCS:
        for span in spans(page):
            line = re.sub(r"^jupyter remote\b", "%remote", span).partition(" #")[0]
            words = line.replace("…", " … ").split()
            if not words or words[0] not in ("%%remote", "%remote", "%autoremote") or len(words) == 1:
                continue
            # `ID…` is several of them, and a line that ends so is no whole line.
            said = complaint(" ".join(word for word in words if word not in _ELLIPSIS))
            if said and not ("needs " in said and tuple(words[1:]) in COMMANDS):
                wrong.append(f"{page}: {span}: {said}")
    assert wrong == []


def test_what_is_wrong_is_seen() -> None:
    assert complaint("%remote runs lisst") is not None
    assert complaint("%remote runs list --sinse 2d") is not None
    assert complaint("%remote runs list --since soon") is not None
    assert complaint("%remote pull gpu1 'results/**'") is None
    assert complaint("%%remote gpu1 --bash --fresh") is not None
    assert typed("jupyter remote run a -- x | tail -1 # b") == ["%remote run a -- x"]
