"""One line that changes in place: a display in a kernel, the last line of a terminal. Not what it says."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from secrets import token_hex
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from .marks import About

_ERASE = "\r\x1b[K"

# Shows a line in place of the one before, "" to remove it.
Write = Callable[[str], None]


def live_line(*, kernel_only: bool = False, name: str = "line", about: About | None = None) -> Write | None:
    """A line where this process shows things; None where no line can be changed (a file, a pipe).

    Args:
        kernel_only: not in a terminal.
        name: what the ids of the displays begin with.
        about: what the display's metadata says of it, see `marks.py`.
    """
    if in_kernel():
        return _display(name, about)
    if kernel_only:
        return None
    stderr = sys.stderr
    return (lambda line: _overwrite(stderr, line)) if stderr.isatty() else None


def in_kernel() -> bool:
    """Whether this process is a notebook's kernel."""
    kernel = sys.modules.get("ipykernel.kernelapp")
    return kernel is not None and bool(kernel.IPKernelApp.initialized())


def _overwrite(stream: TextIO, line: str) -> None:
    # A line that wraps could not be erased.
    stream.write(_ERASE + line[: shutil.get_terminal_size().columns - 1])
    stream.flush()


def _display(name: str, about: About | None = None) -> Write:
    from IPython.display import publish_display_data

    identity = {"display_id": f"jupyter-remote/{name}-{token_hex(4)}"}
    shown = False

    def write(line: str) -> None:
        nonlocal shown
        if not shown:
            # Empty at first and at last: nothing to differ in a notebook that is executed again and compared.
            publish_display_data({}, about() if about else {}, transient=identity)  # type: ignore[no-untyped-call]
            shown = True
        data = {"text/plain": line} if line else {}
        said = about() if about else {}
        publish_display_data(data, said, transient=identity, update=True)  # type: ignore[no-untyped-call]

    return write
