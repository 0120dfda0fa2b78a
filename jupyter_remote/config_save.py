"""Whole entries of hosts.yaml written at once, as `setup` and `import` do; single keys: `config_edit`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .config_edit import hosts_file, put, rewrite, split_key, without


def save_host(
    name: str,
    values: Mapping[str, Any],
    facts: Mapping[str, Any],
    group: str | None = None,
    *,
    path: Path | None = None,
) -> None:
    """Write what `setup` knows of a host; what else its entry has stays.

    Args:
        name: the host.
        values: by dotted key, each taken as it is.
        facts: all that stands under `facts` afterwards.
        group: one that the host shall be in.
        path: the file, by default the user's hosts.yaml.

    Raises:
        ConfigError: a value is not valid, or the file is not; the file is as it was.
    """

    def change(text: str, data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        entry = _at(data, "hosts", name)
        for key in [key for key in entry.get("facts") or {} if key not in facts]:
            text, data = without(text, data, ("hosts", name, "facts", key))
        text, data = _put_host(text, data, name, {**values, **{f"facts.{k}": v for k, v in facts.items()}})
        members = (data.get("groups") or {}).get(group) or []
        if group is not None and name not in members:
            text, data = put(text, data, ("groups", group), [*members, name])
        return text, data

    rewrite(hosts_file(path), change)


def save_entries(
    hosts: Mapping[str, Mapping[str, Any]],
    archives: Mapping[str, Mapping[str, Any]],
    *,
    path: Path | None = None,
) -> None:
    """Write new entries, in place of those of the same names.

    Args:
        hosts: values by dotted key, by host.
        archives: entries by name.
        path: the file, by default the user's hosts.yaml.

    Raises:
        ConfigError: a value is not valid, or the file is not; the file is as it was.
    """

    def change(text: str, data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        for kind, entries in (("hosts", hosts), ("archives", archives)):
            for name in entries:
                text, data = without(text, data, (kind, name))
        for name, values in hosts.items():
            text, data = _put_host(text, data, name, values)
        for name, entry in archives.items():
            for key, value in entry.items():
                text, data = put(text, data, ("archives", name, key), value)
        return text, data

    rewrite(hosts_file(path), change)


def _put_host(
    text: str, data: dict[str, Any], name: str, values: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    entry = _at(data, "hosts", name)
    if not values and not entry:
        return put(text, data, ("hosts", name), {})
    for key, value in values.items():
        where = split_key(key)
        before: Any = _at(data, "hosts", name)
        for part in where:
            before = before.get(part) if isinstance(before, Mapping) else None
        if before != value:  # as it was typed, where it says the same
            text, data = put(text, data, ("hosts", name, *where), value)
    return text, data


def _at(data: Mapping[str, Any], kind: str, name: str) -> Mapping[str, Any]:
    found = (data.get(kind) or {}).get(name)
    return found if isinstance(found, Mapping) else {}
