"""The same done with several runs, on whichever hosts: one answer that says which were refused, and why.

What is done with one is `run_actions.py`'s business; how an operation is told, `operations.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .. import history, runs
from ..agent.rundir import FINAL_STATES
from ..call import count
from ..errors import RemoteError
from ..many import at_once
from ..whereabouts import Found
from .operations import Operation, Work
from .problems import NotFound, NotNow, problem_of

Refused = dict[str, RemoteError]

_DONE = {
    "interrupt": "interrupted",
    "stop": "ended",
    "delete": "in the trash",
    "restore": "restored",
    "purge": "deleted for good",
    "label": "labelled",
    "pull": "pulled",
}


class Batch:
    """The actions on several runs, for one server.

    Args:
        one: gives what does an action with one run, see `RunActions.work`.
    """

    def __init__(self, one: Callable[[str, str, Mapping[str, Any]], Work]) -> None:
        self._one = one

    def work(self, body: Mapping[str, Any]) -> Work:
        """What does it all; ``body`` is ``RunsAction`` of rest-api.yml."""
        action, ids, label = body["action"], list(dict.fromkeys(body["runs"])), body.get("label")

        def work(operation: Operation) -> dict[str, Any]:
            # What is noted of a run that nobody knows (any more) is no run.
            rows = {one: row for one, row in history.store().rows(ids).items() if row["host"]}
            found = [Found(one, rows[one]["host"], rows[one]) for one in ids if one in rows]
            refused: Refused = {
                one: NotFound("it is not in the local history") for one in ids if one not in rows
            }
            operation.tell(count(found, "run"))
            refused |= self._done(operation, action, found, label)
            done = [one for one in ids if one not in refused]
            operation.tell(_summary(action, done, refused), 1.0)
            return {"done": done, "refused": [_refusal(one, rows, why) for one, why in refused.items()]}

        return work

    def _done(self, operation: Operation, action: str, found: Sequence[Found], label: str | None) -> Refused:
        if action == "stop":
            ended = [one for one in found if one.row["state"] in FINAL_STATES]
            refused: Refused = {one.id: NotNow("it has ended already", host=one.host) for one in ended}
            rest = [one for one in found if one.id not in refused]
            return refused | {one.id: error for one, error in runs.stop_all(rest) if error is not None}
        if action in ("interrupt", "pull"):
            return _each(found, lambda one: self._one(action, one.id, {})(operation))
        return _changed(action, found, label)


def _each(found: Sequence[Found], do: Callable[[Found], object]) -> Refused:
    """One after the other on each host, and all hosts at once."""

    def there(runs_there: list[Found]) -> Refused:
        refused: Refused = {}
        for one in runs_there:
            try:
                do(one)
            except RemoteError as error:
                refused[one.id] = error
        return refused

    return _by_host(found, there)


def _changed(action: str, found: Sequence[Found], label: str | None) -> Refused:
    def there(runs_there: list[Found]) -> Refused:
        changed = runs.change(action, runs_there, label)
        return {one.id: NotNow(why, host=one.host) for one, why in changed if why is not None}

    return _by_host(found, there)


def _by_host(found: Sequence[Found], there: Callable[[list[Found]], Refused]) -> Refused:
    groups: dict[str, list[Found]] = {}
    for one in found:
        groups.setdefault(one.host, []).append(one)
    refused: Refused = {}
    for group, answer in zip(groups.values(), at_once(list(groups.values()), there), strict=True):
        # A host that can't be asked refuses all of its own, and no other's.
        refused |= {one.id: answer for one in group} if isinstance(answer, RemoteError) else answer
    return refused


def _refusal(run_id: str, rows: Mapping[str, Mapping[str, Any]], why: RemoteError) -> dict[str, Any]:
    host = rows[run_id]["host"] if run_id in rows else None
    return {"run": run_id, "host": host, "problem": problem_of(why)}


def _summary(action: str, done: Sequence[str], refused: Refused) -> str:
    text = f"{count(done, 'run')} {_DONE[action]}"
    return f"{text}, {len(refused)} refused" if refused else text
