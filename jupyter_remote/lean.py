"""Python sources without what only readers and type checkers need; half of what would ship.

Docstrings, comments, wide indents, annotations of functions, imports for type checkers go; annotations of a
class stay, because records are made of them. The lines keep their numbers, so that a traceback from a host
fits the sources here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TypeGuard

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
# Strings first, so that what looks like a comment or an indent inside one stays. The tokenizer of the library
# says the same and takes 0.2 s, which a first contact would wait for.
_STRING = r"\"{3}(?:\\.|[^\\])*?\"{3}|'{3}(?:\\.|[^\\])*?'{3}|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'"
_PIECE = re.compile(rf"({_STRING})|[ ]*#[^\n]*|^(?:    )+", re.DOTALL | re.MULTILINE)
_COMMENT = re.compile(rf"({_STRING})|[ ]*#[^\n]*", re.DOTALL)
# What becomes of a module's docstring.
_LEAN = b'""\n'


def lean(source: bytes) -> bytes:
    """The same module, shorter; one that has been made shorter (a wheel has those) comes back as it is.

    Args:
        source: of a module in UTF-8, indented by four, with a docstring.

    Raises:
        SyntaxError: it is no Python.
    """
    if source.startswith(_LEAN):
        return source
    text = _PIECE.sub(_shorter, source.decode("utf-8"))
    tree = ast.parse(text)
    # The syntax tree counts columns in bytes.
    lines = text.encode("utf-8").split(b"\n")
    # The last ones first: what goes from a line must not move what is still to go from it.
    for row, start, end in sorted(_annotations(tree, lines), reverse=True):
        lines[row] = lines[row][:start] + lines[row][end:]
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            docstring = node.body[0]
            first, last = docstring.lineno, docstring.end_lineno or docstring.lineno
            lines[first - 1 : last] = [b" " * docstring.col_offset + b'""'] + [b""] * (last - first)
    for node in tree.body:
        if for_type_checkers(node):
            first, last = node.lineno, node.end_lineno or node.lineno
            lines[first - 1 : last] = [b""] * (last - first + 1)
    return b"\n".join(lines)


def without_comments(source: bytes) -> bytes:
    """The same module without comments; docstrings stay, and lines keep their numbers.

    Args:
        source: of a module in UTF-8.

    Raises:
        SyntaxError: it is no Python.
        ValueError: it would be another module.
    """
    shorter = _COMMENT.sub(lambda piece: piece[1] or "", source.decode("utf-8")).encode("utf-8")
    if ast.dump(ast.parse(shorter)) != ast.dump(ast.parse(source)):
        raise ValueError("without its comments it would be another module")
    return shorter


def for_type_checkers(node: ast.AST) -> TypeGuard[ast.If]:
    """Whether a node is `if TYPE_CHECKING:` at the beginning of a line, with nothing else to do."""
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
        and node.col_offset == 0
        and not node.orelse
    )


def _annotations(tree: ast.AST, lines: list[bytes]) -> Iterator[tuple[int, int, int]]:
    """Where functions have annotations that stand on one line: row, first and last column."""
    for node in ast.walk(tree):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        every = node.args
        for one in (*every.posonlyargs, *every.args, *every.kwonlyargs, every.vararg, every.kwarg):
            if one is not None and one.annotation is not None and one.lineno == one.annotation.end_lineno:
                yield (
                    one.lineno - 1,
                    one.col_offset + len(one.arg.encode()),
                    one.annotation.end_col_offset or 0,
                )
        told = node.returns
        if told is not None and told.lineno == told.end_lineno:
            arrow = lines[told.lineno - 1].rfind(b" ->", 0, told.col_offset)
            if arrow >= 0:
                yield told.lineno - 1, arrow, told.end_col_offset or 0


def _shorter(piece: re.Match[str]) -> str:
    if piece[1] is not None:
        return piece[1]
    return "" if "#" in piece[0] else " " * (len(piece[0]) // 4)
