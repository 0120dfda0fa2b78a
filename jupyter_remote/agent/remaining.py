"""What is left of a run that was stopped: processes, and the GPU memory that ours hold. Ends nothing."""

from __future__ import annotations

import os

from .processes import family

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any

    from .child import Child

_MIB = 1 << 20


def left(marker: str, worker: Child | None) -> dict[str, Any]:
    """How many processes are left, without the session's own Python, and what all of ours hold of the GPUs.

    Args:
        marker: what the session's processes are known by.
        worker: its Python, which goes on when only its cell was stopped; None when there is none.

    Returns:
        ``processes``, and ``gpu_memory`` in bytes where ``nvidia-smi`` tells.
    """
    ours = family(os.getpid(), marker)
    own = worker.pid if worker is not None and worker.exit_code is None else None
    told = {"processes": sum(pid != own for pid in ours)}
    memory = _gpu_memory(set(ours)) if ours else None
    return told if memory is None else dict(told, gpu_memory=memory)


def _gpu_memory(pids: set[int]) -> int | None:
    import shutil  # 8 ms, and most runs are not stopped

    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    import subprocess

    query = [program, "--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=5, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if answer.returncode:
        return None
    held = 0
    for line in answer.stdout.splitlines():
        pid, _, used = (word.strip() for word in line.partition(","))
        if pid.isdigit() and int(pid) in pids and used.isdigit():
            held += int(used) * _MIB
    return held
