"""Facts about this host's load, memory, disks and GPUs, as plain values."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any

GPU_FIELDS = (
    "index",
    "uuid",
    "name",
    "memory.total",
    "memory.used",
    "utilization.gpu",
    "temperature.gpu",
    "power.draw",
    "driver_version",
)
MIB = 1 << 20


def host_status(state: str) -> dict[str, Any]:
    """A snapshot; sizes in bytes, load as in uptime(1), GPU use in percent."""
    return {
        "hostname": socket.gethostname(),
        "cpu_count": os.cpu_count(),
        "load": [round(value, 2) for value in os.getloadavg()],
        "memory": _memory(),
        "disk": {"home": _disk(os.path.expanduser("~")), "state": _disk(state), "tmp": _disk("/tmp")},
        "gpus": _gpus(),
    }


def gpu_facts() -> dict[str, Any]:
    """What doesn't change of the GPUs while the machine is up."""
    keys = ("index", "uuid", "name", "memory_total", "driver")
    return {"gpus": [{key: gpu[key] for key in keys} for gpu in _gpus()]}


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


def _disk(path: str) -> dict[str, int]:
    usage = shutil.disk_usage(path)
    return {"total": usage.total, "free": usage.free}


def _number(text: str) -> float | None:
    # nvidia-smi writes [N/A] or [Not Supported] for what a card doesn't tell.
    try:
        return float(text)
    except ValueError:
        return None


def _gpus() -> list[dict[str, Any]]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    query = [program, f"--query-gpu={','.join(GPU_FIELDS)}", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=10, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return []
    gpus = []
    for line in answer.stdout.splitlines() if answer.returncode == 0 else []:
        row = [cell.strip() for cell in line.split(",")]
        if len(row) != len(GPU_FIELDS):
            continue
        total, used, use, celsius, watts = map(_number, row[3:8])
        gpus.append(
            {
                "index": int(row[0]),
                "uuid": row[1],
                "name": row[2],
                "memory_total": None if total is None else int(total) * MIB,
                "memory_used": None if used is None else int(used) * MIB,
                "utilization": use,
                "temperature": celsius,
                "power": watts,
                "driver": row[8],
            }
        )
    return gpus
