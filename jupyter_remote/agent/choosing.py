"""Which GPUs a run gets: pure decisions about what is free, what is busy, and why.

A unit is what can be given away: a card, or one instance of a card that is divided (MIG).
"""

from __future__ import annotations

import re
import time

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, Sequence

    Unit = dict[str, Any]

# Use in percent, and memory, beyond which somebody is at work whose processes can't be seen from here
# (in another container). A card that does nothing has up to some hundred MiB in use.
BUSY_USE = 10
BUSY_MEMORY = 1 << 30
_GIB = 1 << 30


def units(gpus: Sequence[dict[str, Any]], visible: str | None = None) -> list[Unit]:
    """What there is to be given away.

    Args:
        gpus: as `gpus.look` tells.
        visible: ``CUDA_VISIBLE_DEVICES`` as the session has it: there is nothing else for it then.
    """
    found: list[Unit] = []
    for gpu in gpus:
        if gpu.get("mig") is None:
            found.append(dict(gpu, index=str(gpu["index"])))
        for part in gpu.get("mig") or ():
            if part["uuid"]:
                index = f"{gpu['index']}:{part['index']}"
                found.append(dict(part, index=index, vendor="nvidia", utilization=None, card=gpu["uuid"]))
    if visible:
        words = [word.strip() for word in visible.split(",")]
        # An index means a card there, and a divided card all of its instances.
        cards = {str(gpu["index"]): gpu["uuid"] for gpu in gpus}
        words += [cards[word] for word in words if word in cards]
        found = [one for one in found if any(_is(one, w) or _begins(one.get("card"), w) for w in words)]
    return found


def _is(unit: Unit, word: str) -> bool:
    """Whether a word means that unit: its index, or its uuid or the beginning of that."""
    return word == unit["index"] or _begins(unit["uuid"], word)


def _begins(uuid: str | None, word: str) -> bool:
    return bool(uuid) and re.match(r"(GPU|MIG|AMD)-.", word) is not None and str(uuid).startswith(word)


def eligible(found: Sequence[Unit], request: dict[str, Any]) -> tuple[list[Unit], str]:
    """The units that could ever serve a request, and why they can't when they are too few."""
    least, count = request.get("min_free") or 0, request["count"]
    there = f"there is {_units(len(found))}" if len(found) == 1 else f"there are {_units(len(found))}"
    if request.get("ids"):
        chosen = []
        for word in request["ids"]:
            matching = [one for one in found if _is(one, word)]
            if len(matching) != 1:
                names = ", ".join(one["index"] for one in found) or "none"
                return (
                    [],
                    f"{'no GPU' if not matching else 'more than one GPU'} is {word}; there are: {names}",
                )
            chosen += [one for one in matching if one not in chosen]
        found, count = chosen, len(chosen)
        request["count"] = count
    large = [one for one in found if not least or (one["memory_total"] or 0) >= least]
    if len(large) < count:
        size = f" of at least {size_of(least)}" if least else ""
        return [], f"{count} GPUs{size} are asked for, and {there}" if found else "there is no GPU"
    return large, ""


def reserved(unit: Unit, tickets: Sequence[dict[str, Any]]) -> bool:
    """Whether somebody waits in front who could take that unit."""
    for ticket in tickets:
        ids, least = ticket.get("ids"), ticket.get("min_free")
        if isinstance(ids, list) and ids and not any(isinstance(w, str) and _is(unit, w) for w in ids):
            continue
        if isinstance(least, int) and least > (unit["memory_total"] or 0):
            continue
        return True
    return False


def why_busy(unit: Unit, request: dict[str, Any], ours: int) -> str:
    """Who uses a unit, in words; "" when it is free. Processes of the supervisor ``ours`` don't count.

    Args:
        request: with ``min_free`` its memory is judged by that, and not by whether some is in use.
    """
    others = [one for one in unit["processes"] if one["supervisor"] != ours]
    if others:
        return ", ".join(map(process_words, others[:3])) + (" and more" if len(others) > 3 else "")
    least, free, used = request.get("min_free"), unit["memory_free"], unit["memory_used"]
    if unit["processes"]:
        return ""
    if least and free is not None and free < least:
        return f"{size_of(free)} free"
    if not least and used is not None and used > BUSY_MEMORY:
        return f"{size_of(used)} used by processes that can't be seen"
    if (unit["utilization"] or 0) >= BUSY_USE:
        return f"{unit['utilization']:.0f} % in use"
    return ""


def most_free(found: Sequence[Unit]) -> list[Unit]:
    """Those first that have most memory left; of equals the one that does least."""
    return sorted(found, key=lambda one: (-(one["memory_free"] or 0), one["utilization"] or 0))


def process_words(one: dict[str, Any]) -> str:
    """A process on a GPU: `alice: python3 (pid 447), 2.9 GiB`."""
    size = f", {size_of(one['memory'])}" if one.get("memory") else ""
    return f"{one.get('user') or 'somebody'}: {one['name']} (pid {one['pid']}){size}"


def holder_words(lease: dict[str, Any]) -> str:
    """Who has a lease: `alice, run 20261122-014500-7f3a since 14:02`."""
    since = lease.get("since")
    try:
        when = time.strftime(" since %H:%M", time.localtime(since)) if since else ""
    except (OverflowError, ValueError, OSError):
        when = ""  # anybody may have written it
    run = f", run {lease['run']}" if lease.get("run") else ""
    return f"{lease.get('user') or 'somebody'}{run}{when}"


def size_of(size: float) -> str:
    """A size of memory, in bytes, in words."""
    return f"{size / _GIB:.1f} GiB"


def _units(number: int) -> str:
    return f"{number} GPU{'' if number == 1 else 's'}"


def visible(chosen: Sequence[Unit]) -> dict[str, str]:
    """The variables that show a process these units and no others."""
    uuids = ",".join(one["uuid"] for one in chosen)
    if any(one["vendor"] == "amd" for one in chosen):
        # Among what ROCR lets through, HIP counts anew.
        names = ",".join(
            one["uuid"] if one["uuid"].startswith("GPU-") else str(one["index"]) for one in chosen
        )
        return {"ROCR_VISIBLE_DEVICES": names, "HIP_VISIBLE_DEVICES": ",".join(map(str, range(len(chosen))))}
    return {"CUDA_VISIBLE_DEVICES": uuids}
