"""What a check of `doctor` comes to: a word, a sentence, a remedy. Which checks there are is in `checks`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from .facts import Facts

State = Literal["ok", "warning", "failed", "not applicable"]


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        state: `ok`, `warning` (works, but not as it should), `failed`, or `not applicable`.
        text: what is so.
        remedy: what to do about it; "" where nothing is to be done.
    """

    state: State
    text: str
    remedy: str = ""


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        name: what it is called in tables and documents.
        help: what it looks at.
        decide: the finding, from the facts alone.
        local: whether it can be decided without the host.
    """

    name: str
    help: str
    decide: Callable[[Facts], Finding]
    local: bool = False


def ok(text: str) -> Finding:
    """All is well."""
    return Finding("ok", text)


def warning(text: str, remedy: str) -> Finding:
    """It works, but not as it should.

    Args:
        remedy: what can be done.
    """
    return Finding("warning", text, remedy)


def failed(text: str, remedy: str) -> Finding:
    """It doesn't work.

    Args:
        remedy: what can be done.
    """
    return Finding("failed", text, remedy)


def not_applicable(text: str) -> Finding:
    """There is nothing to check."""
    return Finding("not applicable", text)
