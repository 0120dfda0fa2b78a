"""Whoever reads `help()` of the public API learns what to give and what can go wrong."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

import pytest

import jupyter_remote

# IPython calls these two with its shell; their names say what they do.
HOOKS = {"load_ipython_extension", "unload_ipython_extension"}


def is_ours(value: object) -> bool:
    return getattr(value, "__module__", "").startswith("jupyter_remote")


def members(name: str, owner: type) -> Iterator[tuple[str, object]]:
    """Public methods and properties that the package itself defines, inherited ones once more."""
    for key, value in inspect.getmembers_static(owner):
        inner = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        inner = getattr(inner, "func", inner)  # a cached property
        if not key.startswith("_") and isinstance(inner, FunctionType) and is_ours(inner):
            yield f"{name}.{key}", value if isinstance(value, property) else inner


def public() -> Iterator[tuple[str, object]]:
    for name in jupyter_remote.__all__:
        value = getattr(jupyter_remote, name)
        found = {name: value}
        if isinstance(value, ModuleType):
            names = getattr(value, "__all__", None) or [key for key in vars(value) if not key.startswith("_")]
            found = {f"{name}.{key}": getattr(value, key) for key in names if is_ours(getattr(value, key))}
        for key, one in found.items():
            if inspect.isclass(one):
                yield from members(key, one)
            if callable(one):
                yield key, one


PUBLIC = dict(public())


def parameters(value: Any) -> set[str]:
    """What a caller gives; of a class, to make one."""
    if isinstance(value, property):
        return set()
    try:
        return {name.lstrip("*") for name in inspect.signature(value).parameters} - {"self", "cls"}
    except ValueError:
        return set()


def section(doc: str, title: str) -> str:
    """The lines of `Args:` or another part."""
    found = re.search(rf"^(?:{title}):\n((?:[ ]+.*(?:\n|$)|\n)+)", doc, re.MULTILINE)
    return found[1] if found else ""


def raised(value: Any) -> set[str]:
    """The errors that its own lines raise, by name."""
    function = value.fget if isinstance(value, property) else value
    if not isinstance(function, FunctionType):
        return set()
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    calls = [
        node.exc.func
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)
    ]
    return {call.id for call in calls if isinstance(call, ast.Name) and call.id.endswith("Error")}


def test_there_is_something_to_look_at() -> None:
    assert {"Remote.run_cell", "Run.wait", "connect", "errors.SyncError"} <= set(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_it_says_what_it_takes_and_raises(name: str) -> None:
    value = PUBLIC[name]
    doc = inspect.cleandoc(getattr(value, "__doc__", None) or "")
    assert doc.rstrip().endswith((".", ":", "`")) or "\n" in doc, f"{name} has no docstring"
    made_by_us = inspect.isclass(value) and issubclass(value, Exception)
    if name not in HOOKS and not made_by_us:
        told = " ".join(
            [
                *re.findall(r"^    ([^:\n]+):", section(doc, "Args|Attributes"), re.M),
                *re.findall(r"`[^`]+`", doc),
            ]
        )
        assert parameters(value) - set(re.findall(r"\w+", told)) == set(), (
            f"{name} does not say what these are"
        )
    assert raised(value) - set(re.findall(r"\w+", section(doc, "Raises"))) == set(), (
        f"{name} does not say that it raises"
    )
