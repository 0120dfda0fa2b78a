"""Facts on stdout: a table for people, or one JSON document for programs. No command's words belong here."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

# A notebook's cell is wider than the 80 columns that rich assumes where it can't ask; a pipe has no width.
_KERNEL_WIDTH = 110
_PIPE_WIDTH = 10_000


def print_json(document: object) -> None:
    """Print one JSON document on stdout."""
    print(json.dumps(document, indent=2, ensure_ascii=False, default=str))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under their headings; long cells are folded in a narrow terminal, and never cut."""
    table = Table(box=None, pad_edge=False, show_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    console = _console()
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as captured:
        console.print(table)
    # The padding of the last column is of no use to a pipe.
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))


def _console() -> Console:
    # In a notebook rich would publish HTML of its own accord; plain text keeps all fronts alike.
    if sys.stdout.isatty():
        return Console(file=sys.stdout, force_jupyter=False, highlight=False)
    width = _KERNEL_WIDTH if "ipykernel.kernelapp" in sys.modules else _PIPE_WIDTH
    return Console(file=sys.stdout, force_jupyter=False, highlight=False, width=width)
