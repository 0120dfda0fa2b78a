"""What an interpreter tells of itself: what a run used, and which packages there are.

Counters are read, and the names of folders, which takes a millisecond (`importlib.metadata` takes a hundred).
"""

from __future__ import annotations

import os
import resource
import sys

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any

# ru_maxrss is in KiB, except on macOS.
_UNIT = 1 if sys.platform == "darwin" else 1024


def of_program(usage: resource.struct_rusage) -> dict[str, Any]:
    """What a process used that has ended, with those of its children that it waited for.

    Args:
        usage: the system's figures.
    """
    return {
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 6),
        "peak_memory": usage.ru_maxrss * _UNIT,
    }


def seconds() -> float:
    """Processor time of this process and its ended children up to now."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def of_cell(before: float) -> dict[str, Any]:
    """What a cell used in this process since :func:`seconds` said ``before``; peaks are since its start."""
    used = {
        "cpu_seconds": round(seconds() - before, 6),
        "peak_memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT,
    }
    gpu = _gpu_memory()
    if gpu is not None:
        used["gpu_memory"] = gpu
    return used


def _gpu_memory() -> int | None:
    # Only what is there already is asked, and only by reading counters: nothing is imported or initialised.
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    try:
        if cuda is None or not cuda.is_initialized():
            return None
        return sum(int(cuda.max_memory_allocated(index)) for index in range(cuda.device_count()))
    except Exception:
        return None


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
