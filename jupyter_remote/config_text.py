"""The text of a YAML file with one value set or one entry cut out, and everything else as it stands.

The places to cut are the marks of YAML's own nodes. Whether the result means what was wanted is looked at
by `config_edit`, which also writes it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import yaml

from .config_file import Loader
from .errors import ConfigError

_Path = tuple[str, ...]


def read_plain(text: str) -> Any:
    """What `text` is, read as the files are."""
    loader = Loader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


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


def assign(text: str, path: _Path, value: Any) -> str:
    """`text` with the value at `path` set; keys that are missing on the way are made.

    Args:
        text: of a YAML file.
        path: the keys that lead there.
        value: anything that YAML has.

    Raises:
        ConfigError: a layout that can't be edited.
    """
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


def cut(text: str, path: _Path) -> str:
    """`text` without the entry at `path`, as :func:`assign` takes them.

    Raises:
        ConfigError: a layout that can't be edited.
    """
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
            same = read_plain(f"[{value}]") == [value] and read_plain(f"{{{value}: 1}}") == {value: 1}
            same = same and read_plain(f"x: {value}") == {"x": value}
        except yaml.YAMLError:
            same = False
        # Only what every YAML parser reads alike: they differ about a `?` or `:` between words.
        plain = same and re.fullmatch(r"[\w./~+=*-]([\w./~+=* -]*[\w./~+=*-])?", value, re.ASCII)
        return value if plain else json.dumps(value, ensure_ascii=False)
    return json.dumps(value)
