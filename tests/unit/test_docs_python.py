"""The Python of the documents compiles, and what it uses of ours exists, keyword arguments included.

Types are followed as far as our annotations tell them; a name that nobody told us the type of is let be.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import pytest
from doc_pages import DOCS, each, spans
from IPython.core.inputtransformer2 import TransformerManager

import jupyter_remote
from jupyter_remote import Remote, Run
from jupyter_remote.campaigns.campaign import Campaign
from jupyter_remote.metrics import Metrics

# What the pages call things that they have made before.
CALLED = {
    "jupyter_remote": jupyter_remote,
    "jr": jupyter_remote,
    "remote": Remote,
    "run": Run,
    "run_a": Run,
    "run_b": Run,
    "campaign": Campaign,
    "Remote": Remote,
    "Run": Run,
    "Metrics": Metrics,
    "Campaign": Campaign,
}
# In which modules a class that an annotation names may be.
_HOMES = (
    "run",
    "remote",
    "metrics",
    "comparison",
    "forward",
    "samples",
    "campaigns.campaign",
    "artifacts",
    "reports",
)


class Unknown(Exception):
    """A name of ours that isn't there."""


class Reader(ast.NodeVisitor):
    """Goes through a block, remembers what names stand for, and complains of what isn't there."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = dict(CALLED)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.name.partition(".")[0] == "jupyter_remote":
                module = importlib.import_module(alias.name)
                self.names[alias.asname or "jupyter_remote"] = module if alias.asname else jupyter_remote
            else:
                self.names.pop(alias.asname or alias.name, None)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if (node.module or "").partition(".")[0] == "jupyter_remote":
            module = importlib.import_module(str(node.module))
            for alias in node.names:
                self.names[alias.asname or alias.name] = member(module, alias.name)

    def visit_Assign(self, node: ast.Assign) -> None:
        value = self.value(node.value)
        for target in node.targets:
            if isinstance(target, ast.Name):
                self.names[target.id] = value

    def visit_With(self, node: ast.With) -> None:
        for item in node.items:
            value = self.value(item.context_expr)
            if isinstance(item.optional_vars, ast.Name):
                self.names[item.optional_vars.id] = value
        for one in node.body:
            self.visit(one)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.value(node)

    def visit_Call(self, node: ast.Call) -> None:
        self.value(node)

    def value(self, node: ast.expr) -> Any:
        """The module, class or function behind an expression; of an instance its class; else None."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id)
        if isinstance(node, ast.Attribute):
            return self.attribute(node)
        if isinstance(node, ast.Call):
            called = self.value(node.func)
            for one in (*node.args, *(word.value for word in node.keywords)):
                self.visit(one)
            if called is None:
                return None
            accepts(called, node)
            return called if inspect.isclass(called) else returned(called)
        self.generic_visit(node)
        return None

    def attribute(self, node: ast.Attribute) -> Any:
        owner = self.value(node.value)
        if owner is None:
            return None
        found = member(owner, node.attr)
        getter = getattr(found, "fget", None) or getattr(found, "func", None)
        return returned(getter) if getter else found


def member(owner: Any, name: str) -> Any:
    """What `owner` has by that name.

    Raises:
        Unknown: it has none.
    """
    if isinstance(owner, ModuleType):
        try:
            return getattr(owner, name)
        except AttributeError:
            path = f"{owner.__name__}.{name}"
            if not hasattr(owner, "__path__") or find_spec(path) is None:
                raise Unknown(f"{owner.__name__} has no {name}") from None
            return importlib.import_module(path)
    if not inspect.isclass(owner) or not owner.__module__.startswith("jupyter_remote"):
        return None
    annotated = {key for base in owner.__mro__ for key in getattr(base, "__annotations__", {})}
    assigned = set(re.findall(r"self\.(\w+)\b[^=\n]*=", inspect.getsource(owner)))
    static = inspect.getattr_static(owner, name, None)
    if static is None and name not in annotated | assigned:
        raise Unknown(f"{owner.__name__} has no {name}")
    return static


def accepts(called: Any, node: ast.Call) -> None:
    """Whether it can be called with these arguments.

    Raises:
        Unknown: it takes no such argument.
    """
    try:
        parameters = inspect.signature(called).parameters
    except (TypeError, ValueError):
        return
    takes_all = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    for word in node.keywords:
        if word.arg and word.arg not in parameters and not takes_all:
            raise Unknown(f"{called.__qualname__} takes no {word.arg}=")


def returned(function: Any) -> Any:
    """The class of ours that it returns, by its annotation."""
    said = str(getattr(function, "__annotations__", {}).get("return", ""))
    for name in re.findall(r"\w+", said):
        for home in _HOMES:
            found = getattr(importlib.import_module(f"jupyter_remote.{home}"), name, None)
            if inspect.isclass(found) and found.__module__.startswith("jupyter_remote"):
                return found
    return None


def complaint(code: str) -> str | None:
    """What is wrong with it, or None."""
    lines = code.splitlines(keepends=True)
    if lines and lines[0].startswith("%%"):
        lines = lines[1:]
    try:
        tree = ast.parse(TransformerManager().transform_cell("".join(lines)))
        Reader().visit(tree)
    except (SyntaxError, Unknown, ImportError) as error:
        return str(error)
    return None


@pytest.mark.slow
def test_examples_are_python_and_what_they_use_exists() -> None:
    wrong = [f"{page}: {said}\n{block}" for page, block in each("python") if (said := complaint(block))]
    assert wrong == []


def test_what_sentences_name_of_the_library_exists() -> None:
    wrong = []
    ours = r"(jupyter_remote|jr|remote|run|campaign|Remote|Run|Metrics|Campaign)\.[a-z_]\w*"
    for page in DOCS:
        for span in spans(page):
            code = re.sub(r"\(…\)", "()", span)
            # A file of that name, several names.
            if not re.match(ours, code) or re.search(r"\.(py|yml|yaml|json|md|ipynb)$|_\*", code):
                continue
            if said := complaint(code):
                wrong.append(f"{page}: {span}: {said}")
    assert wrong == []


def test_what_is_wrong_is_seen() -> None:
    assert complaint("jupyter_remote.connect('a').run_cel('1')")
    assert complaint("run = jupyter_remote.connect('a').run_cell('1', detatch=True)")
    assert complaint("run.metrics.final()")
    assert complaint("from jupyter_remote import conect")
    assert complaint("print(run.exit_cod)")
    assert complaint("print(1")
    assert complaint("%%remote gpu1\nprint(1)\n!ls\n") is None
