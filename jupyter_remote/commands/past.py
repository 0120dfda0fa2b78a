"""`runs list`, `runs info`, `runs diff` and `history`: what was run, shown. Nothing is changed here."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .. import history as local_history
from .. import records
from ..agent.rundir import FINAL_STATES
from ..call import Show, count, format_size, job_words, named_hosts
from ..durations import format_duration
from ..errors import RemoteError, UsageError
from ..history_rows import STATES, Row, document_of
from ..history_store import Query
from ..parsing import Values, unknown
from ..run_diff import compare, describe
from ..run_export import export
from ..runs import archives_of, listing, rebuild, whole
from ..tables import print_json, print_table
from ..whereabouts import Found, find_run, learn

_PAGE = 50
# What a table shows of the code or the words of a run.
_LONGEST = 60
# Of a run with very many of them, the rest comes when somebody asks again.
_METRICS_S = 5.0
_MOST_METRICS = 20


def list_runs(values: Values, show: Show) -> None:
    """`runs [list]`; a host that can't be asked is named, and its runs are shown as they were last seen."""
    if values["archive"]:
        from .archiving import list_runs as in_archive  # most lists are of hosts

        in_archive(values)
        return
    state = values["state"]
    if state is not None and state not in STATES:
        raise unknown("state", state, "runs list", STATES)
    query = Query(
        host=values["host"],
        label=values["label"],
        campaign=values["campaign"],
        states=() if state is None else (state,),
        since=values["since"],
        deleted=values["deleted"],
        limit=values["limit"] or _PAGE,
    )
    rows, unreachable = listing(query, ask=not values["local"])
    if values["json"]:
        named = [
            {"host": one.host, "error": str(one.error.message), "as_of": one.as_of} for one in unreachable
        ]
        print_json({"runs": [document_of(row) for row in rows], "unreachable": named})
        return
    _print_rows(rows)
    for one in unreachable:
        as_of = (
            f"its runs are shown as of {_clock(one.as_of)}" if one.as_of else "nothing of it is known here"
        )
        print(f"{one.host}: {one.error.message}; {as_of}", file=sys.stderr)


def history(values: Values, show: Show) -> int:
    """`history`; fails when a host could not be asked by `--rebuild`."""
    failed = _rebuild(values["host"]) if values["rebuild"] else 0
    limit = values["limit"] or (None if values["export"] else _PAGE)
    query = Query(host=values["host"], since=values["since"], limit=limit)
    if values["export"]:
        path = Path(values["export"]).expanduser()
        number = export(path, local_history.store().find(query, source=True))
        print(f"{number} run{'s' if number != 1 else ''} written to {path}")
        return failed
    rows = local_history.store().find(query, source=values["json"])
    if values["json"]:
        print_json({"runs": [document_of(row) for row in rows]})
    else:
        _print_rows(rows)
    return failed


def _rebuild(host: str | None) -> int:
    code = 0
    known = [] if host else [*local_history.store().hosts()]
    for name, answer in rebuild(list(dict.fromkeys([*named_hosts([host] if host else []), *known]))):
        if isinstance(answer, RemoteError):
            code = code or answer.exit_code
            print(f"{name}: {answer.message}", file=sys.stderr)
        else:
            print(f"{name}: {answer} run{'s' if answer != 1 else ''}", file=sys.stderr)
    return code


def info(values: Values, show: Show) -> None:
    """`runs info ID`; where its host can't be asked, what the local history has."""
    found = find_run(values["run"], values["host"])
    here = found.pulled() if values["host"] is None else None
    if here is not None:
        _print_whole(found, {**here.whole(), "metrics": _finals(found)}, values, here.folder)
        return
    try:
        told = records.whole(found.remote(), found.id)
    except RemoteError as error:
        if values["json"]:
            print_json({"record": document_of(found.row), "as_of": found.row["seen"], "error": error.message})
            return
        print(f"{found.host}: {error.message}; as of {_clock(found.row['seen'])}:", file=sys.stderr)
        _print_facts(document_of(found.row))
        return
    if "job" in told["record"]:
        from .. import jobs

        jobs.settle(found.remote().host, found.remote().connection(), [told["record"]])
        jobs.note_use(found.remote().connection(), [told["record"]])
    learn(found.remote(), [{**told["record"], "code": told["code"]}])
    told["metrics"] = _finals(found)
    _print_whole(found, told, values)


def _print_whole(found: Found, told: dict[str, Any], values: Values, pulled: Path | None = None) -> None:
    if values["json"]:
        print_json({**told, **({"pulled": str(pulled)} if pulled else {})})
        return
    _print_facts({**_facts(found, told), **({"pulled to": pulled} if pulled else {})})
    if told["code"]:
        print(f"\n{told['code']}")


def diff(values: Values, show: Show) -> None:
    """`runs diff ID1 ID2`."""
    pair = [find_run(values["first"]), find_run(values["second"])]
    if pair[0].id == pair[1].id:
        raise UsageError(f"{pair[0].id} is one run; two are compared")
    told = [{**whole(one), "metrics": _finals(one)} for one in pair]
    document = compare(told[0], told[1])
    if values["json"]:
        print_json(document)
    else:
        print(describe(document))


def _finals(found: Found) -> dict[str, Any]:
    """The last values of a run's metrics, as JSON has them."""
    from ..metrics import Metrics, plain

    metrics = Metrics(found.id, None if found.pulled() else found.remote().link)
    metrics.refresh(connect=False, seconds=_METRICS_S)
    return {name: plain(value) for name, value in metrics.finals().items()}


def _facts(found: Found, told: dict[str, Any]) -> dict[str, Any]:
    record = told["record"]
    used, git, environment = record.get("used") or {}, record.get("git") or {}, told.get("environment")
    dirty = f" with changes ({git.get('untracked', 0)} untracked)" if git.get("dirty") else ""
    return {
        "id": record["id"],
        "host": found.host,
        "state": record.get("state", "") + (" (in the trash)" if record.get("deleted") else ""),
        "exit code": record.get("exit_code"),
        "reason": record.get("reason"),
        "label": record.get("label") or None,
        "archived": ", ".join(archives_of(record["id"])),
        "campaign": record.get("campaign"),
        "step": record.get("step"),
        "try": record.get("attempt"),
        "kind": record.get("kind"),
        "session": record.get("session"),
        "notebook": record.get("notebook"),
        "started": _clock(record.get("started")),
        "ended": _clock(record.get("ended")),
        "wall time": _seconds(record.get("seconds")),
        "CPU time": _seconds(used.get("cpu_seconds")),
        "peak memory": _size(used.get("peak_memory")),
        "job": job_words(record),
        "job used": _job_used(record.get("job_used") or {}),
        "peak GPU memory": _size(used.get("gpu_memory")),
        "metrics": _in_words(told.get("metrics") or {}),
        "command": record.get("command"),
        "remote command": " ".join(map(str, record.get("remote_command") or [])),
        "rerun of": record.get("rerun_of"),
        "folder": told.get("folder"),
        "mirror": record.get("workspace"),
        "workspace": record.get("manifest") and f"{record['manifest']} ({_files(told.get('manifest'))})",
        "commit": git.get("commit") and f"{git['commit']}{dirty}",
        "environment": record.get("in_env"),
        "Python": environment and f"{environment['python'].split()[0]} ({environment['executable']})",
        "packages": environment and len(environment["packages"]),
        "GPUs": ", ".join(str(gpu.get("name")) for gpu in record.get("gpus") or []),
        "driver": next((gpu.get("driver") for gpu in record.get("gpus") or []), None),
        "variables": ", ".join(record.get("env_names") or []),
    }


def _in_words(finals: dict[str, Any]) -> str:
    shown = [
        f"{name} {value if isinstance(value, str) else format(value, '.6g')}"
        for name, value in finals.items()
    ]
    more = [f"and {len(shown) - _MOST_METRICS} more"] if len(shown) > _MOST_METRICS else []
    return ", ".join([*shown[:_MOST_METRICS], *more])


def _job_used(facts: dict[str, Any]) -> str | None:
    if not facts:
        return None
    if "elapsed_seconds" not in facts:  # an array: by task
        return "; ".join(f"{name}: {_job_used(one)}" for name, one in sorted(facts.items()))
    told = [f"{_seconds(facts['elapsed_seconds'])} elapsed", f"{facts.get('cpu_time')} CPU"]
    if facts.get("peak_memory"):
        told.append(f"{_size(facts['peak_memory'])} peak memory")
    return ", ".join([*told, str(facts.get("tres") or "")]).rstrip(", ")


def _files(manifest: dict[str, Any] | None) -> str:
    return count([*(manifest or {})], "path")


def _print_facts(facts: dict[str, Any]) -> None:
    print_table(("FACT", "VALUE"), ((k, v) for k, v in facts.items() if v not in (None, "")))


def _print_rows(rows: Iterable[Row]) -> None:
    rows = list(rows)
    if not rows:
        print("no runs")
        return
    titles: tuple[str, ...] = ("RUN", "HOST", "STATE", "EXIT", "STARTED", "WALL", "LABEL", "WHAT")
    shown = [_row(row) for row in rows]
    groups = [(document_of(row)["options"] or {}).get("group", "") for row in rows]
    if any(groups):
        titles = (*titles[:-1], "GROUP", titles[-1])
        shown = [(*row[:-1], group, row[-1]) for row, group in zip(shown, groups, strict=True)]
    print_table(titles, shown)


def _row(row: Row) -> tuple[object, ...]:
    ended = row["state"] in FINAL_STATES
    return (
        row["id"],
        row["host"],
        row["state"],
        row["exit_code"],
        _clock(row["started"] or row["created"]),
        _seconds(row["seconds"]) if ended else "",
        row["label"],
        _what(row),
    )


def _what(row: Row) -> str:
    options = document_of(row)["options"] or {}
    lines = (row["source"] or "").strip().splitlines()
    words = " ".join(map(str, options.get("argv") or [])).removeprefix("{python} ")
    if options.get("script"):
        text = f"{options['script']} {' '.join(map(str, (options.get('argv') or [])[2:]))}".strip()
    else:
        text = lines[0] if lines else words
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _clock(moment: float | None) -> str:
    return "" if not moment else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else format_duration(seconds)


def _size(size: float | None) -> str:
    return "" if size is None else format_size(size)
