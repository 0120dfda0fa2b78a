"""GPUs in words: the rows of a table, and what a line says of those that a run uses. No host is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .agent.choosing import holder_words, process_words
from .call import format_size

Facts = Mapping[str, Any]

COLUMNS = ("HOST", "GPU", "NAME", "MEMORY FREE", "USE", "TEMP", "POWER", "WHO")


def gpu_rows(host: str, facts: Facts) -> Iterator[tuple[object, ...]]:
    """One row for each card and each instance of one, and one that says why some are missing."""
    sessions = {session.get("pid"): session["name"] for session in facts.get("sessions") or ()}
    for gpu in facts.get("gpus") or ():
        yield _row(host, str(gpu.get("index")), gpu, sessions, divided=bool(gpu.get("mig")))
        for part in gpu.get("mig") or ():
            yield _row(host, f"{gpu.get('index')}:{part.get('index')}", part, sessions)
    if facts.get("gpu_error"):
        yield (host, "", str(facts["gpu_error"]))


def _row(
    host: str, index: str, gpu: Facts, sessions: Mapping[Any, str], *, divided: bool = False
) -> tuple[object, ...]:
    return (
        host,
        index,
        gpu.get("name"),
        memory_words(gpu),
        _unit(gpu.get("utilization"), "%"),
        _unit(gpu.get("temperature"), "°C"),
        _unit(gpu.get("power"), "W"),
        # Whoever uses an instance stands beside that.
        "" if divided else "; ".join(who(gpu, sessions)),
    )


def memory_words(gpu: Facts) -> str:
    """`136.8 GiB of 140.4 GiB`; "" when the card doesn't tell."""
    free, total = gpu.get("memory_free"), gpu.get("memory_total")
    return "" if free is None or total is None else f"{format_size(free)} of {format_size(total)}"


def who(gpu: Facts, sessions: Mapping[Any, str]) -> Iterator[str]:
    """Who has leased it, and who uses it; processes of sessions of mine by the session's name."""
    if gpu.get("lease") is not None:
        yield f"leased: {holder_words(gpu['lease'])}"
    for one in gpu.get("processes") or ():
        session = sessions.get(one.get("supervisor"))
        yield process_words(one) + (f" in session {session}" if session else "")


def use_words(facts: Facts, supervisor: int | None) -> str:
    """What the GPUs of a run do: `GPU 87 % 12.3 GiB`, or `2 GPUs 64 % 40.1 GiB`; "" when it has none.

    Args:
        facts: a sample.
        supervisor: pid of the run's supervisor: its GPUs are leased by it, or used by its processes.
    """
    found = []
    for gpu in facts.get("gpus") or ():
        for part in gpu.get("mig") or (gpu,):
            users = {one.get("supervisor") for one in part.get("processes") or ()}
            if supervisor and supervisor in {*users, (part.get("lease") or {}).get("pid")}:
                found.append(part)
    if not found:
        return ""
    name = "GPU" if len(found) == 1 else f"{len(found)} GPUs"
    uses = [gpu["utilization"] for gpu in found if gpu.get("utilization") is not None]
    used = [gpu["memory_used"] for gpu in found if gpu.get("memory_used") is not None]
    words = [name, *([f"{sum(uses) / len(uses):.0f} %"] if uses else ())]
    return " ".join([*words, *([format_size(sum(used))] if used else ())])


def free_memory(facts: Facts) -> int:
    """How many bytes of GPU memory are free there that nobody has leased."""
    free = 0
    for gpu in facts.get("gpus") or ():
        for part in gpu.get("mig") or (gpu,):
            if part.get("lease") is None:
                free += part.get("memory_free") or 0
    return free


def _unit(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.0f} {unit}"
