"""Runs on all hosts: found by a piece of their id, brought up to date, stopped, run again.

The local history says which runs there are and where; the hosts say how they stand. How that is shown is
`commands/manage.py`'s business.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from . import history, metric_store, records
from .agent import messages as m
from .agent.rundir import FINAL_STATES
from .errors import RemoteError, UsageError
from .gpu_request import again as again_with
from .history_rows import UNFINISHED, Row
from .history_store import Query, Store
from .many import ask_all, at_once
from .whereabouts import Found, learn

if TYPE_CHECKING:
    from .remote import Remote
    from .run import Run
    from .sync.progress import Report

# The ladder on the host takes two seconds before it kills.
STOP_S = 15.0
# A scheduler's own ladder, which comes after it, takes half a minute.
STOP_JOB_S = 75.0
LOOK_S = 0.05
# Unfinished runs of one host that are asked about by name.
MOST_UNFINISHED = 1000
NEWEST_CAMPAIGNS = 20


@dataclass(frozen=True)
class Unreachable:
    """A host that could not be asked.

    Args:
        host: its name.
        error: why.
        as_of: when it was last heard of, seconds since the epoch; None for never.
    """

    host: str
    error: RemoteError
    as_of: float | None


def listing(query: Query, *, ask: bool = True) -> tuple[list[Row], list[Unreachable]]:
    """Runs, newest first, brought up to date by the hosts concerned.

    Those are the named one, those of a campaign, or else those whose runs are shown or were not seen to end.

    Args:
        query: which.
        ask: False takes what the local history says.

    Returns:
        The rows, and the hosts that could not be asked.

    Raises:
        HistoryError: the local history can't be read.
    """
    store = history.store()
    rows = store.find(query)
    if not ask:
        return rows, []
    if query.host is not None:
        hosts = [query.host]
    elif query.campaign is not None:
        from .campaigns.campaign import places

        hosts = places(query.campaign)
    else:
        shown = [row["host"] for row in rows]
        hosts = list(dict.fromkeys([*shown, *store.hosts(unfinished=True), *_unheard(store)]))
    answers = ask_all(hosts, lambda remote: refresh(remote, query)) if hosts else []
    failed = [(host, error) for host, error in answers if isinstance(error, RemoteError)]
    heard = store.hosts() if failed else {}
    return history.store().find(query), [Unreachable(h, error, heard.get(h)) for h, error in failed]


def _unheard(store: Store) -> list[str]:
    """The hosts that have steps of a campaign, started by themselves, of which nothing is known here yet."""
    newest = store.campaigns()[:NEWEST_CAMPAIGNS]
    return [host for row in newest for host in set(row["hosts"]) - set(store.hosts_of(row["name"]))]


def refresh(remote: Remote, query: Query) -> None:
    """Notes what a host says of the runs that a query is about, and of those not seen to end.

    Raises:
        RemoteError: the host can't be asked.
    """
    host = remote.host.name
    asked: dict[str, Any] = {"label": query.label, "deleted": query.deleted, "code": True}
    asked["campaign"] = query.campaign
    if len(query.states) == 1:
        asked["state"] = query.states[0]
    if query.since is not None:
        asked["since"] = time.strftime("%Y%m%d-%H%M%S", time.gmtime(query.since))
    seen = settled(remote, list(records.records(remote, query.limit, **asked)))
    learn(remote, seen)
    wanted = Query(host=host, states=UNFINISHED, limit=MOST_UNFINISHED)
    fresh = {record["id"] for record in seen}
    open_ids = [row["id"] for row in history.store().find(wanted) if row["id"] not in fresh]
    if open_ids:
        known = settled(remote, list(records.records(remote, len(open_ids), ids=open_ids)))
        learn(remote, known)
        gone = set(open_ids) - {record["id"] for record in known}
        learn(
            remote, [{"id": i, "state": "lost", "reason": f"{host} does not have it any more"} for i in gone]
        )


def settled(remote: Remote, found: list[records.Record]) -> list[records.Record]:
    """The same records, brought up to date by the scheduler where runs are jobs.

    Raises:
        RemoteError: the host can't be asked.
    """
    if any("job" in record for record in found):
        from . import jobs  # most hosts have none

        jobs.settle(remote.host, remote.connection(), found)
    return found


def rebuild(hosts: Sequence[str]) -> list[tuple[str, int | RemoteError]]:
    """Notes all runs of the hosts, deleted ones too; returns how many each has, or its error."""

    def read(remote: Remote) -> int:
        count = 0
        for deleted in (False, True):
            for record in records.records(remote, None, deleted=deleted, code=True):
                learn(remote, [record])
                count += 1
        return count

    answers = ask_all(hosts, read)
    history.flush()
    return answers


def change(action: str, found: Sequence[Found], text: str | None = None) -> list[tuple[Found, str | None]]:
    """Labels, deletes, restores or purges runs, wherever they are.

    Returns:
        Each run with None, or why it was refused.

    Raises:
        RemoteError: a host can't be asked.
    """
    results: list[tuple[Found, str | None]] = []
    for host in dict.fromkeys(one.host for one in found):
        there = [one for one in found if one.host == host]
        outcome = records.change(there[0].remote(), action, [one.id for one in there], text)
        _note_change(action, outcome.done, text)
        for one in there:
            why = None if one.id in outcome.done else outcome.refused.get(one.id, "the host doesn't say why")
            results.append((one, why))
    history.flush()
    return results


def _note_change(action: str, ids: Sequence[str], text: str | None) -> None:
    if action == "purge":
        forget_on_host(ids)
    elif action == "label":
        history.note([{"id": i, "label": text or ""} for i in ids])
    else:
        history.note([{"id": i, "deleted": int(action == "delete")} for i in ids])


def forget_on_host(ids: Sequence[str]) -> None:
    """Notes that a host has runs no more: those that are in an archive stay in the history, the others go."""
    kept = history.store().archived().intersection(ids) if ids else set()
    history.note([{"id": one, "deleted": 0} for one in kept])
    history.forget(set(ids) - kept)
    metric_store.remove(set(ids) - kept)


def archives_of(run_id: str) -> list[str]:
    """The archives that a run is in, as far as the local history knows."""
    rows = history.store().with_prefix(run_id, 1)
    return list(json.loads(rows[0]["archives"] or "[]")) if rows and rows[0]["id"] == run_id else []


def note_archived(run_id: str, archive: str, there: bool) -> None:
    """Notes that a run is in an archive, or is there no more; not of one that is unknown here."""
    if not any(row["id"] == run_id for row in history.store().with_prefix(run_id, 1)):
        return
    names = set(archives_of(run_id)) - {archive}
    if there:
        names.add(archive)
    history.note([{"id": run_id, "archives": json.dumps(sorted(names))}])


def stop(found: Found) -> str:
    """Ends a run's processes (TERM, then KILL) and waits for its end; returns its state then.

    Raises:
        UsageError: the host has no such run.
        RemoteError: the host can't be asked, or the run does not end.
    """
    answer = _stop_there(found.remote(), [found])[found.id]
    if isinstance(answer, RemoteError):
        raise answer
    return answer


def stop_all(found: Sequence[Found]) -> list[tuple[Found, RemoteError | None]]:
    """Ends runs, wherever they are, all at the same time; returns each with what was wrong."""
    by_host: dict[str, list[Found]] = {}
    for one in found:
        by_host.setdefault(one.host, []).append(one)
    answers = at_once(list(by_host.values()), lambda there: _stop_there(there[0].remote(), there))
    failed: dict[str, RemoteError] = {}
    for there, answer in zip(by_host.values(), answers, strict=True):
        for one in there:
            error = answer if isinstance(answer, RemoteError) else answer[one.id]
            if isinstance(error, RemoteError):
                failed[one.id] = error
    return [(one, failed.get(one.id)) for one in found]


def _stop_there(remote: Remote, found: Sequence[Found]) -> dict[str, str | RemoteError]:
    """The state in which each ended, or why it did not."""
    connection, started = remote.connection(), time.monotonic()
    answers: dict[str, str | RemoteError] = {}
    for one, told in zip(found, at_once(found, lambda one: connection.ask(m.Signal(one.id, 2))), strict=True):
        if isinstance(told, RemoteError):
            answers[one.id] = told
    while waiting := [one.id for one in found if one.id not in answers]:
        seen = settled(remote, list(records.records(remote, len(waiting), ids=waiting)))
        learn(remote, seen)
        there = {str(record["id"]): record for record in seen}
        for run_id in waiting:
            record = there.get(run_id)
            if record is None or record.get("state") in FINAL_STATES:
                answers[run_id] = "lost" if record is None else str(record["state"])
            elif time.monotonic() - started > (STOP_JOB_S if "job" in record else STOP_S):
                host = remote.host.name
                answers[run_id] = RemoteError(f"run {run_id} on {host} does not end", host=host)
        if len(answers) < len(found):
            time.sleep(LOOK_S)
    history.flush()
    return answers


def whole(found: Found) -> dict[str, Any]:
    """All of a run, see `records.whole`: from its folder here when it was pulled from an archive.

    Raises:
        ArchiveError: that folder doesn't say.
        RemoteError: its host can't be asked.
    """
    here = found.pulled()
    return here.whole() if here is not None else records.whole(found.remote(), found.id)


def again(found: Found, host: str | None = None) -> tuple[Remote, dict[str, Any], str]:
    """What it takes to run something again: where, its record, its code.

    Args:
        found: the run.
        host: another host; its own when None.

    Raises:
        UsageError: neither its host nor the local history has it whole.
        RemoteError: its host can't be asked, and the local history is not enough.
    """
    try:
        told = whole(found)
        record, code = told["record"], told["code"]
    except RemoteError:
        from .history_rows import MAX_SOURCE, document_of

        row = document_of(found.row)
        code = row.get("source")
        if row.get("options") is None or code is None or len(code) >= MAX_SOURCE:
            raise
        record = {**row, **row["options"]}
    there = replace(found, host=host or found.host)
    return there.remote(), record, code


def repeat(
    remote: Remote, record: records.Record, code: str, progress: Report | None = None, **notes: Any
) -> Run:
    """Runs what a record describes, with the workspace as it is now.

    Args:
        remote: where.
        record: of the run.
        code: what it ran.
        progress: told how far the sync has come.
        notes: what the new record shall say besides.

    Raises:
        UsageError: the record can't be run: it is of another kind, or names variables that are not set here.
        RemoteError: as `Remote.run_cell`.
    """
    if record.get("send"):
        names = ", ".join(map(str, record["send"]))
        raise UsageError(
            f"run {record['id']} was given variables ({names}), which are not kept",
            hint="Run its cell again with --send.",
        )
    options: dict[str, Any] = {key: record.get(key) for key in ("cwd", "timeout", "label", "notebook")}
    options |= {"env": record.get("env") or {}, "pass_env": record.get("pass_env") or ()}
    options["progress"] = progress
    launch = record.get("launch") or {}
    options |= {"launcher": launch.get("launcher"), "resources": launch.get("set")}
    options |= again_with(record.get("lease"))
    metrics = record.get("metric_wishes") or {}
    options["metrics"] = [*(metrics.get("names") or ()), *(metrics.get("regexes") or ())]
    options["metric_files"] = metrics.get("files") or ()
    options |= {"sync": record.get("sync", True), "notes": {**notes, "rerun_of": record["id"]}}
    if record.get("kind") == "cell":
        fresh = bool(record.get("fresh"))
        return remote.run_cell(code, fresh=fresh, session=str(record.get("session") or "default"), **options)
    if record.get("kind") == "program" and isinstance(record.get("argv"), list):
        argv = [str(word) for word in record["argv"]]
        return remote.run_words(argv, code, script=record.get("script"), **options)
    raise UsageError(f"run {record['id']} is a {record.get('kind')!r}, which this version can't run again")
