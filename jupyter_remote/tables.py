"""Facts on stdout: a table for people, or one JSON document for programs. No command's words belong here."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

# A notebook's cell is wider than the 80 columns that rich assumes where it can't ask; a pipe has no width.
_KERNEL_WIDTH = 110
_PIPE_WIDTH = 10_000


def print_json(document: object) -> None:
    """Print one JSON document on stdout."""
    print(json.dumps(document, indent=2, ensure_ascii=False, default=str))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under their headings; long cells are folded in a narrow terminal, and never cut."""
    console = _console()
    if console.is_terminal:
        console.print(make_table(columns, rows))
    else:
        print(table_text(columns, rows))


def table_text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return the table as plain text."""
    console = _console()
    with console.capture() as captured:
        console.print(make_table(columns, rows))
    # The padding of the last column is of no use to a pipe.
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def table_width(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Return how many columns of a terminal the table takes when nothing is folded."""
    from rich.cells import cell_len

    widths = [cell_len(column) for column in columns]
    for row in rows:
        for number, cell in enumerate(row):
            lines = "" if cell is None else str(cell)
            widths[number] = max([widths[number], *(cell_len(line) for line in lines.splitlines())])
    return sum(widths) + 2 * (len(widths) - 1)


def terminal_width() -> int:
    """Return how many columns there are where this process shows tables."""
    return _console().width


def make_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Return the table, for a console of rich."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    return table


def _console() -> Console:
    from rich.console import Console

    # In a notebook rich would publish HTML of its own accord, and a kernel's stdout claims to be a terminal;
    # plain text keeps all fronts alike.
    kernel = "ipykernel.kernelapp" in sys.modules
    if sys.stdout.isatty() and not kernel:
        return Console(file=sys.stdout, force_jupyter=False, highlight=False)
    width = _KERNEL_WIDTH if kernel else _PIPE_WIDTH
    return Console(file=sys.stdout, force_jupyter=False, force_terminal=False, highlight=False, width=width)
