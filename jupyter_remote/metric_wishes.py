"""What a run's metrics are, beside the usual: told when it starts, and kept in its record."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .errors import UsageError

if TYPE_CHECKING:
    from .config_models import HostConfig


def wishes(host: HostConfig, patterns: Sequence[str] = (), files: Sequence[str] = ()) -> dict[str, Any]:
    """What the record says: ``metric_wishes`` with ``names``, ``regexes`` and ``files``; empty for none.

    Args:
        host: its settings say some, see `MetricOptions`.
        patterns: of names (``gflops*``), or a regular expression with groups ``(?P<value>…)`` and perhaps
            ``(?P<name>…)`` and ``(?P<step>…)``, or groups that are called as their metrics.
        files: as in a .gitignore.

    Raises:
        UsageError: one of them can't be used.
    """
    every = list(dict.fromkeys([*host.metrics.patterns, *patterns]))
    told = {
        "names": [pattern for pattern in every if "(?P<" not in pattern],
        "regexes": [_checked(pattern) for pattern in every if "(?P<" in pattern],
        "files": _checked_files(list(dict.fromkeys([*host.metrics.files, *files]))),
    }
    return {"metric_wishes": told} if any(told.values()) else {}


def _checked(pattern: str) -> str:
    try:
        groups = set(re.compile(pattern).groupindex) - {"step"}
        re.compile(pattern.encode())  # the host looks for it in bytes
    except (re.error, OverflowError) as error:
        raise UsageError(f"the pattern of metrics {pattern!r} can't be used: {error}") from None
    if groups == {"name"} or not groups:
        raise UsageError(
            f"the pattern of metrics {pattern!r} has no group for a value",
            hint="For example: 'took (?P<seconds>[\\d.]+) s', or '(?P<name>\\w+) is (?P<value>[\\d.]+)'.",
        )
    return pattern


def _checked_files(files: list[str]) -> list[str]:
    from .agent.patterns import Patterns

    try:
        Patterns(files)
    except ValueError as error:
        raise UsageError(str(error)) from None
    return files
