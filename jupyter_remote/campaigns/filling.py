"""`{name}` in the words of a step, and the combinations of a matrix. All pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from itertools import product
from typing import Any

from ..config_file import nearest

Params = dict[str, Any]

# `{{name}}` stands for itself with single braces; `${name}` is the shell's.
_PLACE = re.compile(r"\{\{([A-Za-z_]\w*)\}\}|(?<!\$)\{([A-Za-z_]\w*)\}", re.ASCII)
MOST = 10_000
LONGEST_FOLDER = 100


class FillError(ValueError):
    """A placeholder or a combination that means nothing; the text says why."""


def fill(text: str, values: Mapping[str, Any], *, strict: bool = True) -> str:
    """A text with the values in place.

    Args:
        text: with ``{name}``.
        values: by name.
        strict: an unknown name is an error; else it stays, because shells have braces of their own.

    Raises:
        FillError: there is no such value.
    """

    def put(match: re.Match[str]) -> str:
        if match[1] is not None:
            return f"{{{match[1]}}}" if strict or match[1] in values else match[0]
        if match[2] in values:
            return plain(values[match[2]])
        if not strict:
            return match[0]
        raise FillError(_unknown(match[2], values))

    return _PLACE.sub(put, text)


def fill_value(value: Any, values: Mapping[str, Any]) -> Any:
    """As :func:`fill` for anything; a text that is one placeholder becomes the value itself, with its type.

    Raises:
        FillError: there is no such value.
    """
    if isinstance(value, str):
        whole = _PLACE.fullmatch(value)
        if whole and whole[2] in values:
            return values[whole[2]]
        return fill(value, values)
    if isinstance(value, Mapping):
        return {fill(str(key), values): fill_value(one, values) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [fill_value(one, values) for one in value]
    return value


def plain(value: Any) -> str:
    """A value as a word of a command: `true`, `0.1`, `adam`; nothing for null."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def combinations(
    matrix: Mapping[str, Sequence[Any]], include: Sequence[Params], exclude: Sequence[Params]
) -> list[Params]:
    """Every combination of a matrix, without those excluded, and then those included; each once, in order.

    Raises:
        FillError: a list is empty, an entry fits nothing, nothing is left, or there are too many.
    """
    if not matrix and not include and not exclude:
        return [{}]
    count = 1
    for name, values in matrix.items():
        if not values:
            raise FillError(f"`{name}` has no values")
        count *= len(values)
    if count + len(include) > MOST:
        raise FillError(f"{count + len(include)} combinations are more than {MOST}")
    made = [dict(zip(matrix, values, strict=True)) for values in product(*matrix.values())] if matrix else []
    names = list(matrix or include[0] if include or matrix else ())
    for entry in exclude:
        if unknown := next((name for name in entry if name not in matrix), None):
            raise FillError(f"exclude: {_unknown(unknown, matrix)}")
        left = [one for one in made if not _fits(one, entry)]
        if len(left) == len(made):
            raise FillError(f"exclude: no combination has {words_of(entry)}")
        made = left
    for entry in include:
        if set(entry) != set(names):
            raise FillError(f"include: {words_of(entry)} has not exactly the parameters {', '.join(names)}")
        made.append({name: entry[name] for name in names})
    unique: list[Params] = []
    seen: set[str] = set()
    for one in made:
        # 1 and "1" are one word of a command, and would be one step's name.
        if words_of(one) not in seen:
            seen.add(words_of(one))
            unique.append(one)
    if not unique:
        raise FillError("no combination is left")
    return unique


def words_of(params: Mapping[str, Any]) -> str:
    """`lr=0.1,seed=3`."""
    return ",".join(f"{name}={plain(value)}" for name, value in params.items())


def folder_name(key: str) -> str:
    """A step's key as the name of a folder, another one for every key."""
    name = re.sub(r"[^A-Za-z0-9._=+-]+", "-", key).strip("-.") or "step"
    if len(name) <= LONGEST_FOLDER and re.sub(r"[\[,]", "-", key.removesuffix("]")) == name:
        return name
    # Something else than our own brackets was replaced.
    return f"{name[:LONGEST_FOLDER]}-{blake2b(key.encode(), digest_size=4).hexdigest()}"


def _fits(one: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    return all(plain(one[name]) == plain(value) for name, value in entry.items())


def _unknown(name: str, valid: Mapping[str, Any]) -> str:
    close = nearest(name, valid)
    guess = f"did you mean `{{{close[0]}}}`? " if close else ""
    listed = ", ".join(valid) or "none"
    braces = f"`{{{{{name}}}}}` stands for `{{{name}}}` itself"
    return f"there is no parameter `{name}`; {guess}Valid: {listed}. {braces}"
