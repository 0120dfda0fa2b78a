"""`clean`: what is removed from a host, in words. What may go is decided in `agent/leftovers.py`."""

from __future__ import annotations

from typing import Any

import jupyter_remote

from .. import history
from ..call import Show, one_host
from ..parsing import Values
from ..records import clean as clean_host
from ..tables import print_json

_NAMED = 20
_KINDS = {
    "processes": "processes that dead sessions left",
    "sessions": "dead sessions",
    "agents": "old agents",
    "runs": "ended runs",
}


def clean(values: Values, show: Show) -> None:
    """`clean HOST [--all] [--runs] [--dry-run]`."""
    host = one_host(values["host"])
    remote = jupyter_remote.connect(host)
    dry = values["dry_run"]
    told = clean_host(remote, dry_run=dry, mirror=values["all"], runs=values["runs"])
    if not dry:
        history.forget(told.get("runs") or ())
    if values["json"]:
        print_json({"host": host, "dry_run": dry, **told})
        return
    for line in describe(told, dry_run=dry):
        print(f"{host}: {line}")


def describe(told: dict[str, Any], *, dry_run: bool) -> list[str]:
    """Return what was removed, or would be, a line for each kind."""
    word = "would remove" if dry_run else "removed"
    lines = []
    for key, noun in _KINDS.items():
        if told.get(key):
            lines.append(f"{word} {len(told[key])} {noun}: {_names(told[key])}")
    if told.get("mirror"):
        lines.append(f"{word} {told.get('mirror_files')} synced paths of {told['mirror'][0]}")
    if told.get("kept"):
        kept = told["kept"]
        lines.append(f"left {len(kept)} files of the mirror that were made or changed there: {_names(kept)}")
    lines += [f"left {text}" for text in told.get("in_use") or ()]
    return lines or ["nothing to remove"]


def _names(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
