"""Making many small objects without the garbage collector looking at all of them, again and again."""

from __future__ import annotations

import gc
from contextlib import contextmanager

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Iterator


@contextmanager
def uncollected() -> Iterator[None]:
    """For objects that are in no circle, or are kept anyway: the collector would find nothing."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
