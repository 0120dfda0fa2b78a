"""Facts about this host's load, memory and disks, as plain values. Those of its GPUs are in ``gpus``."""

from __future__ import annotations

import os
import shutil
import socket

from .gpus import look

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any


def host_status(state: str) -> dict[str, Any]:
    """A snapshot; sizes in bytes, load as in uptime(1), GPU use in percent."""
    return {
        "hostname": socket.gethostname(),
        "cpu_count": os.cpu_count(),
        **load(),
        "disk": {"home": disk(os.path.expanduser("~")), "state": disk(state), "tmp": disk("/tmp")},
        **look(),
    }


def load() -> dict[str, Any]:
    """What changes from moment to moment."""
    return {"load": [round(value, 2) for value in os.getloadavg()], "memory": _memory()}


def processor_time() -> tuple[int, int] | None:
    """How long the processors have worked since the start, and how long there was, in ticks of the system."""
    try:
        with open("/proc/stat", encoding="ascii") as file:
            user, nice, system, idle, waiting, *rest = map(int, file.readline().split()[1:9])
    except (OSError, ValueError):
        return None
    busy = user + nice + system + sum(rest)
    return busy, busy + idle + waiting


def gpu_facts() -> dict[str, Any]:
    """What doesn't change of the GPUs while the machine is up; and ``gpu_error`` when that can't be told."""
    keys = ("index", "uuid", "name", "memory_total", "driver")
    told = look(who=False)
    facts: dict[str, Any] = {"gpus": [{key: gpu[key] for key in keys} for gpu in told["gpus"]]}
    return dict(facts, gpu_error=told["gpu_error"]) if told["gpu_error"] else facts


def _memory() -> dict[str, int]:
    # proc(5); elsewhere only the total is known without help.
    values = {}
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                name, _, rest = line.partition(":")
                values[name] = int(rest.split()[0]) * 1024
    except OSError:
        return {"total": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")}
    return {"total": values["MemTotal"], "available": values.get("MemAvailable", values["MemFree"])}


def disk(path: str) -> dict[str, int]:
    """How large the file system of a folder is, and how much of it is free."""
    usage = shutil.disk_usage(path)
    return {"total": usage.total, "free": usage.free}
