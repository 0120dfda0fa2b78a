"""One configuration file: its text as plain data, the line of every key, and what is wrong with it.

Reading and judging a single file belongs here; how several files make one host is in `config`, and
changing a file is in `config_edit`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from .config_models import ConfigFile, section_at
from .config_types import Section
from .errors import ConfigError

# Without libyaml the pure parser does: the same language, a tenth of the speed.
_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

KeyPath = tuple[str | int, ...]

_SECRET = re.compile(r"pass(word|wd|phrase)|secret|token", re.IGNORECASE)
_HOST_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")

# What a reader of the message should have written, by the kind of pydantic's complaint.
_WANTED = (
    ("int_", "a whole number"),
    ("float_", "a number"),
    ("bool_", "true or false"),
    ("string_", "text"),
    ("tuple_", "a list"),
    ("dict_", "a mapping (`key: value`)"),
    ("model_", "a mapping (`key: value`)"),
    ("missing", "a value"),
)


class Loader(_BASE):  # type: ignore[misc]
    """Safe YAML in which a number stays what was typed.

    YAML 1.1 reads `02:00:00` as 7200, `0755` as 493, `3.10` as 3.1 and `2026-11-22` as a date; here
    each stays text, because a wall time, a mode and a version are no numbers.
    """


def _plain_float(loader: Any, node: yaml.ScalarNode) -> float | str:
    number = float(node.value)
    return number if repr(number) == node.value else node.value


_DROPPED = {f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "timestamp")}
Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in rules if tag not in _DROPPED]
    for first, rules in _BASE.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"^(?:0|-?[1-9][0-9]{0,17})$"), list("-0123456789")
)
Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^-?[0-9]+\.[0-9]+$"), list("-0123456789")
)
Loader.add_constructor("tag:yaml.org,2002:float", _plain_float)


@dataclass(frozen=True)
class Document:
    """A parsed file.

    `data` has only mappings, lists and scalars; `lines` gives the line (from 1) of every key and list item.
    """

    path: Path
    data: dict[str, Any] = field(default_factory=dict)
    lines: Mapping[KeyPath, int] = field(default_factory=dict)

    def where(self, path: Iterable[str | int]) -> str:
        """`FILE:LINE` of a key, or of the nearest key above it that the file has."""
        keys = tuple(path)
        while keys and keys not in self.lines:
            keys = keys[:-1]
        return f"{self.path}:{self.lines.get(keys, 1)}"


def dotted(path: Iterable[str | int]) -> str:
    """`hosts.dgx01.env_setup`, `groups.gpus[1]`."""
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else str(key)
    return text


def nearest(word: str, valid: Iterable[str]) -> list[str]:
    """The valid words that `word` may have been meant to be, best first."""
    return difflib.get_close_matches(word, list(valid), n=3, cutoff=0.6)


def unknown_key(key: str, valid: Iterable[str]) -> str:
    """What to say about a key that no model has."""
    if _SECRET.search(key):
        return "passwords and other secrets are never stored; use an ssh key, or be asked when it connects"
    words = sorted(valid)
    close = nearest(key, words)
    hint = f"did you mean `{close[0]}`? " if close else ""
    return f"unknown key; {hint}Valid: {', '.join(words)}"


def parse(text: str, path: Path) -> Document:
    """The document that `text` is; `path` is only named in messages.

    Raises:
        ConfigError: the text is no YAML, or not the YAML of a configuration; all problems, one per line.
    """
    data, lines, problems = read(text, path)
    document = Document(path, data if isinstance(data, dict) else {}, lines)
    if data is None or data == "":
        pass
    elif not isinstance(data, dict):
        problems.append(f"{path}:1: found {_found(data)}; valid is a mapping with {_listing(ConfigFile)}")
    else:
        problems += _invalid(document)
    if problems:
        raise ConfigError("\n".join(problems))
    return document


def read(text: str, path: Path) -> tuple[Any, dict[KeyPath, int], list[str]]:
    """The plain data that a text of YAML is, the line of every key, and the keys that are there twice.

    Raises:
        ConfigError: the text is no YAML.
    """
    try:
        loader = Loader(text)
        try:
            root = loader.get_single_node()
            reader = _Reader(loader, path)
            data = {} if root is None else reader.value(root, ())
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        # What is missing at the end is missed after the last line.
        line = min(mark.line + 1, len(text.splitlines()) or 1) if mark else 1
        what = " ".join(part for part in (error.context, error.problem) if part)
        raise ConfigError(f"{path}:{line}: this is no valid YAML: {what}") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"{path}:1: this is no valid YAML: {str(error).splitlines()[0]}") from None
    return data, reader.lines, list(reader.problems)


class _Reader:
    """Nodes to plain data, with the lines kept and repeated keys refused."""

    def __init__(self, loader: Any, path: Path) -> None:
        self.loader = loader
        self.path = path
        self.lines: dict[KeyPath, int] = {}
        self.problems: list[str] = []
        self._open: set[int] = set()

    def value(self, node: yaml.Node, path: KeyPath) -> Any:
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.ScalarNode):
            return self.loader.construct_object(node)
        if node.tag not in ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"):
            raise yaml.constructor.ConstructorError(
                None, None, f"the tag {node.tag} means nothing here", node.start_mark
            )
        if id(node) in self._open:
            raise yaml.constructor.ConstructorError(
                None, None, "an alias that contains itself", node.start_mark
            )
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.value(child, (*path, number)) for number, child in enumerate(node.value)]
            return self._mapping(node, path)
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: Any, path: KeyPath) -> dict[str, Any]:
        seen: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be one word", key.start_mark)
            line = key.start_mark.line + 1
            if key.value in seen and key.value != "<<":
                where = f"{self.path}:{line}: {dotted((*path, key.value))}"
                self.problems.append(f"{where}: the key is there twice, first in line {seen[key.value]}")
            seen[key.value] = line
        self.loader.flatten_mapping(node)
        for key, _ in node.value:
            self.lines[(*path, key.value)] = key.start_mark.line + 1
        # The text of a key counts, not its YAML type: a host may be called `1` or `on`.
        return {key.value: self.value(child, (*path, key.value)) for key, child in node.value}


def _invalid(document: Document) -> list[str]:
    data = {
        key: ({} if value is None and key in ConfigFile.model_fields else value)
        for key, value in document.data.items()
    }
    if isinstance(hosts := data.get("hosts"), dict):
        # `dgx01:` with nothing below is an entry that leaves everything to the defaults.
        data["hosts"] = {name: {} if entry is None else entry for name, entry in hosts.items()}
    document.data.clear()
    document.data.update(data)
    problems = [
        f"{document.where(path)}: {dotted(path)}: {message}" for path, message in complaints(ConfigFile, data)
    ]
    for section in ("hosts", "groups"):
        names = data.get(section)
        for name in names if isinstance(names, dict) else ():
            if not _HOST_NAME.fullmatch(name):
                where = f"{document.where((section, name))}: {section}.{name}"
                problems.append(f"{where}: a name has only letters, digits, `.`, `_` and `-`")
    return problems


def complaints(model: type[Section], data: Mapping[str, Any]) -> list[tuple[KeyPath, str]]:
    """What `model` has against `data`: the path of the key, and what was found and is valid."""
    try:
        model.model_validate(data)
    except ValidationError as error:
        found: dict[KeyPath, list[str]] = {}
        for item in error.errors(include_url=False, include_context=True):
            path = _data_path(item["loc"], data)
            found.setdefault(path, []).append(_complaint(model, path, dict(item)))
        # A key that takes several types has one complaint for each; together they say what is valid.
        return [(path, _together(texts)) for path, texts in found.items()]
    return []


def _data_path(loc: KeyPath, data: Any) -> KeyPath:
    """`loc` without pydantic's own marks for the branches of a union, which are no keys of the file."""
    path: KeyPath = ()
    for part in loc:
        known = isinstance(data, Mapping) and part in data
        listed = isinstance(data, (list, tuple)) and isinstance(part, int)
        if not (known or listed):
            missing = isinstance(data, Mapping) and isinstance(part, str) and part == loc[-1]
            return (*path, part) if missing else path
        path, data = (*path, part), data[part]
    return path


def _complaint(model: type[Section], path: KeyPath, item: dict[str, Any]) -> str:
    kind: str = item["type"]
    if kind == "extra_forbidden":
        section = section_at(model, path)
        return unknown_key(str(path[-1]), section.model_fields if section else ())
    context = item.get("ctx", {})
    if kind == "literal_error":
        wanted = str(context["expected"]).replace("'", "")
    elif kind == "value_error":
        wanted = str(context["error"])
    else:
        said = str(item["msg"]).removeprefix("Input should be ")
        wanted = next((text for start, text in _WANTED if kind.startswith(start)), f"a number {said}")
    return f"found {_found(item['input'])}; valid is {wanted}" if kind != "missing" else "this key is needed"


def _together(texts: list[str]) -> str:
    head, *rest = dict.fromkeys(texts)
    return head + "".join(f" or {text.partition('; valid is ')[2]}" for text in rest)


def _found(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"`{text if len(text) <= 40 else text[:39] + '…'}`"


def _listing(model: type[Section]) -> str:
    return ", ".join(f"`{name}`" for name in model.model_fields)
