"""Changing hosts.yaml: the text of one value is replaced, all else stays as the user wrote it.

How the text is edited is in `config_text`. Every result is parsed again and compared with what the
change means before it replaces the file, so a layout that can't be edited is an error and never a
broken file.
"""

from __future__ import annotations

import contextlib
import copy
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from .config import HOSTS_FILE, Config, config_dir, read
from .config_file import Document, complaints, dotted, parse
from .config_models import HostSettings, is_text
from .config_text import assign, cut, read_plain
from .errors import ConfigError, UnknownHost

_Path = tuple[str, ...]


def set_host(name: str, values: Mapping[str, Any], *, path: Path | None = None) -> None:
    """Set keys of a host's entry in hosts.yaml; the entry and the file are made when there are none.

    Args:
        name: the host.
        values: by dotted key. A string is what a user would type in the file (`"22"`, `"[data/]"`),
            anything else is taken as it is; None takes the key out.
        path: the file, by default the user's hosts.yaml.

    Raises:
        ConfigError: a key or a value is not valid, or the file is not; the file is as it was.
    """
    asked: dict[str, Any] = {}
    for key, value in values.items():
        asked[key] = _typed(split_key(key), value) if isinstance(value, str) else value

    def change(text: str, data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        for key, value in asked.items():
            full = ("hosts", name, *split_key(key))
            if value is None:
                text, data = without(text, data, full)
            else:
                text, data = put(text, data, full, value)
        if not asked:
            entry: Any = data.get("hosts", {}).get(name)
            if entry is None:
                text, data = put(text, data, ("hosts", name), {})
        return text, data

    for key, value in asked.items():
        nested: Any = value
        for part in reversed(split_key(key)):
            nested = {part: nested}
        if problems := complaints(
            HostSettings, nested if value is not None else _nested_none(split_key(key))
        ):
            raise ConfigError("\n".join(f"{dotted(where)}: {text}" for where, text in problems), host=name)
    rewrite(hosts_file(path), change)


def remove_host(name: str, *, path: Path | None = None) -> list[str]:
    """Take a host out of hosts.yaml, and out of the groups there that name it.

    A group that named a host which is gone would make the whole file an error, and leaving it out of
    the group is what the user would do next.

    Args:
        name: the host.
        path: the file, by default the user's hosts.yaml.

    Returns:
        The groups that named it.

    Raises:
        UnknownHost: hosts.yaml has no entry of that name.
        ConfigError: the file is not valid.
    """
    file = hosts_file(path)
    groups: list[str] = []

    def change(text: str, data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        if name not in data.get("hosts", {}):
            known = ", ".join(sorted(data.get("hosts", {}))) or "none"
            raise UnknownHost(f"{file} has no entry `{name}` under `hosts:`; it has: {known}")
        text, data = without(text, data, ("hosts", name))
        for group, members in list(data.get("groups", {}).items()):
            if name in members:
                groups.append(group)
                rest = [member for member in members if member != name]
                full = ("groups", group)
                text, data = put(text, data, full, rest)
        return text, data

    rewrite(file, change)
    return groups


def hosts_file(path: Path | None = None) -> Path:
    """The file that is changed: the user's hosts.yaml, or the one at `path`."""
    # A link (a dotfiles repository) stays a link: what it leads to is replaced.
    return (path or config_dir() / HOSTS_FILE).resolve()


def split_key(key: str) -> _Path:
    """The parts of a dotted key."""
    return tuple(key.split(".", 1)) if key.startswith("env.") else tuple(key.split("."))


def _typed(path: _Path, text: str) -> Any:
    if is_text(path) or "\n" in text:
        return text
    try:
        return read_plain(text)
    except yaml.YAMLError:
        raise ConfigError(
            f"{dotted(path)}: found `{text}`, which is no valid YAML; put it in quotes"
        ) from None


def _nested_none(path: _Path) -> dict[str, Any]:
    """For a key that is taken out, only its name is judged: a value that surely fits is its default."""
    model: Any = HostSettings().model_dump()
    for part in path:
        model = model.get(part) if isinstance(model, Mapping) else None
    nested: Any = model
    for part in reversed(path):
        nested = {part: nested}
    return nested if isinstance(nested, dict) and path[0] not in ("env", "facts") else {}


def rewrite(file: Path, change: Callable[[str, dict[str, Any]], tuple[str, dict[str, Any]]]) -> None:
    """Replace a file by what `change` makes of its text and data (`put`, `without`), if that is a valid one.

    Raises:
        ConfigError: it is not, or can't be made of this layout; the file is as it was.
    """
    exists = file.exists()
    before = file.read_bytes() if exists else b""
    document = read(file) if exists else Document(file)
    bom = b"\xef\xbb\xbf" if before.startswith(b"\xef\xbb\xbf") else b""
    raw = before[len(bom) :].decode("utf-8")
    newline = "\r\n" if "\r\n" in raw else "\n"
    text, wanted = change(raw.replace("\r\n", "\n"), copy.deepcopy(document.data))
    result = parse(text, file)
    if _filled(result.data) != _filled(wanted):
        raise ConfigError(f"{file}: this layout can't be edited from here; change the file by hand")
    Config((result,))
    file.parent.mkdir(parents=True, exist_ok=True)
    mode = file.stat().st_mode & 0o7777 if exists else 0o600
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(bom + text.replace("\n", newline).encode())
        Path(temporary).chmod(mode)
        if exists and file.read_bytes() != before:
            raise ConfigError(f"{file}: somebody else changed it just now; try again")
        Path(temporary).replace(file)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise


def _filled(data: Any) -> Any:
    """`data` without empty sections, which mean the same as none."""
    return {key: value for key, value in data.items() if value not in ({}, None)}


def _assigned(data: dict[str, Any], path: _Path, value: Any) -> dict[str, Any]:
    layer = data
    for part in path[:-1]:
        if not isinstance(layer.get(part), dict):
            layer[part] = {}
        layer = layer[part]
    layer[path[-1]] = value
    return data


def put(text: str, data: dict[str, Any], path: _Path, value: Any) -> tuple[str, dict[str, Any]]:
    """Text and data with the value at `path` set."""
    return assign(text, path, value), _assigned(data, path, value)


def without(text: str, data: dict[str, Any], path: _Path) -> tuple[str, dict[str, Any]]:
    """Text and data without what is at `path`."""
    layer: Any = data
    for part in path[:-1]:
        layer = layer.get(part, {}) if isinstance(layer, dict) else {}
    if path[-1] in layer:
        del layer[path[-1]]
        text = cut(text, path)
    return text, data
