"""Python sources without what only readers need: docstrings, comments, wide indents; half of what would ship.

The lines keep their numbers, so that a traceback from a host fits the sources here.
"""

from __future__ import annotations

import ast
import re

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
# Strings first, so that what looks like a comment or an indent inside one stays. The tokenizer of the library
# says the same and takes 0.2 s, which a first contact would wait for.
_STRING = r"\"{3}(?:\\.|[^\\])*?\"{3}|'{3}(?:\\.|[^\\])*?'{3}|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'"
_PIECE = re.compile(rf"({_STRING})|[ ]*#[^\n]*|^(?:    )+", re.DOTALL | re.MULTILINE)


def lean(source: bytes) -> bytes:
    """The same module, shorter.

    Args:
        source: of a module in UTF-8, indented by four.

    Raises:
        SyntaxError: it is no Python.
    """
    text = _PIECE.sub(_shorter, source.decode("utf-8"))
    lines = text.split("\n")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            docstring = node.body[0]
            first, last = docstring.lineno, docstring.end_lineno or docstring.lineno
            lines[first - 1 : last] = [" " * docstring.col_offset + '""'] + [""] * (last - first)
    return "\n".join(lines).encode("utf-8")


def _shorter(piece: re.Match[str]) -> str:
    if piece[1] is not None:
        return piece[1]
    return "" if "#" in piece[0] else " " * (len(piece[0]) // 4)
