"""Single values of options and arguments: from the typed word to what the commands get, by `Kind`."""

from __future__ import annotations

import keyword
import re
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from .durations import parse_duration
from .errors import UsageError
from .options import Kind

# What stands for an option of kind `wait` without a duration.
FOREVER = "forever"
_SESSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def convert(kind: Kind, text: str) -> object:
    """Return the value that `text` stands for.

    Raises:
        UsageError: it is no value of that kind; the message says what is.
    """
    return _KINDS[kind](text)


def written_to(path: str | Path, doing: str, suffixes: Sequence[str]) -> Path:
    """Where something is to be written whose form the file's name says; known before the work of making it.

    Args:
        path: as it was typed; `~` is the home.
        doing: what would be done with it: ``write to``.
        suffixes: those that mean a form.

    Raises:
        UsageError: the name ends otherwise.
    """
    to = Path(path).expanduser()
    if to.suffix.lower() not in suffixes:
        *first, last = suffixes
        raise UsageError(
            f"can't tell what to {doing} {to}: its name has to end in {', '.join(first)} or {last}"
        )
    return to


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise UsageError(f"{text!r} has no KEY=VALUE form")
    return key, value


def _assignment(text: str) -> tuple[str, str]:
    key, value = _pair(text)
    return _variable(key), value


def _variable(text: str) -> str:
    if not _VARIABLE.fullmatch(text):
        raise UsageError(f"{text!r} is not a variable's name (letters, digits and _)")
    return text


def _names(text: str) -> tuple[str, ...]:
    names = tuple(text.replace(",", " ").split())
    for name in names:
        if not name.isidentifier() or keyword.iskeyword(name):
            raise UsageError(f"{name!r} is not a variable's name; several are separated by commas")
    if not names:
        raise UsageError("no variable is named")
    return names


def _session(text: str) -> str:
    if not _SESSION.fullmatch(text):
        raise UsageError(f"{text!r} is not a session's name (letters, digits and . _ -, at most 64)")
    return text


def _text(text: str) -> str:
    return text


def _moment(text: str) -> float:
    try:
        # Without an offset it is meant as the clock here shows it.
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        pass
    try:
        return time.time() - parse_duration(text)
    except UsageError:
        raise UsageError(
            f"{text!r} is not a time; valid are 90m, 2d (so long ago), 2026-11-20 and 2026-11-20T14:30"
        ) from None


def _number(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise UsageError(f"{text!r} is not a number above 0")
    return int(text)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdecimal():
        raise UsageError(f"{text!r} is not a number of things: 0, 1, 2, …")
    return int(text)


def _size(text: str) -> int:
    from .config_types import parse_size  # pydantic is loaded with the configuration, not for a help text

    try:
        return parse_size(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is not {error}") from None


def _gpus(text: str) -> str:
    from .gpu_request import parse_gpus  # most calls ask for none

    parse_gpus(text)
    return text


def _wait(text: str) -> float:
    return float("inf") if text == FOREVER else parse_duration(text)


_KINDS: dict[Kind, Callable[[str], object]] = {
    "text": _text,
    "path": _text,
    "rest": _text,
    "hosts": _text,
    "session": _session,
    "pair": _pair,
    "assignment": _assignment,
    "variable": _variable,
    "names": _names,
    "duration": parse_duration,
    "moment": _moment,
    "number": _number,
    "count": _count,
    "size": _size,
    "gpus": _gpus,
    "wait": _wait,
}
