"""What Python the worker is, and which packages it can import: looked up when no cell waits.

Names and versions are read off the names of folders, in a millisecond; `importlib.metadata` takes a hundred.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any


def look() -> tuple[Any, ...]:
    """Something that changes when a package is installed or removed."""
    marks = []
    for folder in sys.path:
        try:
            marks.append((folder, os.stat(folder).st_mtime_ns) if folder else None)
        except OSError:
            marks.append(None)
    return tuple(marks)


def survey() -> dict[str, Any]:
    """The facts."""
    packages: dict[str, str] = {}
    # The first folder of the path is the user's project, which may hold anything and is in the manifest.
    for folder in filter(None, sys.path):
        try:
            names = os.listdir(folder)
        except OSError:
            continue  # a zip, or not there
        for name in names:
            stem, suffix = os.path.splitext(name)
            if suffix in (".dist-info", ".egg-info"):
                package, _, version = stem.partition("-")
                # What is first on the path is what is imported.
                packages.setdefault(package.replace("_", "-").lower(), version.partition("-py")[0])
    return {
        "python": sys.version,
        "implementation": sys.implementation.name,
        "executable": sys.executable,
        "prefix": sys.prefix,
        "platform": " ".join((os.uname().sysname, os.uname().release, os.uname().machine)),
        "packages": packages,
    }
