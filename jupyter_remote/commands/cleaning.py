"""`clean`: what goes from a host, listed, asked about and removed. What may go is decided on the host."""

from __future__ import annotations

from typing import Any

import jupyter_remote

from .. import history, leftovers
from ..call import Show, count, format_size, one_host
from ..parsing import Values
from ..tables import print_json
from ..transports.prompt import TerminalPrompter, can_ask

_NAMED = 20
# The noun, and why such things are of no use.
_KINDS = {
    "processes": ("process", "of dead sessions"),
    "sessions": ("dead session", "nobody runs it any more"),
    "agents": ("old agent", "nobody uses it"),
    "leases": ("GPU lease", "nobody holds it"),
    "environments": ("half-built environment", "nobody builds it"),
    "runs": ("ended run", "with all it printed, for good"),
}


def clean(values: Values, show: Show) -> int:
    """`clean HOST [--all] [--runs] [--dry-run | --yes]`; asks where a user can answer. 1 when he says no."""
    host = one_host(values["host"])
    remote = jupyter_remote.connect(host)
    dry = values["dry_run"]
    what = {"mirror": values["all"], "runs": values["runs"]}
    asks = not (dry or values["yes"] or values["json"]) and can_ask()
    if dry or asks:
        told = leftovers.find(remote, **what)
        if values["json"]:
            print_json({"host": host, "dry_run": dry, **told})
            return 0
        _print(host, describe(told, dry_run=True))
        if dry or not _removable(told):
            return 0
        if not _agreed(f"Remove this from {host}? [y/N] "):
            print(f"{host}: nothing was removed")
            return 1
        # What has come since was not seen by who agreed.
        told = leftovers.remove(remote, **what, only=told.get("runs"))
    else:
        told = leftovers.remove(remote, **what)
    history.forget(told.get("runs") or ())
    if values["json"]:
        print_json({"host": host, "dry_run": dry, **told})
    else:
        _print(host, describe(told, dry_run=False))
    return 0


def describe(told: dict[str, Any], *, dry_run: bool) -> list[str]:
    """Return what was removed, or would be, and why: a line for each kind."""
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
