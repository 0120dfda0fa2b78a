"""`env create`, `env list` and `env remove`: environments on hosts. How one is made is `environments/`."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

import jupyter_remote

from ..call import Show, configuration, format_size, named_hosts, one_host, typed
from ..config_edit import set_host
from ..durations import format_duration
from ..environments import create as environments
from ..environments.create import BUILDERS, PREFIX, Plan
from ..environments.sources import check_name, read_source
from ..errors import BuildError, RemoteError, UsageError
from ..link_line import LinkLine
from ..many import ask_all
from ..parsing import Values, unknown
from ..tables import print_json, print_table

if TYPE_CHECKING:
    from ..events import Event
    from ..remote import Remote
    from ..run import Run

_VERSION = re.compile(r"3(\.\d{1,2}){1,2}")


def create(values: Values, show: Show) -> int:
    """`env create HOST -r FILE`; the exit code is that of the run that builds it."""
    host = one_host(values["host"])
    plan = _plan(values)
    remote = jupyter_remote.connect(host)
    say = _say(to_stderr=values["json"])
    wheels = environments.wheels_for(remote, plan, say) if plan.offline else []

    def start(_told: Any) -> Run:
        return environments.create(
            remote,
            plan,
            wheels,
            pass_env=values["pass_env"],
            notes={"command": typed.get()},
            on_link=LinkLine(meanwhile="it is made when the link is back"),
        )

    code = _quietly(start(None)) if values["json"] else show(remote, start, {**values, "pull": ()})
    if code:
        return code
    if values["use"]:
        _use(remote, plan.name)
    if values["json"]:
        print_json({"host": host, "name": plan.name, **_facts(remote, plan), "used": bool(values["use"])})
    elif values["use"]:
        where = configuration().where(host)
        print(
            f"{host}: python is now {PREFIX}{plan.name} ({where}); a live session keeps its own until it ends"
        )
    else:
        print(f"use it: `set {host} python={PREFIX}{plan.name}`")
    return 0


def list_all(values: Values, show: Show) -> int:
    """`env list [HOST…]`."""
    answers = ask_all(named_hosts(values["hosts"]), environments.listing)
    failed = next((answer.exit_code for _, answer in answers if isinstance(answer, RemoteError)), 0)
    if values["json"]:
        print_json([_document(host, answer) for host, answer in answers])
        return failed
    rows: list[tuple[object, ...]] = []
    for host, answer in answers:
        if isinstance(answer, RemoteError):
            print(f"{host}: {type(answer).__name__}: {answer}", file=sys.stderr)
        else:
            rows += [_row(host, one) for one in answer["environments"]]
    if rows:
        titles = ("HOST", "NAME", "DIGEST", "PYTHON", "PACKAGES", "SIZE", "CREATED", "LAST USED", "USED BY")
        print_table(titles, rows)
    elif not failed:
        print("no environments")
    return failed


def remove(values: Values, show: Show) -> None:
    """`env remove HOST NAME`."""
    host, name = one_host(values["host"]), values["name"]
    told = environments.remove(jupyter_remote.connect(host), name, values["force"])
    if values["json"]:
        print_json({"host": host, "name": name, **told})
        return
    kept = ", ".join(told["kept"])
    what = f"the name {name}; the environment stays as {kept}" if kept else f"environment {name}"
    print(f"{host}: removed {what}")
    if not kept and _configured(host, name):
        print(f"{host}: its `python` is still {PREFIX}{name}; `set {host} python=python3` changes that")


def _use(remote: Remote, name: str) -> None:
    """Make it the host's Python; what that was before is what environments are made with from now on."""
    before, changes = remote.host, {"python": PREFIX + name}
    if "python" in before.model_fields_set and not before.env_python and not before.python.startswith(PREFIX):
        changes["env_python"] = before.python
    set_host(before.name, changes)


def _plan(values: Values) -> Plan:
    if not values["requirements"]:
        raise UsageError(
            "env create needs -r FILE: a requirements.txt, pyproject.toml, environment.yml or uv.lock"
        )
    builder, python = values["with"] or "", values["python"] or ""
    if builder and builder not in BUILDERS:
        raise unknown("builder", builder, "--with", BUILDERS)
    if python and not _VERSION.fullmatch(python):
        raise UsageError(
            f"--python {python}: a version such as 3.11 or 3.11.7 (an interpreter is `python` of the host)"
        )
    source = read_source(values["requirements"])
    name = check_name(values["name"]) if values["name"] else source.name
    plan = Plan(source, name, python, builder, values["offline"])
    plan.check()
    return plan


def _say(*, to_stderr: bool) -> environments.Say:
    return lambda line: print(line, file=sys.stderr if to_stderr else sys.stdout, flush=True)


def _quietly(run: Run) -> int:
    """Wait for a run whose output must not come between a JSON document's reader and the document."""

    def sink(event: Event) -> None:
        if event.kind in ("stdout", "stderr"):
            print(event.text, end="", file=sys.stderr, flush=True)

    run.wait(sink)
    if run.state != "finished":
        raise BuildError(run.reason or f"it was not made; `logs {run.id}` says why", host=run.host)
    return 0


def _facts(remote: Remote, plan: Plan) -> dict[str, Any]:
    key = environments.digest(plan, remote)
    for one in environments.listing(remote)["environments"]:
        if one["digest"] == key:
            return dict(one)
    raise BuildError(f"environment {plan.name} was made and is gone again", host=remote.host.name)


def _document(host: str, answer: dict[str, Any] | RemoteError) -> dict[str, Any]:
    if isinstance(answer, RemoteError):
        error = {"kind": type(answer).__name__, "message": answer.message, "hint": answer.hint}
        return {"host": host, "ok": False, "exit_code": answer.exit_code, "error": error}
    for one in answer["environments"]:
        one["hosts"] = _users(host, one)
    return {"host": host, "ok": True, **answer}


def _row(host: str, one: dict[str, Any]) -> tuple[object, ...]:
    names = ", ".join(one["names"])
    if not one["whole"]:
        return (host, names, one["digest"], "not whole: a build goes on, or was broken off")
    users = [f"python of {name}" for name in _users(host, one)]
    users += [f"session {name}" for name in one["sessions"]]
    return (
        host,
        names,
        one["digest"],
        one.get("python"),
        one.get("packages"),
        format_size(float(one.get("size") or 0)),
        _ago(one.get("created")),
        _ago(one.get("used")),
        ", ".join(users),
    )


def _users(host: str, one: dict[str, Any]) -> list[str]:
    """The configured hosts on this machine whose runs go into an environment."""
    called = [*one["names"], one["digest"]]
    return [name for name in _same_machine(host) if any(_configured(name, each) for each in called)]


def _same_machine(host: str) -> list[str]:
    config = configuration()
    own = config.host(host)
    names = [host]
    for name in config.names():
        try:
            other = config.host(name)
        except RemoteError:
            continue  # one bad entry must not hide the others
        if name != host and (other.type, other.destination, other.user) == (
            own.type,
            own.destination,
            own.user,
        ):
            names.append(name)
    return names


def _configured(host: str, name: str) -> bool:
    return configuration().host(host).python == PREFIX + name


def _ago(moment: float | None) -> str:
    import time

    return "" if not moment else f"{format_duration(max(time.time() - moment, 0.0))} ago"
