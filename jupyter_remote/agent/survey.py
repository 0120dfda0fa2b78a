"""What Python the worker is, and which packages it can import: found out between cells, in pieces.

Runs in the user's interpreter, after a cell and only as long as no other one waits.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, Iterator


def look() -> tuple[Any, ...]:
    """Something that changes when a package is installed or removed; costs a stat per folder."""
    marks = []
    for folder in sys.path:
        try:
            marks.append((folder, os.stat(folder).st_mtime_ns) if folder else None)
        except OSError:
            marks.append(None)
    return tuple(marks)


def survey() -> Iterator[dict[str, Any] | None]:
    """Yields None after each piece of the work, then the facts: ``python``, ``executable``, ``packages``."""
    import platform
    from importlib.metadata import distributions

    yield None
    packages: dict[str, str] = {}
    # A folder of the user's project may hold anything, and is in the manifest anyway.
    for found in distributions(path=[folder for folder in sys.path if folder]):
        try:
            name = found.metadata["Name"]
            if name:
                packages.setdefault(name, found.version)  # the first one on the path is what is imported
        except Exception:
            pass  # half a package
        yield None
    yield {
        "python": sys.version,
        "implementation": platform.python_implementation(),
        "executable": sys.executable,
        "prefix": sys.prefix,
        "platform": platform.platform(),
        "packages": packages,
    }
