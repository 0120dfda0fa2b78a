"""What a run has used: processor time and peak memory. Only counters are read."""

from __future__ import annotations

import resource
import sys

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any

# ru_maxrss is in KiB, except on macOS.
_UNIT = 1 if sys.platform == "darwin" else 1024


def of_program(usage: resource.struct_rusage) -> dict[str, Any]:
    """What a process used that has ended, with those of its children that it waited for."""
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
