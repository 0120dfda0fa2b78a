"""What a run asks of a host's GPUs: from what was typed or given to what the host is told. Asks no host."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .errors import UsageError

# Which GPUs: how many, or which by index or UUID.
Gpus = int | str | Sequence[int | str]

_VALID = (
    "valid are a number (2 or auto:2: so many free ones; 0 gives back), "
    "and a list (0,1 or `3,` or GPU-5d5b…: these very ones)"
)
_ID = re.compile(r"\d+(:\d+)?|(GPU|MIG|AMD)-[0-9A-Za-z-]+", re.ASCII)
_FOREVER = -1
_SYNONYMS = ("gpus", "ngpus")


def parse_gpus(text: str) -> tuple[int, tuple[str, ...]]:
    """How many GPUs are asked for, or which ones (then the number is 0).

    Raises:
        UsageError: the text says neither.
    """
    word = text.strip().removeprefix("auto:")
    if word == "auto":
        return 1, ()
    if word.isascii() and word.isdecimal():
        return int(word), ()
    ids = tuple(dict.fromkeys(part.strip() for part in word.split(",") if part.strip()))
    if not ids or word != text.strip() or not all(map(_ID.fullmatch, ids)):
        raise UsageError(f"{text!r} names no GPUs; {_VALID}")
    return 0, ids


def lease_request(
    gpus: Gpus | None, min_free: int | str | None, wait: bool | float | None, folder: str | None
) -> dict[str, Any] | None:
    """What the record of a run says of the GPUs that it asks for; None when it asks for none.

    Args:
        gpus: a number, `"auto:2"`, or indices and UUIDs.
        min_free: bytes of memory (or `"20G"`) that each must have free.
        wait: True for ever, seconds, or None for an error when there are none.
        folder: where all users of the host keep their leases.

    Raises:
        UsageError: one of them can't be meant.
    """
    if gpus is None:
        if min_free is not None or wait:
            raise UsageError("--min-free and --wait say which GPUs, and when: they need --gpus")
        return None
    words = str(gpus) if isinstance(gpus, (int, str)) else ",".join(map(str, gpus)) + ","
    if isinstance(gpus, bool):
        raise UsageError(f"{gpus!r} names no GPUs; {_VALID}")
    count, ids = parse_gpus(words)
    if not count and not ids and (min_free is not None or wait):
        raise UsageError("--gpus 0 gives GPUs back: there is nothing to wait for")
    if isinstance(min_free, str):
        from .config_types import parse_size

        try:
            min_free = parse_size(min_free)
        except ValueError as error:
            raise UsageError(f"min_free: {min_free!r} is not {error}") from None
    return {
        "count": count,
        "ids": list(ids) or None,
        "min_free": min_free,
        "wait": _FOREVER if wait is True or wait == float("inf") else wait or None,
        "folder": folder,
    }


def scheduler_request(
    gpus: Gpus | None, min_free: int | str | None, kind: str, resources: Mapping[str, str]
) -> dict[str, str]:
    """What a scheduler is asked for instead of a lease: it hands out GPUs itself, and its queue is the line.

    Args:
        gpus: as of :func:`lease_request`.
        min_free: refused.
        kind: of the launcher.
        resources: what `--set` says; it may say the same.

    Returns:
        The settings of the launcher with the GPUs among them.

    Raises:
        UsageError: what is wanted is the scheduler's to decide.
    """
    if min_free is not None:
        raise UsageError(
            f"--min-free is about GPUs that several share; {kind} gives a job GPUs of its own",
            hint="Ask for a kind of GPU that has enough, e.g. `--set gpus=a100:1` for Slurm.",
        )
    if gpus is None:
        return dict(resources)
    words = str(gpus) if isinstance(gpus, (int, str)) else ",".join(map(str, gpus)) + ","
    count, ids = parse_gpus(words)
    if ids:
        raise UsageError(
            f"--gpus {gpus} names GPUs, and {kind} decides which a job gets", hint="Say how many: --gpus 1."
        )
    said = next((value for key, value in resources.items() if key in _SYNONYMS), None)
    if said is not None and said.rpartition(":")[2] != str(count):
        raise UsageError(f"--gpus {gpus} and --set gpus={said} ask for different numbers")
    return dict(resources) if said is not None else {**resources, "gpus": str(count)}


def check_variables(request: dict[str, Any] | None, names: Sequence[str]) -> None:
    """Refuses variables of a run that would say something else.

    Raises:
        UsageError: one does.
    """
    of_gpus = ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")
    if request is not None and (both := [name for name in names if name in of_gpus]):
        raise UsageError(f"{both[0]} and --gpus say the same thing: leave one of them out")


def again(lease: dict[str, Any] | None) -> dict[str, Any]:
    """The arguments of `Remote.run_cell` that ask for what a record says.

    Args:
        lease: of the run's record.
    """
    if not lease:
        return {}
    wait = lease.get("wait")
    gpus = lease.get("ids") or int(lease.get("count") or 0)
    return {"gpus": gpus, "min_free": lease.get("min_free"), "wait": True if wait == _FOREVER else wait}
