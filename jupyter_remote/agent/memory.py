"""What the kernel tells of processes that it has killed for want of memory. Counters only; Linux only."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Iterator


def kills(root: str = "/") -> dict[str, int]:
    """How many processes the kernel has killed so far: ``group`` (this one's control group), ``host``.

    A counter that can't be read is not in the answer.

    Args:
        root: where ``proc`` and ``sys`` are.
    """
    found = {"host": _counter(os.path.join(root, "proc/vmstat"))}
    for path in _group_files(root):
        found["group"] = _counter(path)
        if found["group"] is not None:
            break
    return {name: number for name, number in found.items() if number is not None}


def killer(before: dict[str, int], after: dict[str, int]) -> str:
    """What is known about a SIGKILL between the two moments, for the user.

    Args:
        before, after: what :func:`kills` told at the two moments.
    """
    for name, words in (
        ("group", "out of memory: the kernel killed it"),
        ("host", "the host was out of memory"),
    ):
        if after.get(name, 0) > before.get(name, after.get(name, 0)):
            return words
    return "often: out of memory"


def _group_files(root: str) -> Iterator[str]:
    # cgroups(7): one line a hierarchy, "number:controllers:path". Version 2 is the one with number 0. In a
    # container the path may be the outer one; what is mounted is then its own group.
    try:
        with open(os.path.join(root, "proc/self/cgroup"), encoding="utf-8") as file:
            lines = [line.rstrip("\n").split(":", 2) for line in file]
    except OSError:
        return
    for number, controllers, path in filter(lambda line: len(line) == 3, lines):
        if "memory" in controllers.split(","):
            base, name = "sys/fs/cgroup/memory", "memory.oom_control"
        elif number == "0":
            base, name = "sys/fs/cgroup", "memory.events"
        else:
            continue
        yield os.path.join(root, base, path.lstrip("/"), name)
        yield os.path.join(root, base, name)


def _counter(path: str) -> int | None:
    try:
        with open(path, encoding="ascii") as file:
            words = [line.split() for line in file]
    except (OSError, ValueError):
        return None
    return next((int(line[1]) for line in words if len(line) == 2 and line[0] == "oom_kill"), None)
