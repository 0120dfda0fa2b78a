"""`clean`: what goes from a host, listed, asked about and removed. What may go is decided on the host."""

from __future__ import annotations

from typing import Any

import jupyter_remote

from .. import history, leftovers
from ..call import Show, count, format_size, one_host
from ..parsing import Values
from ..runs import forget_on_host
from ..tables import print_json
from ..transports.prompt import TerminalPrompter, can_ask

_NAMED = 20
# The noun, and why such things are of no use.
_KINDS = {
    "processes": ("process", "of dead sessions"),
    "containers": ("container", "nobody watches it"),
    "sessions": ("dead session", "nobody runs it any more"),
    "jobs": ("folder of a job", "the job is over"),
    "agents": ("old agent", "nobody uses it"),
    "leases": ("GPU lease", "nobody holds it"),
    "environments": ("half-built environment", "nobody builds it"),
    "campaigns": ("ended campaign", "its runs are gone"),
    "runs": ("ended run", "with all it printed, for good"),
}


def clean(values: Values, show: Show) -> int:
    """`clean HOST [--all] [--runs] [--unarchived] [--dry-run | --yes]`; asks where a user can answer.

    The exit code is 1 when he says no.
    """
    host = one_host(values["host"])
    remote = jupyter_remote.connect(host)
    dry = values["dry_run"]
    runs = values["runs"] or values["unarchived"]
    asks = not (dry or values["yes"] or values["json"]) and can_ask()
    only: list[str] | None = None
    stays: list[str] = []
    if dry or asks or runs:
        told = leftovers.find(remote, mirror=values["all"], runs=runs)
        _choose(told, values["runs"], values["unarchived"])
        if dry and values["json"]:
            print_json({"host": host, "dry_run": dry, **told})
            return 0
        if dry or asks:
            _print(host, describe(told, dry_run=True))
        if dry or (asks and not _removable(told)):
            return 0
        if asks and not _agreed(f"Remove this from {host}? [y/N] "):
            print(f"{host}: nothing was removed")
            return 1
        # Runs that have ended since were not seen by who agreed.
        only, stays = told.get("runs"), told["in_use"]
    told = leftovers.remove(remote, mirror=values["all"], runs=bool(only), only=only)
    told["in_use"] = stays or told["in_use"]
    forget_on_host(told.get("runs") or ())
    if values["json"]:
        print_json({"host": host, "dry_run": dry, **told})
    else:
        _print(host, describe(told, dry_run=False))
    return 0


def _choose(told: dict[str, Any], archived: bool, unarchived: bool) -> None:
    """Leave those of the runs that may go; when others stay because no archive has them, say so."""
    pairs = list(zip(told.get("runs") or (), told.get("run_sizes") or (), strict=True))
    known = history.store().archived() if pairs else set()
    chosen = [pair for pair in pairs if (archived if pair[0] in known else unarchived)]
    left = [run_id for run_id, _ in pairs if run_id not in known] if not unarchived else []
    if left:
        what = f"{_count(left, 'ended run')} that no archive has"
        told["in_use"].append(f"{what} (`--unarchived` removes such runs): {_names(left)}")
    told["runs"] = [run_id for run_id, _ in chosen]
    told["run_sizes"] = [size for _, size in chosen]


def describe(told: dict[str, Any], *, dry_run: bool) -> list[str]:
    """Return what was removed, or would be, and why: a line for each kind.

    Args:
        told: the host's answer.
    """
    word = "would remove" if dry_run else "removed"
    sizes = {**(told.get("sizes") or {}), "runs": sum(told.get("run_sizes") or ())}
    lines = []
    for key, (noun, why) in _KINDS.items():
        if told.get(key):
            lines.append(
                f"{word} {_count(told[key], noun)} ({why}{_size(sizes.get(key))}): {_names(told[key])}"
            )
    if told.get("mirror"):
        size = _size(sizes.get("mirror"))
        lines.append(
            f"{word} {told.get('mirror_files')} synced paths of {told['mirror'][0]} (unchanged there{size})"
        )
    if told.get("kept"):
        kept = told["kept"]
        lines.append(f"left {count(kept, 'file')} of the mirror, made or changed there: {_names(kept)}")
    lines += [f"left {text}" for text in told.get("in_use") or ()]
    return lines or ["nothing to remove"]


def _removable(told: dict[str, Any]) -> bool:
    return any(told.get(key) for key in (*_KINDS, "mirror"))


def _agreed(question: str) -> bool:
    answer = TerminalPrompter().ask(question, secret=False)
    return (answer or "").strip().lower() in ("y", "yes")


def _print(host: str, lines: list[str]) -> None:
    for line in lines:
        print(f"{host}: {line}")


def _count(things: list[str], noun: str) -> str:
    return f"1 {noun}" if len(things) == 1 else f"{len(things)} {noun}{'es' if noun[-1] == 's' else 's'}"


def _size(size: int | None) -> str:
    return f", {format_size(size)}" if size else ""


def _names(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
