"""Kinds that other packages bring: of transports, launchers, hosts and archives.

A package names them as entry points of the groups `jupyter_remote.transports`, `.launchers`, `.hosts` and
`.archives`. They only add: a name of ours stays ours. What is installed is looked at when a name is not one
of ours, and a package is imported when its kind is used, so that those who have none pay nothing. What each
group expects is in docs/plugins.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from .errors import ConfigError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

T = TypeVar("T")
_NOUNS = {
    "transports": "transport",
    "launchers": "launcher",
    "hosts": "kind of host",
    "archives": "kind of archive",
}


@cache
def installed(group: str) -> dict[str, EntryPoint]:
    """The kinds of that group that other packages bring, by name; none of them is imported."""
    from importlib.metadata import entry_points  # 10 ms, for those who name such a kind

    return {point.name: point for point in entry_points(group=f"jupyter_remote.{group}")}


class Kinds(Mapping[str, T]):
    """A registry: our own kinds, and behind them those of other packages.

    Args:
        group: the end of the entry points' group.
        ours: our own kinds by name.
    """

    def __init__(self, group: str, ours: Mapping[str, T]) -> None:
        self._group = group
        self._ours = ours

    def __getitem__(self, name: str) -> T:
        """The kind of that name.

        Raises:
            KeyError: there is none.
            ConfigError: the package that brings it can't be imported.
        """
        if name in self._ours:
            return self._ours[name]
        point = installed(self._group)[name]
        try:
            kind: T = point.load()
        except Exception as error:
            package = point.dist.name if point.dist else point.value
            raise ConfigError(
                f"the {_NOUNS[self._group]} `{name}` of the package {package} can't be loaded: "
                f"{type(error).__name__}: {error}",
                hint=f"Upgrade {package}, or uninstall it and use another kind.",
            ) from None
        return kind

    def __contains__(self, name: object) -> bool:
        return name in self._ours or name in installed(self._group)

    def __iter__(self) -> Iterator[str]:
        yield from self._ours
        yield from (name for name in installed(self._group) if name not in self._ours)

    def __len__(self) -> int:
        return sum(1 for _ in self)
