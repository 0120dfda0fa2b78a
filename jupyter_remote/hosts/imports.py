"""Hosts of other tools' files: which tool wrote one, what of it becomes an entry here. Nothing is written.

A format is a module with `is_it` and `read`; the table below is all there is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ..config_file import Loader, complaints, dotted
from ..config_models import Archive, HostSettings
from ..errors import ConfigError, UsageError
from . import import_guild, import_kitt, import_qxub
from .imported import Imported

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_SECRET = re.compile(r"pass(word|wd|phrase)|secret|token|credential", re.IGNORECASE)


@dataclass(frozen=True)
class Format:
    """A tool's file.

    Attributes:
        title: in messages.
        is_it: whether this is one.
        read: what becomes of it; the folder it is in may hold more.
    """

    title: str
    is_it: Callable[[Mapping[str, Any]], bool]
    read: Callable[[Mapping[str, Any], Path], Imported]


FORMATS = {
    "kitt": Format("a hosts.yaml of KITT", import_kitt.is_it, import_kitt.read),
    "guild": Format("a config.yml of Guild", import_guild.is_it, import_guild.read),
    "qxub": Format("a config.yaml of qxub", import_qxub.is_it, import_qxub.read),
}


@dataclass
class Plan:
    """What an import would write.

    Attributes:
        title: which file it is.
        hosts: values by dotted key, by name.
        archives: entries by name.
        lost: what can't be taken over, and why, one sentence each.
    """

    title: str
    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)
    archives: dict[str, dict[str, Any]] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)


def plan(path: Path) -> Plan:
    """What the file says, as entries of ours.

    Raises:
        UsageError: there is no such file, or no tool that is known wrote it.
        ConfigError: it is no YAML.
    """
    data = _read(path)
    found = next((one for one in FORMATS.values() if one.is_it(data)), None)
    if found is None:
        titles = ", ".join(one.title for one in FORMATS.values())
        keys = ", ".join(f"`{key}`" for key in list(data)[:6]) or "nothing"
        raise UsageError(f"{path} has {keys} at its top; what can be imported: {titles}")
    secrets = [dotted(where) for where in _secrets(data)]
    imported = found.read(data, path.parent)
    made = Plan(found.title, lost=[*imported.lost])
    made.lost += [
        f"{key}: passwords and other secrets are never stored; you are asked when it connects"
        for key in secrets
    ]
    for name, values in imported.hosts.items():
        if not _NAME.fullmatch(name):
            made.lost.append(f"{name!r}: a host's name is made of letters, digits, `.`, `_` and `-`")
        elif problems := complaints(HostSettings, _nested(values)):
            made.lost += [f"{name}: {dotted(where)}: {text}" for where, text in problems]
        else:
            made.hosts[name] = values
    for name, entry in imported.archives.items():
        if problems := complaints(Archive, entry):
            made.lost += [f"{name}: {dotted(where)}: {text}" for where, text in problems]
        else:
            made.archives[name] = entry
    return made


def _read(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 (byte {error.start})") from None
    try:
        loader = Loader(text)
        try:
            data = loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        where = f":{mark.line + 1}" if (mark := getattr(error, "problem_mark", None)) else ""
        raise ConfigError(f"{path}{where}: is no YAML: {getattr(error, 'problem', None) or error}") from None
    if not isinstance(data, Mapping):
        raise UsageError(f"{path} holds no settings (`key: value`)")
    return data


def _secrets(data: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Where secrets stand; what they are is not looked at."""
    found: list[tuple[str | int, ...]] = []
    if isinstance(data, Mapping):
        for key, value in data.items():
            if _SECRET.search(str(key)) and value not in (None, "", {}):
                found.append((*at, str(key)))
            else:
                found += _secrets(value, (*at, str(key)))
    elif isinstance(data, list):
        for number, value in enumerate(data):
            found += _secrets(value, (*at, number))
    return found


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for key, value in values.items():
        layer = nested
        *parts, last = key.split(".")
        for part in parts:
            layer = layer.setdefault(part, {})
        layer[last] = value
    return nested
