"""Python sources without what only readers need: docstrings and lines of comment, half of what would ship.

The lines keep their numbers, so that a traceback from a host fits the sources here.
"""

from __future__ import annotations

import ast

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def lean(source: bytes) -> bytes:
    """The same module, shorter.

    Args:
        source: of a module in UTF-8.

    Raises:
        SyntaxError: it is no Python.
    """
    lines = source.split(b"\n")
    docstrings = []
    # What looks like a comment inside a string of several lines is not one.
    in_strings: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            docstrings.append(node.body[0])
        elif isinstance(node, (ast.Constant, ast.JoinedStr)) and node.end_lineno != node.lineno:
            in_strings.update(range(node.lineno, (node.end_lineno or 0) + 1))
    for docstring in docstrings:
        first, last = docstring.lineno, docstring.end_lineno or docstring.lineno
        lines[first - 1 : last] = [b" " * docstring.col_offset + b'""'] + [b""] * (last - first)
        in_strings.difference_update(range(first, last + 1))
    return b"\n".join(
        b"" if number not in in_strings and line.lstrip().startswith(b"#") else line
        for number, line in enumerate(lines, 1)
    )
