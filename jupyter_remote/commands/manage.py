"""`runs label`, `stop`, `delete`, `restore`, `purge` and `rerun`: what is done to runs of before."""

from __future__ import annotations

import sys
from typing import Any

from .. import history
from ..call import Show, one_host, typed
from ..history_rows import document_of
from ..parsing import Values
from ..runs import again, change, repeat, stop_all
from ..tables import print_json
from ..whereabouts import Found, find_run

_Result = tuple[Found, str | None]


def label(values: Values, show: Show) -> int:
    """`runs label ID TEXT`."""
    found = find_run(values["run"], values["host"])
    said = f"labelled {values['text']!r}" if values["text"] else "has no label any more"
    return _tell(change("label", [found], values["text"]), said, values["json"])


def stop(values: Values, show: Show) -> int:
    """`runs stop ID…`; one that has ended already is no error."""
    results = [(one, error.message if error else None) for one, error in stop_all(_found(values))]
    return _tell(results, "has ended", values["json"])


def delete(values: Values, show: Show) -> int:
    """`runs delete ID…`."""
    if values["archive"]:
        from .archiving import change as in_archive  # most runs are on hosts

        return in_archive("delete", values)
    return _tell(change("delete", _found(values)), "in the trash of its host", values["json"])


def restore(values: Values, show: Show) -> int:
    """`runs restore ID…`."""
    if values["archive"]:
        from .archiving import change as in_archive  # most runs are on hosts

        return in_archive("restore", values)
    return _tell(change("restore", _found(values)), "restored", values["json"])


def purge(values: Values, show: Show) -> int:
    """`runs purge ID…`."""
    if values["archive"]:
        from .archiving import change as in_archive  # most runs are on hosts

        return in_archive("purge", values)
    return _tell(change("purge", _found(values)), "removed for good", values["json"])


def rerun(values: Values, show: Show) -> int:
    """`runs rerun ID [--host OTHER]`; exits with the new run's exit code."""
    found = find_run(values["run"])
    remote, record, code = again(found, values["host"] and one_host(values["host"]))
    notes: dict[str, Any] = {"command": typed.get(), "pull": list(record.get("pull") or ())}
    if values["json"]:
        run = repeat(remote, record, code, **notes).wait()
        (row,) = history.store().with_prefix(run.id)
        print_json(document_of(row))
        return run.exit_code or 0
    options = {"quiet": values["quiet"], "pull": tuple(notes["pull"])}
    return show(remote, lambda told: repeat(remote, record, code, progress=told, **notes), options)


def _found(values: Values) -> list[Found]:
    found = [find_run(word, values["host"]) for word in values["runs"]]
    return list({one.id: one for one in found}.values())


def _tell(results: list[_Result], done: str, as_json: bool) -> int:
    """Say what was done to which run; 1 when something was refused."""
    if as_json:
        documents = [
            {"id": one.id, "host": one.host, "ok": why is None, "error": why} for one, why in results
        ]
        print_json({"runs": documents})
    else:
        for one, why in results:
            text = f"{one.id} on {one.host}: {done if why is None else why}"
            print(text, file=sys.stdout if why is None else sys.stderr)
    return int(any(why is not None for _, why in results))
