"""Pages that are made from the program itself, so that they can't be wrong: commands, settings, errors.

Written to docs/reference/ before Sphinx reads it; nothing there is kept by git but `api.md`.
"""

from __future__ import annotations

import ast
import inspect
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from jupyter_remote import errors
from jupyter_remote.config_models import Archive, HostSettings
from jupyter_remote.config_types import Section
from jupyter_remote.options import AUTOREMOTE, CELL, LINE, Command

ROOT = Path(__file__).parents[2]


def commands() -> str:
    """Every magic and command with its arguments, options and examples."""
    parts = [
        "# Commands and options\n",
        "`%remote WORD …` in a notebook and `jupyter remote WORD …` in a terminal take the same words. "
        "This page is made from the table that both read.\n",
    ]
    parts += [*_command(CELL, "%%remote", 2), *_command(AUTOREMOTE, "%autoremote", 2)]
    for command in LINE.subcommands:
        parts += _command(command, command.name, 2)
    return "\n".join(parts)


def _command(command: Command, words: str, level: int) -> Iterator[str]:
    yield f"{'#' * level} {words}\n"
    yield f"{_escaped(command.help)}\n"
    if command.subcommands:
        for one in command.subcommands:
            yield from _command(one, f"{words} {one.name}", min(level + 1, 4))
        return
    usage = " ".join([words, *(argument.usage for argument in command.arguments)])
    yield f"```text\n{usage}{' [OPTIONS]' if command.options else ''}\n```\n"
    for argument in command.arguments:
        yield f"`{argument.metavar}`\n: {_escaped(argument.help)}\n"
    for option in command.options:
        yield f"`{option.usage}`\n: {_escaped(option.help)}\n"
    if command.examples:
        yield "```text\n" + "\n".join(command.examples) + "\n```\n"


def settings() -> str:
    """Every key of hosts.yaml, with its kind, default and what it is for."""
    parts = [
        "# Keys of hosts.yaml\n",
        "`jupyter remote list` says where the file is. Keys under `defaults:` hold for every host, those "
        "under `hosts: NAME:` for one; `groups: NAME: [HOST, …]` names several. A workspace's "
        "`.jupyter-remote.yaml` overlays it, less what would run code on your machine.\n",
        "## A host: `hosts: NAME:` and `defaults:`\n",
        *_section(HostSettings, "", 3),
        "## An archive: `archives: NAME:`\n",
        *_section(Archive, "", 3),
    ]
    return "\n".join(parts)


def _section(model: type[Section], path: str, level: int) -> Iterator[str]:
    said = _comments(model)
    below, plain = [], []
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            below.append((name, field.annotation))
            continue
        if name not in said:
            plain.append(f"`{name}`")
            continue
        default = "" if field.is_required() else f"; default `{_shown(field.default, field)}`"
        yield f"`{path}{name}`\n: {_kind(field.annotation)}{default}. {_escaped(said[name])}\n"
    if plain:
        yield f"Further, each the scheduler's own option of that name: {', '.join(plain)}.\n"
    for name, section in below:
        yield f"{'#' * level} `{path}{name}:`\n"
        yield f"{_escaped(_first_line(section))}\n"
        yield from _section(section, f"{path}{name}.", level)


def _comments(model: type[Section]) -> dict[str, str]:
    """The comment above each field, or above the first of several that follow one another."""
    lines = inspect.getsource(model).splitlines()
    tree = ast.parse("\n".join(lines)).body[0]
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            above, number = [], node.lineno - 2
            while lines[number].lstrip().startswith("#"):
                above.append(lines[number].lstrip(" #"))
                number -= 1
            if above:
                found[node.target.id] = " ".join(reversed(above))
    return found


def _kind(annotation: Any) -> str:
    """An annotation in the user's words."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return "one of " + ", ".join(f"`{value}`" for value in args)
    if origin in (types.UnionType, typing.Union):
        return " or ".join(dict.fromkeys(_kind(one) for one in args if one is not type(None)))
    if origin is typing.Annotated:
        return _kind(args[0])
    if origin is tuple:
        return "a list"
    if origin is dict:
        return "a mapping"
    names = {str: "text", bool: "`true` or `false`", int: "a whole number", float: "a number or a duration"}
    return names.get(annotation, "a value")


def _shown(value: Any, field: Any) -> str:
    if value is None:
        return "not set"
    if field.default_factory is not None:
        return "{}"
    if isinstance(value, float):
        return f"{value:g}"
    return "[]" if value == () else str(value).lower() if isinstance(value, bool) else str(value) or '""'


def error_page() -> str:
    """The errors with their exit codes."""
    rows = ["# Errors and exit codes\n", "A run's own exit code is the command's (128 + n for a signal).\n"]
    rows += ["| code | error | what it means |", "|---|---|---|"]
    known = [
        one for one in vars(errors).values() if inspect.isclass(one) and issubclass(one, errors.RemoteError)
    ]
    for one in sorted(known, key=lambda each: (each.exit_code, each.__name__)):
        rows.append(f"| {one.exit_code} | `{one.__name__}` | {_escaped(_first_line(one))} |")
    rows.append("| 130 | | interrupted here |")
    return "\n".join(rows) + "\n"


def _first_line(what: Any) -> str:
    return (inspect.getdoc(what) or "").partition("\n\n")[0].replace("\n", " ")


def _escaped(text: str) -> str:
    return text.replace("<", "\\<").replace("``", "`").replace("|", "\\|")


def _outside(app: Sphinx, page: str, source: list[str]) -> None:
    """Links that lead out of docs/ become plain words of the path: the site does not have those files."""
    import re

    source[0] = re.sub(r"\[([^\]]+)\]\(\.\./([^)#]+)\)", r"\1 (`\2`)", source[0])


def _write(app: Sphinx) -> None:
    folder = Path(app.srcdir) / "reference"
    folder.mkdir(exist_ok=True)
    for name, text in (("commands", commands()), ("settings", settings()), ("errors", error_page())):
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls it."""
    app.connect("builder-inited", _write)
    app.connect("source-read", _outside)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
