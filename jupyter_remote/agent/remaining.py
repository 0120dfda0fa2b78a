"""What is left of a run that was stopped: processes, and the GPU memory that ours hold. Ends nothing."""

from __future__ import annotations

import os

from .processes import family

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any

    from .child import Child

# The supervisor waits meanwhile, with all that it does.
PATIENCE = 5.0
_MIB = 1 << 20


def left(marker: str, worker: Child | None, leased: bool = False) -> dict[str, Any]:
    """How many processes are left, without the session's own Python, and what all of ours hold of the GPUs.

    Args:
        marker: what the session's processes are known by.
        worker: its Python, which goes on when only its cell was stopped; None when there is none.
        leased: whether the session has GPUs of its own, so that nothing is worth saying too.

    Returns:
        ``processes``, and ``gpu_memory`` in bytes where ``nvidia-smi`` tells.
    """
    ours = family(os.getpid(), marker)
    own = worker.pid if worker is not None and worker.exit_code is None else None
    told = {"processes": sum(pid != own for pid in ours)}
    memory = _gpu_memory(set(ours)) if ours else 0 if leased else None
    return told if memory is None else dict(told, gpu_memory=memory)


def _gpu_memory(pids: set[int]) -> int | None:
    from .gpus import SmiError, ask, program  # 8 ms, and most runs are not stopped

    path = program("nvidia-smi")
    if path is None:
        return None
    query = [path, "--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits"]
    try:
        answer = ask(query, PATIENCE)
    except SmiError:
        return None
    held = 0
    for line in answer.splitlines():
        pid, _, used = (word.strip() for word in line.partition(","))
        if pid.isdigit() and int(pid) in pids and used.isdigit():
            held += int(used) * _MIB
    return held
