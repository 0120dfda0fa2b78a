"""Campaigns of a host as a page sees them, and what it can have done with one.

What a campaign is, `campaigns/` says; a host is asked only while there is a link to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import history, records
from ..campaigns import campaign as core
from ..campaigns.hostside import Part, StepState, listed
from ..errors import UsageError
from ..remote import Remote
from ..whereabouts import learn
from .models import finite
from .operations import Operation, Work
from .problems import NotFound

NEWEST = 50
MOST_STEPS = 1000


def listing(remote: Remote) -> list[dict[str, Any]]:
    """``Campaign`` documents of a host, newest first; the local history learns the runs of their steps.

    Raises:
        RemoteError: it can't be asked.
    """
    parts = sorted(listed(remote), key=lambda part: part.created, reverse=True)[:NEWEST]
    ids = [run for part in parts for step in part.steps[:MOST_STEPS] for run in step.runs]
    # The host has started them, and a page shall be able to open each.
    known = {one for one, row in history.store().rows(ids).items() if row["host"]}
    unknown = [one for one in ids if one not in known][:MOST_STEPS]
    if unknown:
        learn(remote, list(records.records(remote, len(unknown), ids=unknown)))
        history.flush()
    return [document(part) for part in parts]


def document(part: Part) -> dict[str, Any]:
    """``Campaign`` of rest-api.yml."""
    counts: dict[str, int] = {}
    for step in part.steps:
        counts[step.state] = counts.get(step.state, 0) + 1
    return {
        **{name: getattr(part, name) for name in ("host", "name", "id", "file", "created")},
        "hosts": list(part.hosts),
        "state": part.standing,
        "counts": counts,
        "steps": [_step(step) for step in part.steps[:MOST_STEPS]],
    }


def _step(step: StepState) -> dict[str, Any]:
    told = core.document_of(step)
    del told["host"]
    return {**told, "params": {str(name): _plain(value) for name, value in step.params.items()}}


def _plain(value: object) -> str | int | float | bool | None:
    if isinstance(value, float):
        return finite(value)
    return value if value is None or isinstance(value, (str, int)) else str(value)[:200]


def work(action: str, host: str, name: str, options: Mapping[str, Any]) -> Work:
    """What stops a campaign or has it go on, on all of its hosts."""

    def do(operation: Operation) -> dict[str, Any]:
        try:
            found = core.find(name, [host])
        except UsageError as error:
            raise NotFound(error.message, host=host, hint=error.hint) from None
        status = found.stop() if action == "stop" else found.resume(failed=bool(options.get("failed")))
        return {"campaigns": [document(part) for part in status.parts]}

    return do
