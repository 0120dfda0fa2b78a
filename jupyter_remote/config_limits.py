"""What the file of a workspace may not say: it comes with a project, and nobody has to have read it.

What would let it run code on this machine is the user's own to say, in hosts.yaml. All else about layers is
in `config`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .config_file import Document, KeyPath, dotted

# What each of them would allow; a value that is empty allows nothing.
_WHY = {
    ("trust",): "let the host run code here",
    ("command",): "run a program here",
    ("plugin",): "tell a program of another package what to do here",
    ("ssh", "config_file"): "run programs here (ProxyCommand, Match exec)",
}
# Where a host leads: whose pickles are believed is not for a project to choose.
_LEADS = ("type", "hostname", "port", "ssh", "ec2")


def refused(document: Document) -> list[str]:
    """The problems of a workspace's file, each with its file, line and key."""
    problems = []
    for place, settings in _settings(document):
        for key, why in _WHY.items():
            if _value(settings, key):
                problems.append(_problem(document, (*place, *key), f"would {why}"))
        if settings.get("type") == "command":
            problems.append(_problem(document, (*place, "type"), "would run a program here"))
    return problems


def misled(document: Document, name: str, new: bool) -> list[str]:
    """The problems of a workspace's file with a host that is trusted: it says where that leads.

    Args:
        document: the workspace's file.
        name: of the host.
        new: whether the user's own file has no entry for it.
    """
    why = "would say whose pickles are read here (the host has `trust: pickle`)"
    found = []
    for place, settings in _settings(document):
        keys = [(*place, key) for key in _LEADS if settings.get(key)]
        if place == ("defaults",) or place == ("hosts", name):
            found += keys or ([place] if new and place[-1] == name else [])
    return [_problem(document, path, why) for path in found]


def _settings(document: Document) -> Iterator[tuple[KeyPath, Mapping[str, Any]]]:
    yield ("defaults",), document.data.get("defaults", {})
    for name, entry in document.data.get("hosts", {}).items():
        yield ("hosts", name), entry


def _value(settings: Mapping[str, Any], key: tuple[str, ...]) -> Any:
    value: Any = settings
    for part in key:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _problem(document: Document, path: KeyPath, why: str) -> str:
    return f"{document.where(path)}: {dotted(path)}: not in a workspace's file, because it {why}"
