"""`%%remote`, `%remote`, `%autoremote` and `%%local`: the entry from IPython, and nothing but the entry.

Loaded by `%load_ext`, so it imports nothing heavy; what the magics do is in `cell.py` and `commands/`.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from IPython.core.magic import Magics, cell_magic, line_cell_magic, magics_class

from .autoremote import LOCAL, AutoRemote
from .options import AUTOREMOTE, help_text


@magics_class
class RemoteMagics(Magics):
    """Line and cell magic of one name are one method.

    Args:
        shell: IPython's.
    """

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self.auto = AutoRemote(shell)

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

    @line_cell_magic
    def autoremote(self, line: str, cell: str | None = None) -> Any:
        assert self.shell is not None
        if cell is None:
            from .cell import switch

            return switch(self.auto, line)
        from .cell import run_marked

        return run_marked(self.shell, line, cell)

    @cell_magic
    def local(self, line: str, cell: str) -> None:
        """Run the cell here, also while `%autoremote` sends the others to a host."""
        assert self.shell is not None
        from .errors import RemoteError, UsageError

        if line.strip():
            raise UsageError(f"{LOCAL} takes no words: {line.strip()}")
        # While `%autoremote` is on, its transformer takes the line away and the cell is as any other. Here
        # the value and the error are shown by this:
        done = self.shell.run_cell(cell, store_history=False)  # type: ignore[no-untyped-call]
        if not done.success:
            raise RemoteError(f"{LOCAL}: failed, see above")

    remote.__doc__ = help_text()
    autoremote.__doc__ = f"{AUTOREMOTE.help}\n\n" + "\n".join(AUTOREMOTE.examples)
