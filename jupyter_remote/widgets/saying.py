"""What a command of `%remote` prints, told while it works, for a widget that shows it."""

from __future__ import annotations

import io
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import TextIO

from ..errors import RemoteError

_EVERY_S = 0.2


class _Growing(io.TextIOBase):
    """A file that tells what this thread writes to it, a few times a second.

    Args:
        told: hears it.
        others: where the other threads of the process write meanwhile.
    """

    def __init__(self, told: Callable[[str], None], others: TextIO) -> None:
        self.text = ""
        self._others = others
        self._mine = threading.get_ident()
        self._told = told
        self._last = 0.0

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if threading.get_ident() != self._mine:
            return self._others.write(text)
        self.text += text
        if time.monotonic() - self._last > _EVERY_S:
            self._last = time.monotonic()
            self._told(self.text)
        return len(text)


def said_by(words: Sequence[str], told: Callable[[str], None]) -> bool:
    """Run words of `%remote` in this thread; return whether it went well.

    Args:
        words: as they would be typed.
        told: hears all that it has said so far, and the error that ended it.
    """
    from ..cli import dispatch, show_run

    file = _Growing(told, sys.stderr)
    with redirect_stdout(file), redirect_stderr(file):
        try:
            code = dispatch(words, "%remote", show_run)
        except RemoteError as error:
            file.text += f"error: {error}"
            code = error.exit_code
        except KeyboardInterrupt:
            file.text += "interrupted"
            code = 130
    told(file.text)
    return code == 0
