"""The line that shows how far a sync or a pull has come, in a notebook and in a terminal.

It appears when one takes more than a second, and is gone afterwards. Counting is `sync/progress.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from .call import format_size
from .durations import format_duration
from .live_line import Write, live_line

if TYPE_CHECKING:
    from .sync.progress import Progress

_APPEARS_AFTER_S = 1.0
_WIDTH = 20


class ProgressBar:
    """Takes the `progress` of a sync or a pull; a context manager, at whose end the line disappears.

    Args:
        host: name of the host, for the line.
        write: shows a line in place of the one before, "" to remove it; None for where this process is: a
            display in a kernel, stderr in a terminal, nothing elsewhere.
        clock: seconds, never going back.
    """

    def __init__(
        self, host: str, write: Write | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._host = host
        self._write = write or live_line()
        self._clock = clock
        self._start: float | None = None
        self._visible = False

    def __call__(self, progress: Progress) -> None:
        now = self._clock()
        if self._start is None:
            self._start = now
        seconds = now - self._start
        if self._write is not None and seconds >= _APPEARS_AFTER_S:
            self._visible = True
            self._write(bar_line(self._host, progress, seconds))

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._visible and self._write is not None:
            self._write("")
        self._visible = False


def bar_line(host: str, progress: Progress, seconds: float) -> str:
    """Return progress as one line: share, bytes, files, rate and the time that is left.

    Args:
        host: its name.
        progress: the state now.
        seconds: since it began.
    """
    done, total, files, all_files = progress
    share = done / total if total else files / all_files if all_files else 1.0
    full = round(share * _WIDTH)
    words = [
        f"{format_size(done)} of {format_size(total)}",
        f"{files:,} of {all_files:,} files",
        f"{format_size(done / seconds if seconds else 0)}/s",
    ]
    if 0 < share < 1:
        words.append(f"{format_duration(seconds / share - seconds)} left")
    return f"{host} {'█' * full}{'░' * (_WIDTH - full)} {int(share * 100):3d} % · {' · '.join(words)}"
