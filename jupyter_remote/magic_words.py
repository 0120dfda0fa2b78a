"""What may stand at the cursor of a `%%remote` or `%remote` line: from the table of words, the configuration
and the local history. No host is asked, and what the words mean is `parsing.py`'s business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .option_types import Argument, Command, Option
from .options import CELL, LINE

_LINE = re.compile(r"\s*(%%?remote)\s+(.*)")
_HOSTS = ("host", "hosts")
_RUNS = ("run", "runs", "first", "second")
_NEWEST = 50


class Words(NamedTuple):
    """What may stand in place of `fragment`, the word before the cursor."""

    fragment: str
    words: list[str]


def complete(before: str) -> Words | None:
    """The words for a line up to the cursor; None when it is none of ours, or nothing is known.

    Args:
        before: the line up to the cursor.
    """
    found = _LINE.fullmatch(before)
    if found is None:
        return None
    magic, text = found.groups()
    given = text.split()
    fragment = "" if text[-1:].isspace() or not given else given.pop()
    command = CELL if magic == CELL.name else LINE
    while command.subcommands:
        child = next((one for one in command.subcommands if given and one.name == given[0]), None)
        if child is None:
            break
        command, given = child, given[1:]
    words = [word for word in _candidates(command, given, fragment) if word.startswith(fragment)]
    return Words(fragment, list(dict.fromkeys(words))) if words else None


def _candidates(command: Command, given: Sequence[str], fragment: str) -> Iterator[str]:
    if "--" in given:
        return
    taking = _option(command, given[-1]) if given else None
    if taking is not None and taking.kind != "flag":
        if taking.key == "host":
            yield from _hosts("", groups=False)
        return
    if any(option.kind == "rest" for word in given if (option := _option(command, word)) is not None):
        return  # the words of a script are its own
    if fragment.startswith("-"):
        yield from (one.flag for one in command.options if one.repeatable or one.flag not in given)
        return
    if command.subcommands and not given:
        yield from (one.name for one in command.subcommands)
        return
    argument = _argument(command, given)
    if argument is None:
        return
    if argument.key in _HOSTS:
        yield from _hosts(fragment, groups=argument.key == "hosts")
    elif argument.key in _RUNS:
        yield from _runs(fragment)


def _option(command: Command, word: str) -> Option | None:
    return next((one for one in command.options if one.flag == word), None)


def _argument(command: Command, given: Sequence[str]) -> Argument | None:
    """The argument that the next word is, by how many words are no options nor their values."""
    count, value = 0, False
    for word in given:
        option = _option(command, word)
        count += not value and option is None
        value = option is not None and option.kind != "flag"
    arguments = command.arguments
    if count < len(arguments):
        return arguments[count]
    return arguments[-1] if arguments and arguments[-1].many else None


def _hosts(fragment: str, *, groups: bool) -> Iterator[str]:
    from .call import configuration
    from .errors import ConfigError

    try:
        config = configuration()
    except ConfigError:
        return  # said when the line is run
    head = fragment[: fragment.rfind(",") + 1]  # of `a,b,c` the last one is being typed
    names = [*config.names(), *config.aliases()]
    names += [*(f"@{group}" for group in config.groups), *(() if head else ("any",))] if groups else []
    yield from (head + name for name in names)


def _runs(prefix: str) -> Iterator[str]:
    from .errors import HistoryError
    from .history import history_file
    from .history_store import Store

    if not history_file().exists():
        return
    try:
        yield from (row["id"] for row in Store(history_file()).with_prefix(prefix, _NEWEST))
    except HistoryError:
        return  # said when something is to be written
