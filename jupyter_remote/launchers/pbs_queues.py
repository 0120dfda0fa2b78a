"""`queue: auto`: the first queue of the host's table that takes what a job asks for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..config_types import parse_size
from ..errors import UsageError
from .pbs_dialects import seconds_of

if TYPE_CHECKING:
    from ..config_schedulers import PbsOptions, PbsQueue

# What is compared: the word of the settings, and its unit for people.
_AMOUNTS = {"cpus": "CPUs", "gpus": "GPUs", "memory": "memory"}


def choose(wanted: PbsOptions) -> str | None:
    """The queue of a job: the one that is named, or chosen by its resources; None leaves it to the server.

    Raises:
        UsageError: no queue of the table takes it, each with why; or there is no table.
    """
    if wanted.queue != "auto":
        return wanted.queue
    if not wanted.queues:
        raise UsageError(
            "queue=auto chooses from a table of queues, and the host has none: fill `pbs.queues`, "
            "or name a queue (`qstat -q` on the host lists them)"
        )
    asked = _asked(wanted)
    against: list[str] = []
    for name, queue in wanted.queues.items():
        why = _against(queue, asked)
        if not why:
            return name
        against.append(f"{name} {why}")
    told = ", ".join(f"{key}={asked[key]:g}" for key in ("cpus", "gpus"))
    raise UsageError(f"no queue of `pbs.queues` takes a job with {told}: {'; '.join(against)}")


def _asked(wanted: PbsOptions) -> dict[str, float]:
    """What the whole job asks for: CPUs, GPUs, bytes of memory, seconds."""
    amounts: dict[str, object] = {"ncpus": wanted.cpus, "ngpus": wanted.gpus, "mem": wanted.memory}
    chunks = [(wanted.nodes or 1, amounts)]
    if wanted.select is not None:
        chunks = [_chunk(text) for text in wanted.select.split("+")]
    total = {"cpus": 0.0, "gpus": 0.0, "memory": 0.0, "walltime": 0.0}
    for count, amounts in chunks:
        total["cpus"] += count * int(str(amounts.get("ncpus") or 1))
        total["gpus"] += count * int(str(amounts.get("ngpus") or 0))
        total["memory"] += count * parse_size(amounts.get("mem") or 0)
    total["walltime"] = seconds_of(wanted.walltime or "0") or 0
    return total


def _chunk(text: str) -> tuple[int, dict[str, object]]:
    """Of `2:ncpus=4:ngpus=1` how often, and what.

    Raises:
        UsageError: it is none.
    """
    match = re.fullmatch(r"(?:(\d+)(?::|$))?((?:[^:=]+=[^:]*(?::|$))*)", text.strip())
    found: dict[str, object] = {}
    for word in filter(None, (match[2] if match else "").split(":")):
        key, _, value = word.partition("=")
        found[key] = value
    counts = all(str(found.get(key, 0)).isdigit() for key in ("ncpus", "ngpus"))
    if match is None or not text.strip() or not counts:
        raise UsageError(f"{text!r} is no chunk of pbs.select; valid is e.g. 2:ncpus=4:ngpus=1:mem=16gb")
    return int(match[1] or 1), found


def _against(queue: PbsQueue, asked: dict[str, float]) -> str:
    """Why it doesn't take that, empty when it does."""
    for key, unit in _AMOUNTS.items():
        least, most = getattr(queue, f"min_{key}"), getattr(queue, f"max_{key}")
        if key == "gpus" and most is None and not least:
            most = 0  # a queue gives GPUs only when its entry says so
        if least is not None and asked[key] < least:
            return f"wants at least {_said(key, least)} {unit}"
        if most is not None and asked[key] > most:
            return f"gives at most {_said(key, most)} {unit}" if most else f"gives no {unit}"
    if queue.max_walltime is not None and asked["walltime"] > queue.max_walltime:
        return f"gives at most {queue.max_walltime / 3600:g} h"
    return ""


def _said(key: str, amount: float) -> str:
    return f"{amount / (1 << 30):g} GiB of" if key == "memory" else f"{amount:g}"
