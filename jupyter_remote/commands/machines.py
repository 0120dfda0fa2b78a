"""`test`, `status` and `sessions`: what the hosts themselves have to say, many at a time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import jupyter_remote

from ..call import Show, format_size, job_words, named_hosts, one_host
from ..durations import format_duration
from ..errors import LaunchError, RemoteError, UsageError
from ..gpu_words import COLUMNS, gpu_rows
from ..many import ask_all
from ..parsing import Values, unknown
from ..tables import print_json, print_table

if TYPE_CHECKING:
    from ..remote import Remote

Facts = dict[str, Any]

# Clocks that differ by more seconds than this are worth a word: times of runs are the host's.
_SKEW = 5.0

# One program proves both: that one can be started, and that the workspace takes a file.
_PROBE = ["sh", "-c", 'f=.jupyter-remote-test-$$ && : > "$f" && rm "$f"']


def test(values: Values, show: Show) -> int:
    """`test HOST…`; the exit code is the first failure's."""
    answers = ask_all(named_hosts(values["hosts"]), _test_one)
    if values["json"]:
        print_json([_json_of(host, answer) for host, answer in answers])
    else:
        rows = []
        for host, answer in answers:
            if isinstance(answer, RemoteError):
                rows.append((host, "failed", f"{type(answer).__name__}: {answer}"))
            else:
                facts = (
                    f"{answer['transport']}, Python {answer['python']} on {answer['platform']}",
                    "workspace writable",
                    *([f"its clock is {_apart(answer['skew'])}"] if abs(answer["skew"]) > _SKEW else ()),
                )
                rows.append((host, "ok", "; ".join(facts)))
        print_table(("HOST", "RESULT", "DETAILS"), rows)
    return _first_failure(answers)


def status(values: Values, show: Show) -> int:
    """`status [HOST…] [--watch]`.

    Raises:
        UsageError: an interval, and nothing to watch.
    """
    hosts = named_hosts(values["hosts"])
    if values["watch"]:
        from .watching import watch  # most calls look once

        watch(hosts, values["interval"] or 1.0, as_json=values["json"])
        return 0
    if values["interval"]:
        raise UsageError("--interval says how often: it needs --watch")
    answers = ask_all(hosts, lambda remote: remote.status())
    if values["json"]:
        print_json([_json_of(host, answer) for host, answer in answers])
    else:
        columns = ("HOST", "CPUS", "LOAD", "MEMORY FREE", "DISK FREE", "GPUS", "SESSIONS", "RUNS")
        print_table(columns, (_status_row(host, answer) for host, answer in answers))
        gpus = [row for host, answer in answers if isinstance(answer, dict) for row in gpu_rows(host, answer)]
        if gpus:
            print()
            print_table(COLUMNS, gpus)
    return _first_failure(answers)


def list_sessions(values: Values, show: Show) -> int:
    """`sessions list [HOST…]`."""
    answers = ask_all(named_hosts(values["hosts"]), lambda remote: {"sessions": remote.sessions()})
    if values["json"]:
        print_json([_json_of(host, answer) for host, answer in answers])
        return _first_failure(answers)
    rows: list[tuple[object, ...]] = []
    for host, answer in answers:
        if isinstance(answer, RemoteError):
            rows.append((host, f"{type(answer).__name__}: {answer}"))
        else:
            rows += [(host, *_session_row(session)) for session in answer["sessions"]]
    if rows:
        print_table(("HOST", "SESSION", "RUN", "QUEUED", "IDLE", "ENDS IN", "GPUS", "JOB", "PYTHON"), rows)
    else:
        print("no live sessions")
    return _first_failure(answers)


def stop_sessions(values: Values, show: Show) -> None:
    """`sessions stop HOST [NAME…]`.

    Raises:
        UsageError: no session of that name lives there.
    """
    host = one_host(values["host"])
    remote = jupyter_remote.connect(host)
    alive = [str(session["name"]) for session in remote.sessions()]
    for name in values["names"]:
        if name not in alive:
            raise unknown("session", name, host, alive)
    for name in values["names"]:
        remote.stop_session(name)
    stopped = values["names"] or remote.stop_sessions()
    print(f"{host}: stopped {', '.join(stopped) or 'nothing, there was no session'}")


def _test_one(remote: Remote) -> Facts:
    errors: list[str] = []
    run = remote.run_program(_PROBE, sync=False, label="test").wait(
        lambda event: errors.append(event.text) if event.kind == "stderr" else None
    )
    if run.exit_code != 0:
        reason = "".join(errors).strip() or f"exit code {run.exit_code}"
        raise LaunchError(f"no program can write in the workspace: {reason}", host=remote.host.name)
    return {**remote.info, "transport": remote.transport_name}


def _apart(skew: float) -> str:
    return f"{format_duration(abs(skew))} {'ahead of' if skew > 0 else 'behind'} this machine's"


def _json_of(host: str, answer: Facts | RemoteError) -> Facts:
    if isinstance(answer, RemoteError):
        error = {"kind": type(answer).__name__, "message": answer.message, "hint": answer.hint}
        return {"host": host, "ok": False, "exit_code": answer.exit_code, "error": error}
    return {"host": host, "ok": True, **answer}


def _first_failure(answers: Iterable[tuple[str, Facts | RemoteError]]) -> int:
    return next((answer.exit_code for _, answer in answers if isinstance(answer, RemoteError)), 0)


def _session_row(session: Facts) -> tuple[object, ...]:
    active, idle, ends_in = session.get("active"), session.get("idle_seconds"), session.get("ends_in")
    return (
        session["name"],
        "does not answer" if session.get("silent") else "job waits" if session.get("waiting") else active,
        len(session.get("queued") or ()),
        "" if active or idle is None else format_duration(idle),
        "" if active or ends_in is None else format_duration(ends_in),
        ",".join(str(gpu.get("index")) for gpu in session.get("leased") or ()),
        job_words(session),
        session.get("python"),
    )


def _status_row(host: str, answer: Facts | RemoteError) -> tuple[object, ...]:
    if isinstance(answer, RemoteError):
        return (host, f"{type(answer).__name__}: {answer}")
    memory, sessions, load = answer.get("memory") or {}, answer.get("sessions") or (), answer.get("load")
    disk = (answer.get("disk") or {}).get("home") or {}
    return (
        host,
        answer.get("cpu_count"),
        f"{load[0]:.1f}" if load else "",
        _free(memory.get("available"), memory.get("total")),
        _free(disk.get("free"), disk.get("total")),
        len(answer.get("gpus") or ()),
        len(sessions),
        sum(1 for session in sessions if session.get("active")),
    )


def _free(free: float | None, total: float | None) -> str:
    return "" if free is None or total is None else f"{format_size(free)} of {format_size(total)}"
