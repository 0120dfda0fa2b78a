"""Functions, classes and modules as nodes (see `agent/variables.py`): by their name, or by their source.

What an importable module defines travels as a name, what a notebook defines as its text, decorators included.
A closure is refused, by the names it closes over: its text alone would be another function. How they are made
again is `agent/variables_code.py`'s business.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import sys
import textwrap
import types
from typing import TYPE_CHECKING, Any

from .agent.parcel import Refused

if TYPE_CHECKING:
    from .agent.variables import Packer


def pack_code(packer: Packer, value: Any) -> list[Any] | None:
    """The node of a function, class or module, None when it is none of these."""
    if isinstance(value, types.ModuleType):
        return ["code.module", value.__name__]
    inner = inspect.unwrap(value) if not isinstance(value, type) else value
    if not (isinstance(inner, (type, types.FunctionType, types.BuiltinFunctionType))):
        return None
    module, name = getattr(inner, "__module__", None), inner.__qualname__
    node = by_name(value) or by_name(inner)
    if node is not None or isinstance(inner, types.BuiltinFunctionType):
        return node
    if isinstance(inner, types.FunctionType) and inner.__code__.co_freevars:
        names = ", ".join(inner.__code__.co_freevars)
        raise Refused(f"{name} is a closure over {names}", "Make these arguments of the function.")
    if inner.__name__ == "<lambda>":
        raise Refused("a lambda has no source of its own", "Write it as a function with def.")
    if module and module != "__main__":
        raise Refused(f"{name} can't be imported from {module}", "Define it at the top of the module.")
    text = _class_source(inner) if isinstance(inner, type) else _function_source(inner)
    if text is None:
        raise Refused(f"the source of {name} can't be found", "Define it in a cell or in a module.")
    return ["code.source", inner.__name__, packer.node(text)]


def by_name(value: Any) -> list[Any] | None:
    """The node of what an importable module knows by its own name, None for anything else."""
    module = getattr(value, "__module__", None)
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    if not isinstance(module, str) or not isinstance(name, str) or module == "__main__":
        return None
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return ["code.name", module, name] if found is value else None


def _function_source(function: Any) -> str | None:
    try:
        return textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError, IndentationError):
        return None


def _class_source(wanted: type) -> str | None:
    """The text of a class of a notebook; its methods know their cell, else the newest of that name is it."""
    methods = [part for part in vars(wanted).values() if isinstance(part, types.FunctionType)]
    files = [part.__code__.co_filename for part in methods if part.__module__ == wanted.__module__]
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    for file in [*files, *reversed(list(linecache.cache)), *([main] if main else [])]:
        text = "".join(linecache.getlines(file))
        if f"class {wanted.__name__}" not in text:
            continue
        try:
            body = ast.parse(text).body
        except SyntaxError:  # a cell with a magic in it
            continue
        for part in reversed(body):
            if isinstance(part, ast.ClassDef) and part.name == wanted.__name__:
                first = min([part.lineno, *(decorator.lineno for decorator in part.decorator_list)])
                return "".join(text.splitlines(True)[first - 1 : part.end_lineno])
    return None
