"""What a host knows of its runs: asked for, changed, and never believed further than it can be.

The local history is `history.py`; which hosts are asked, and what follows from the answers, is `runs.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .agent import messages as m
from .agent.rundir import RUN_ID
from .errors import ProtocolError
from .sync.inventory import read_inventory

if TYPE_CHECKING:
    from .connection import Connection, Stream
    from .remote import Remote

Record = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What became of a change.

    Args:
        done: the runs that it was done to.
        refused: the others, each with the reason.
    """

    done: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


def records(remote: Remote, limit: int | None = 50, **query: Any) -> Iterator[Record]:
    """The records of a host's runs, newest first; asked for in pages, as they are taken.

    Args:
        remote: the host.
        limit: at most so many; None for all.
        query: other fields of `messages.ListRuns`, e.g. ``state="failed"``.

    Raises:
        ProtocolError: the answer is none.
        RemoteError: the host can't be asked.
    """
    before: str | None = query.pop("before", None)
    left = limit
    while left is None or left > 0:
        page = min(left or 500, 500)
        answer = ask(remote, m.ListRuns({**query, "limit": page, "before": before}))
        found = answer.get("runs")
        if not isinstance(found, list) or not all(_is_record(one) for one in found):
            raise ProtocolError("the host's list of runs is broken", host=remote.host.name)
        yield from found[:left]
        left = None if left is None else left - len(found)
        following = answer.get("next")
        if following is None:
            return
        if not isinstance(following, str) or (before is not None and following >= before):
            raise ProtocolError("the host's list of runs has no end", host=remote.host.name)
        before = following


def whole(remote: Remote, run_id: str) -> dict[str, Any]:
    """All of a run: ``record``, ``code``, ``diff``, ``manifest``, ``environment``, ``folder``.

    Raises:
        UsageError: the host has no such run.
        ProtocolError: the answer is none.
    """
    answer = ask(remote, m.ReadRun(run_id))
    if not _is_record(answer.get("record")) or not isinstance(answer.get("code"), str):
        raise ProtocolError("the host's record of the run is broken", host=remote.host.name)
    return answer


def change(remote: Remote, action: str, run_ids: Sequence[str], text: str | None = None) -> Outcome:
    """Labels, deletes, restores or purges runs of a host.

    Args:
        remote: the host.
        action: ``label``, ``delete``, ``restore`` or ``purge``.
        run_ids: whole ids.
        text: the label.

    Raises:
        RemoteError: the host can't be asked.
    """
    told = remote.connection().ask(m.ChangeRuns(action, list(run_ids), text))
    refused = {str(key): str(why) for key, why in dict(told.get("refused") or {}).items()}
    return Outcome([one for one in run_ids if one in (told.get("done") or [])], refused)


def ask(remote: Remote, message: m.Message, payload: bytes = b"") -> dict[str, Any]:
    """Sends a request whose answer is one large object.

    Raises:
        ProtocolError: the answer is none.
        RemoteError: the host can't be asked.
    """
    return read_answer(remote.connection(), message, payload)


def read_answer(connection: Connection, message: m.Message, payload: bytes = b"") -> dict[str, Any]:
    """As :func:`ask`, over a connection that is there.

    Raises:
        ProtocolError: the answer is none.
        RemoteError: the host can't be asked.
    """
    return read_object(connection.request(message, payload), connection.host.name)


def read_object(stream: Stream, host: str) -> dict[str, Any]:
    """What a host sends as one large object.

    Raises:
        ProtocolError: it is none.
        RemoteError: the link broke, or the host refuses.
    """
    text, _ = read_inventory(stream)
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise ProtocolError("the host's answer is not an object", host=host)
    return answer


def _is_record(value: object) -> bool:
    return isinstance(value, dict) and RUN_ID.fullmatch(str(value.get("id"))) is not None
