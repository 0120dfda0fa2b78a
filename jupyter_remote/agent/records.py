"""The records of this host's runs: listed, read whole, labelled, deleted, restored, purged.

Ids sort by time, so the newest runs are found by the names of their folders, and only what is shown is read.
A deleted run is its folder moved to ``<state>/trash``, as it is. Starting and ending runs is not done here.
"""

from __future__ import annotations

import os

from . import shared
from .evidence import why_lost
from .paths import remove_tree
from .rundir import CALLBACK, FINAL_STATES, RUN_ID, RunDir
from .settling import KEPT

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any

# Records looked at for one answer: a rare state among 100,000 runs takes many answers, not a long one.
MOST_READ = 2000
# What the answer to a list holds of a run's code.
MOST_CODE = 1 << 16
RUNS, TRASH = "runs", "trash"


def newest(state: str, query: dict[str, Any]) -> dict[str, Any]:
    """The newest ``runs`` that match, and ``next``: the ``before`` of the next question, None at the end.

    Args:
        query: what they must match, see ``messages.ListRuns``.
    """
    place = TRASH if query.get("deleted") else RUNS
    folder = os.path.join(state, place)
    if query.get("ids") is not None:
        ids = [str(one) for one in query["ids"] if os.path.isdir(os.path.join(folder, str(one)))]
    else:
        ids = os.listdir(folder) if os.path.isdir(folder) else []
    before, since = str(query.get("before") or "~"), str(query.get("since") or "")
    names = sorted((i for i in ids if since <= i < before and RUN_ID.fullmatch(i)), reverse=True)
    found: list[dict[str, Any]] = []
    last = None
    for last in names[:MOST_READ]:
        run = RunDir(state, last, place)
        record = standing(run)
        if record is not None and _matches(record, query):
            if query.get("code"):
                record["code"] = _text(run.code_path, MOST_CODE)
            found.append(dict(record, deleted=int(place == TRASH)))
            if len(found) >= int(query.get("limit") or MOST_READ):
                break
    more = bool(names) and last != names[-1]
    return {"runs": found, "next": last if more else None}


def _matches(record: dict[str, Any], query: dict[str, Any]) -> bool:
    if record.get("kind") == CALLBACK and query.get("ids") is None:
        return False
    keys = ("state", "label", "campaign")
    return all(query.get(key) is None or record.get(key) == query[key] for key in keys)


def standing(run: RunDir) -> dict[str, Any] | None:
    """The record of a run as it stands now, None when there is none.

    The end is in the log before it is in the record, and whoever waits for it hears of it in between.
    ``lost`` is worked out: there is no end, and who would write it is gone.
    """
    record = _told(run)
    if record is None or record.get("state") in FINAL_STATES:
        return record
    reason = why_lost(record)
    if reason is not None:
        record = _told(run) or record  # its last act may have been to write the end
        if record.get("state") not in FINAL_STATES:
            record.update(state="lost", exit_code=1, reason=reason)
    return record


def _told(run: RunDir) -> dict[str, Any] | None:
    record = run.whole_record()
    if record is not None and record.get("state") not in FINAL_STATES:
        end = run.end()
        record.update({key: end[key] for key in KEPT if key in end})
    return record


def read(state: str, run_id: str) -> dict[str, Any]:
    """All that is known of a run: ``record``, ``code``, ``diff``, ``manifest``, ``environment``.

    Raises:
        ValueError: there is no such run.
    """
    for place in (RUNS, TRASH):
        run = RunDir(state, run_id, place)
        record = standing(run)
        if record is not None:
            whole: dict[str, Any] = {"record": dict(record, deleted=int(place == TRASH)), "folder": run.path}
            whole["code"] = _text(run.code_path)
            for kind, key in shared.KINDS:
                digest = record.get(key)
                whole[key] = shared.get(state, kind, digest) if digest else None
            return whole
    raise ValueError(f"there is no run {run_id} here")


def change(state: str, action: str, run_ids: list[str], text: str | None) -> dict[str, Any]:
    """Does it to each run that it can be done to; the others are ``refused``, with the reason."""
    done, refused = [], {}
    for run_id in run_ids:
        try:
            if action == "label":
                _existing(state, run_id, RUNS).note({"label": text or ""})
            else:
                {"delete": _delete, "restore": _restore, "purge": _purge}[action](state, run_id)
            done.append(run_id)
        except (ValueError, OSError) as error:
            refused[run_id] = str(error)
    return {"done": done, "refused": refused}


def _delete(state: str, run_id: str) -> None:
    run = _existing(state, run_id, RUNS)
    record = standing(run) or {}
    if record.get("state") not in FINAL_STATES:
        raise ValueError(f"it is {record.get('state')}; `runs stop {run_id}` ends it")
    os.makedirs(os.path.join(state, TRASH), mode=0o700, exist_ok=True)
    os.rename(run.path, RunDir(state, run_id, TRASH).path)


def _restore(state: str, run_id: str) -> None:
    run = _existing(state, run_id, TRASH)
    os.rename(run.path, RunDir(state, run_id).path)


def _purge(state: str, run_id: str) -> None:
    if os.path.isdir(RunDir(state, run_id).path):
        raise ValueError(f"it is not deleted; `runs delete {run_id}` does that")
    run = _existing(state, run_id, TRASH)
    record = run.whole_record() or {}
    remove_tree(run.path)
    if (record.get("job") or {}).get("own"):
        from .jobs import home

        remove_tree(home(state, record["job"]["key"]))
    if os.path.exists(run.path):
        raise ValueError(f"not all of {run.path} can be removed")
    for kind, key in shared.KINDS:
        if record.get(key):
            shared.release(state, kind, record[key])


def _existing(state: str, run_id: str, place: str) -> RunDir:
    run = RunDir(state, run_id, place)
    if not os.path.isdir(run.path):
        raise ValueError("there is no such run here" if place == RUNS else "it is not in the trash here")
    return run


def _text(path: str, most: int = -1) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(most)
    except OSError:
        return ""
