"""Changing hosts.yaml: the text of one value is replaced, all else stays as the user wrote it.

The places to cut are the marks of YAML's own nodes. Every result is parsed again and compared with
what the change means before it replaces the file, so a layout that can't be edited is an error and
never a broken file.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from .config import HOSTS_FILE, Config, config_dir, read
from .config_file import Document, Loader, complaints, dotted, parse
from .config_models import HostSettings, is_text
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
        return _plain(text)
    except yaml.YAMLError:
        raise ConfigError(
            f"{dotted(path)}: found `{text}`, which is no valid YAML; put it in quotes"
        ) from None


def _plain(text: str) -> Any:
    loader = Loader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


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
    return _assign(text, path, value), _assigned(data, path, value)


def without(text: str, data: dict[str, Any], path: _Path) -> tuple[str, dict[str, Any]]:
    """Text and data without what is at `path`."""
    layer: Any = data
    for part in path[:-1]:
        layer = layer.get(part, {}) if isinstance(layer, dict) else {}
    if path[-1] in layer:
        del layer[path[-1]]
        text = _cut(text, path)
    return text, data


# Below: text and marks.


def _compose(text: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        # libyaml, which reads the files, takes a little more than the pure parser, whose marks are exact.
        raise ConfigError(
            f"this layout can't be edited from here; change the file by hand ({error})"
        ) from None


def _child(node: yaml.Node | None, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    for key_node, value in node.value if isinstance(node, yaml.MappingNode) else ():
        if key_node.value == key:
            return key_node, value
    return None


def _end(node: yaml.Node, text: str) -> int:
    """Where the text of a node ends; a block's own end mark is after the comments that follow it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last, text)
    start, end = node.start_mark.index, node.end_mark.index
    return start + len(text[start:end].rstrip())


def _is_empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.start_mark.index == node.end_mark.index


def _assign(text: str, path: _Path, value: Any) -> str:
    """`text` with the value at `path` set; keys that are missing on the way are made."""
    node, depth, key = _compose(text), 0, None
    in_flow = False
    while depth < len(path) and (pair := _child(node, path[depth])):
        in_flow |= isinstance(node, yaml.MappingNode) and bool(node.flow_style)
        key, node = pair
        depth += 1
    rest = path[depth:]
    if node is None or (depth == 0 and not isinstance(node, yaml.MappingNode)):
        head = text if not text or text.endswith("\n") else text + "\n"
        return head + _block(path, value, 0) + "\n"
    if not rest:
        return _replace(text, key, node, _flow(value))
    if isinstance(node, yaml.MappingNode) and node.flow_style:
        entry = _flow(_wrapped(rest, value))[1:-1]
        if node.value:
            at = _end(node.value[-1][1], text)
            return f"{text[:at]}, {entry}{text[at:]}"
        if key is not None and not in_flow and key.start_mark.line == node.start_mark.line:
            # `hosts: {}` was only a place to put this: write it as people do.
            head = text[: node.start_mark.index].rstrip() + text[node.end_mark.index :]
            at = _line_end(head, key.end_mark.index)
            return f"{head[:at]}\n{_block(rest, value, key.start_mark.column + 2)}{head[at:]}"
        return f"{text[: node.start_mark.index]}{{{entry}}}{text[node.end_mark.index :]}"
    if isinstance(node, yaml.MappingNode) and node.value:
        indent = node.value[0][0].start_mark.column
        at = _line_end(text, max(_end(v if not _is_empty(v) else k, text) for k, v in node.value))
        return f"{text[:at]}\n{_block(rest, value, indent)}{text[at:]}"
    # A key with nothing after it (`dgx01:`): its block begins on the next line.
    assert key is not None
    indent = key.start_mark.column + 2
    if _is_empty(node):
        at = _line_end(text, text.index(":", _end(key, text)) + 1)
        return f"{text[:at]}\n{_block(rest, value, indent)}{text[at:]}"
    return _replace(text, key, node, _flow(_wrapped(rest, value)))


def _replace(text: str, key: yaml.Node | None, node: yaml.Node, new: str) -> str:
    start, end = node.start_mark.index, _end(node, text)
    if key is None:
        return new
    if _is_empty(node):
        start = end = text.index(":", _end(key, text)) + 1
    elif node.start_mark.line != key.end_mark.line:
        start = text.index(":", _end(key, text)) + 1
    gap = "" if text[start - 1 : start] == " " else " "
    return f"{text[:start]}{gap}{new}{text[end:]}"


def _cut(text: str, path: _Path) -> str:
    """`text` without the entry at `path`."""
    node = _compose(text)
    for part in path[:-1]:
        pair = _child(node, part)
        node = pair[1] if pair else None
    pair = _child(node, path[-1])
    if pair is None or not isinstance(node, yaml.MappingNode):
        return text
    key, value = pair
    start = key.start_mark.index
    end = text.index(":", _end(key, text)) + 1 if _is_empty(value) else _end(value, text)
    if node.flow_style:
        after = re.match(r"\s*,\s*", text[end:])
        if after:
            return text[:start] + text[end + after.end() :]
        before = re.search(r",\s*$", text[:start])
        return text[: before.start() if before else start] + text[end:]
    if len(node.value) == 1 and len(path) > 1:
        # The last entry leaves `hosts: {}` behind: a bare `hosts:` would do, but reads like a mistake.
        parent = _key_end(text, path[:-1])
        text = text[:parent] + " {}" + text[parent:]
        start, end = start + 3, end + 3
    line_start = text.rfind("\n", 0, start) + 1
    return text[:line_start] + text[_line_end(text, end) + 1 :]


def _key_end(text: str, path: _Path) -> int:
    """Just after the colon of the key at `path`."""
    node, key = _compose(text), None
    for part in path:
        if pair := _child(node, part):
            key, node = pair
    assert key is not None
    return text.index(":", _end(key, text)) + 1


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _wrapped(path: _Path, value: Any) -> Any:
    for part in reversed(path):
        value = {part: value}
    return value


def _block(path: _Path, value: Any, indent: int) -> str:
    """`path` as nested block mappings down to `value`."""
    lines = [f"{' ' * (indent + 2 * depth)}{_flow(part)}:" for depth, part in enumerate(path)]
    if isinstance(value, str) and "\n" in value and _fits_literal(value):
        pad = " " * (indent + 2 * len(path))
        chomp = "" if value.endswith("\n") else "-"
        body = [pad + line if line else "" for line in value.removesuffix("\n").split("\n")]
        return "\n".join([*lines[:-1], f"{lines[-1]} |{chomp}", *body])
    return "\n".join([*lines[:-1], f"{lines[-1]} {_flow(value)}"])


def _fits_literal(value: str) -> bool:
    text = value.removesuffix("\n")
    # A literal of blank lines only would be read as nothing.
    return bool(text) and text == text.strip("\n ") and all(ch.isprintable() or ch in "\n\t" for ch in text)


def _flow(value: Any) -> str:
    """`value` on one line, as plain as YAML allows inside `{}` and `[]`."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_flow(str(key))}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    if isinstance(value, str):
        try:
            same = _plain(f"[{value}]") == [value] and _plain(f"{{{value}: 1}}") == {value: 1}
            same = same and _plain(f"x: {value}") == {"x": value}
        except yaml.YAMLError:
            same = False
        # Only what every YAML parser reads alike: they differ about a `?` or `:` between words.
        plain = same and re.fullmatch(r"[\w./~+=*-]([\w./~+=* -]*[\w./~+=*-])?", value, re.ASCII)
        return value if plain else json.dumps(value, ensure_ascii=False)
    return json.dumps(value)
