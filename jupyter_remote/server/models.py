"""Facts of the core as the documents of rest-api.yml. Pure: nothing is asked, and nothing is kept."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from ..gpu_words import who
from ..history_rows import Row, document_of

RUN_FIELDS = (
    *(
        "id",
        "host",
        "state",
        "kind",
        "label",
        "notebook",
        "cell",
        "session",
        "campaign",
        "step",
        "project",
        "command",
    ),
    *("created", "started", "ended", "seconds", "exit_code", "reason", "rerun_of", "git_commit", "git_dirty"),
    *("cpu_seconds", "peak_memory", "gpu_memory", "seen"),
)
# Memory that moves by less is no news.
_GRAIN = 1 << 24
_HEAD = 200


def finite(value: float) -> float | str:
    """A number, or as a word what JSON has no number for."""
    if math.isfinite(value):
        return value
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"


def run_document(row: Row) -> dict[str, Any]:
    """``Run``, from a row of the history; of its JSON only what is shown is read, for lists are long."""
    metrics, archives, source = row.get("metrics"), row.get("archives"), row.get("source")
    dirty = row.get("git_dirty")
    told: dict[str, Any] = json.loads(metrics) if metrics else {}
    return {
        **dict(zip(RUN_FIELDS, map(row.get, RUN_FIELDS), strict=True)),
        "state": row.get("state") or "queued",
        "git_dirty": None if dirty is None else bool(dirty),
        "metrics": {str(name): _metric(value) for name, value in told.items()},
        "archives": json.loads(archives) if archives else [],
        "deleted": bool(row.get("deleted")),
        "source": None if source is None else source[:_HEAD],
    }


def run_detail(row: Row) -> dict[str, Any]:
    """``RunDetail``, from a row with all of the code."""
    options = dict(document_of(row).get("options") or {})
    # Values of variables may be secrets that somebody has typed nevertheless.
    options["env"] = sorted(options.get("env") or {})
    return {**run_document(row), "code": row.get("source"), "options": options}


def _metric(value: object) -> float | str | None:
    if isinstance(value, (int, float)):
        return finite(value)
    return None if value is None else str(value)[:200]


def session_document(host: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """``Session``, from what the host says of one."""
    active = told.get("active")
    return {
        "host": host,
        "name": str(told.get("name")),
        "active": None if active is None else str(active),
        "queued": len(told.get("queued") or ()),
        "idle_seconds": None if active else told.get("idle_seconds"),
        "ends_in": None if active else told.get("ends_in"),
        "gpus": [str(gpu.get("index")) for gpu in told.get("leased") or ()],
        "python": told.get("python"),
        "silent": bool(told.get("silent")),
        "waiting": bool(told.get("waiting")),
    }


def sample_document(facts: Mapping[str, Any]) -> dict[str, Any]:
    """``Sample``, from a sample or a status; rounded, so that noise is no news."""
    memory, load, cpu = facts.get("memory") or {}, facts.get("load"), facts.get("cpu")
    return {
        "time": round(float(facts.get("time") or 0.0), 1),
        "cpu_count": facts.get("cpu_count"),
        "cpu": None if cpu is None else round(cpu),
        "load": None if load is None else [round(one, 1) for one in load],
        "memory": None
        if not memory
        else {"total": memory.get("total"), "available": _coarse(memory.get("available"))},
        "gpus": list(_gpus(facts)),
        "gpu_error": facts.get("gpu_error"),
    }


def _gpus(facts: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    sessions = {session.get("pid"): session["name"] for session in facts.get("sessions") or ()}
    for gpu in facts.get("gpus") or ():
        parts = gpu.get("mig") or ()
        yield _gpu(str(gpu.get("index")), gpu, sessions, divided=bool(parts))
        for part in parts:
            yield _gpu(f"{gpu.get('index')}:{part.get('index')}", part, sessions)


def _gpu(
    index: str, gpu: Mapping[str, Any], sessions: Mapping[Any, str], *, divided: bool = False
) -> dict[str, Any]:
    return {
        "index": index,
        "name": gpu.get("name"),
        "uuid": gpu.get("uuid"),
        "use": gpu.get("utilization"),
        "memory_used": _coarse(gpu.get("memory_used")),
        "memory_total": gpu.get("memory_total"),
        "temperature": _whole(gpu.get("temperature")),
        "power": _whole(gpu.get("power")),
        "who": [] if divided else list(who(gpu, sessions)),
        "leased": gpu.get("lease") is not None,
    }


def _coarse(size: int | None) -> int | None:
    return None if size is None else round(size / _GRAIN) * _GRAIN


def _whole(value: float | None) -> float | None:
    return None if value is None else round(value)


def sample_change(before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> dict[str, Any] | None:
    """What of a sample is new to who knows `before`; None when it is only the time."""
    if before is None:
        return dict(now)
    change = {name: value for name, value in now.items() if name != "gpus" and before.get(name) != value}
    known = {gpu["index"]: gpu for gpu in before["gpus"]}
    if len(known) != len(now["gpus"]) or any(gpu["index"] not in known for gpu in now["gpus"]):
        return dict(now)  # cards have come or gone, so it is told whole
    gpus = []
    for gpu in now["gpus"]:
        new = {name: value for name, value in gpu.items() if known[gpu["index"]][name] != value}
        if new:
            gpus.append({"index": gpu["index"], **new})
    if gpus:
        change["gpus"] = gpus
    return change if change.keys() - {"time"} else None


def is_whole(change: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether a change has all of a sample."""
    return change.keys() == now.keys() and change["gpus"] == now["gpus"]
