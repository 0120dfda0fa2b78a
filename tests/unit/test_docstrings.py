"""Whoever reads `help()` of the public API learns what to give, in which unit, and what can go wrong.

The rules are strict for what `jupyter_remote.__all__` leads to, and lighter for other public names of it.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

import jupyter_remote

PACKAGE = Path(jupyter_remote.__file__).parent

# IPython calls these two with its shell; their names say what they do.
HOOKS = {"load_ipython_extension", "unload_ipython_extension"}

# An argument called so is a time or a size, and a number of those means nothing without its unit.
MEASURES = (
    r"(?:^|_)(?:timeout|patience|wait|delay|every|interval|grace|idle|age|seconds|size|bytes|memory)(?:_|$)"
)
UNITS = r"\b(?:seconds?|minutes?|hours?|days?|bytes?|[KMG]iB|points|inches|pixels|lines|rows|characters)\b"


def is_ours(value: object) -> bool:
    return getattr(value, "__module__", "").startswith("jupyter_remote")


def members(name: str, owner: type) -> Iterator[tuple[str, object]]:
    """Public methods and properties that the package itself defines, inherited ones once more."""
    for key, value in inspect.getmembers_static(owner):
        inner = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        inner = getattr(inner, "func", inner)  # a cached property
        if not key.startswith("_") and isinstance(inner, FunctionType) and is_ours(inner):
            yield f"{name}.{key}", value if isinstance(value, property) else inner


def answers(value: object) -> Iterator[tuple[str, object]]:
    """The members of the class that a function answers with."""
    function = value.fget if isinstance(value, property) else value
    if isinstance(function, FunctionType):
        for word in re.findall(r"\w+", str(inspect.get_annotations(function).get("return", ""))):
            if inspect.isclass(one := answer_type(function, word)) and is_ours(one):
                yield from members(word, one)


def answer_type(function: FunctionType, name: str) -> object:
    """What an annotation means where it stands, imported for the type checker alone or not."""
    if name in vars(builtins) or name in function.__globals__:
        return function.__globals__.get(name)
    source = ast.parse(inspect.getsource(importlib.import_module(function.__module__)))
    for node in ast.walk(source):
        if isinstance(node, ast.ImportFrom) and name in [alias.name for alias in node.names]:
            module = "." * node.level + (node.module or "")
            package = function.__globals__["__package__"]
            return getattr(importlib.import_module(module, package), name, None)
    return None


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


def parameters(value: Any) -> dict[str, inspect.Parameter]:
    """What a caller gives; of a class, to make one."""
    if isinstance(value, property):
        return {}
    try:
        found = inspect.signature(value).parameters
    except ValueError:
        return {}
    return {name: found[name] for name in found if name not in ("self", "cls")}


def documented(value: object) -> str:
    """What `help()` says: of a method that fulfils a contract, the contract's words."""
    own = inspect.cleandoc(getattr(value, "__doc__", None) or "")
    return own if inspect.isclass(value) else own or inspect.getdoc(value) or ""


def section(doc: str, title: str) -> str:
    """The lines of `Args:` or another part."""
    found = re.search(rf"^(?:{title}):\n((?:[ ]+.*(?:\n|$)|\n)+)", doc, re.MULTILINE)
    return found[1] if found else ""


def entries(part: str) -> dict[str, str]:
    """What a part says of each name; `a, b:` stands for both."""
    pieces = re.split(r"^    (?=\S)", textwrap.indent(textwrap.dedent(part), "    "), flags=re.MULTILINE)
    told = {}
    for piece in pieces[1:]:
        names, _, text = piece.partition(":")
        told.update(dict.fromkeys(re.findall(r"\w+", names), text))
    return told


def raised(value: Any) -> set[str]:
    """The errors that its own lines raise, by name; not those of functions inside it."""
    function = value.fget if isinstance(value, property) else value
    if not isinstance(function, FunctionType):
        return set()
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    found, todo = set(), list(ast.iter_child_nodes(definition))
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            continue
        todo += ast.iter_child_nodes(node)
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            name = ast.unparse(node.exc.func).rpartition(".")[2]
            if name[0].isupper():  # another is a function that makes the error
                found.add(name)
    return found


def complaints(name: str, value: object) -> Iterator[str]:
    """What the strict rules have against one."""
    doc = documented(value)
    if not doc.rstrip().endswith((".", ":", "`")) and "\n" not in doc:
        yield f"{name} has no docstring"
    takes = parameters(value)
    made_by_us = inspect.isclass(value) and issubclass(value, Exception)
    if name not in HOOKS and not made_by_us:
        told = entries(section(doc, "Args|Attributes"))
        by_keyword = any(one.kind is one.KEYWORD_ONLY for one in takes.values())
        by_words = len(takes) < 2 and not by_keyword and not told
        unnamed = set(takes) - set(re.findall(r"\w+", doc) if by_words else told)
        if unnamed:
            yield f"{name} does not say what these are: {unnamed}"
        for one in takes:
            if re.search(MEASURES, one) and not re.search(UNITS, told.get(one, doc)):
                yield f"{name} does not say the unit of {one}"
    if missing := raised(value) - set(re.findall(r"\w+", section(doc, "Raises"))):
        yield f"{name} does not say that it raises {missing}"


def test_the_public_api_says_what_it_takes_and_raises() -> None:
    found = dict(public())
    found |= {name: one for value in list(found.values()) for name, one in answers(value)}
    assert {"Remote.run_cell", "Run.wait", "connect", "errors.SyncError", "Comparison.best"} <= set(found)
    wrong = [line for name, value in sorted(found.items()) for line in complaints(name, value)]
    assert not wrong, "\n".join(wrong)


Function = ast.FunctionDef | ast.AsyncFunctionDef
# What Tornado calls of a handler; which there are and what each does stands in rest-api.yml.
CALLED = {"initialize", "get", "post", "put", "patch", "delete"}


class Module:
    """The public names of a module by its source, since some run on hosts alone.

    Attributes:
        functions: public functions and methods by their names, the class before a dot.
        bases: by class, what it is made of.
        made: functions whose docstrings are assigned.
        silent: classes that have none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.relative_to(PACKAGE.parent).as_posix()
        self.functions: dict[str, Function] = {}
        self.bases: dict[str, list[str]] = {}
        self.made: set[str] = set()
        self.silent: list[str] = []
        self._visit(ast.parse(path.read_text(encoding="utf-8")), "")

    def _visit(self, node: ast.Module | ast.ClassDef, before: str) -> None:
        for one in node.body:
            if isinstance(one, ast.Assign) and (given := re.match(r"(\w+)\.__doc__ =", ast.unparse(one))):
                self.made.add(before + given[1])  # of the table of options
            if not isinstance(one, Function | ast.ClassDef) or one.name.startswith("_"):
                continue
            if isinstance(one, Function):
                self.functions[before + one.name] = one
            else:
                self.bases[one.name] = [ast.unparse(base).partition("[")[0] for base in one.bases]
                if not ast.get_docstring(one) and not one.name.endswith("Handler"):
                    self.silent.append(one.name)
                self._visit(one, f"{one.name}.")


@pytest.fixture(scope="module")
def modules() -> list[Module]:
    return [
        Module(path)
        for path in sorted(PACKAGE.rglob("*.py"))
        if not [part for part in path.relative_to(PACKAGE).parts if re.match("_(?!_init)", part)]
    ]


def test_every_public_name_has_a_docstring(modules: list[Module]) -> None:
    bases = {name: found for module in modules for name, found in module.bases.items()}
    told = {name for module in modules for name, one in module.functions.items() if ast.get_docstring(one)}

    def inherited(owner: str, name: str) -> bool:
        above = [base.rpartition(".")[2] for base in bases.get(owner, [])]
        return any(f"{base}.{name}" in told or inherited(base, name) for base in above)

    silent = []
    for module in modules:
        silent += [f"{module.path}: class {name}" for name in module.silent]
        for name, one in module.functions.items():
            owner, _, method = name.rpartition(".")
            known = name in told | module.made or inherited(owner, method) or overloaded(one)
            if not known and not (owner.endswith(("Handler", "NoSuchRoute")) and method in CALLED):
                silent.append(f"{module.path}: {name}")
    assert not silent, "\n".join(silent)


def overloaded(function: Function) -> bool:
    """Whether it is only one of several signatures, or the setter of a property that is described."""
    return any(re.search(r"overload$|\.setter$", ast.unparse(one)) for one in function.decorator_list)


def test_docstrings_name_arguments_that_there_are_and_the_unit_of_measures(modules: list[Module]) -> None:
    wrong = []
    for module in modules:
        for name, one in module.functions.items():
            doc = ast.get_docstring(one) or ""
            told = entries(section(doc, "Args"))
            takes = [*one.args.posonlyargs, *one.args.args, *one.args.kwonlyargs]
            more = [other.arg for other in (one.args.vararg, one.args.kwarg) if other]
            if stale := set(told) - {other.arg for other in takes} - set(more):
                wrong.append(f"{module.path}: {name} takes no {stale}")
            for other in takes:
                number = re.search("int|float", ast.unparse(other.annotation or ast.Constant("")))
                words = f"{doc} {other.arg}".replace("_", " ")
                if doc and number and re.search(MEASURES, other.arg) and not re.search(UNITS, words):
                    wrong.append(f"{module.path}: {name} does not say the unit of {other.arg}")
    assert not wrong, "\n".join(wrong)


# What an argument of these names is, is the same everywhere, or said by its type.
HOUSE = re.findall(
    r"\w+",
    """
    action address ahead answer argv base campaign_id cell code columns config config_file connection
    content data depth digest digests dry_run env error facts fd file files folder force found
    generation gpus host hosts id ids identity interval keep kind limit line lines link listener message
    method moment name names namespace node notebook now one options output path paths payload pid place
    plan points prefix process prompt python quiet read record report request root row rows run run_id
    run_ids runs said secret secrets seconds session sessions setting settings size source spec state
    states status stderr stream text timeout told url uuid value values who why words workspace write
    """,
)


def test_arguments_are_named_where_their_names_do_not_say_all(modules: list[Module]) -> None:
    """As a whole word of the docstring, or of the function's name, or as the type of the argument."""
    told = {name for module in modules for name, one in module.functions.items() if ast.get_docstring(one)}
    silent = []
    for module in modules:
        # Handlers and widgets are called by others than people; a contract's words hold for who fulfils it.
        if module.path.startswith(("jupyter_remote/server/", "jupyter_remote/widgets/")):
            continue
        for name, one in module.functions.items():
            doc = stems(f"{ast.get_docstring(one) or ''} {name}")
            taken = [*one.args.posonlyargs, *one.args.args, *one.args.kwonlyargs]
            for other in taken if name in told else []:
                if other.arg in ("self", "cls") or other.arg.startswith("_"):
                    continue
                kind = ast.unparse(other.annotation) if other.annotation else ""
                ours = kind[:1].isupper() or kind.startswith("m.")
                known = other.arg in HOUSE or ours or bool(stems(other.arg) & stems(kind))
                if not known and not stems(other.arg) <= doc:
                    silent.append(f"{module.path}: {name} does not say what {other.arg} is")
    assert not silent, "\n".join(silent)


def stems(text: str) -> set[str]:
    """Its words without their plural's end; of names too."""
    spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", text).replace("_", " ").lower()
    return {word.rstrip("s") for word in re.findall(r"[a-z]+", spaced)}
