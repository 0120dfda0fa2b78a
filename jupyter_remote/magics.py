"""`%%remote` and `%remote`: the entry from IPython, and nothing but the entry.

Loaded by `%load_ext`, so it imports nothing heavy; what the magics do is in `cell.py` and `commands/`.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from IPython.core.magic import Magics, line_cell_magic, magics_class

from .options import help_text


@magics_class
class RemoteMagics(Magics):
    """Both magics have one name, so they are one method."""

    @line_cell_magic
    def remote(self, line: str, cell: str | None = None) -> Any:
        assert self.shell is not None
        if cell is not None:
            from .cell import run_cell

            return run_cell(self.shell, line, cell)
        from .cell import show_run
        from .cli import dispatch
        from .errors import RemoteError
        from .parsing import split_line

        words = split_line(line)
        values: list[object] = []
        code = dispatch(words, "%remote", partial(show_run, self.shell, values))
        if code:
            # What failed stands in the output already; the cell must fail too, so that Run All stops.
            raise RemoteError(f"%remote {' '.join(words)}: failed, see above")
        return values[0] if values else None

    remote.__doc__ = help_text()
