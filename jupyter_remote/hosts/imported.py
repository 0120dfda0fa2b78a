"""What a reader of another tool's file returns, and what all readers share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Imported:
    """Entries of ours, made of another tool's.

    Attributes:
        hosts: values by dotted key, by name.
        archives: entries by name.
        lost: what can't be taken over, and why, one sentence each.
    """

    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)
    archives: dict[str, dict[str, Any]] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)


def mapping(value: object) -> Mapping[str, Any]:
    """The value when it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def number(value: object) -> object:
    """A whole number that was written as text."""
    return int(value) if isinstance(value, str) and value.strip().isdigit() else value


def filled(**values: Any) -> dict[str, Any]:
    """Those that say something; `__` in a name stands for a dot."""
    return {key.replace("__", "."): value for key, value in values.items() if value not in (None, "", [], {})}


def unknown(name: str, entry: Mapping[str, Any], known: Iterable[str]) -> list[str]:
    """A sentence about each key of an entry that nobody looked at."""
    left = [key for key in entry if key not in set(known)]
    return [f"{name}: `{key}` has no counterpart here" for key in left]
