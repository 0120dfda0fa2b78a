"""One run as a table of several shows it: facts, parameters, final metrics. No host is asked here.

What the local history has of a run is enough; what its host says of it (its GPUs) is added by who has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .history_rows import document_of
from .masking import is_secret

# Set by us, and another on every host of one call.
_OURS = {"RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT"}
# What a run is told apart by when its parameters are not: see `titles`.
_MOST_NAMED = 3


@dataclass(frozen=True)
class Compared:
    """One run.

    Args:
        id, host, state, label, campaign, step, group: of the run; "" where there is none.
        exit_code: None as long as it is not known.
        started: seconds since the epoch, by its host's clock.
        seconds: how long it took, None when it has not ended.
        gpu: its GPUs in words, "" where nothing is known of them.
        params: what it was given: a campaign's parameters, `--name value` of its arguments, variables
            (`--env`), and what its output says and never changes (`seed=1` of every line).
        metrics: the last value of each.
    """

    id: str
    host: str
    state: str = ""
    label: str = ""
    campaign: str = ""
    step: str = ""
    group: str = ""
    exit_code: int | None = None
    started: float | None = None
    seconds: float | None = None
    gpu: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)


def of_row(row: Mapping[str, Any], gpu: str = "") -> Compared:
    """A run as the local history has it.

    Args:
        row: of `history_store.Store`.
        gpu: see `Compared`.
    """
    document = document_of(row)
    options = document["options"] or {}
    return Compared(
        str(row["id"]),
        str(row["host"] or ""),
        str(row["state"] or ""),
        str(row["label"] or ""),
        str(row["campaign"] or ""),
        str(row["step"] or ""),
        str(options.get("group") or ""),
        row["exit_code"],
        row["started"] or row["created"],
        row["seconds"],
        gpu,
        given(options),
        finals(document["metrics"] or {}),
    )


def finals(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The final metrics of a record; what is no number is left out."""
    found = {}
    for name, value in metrics.items():
        try:
            found[str(name)] = float(value)  # "NaN" and "Infinity" too
        except (TypeError, ValueError, OverflowError):
            continue
    return found


def given(options: Mapping[str, Any]) -> dict[str, str]:
    """The parameters of a run, by name.

    Args:
        options: what the history keeps of how it was called.
    """
    params = {str(name): str(value) for name, value in dict(options.get("params") or {}).items()}
    for name, value in _flags([str(word) for word in options.get("argv") or ()]):
        params.setdefault(name, value)
    for name, value in dict(options.get("env") or {}).items():
        if name not in _OURS and not str(name).startswith("JUPYTER_REMOTE_") and not is_secret(str(name)):
            params.setdefault(str(name), str(value))
    return params


def cards(record: Mapping[str, Any]) -> str:
    """The GPUs of a run in words: `2 × H100`; those it has leased, or else all of its host.

    Args:
        record: as its host has it.
    """
    every = [gpu for gpu in record.get("gpus") or () if isinstance(gpu, Mapping)]
    leased = {str(gpu.get("index")) for gpu in record.get("leased") or () if isinstance(gpu, Mapping)}
    own = [gpu for gpu in every if str(gpu.get("index")) in leased] or every
    names: dict[str, int] = {}
    for gpu in own:
        name = str(gpu.get("name") or "GPU")
        names[name] = names.get(name, 0) + 1
    return ", ".join(f"{number} × {name}" if number > 1 else name for name, number in names.items())


def differing(runs: Sequence[Compared]) -> list[str]:
    """The names of the parameters that are not the same in all runs, in order of appearance."""
    names = dict.fromkeys(name for run in runs for name in run.params)
    return [name for name in names if len({run.params.get(name) for run in runs}) > 1]


def titles(runs: Sequence[Compared]) -> dict[str, str]:
    """A short name for each run by its id, no two alike: what a legend says.

    That is the host, the label, the parameters, or several of these: the shortest by which all differ; the id
    where none is enough.
    """
    several = len({run.host for run in runs}) > 1
    names = differing(runs)[:_MOST_NAMED]

    def params(run: Compared) -> str:
        return ", ".join(f"{name}={run.params[name]}" for name in names if name in run.params)

    ways: list[Callable[[Compared], str]] = [
        lambda run: run.label,
        lambda run: run.host if several else "",
        lambda run: params(run) or run.id if names else "",
        lambda run: _joined(run.host if several else "", params(run)),
        lambda run: _joined(run.label, run.host if several else ""),
        lambda run: _joined(run.label or run.host, run.id),
    ]
    for way in ways:
        found = {run.id: way(run) for run in runs}
        if all(found.values()) and len(set(found.values())) == len(runs):
            return found
    return {run.id: run.id for run in runs}


def _joined(*parts: str) -> str:
    return " · ".join(part for part in parts if part)


def _flags(argv: Sequence[str]) -> list[tuple[str, str]]:
    """What stands in `--name value`, `--name=value` and `--name`, and in `name=value` as Hydra has it."""
    found = []
    for number, word in enumerate(argv):
        name, equals, value = word.partition("=")
        if equals and (name.startswith("--") or name.replace(".", "_").lstrip("+").isidentifier()):
            found.append((name.lstrip("-+"), value))
        elif word.startswith("--") and len(word) > 2:
            following = argv[number + 1] if number + 1 < len(argv) else "--"
            found.append((word[2:], "true" if following.startswith("--") else following))
    return [(name, value) for name, value in found if name and not is_secret(name)]
