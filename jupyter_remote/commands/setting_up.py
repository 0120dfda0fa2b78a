"""`setup` and `doctor`: hosts looked at from all sides, many at a time, and what is then known in a table."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..call import Show, configuration, format_size, named_hosts
from ..config import HOSTS_FILE, config_dir
from ..errors import RemoteError, UsageError
from ..hosts.checks import Findings, examine
from ..hosts.examination import Examination
from ..hosts.examination import examine as examine_host
from ..hosts.facts import Facts, to_save
from ..hosts.setup import Prepared, Target, mirror_of, prepare, read_target, save
from ..many import at_once
from ..parsing import Values
from ..tables import print_json, print_table

_MARKS = {"ok": "✓", "warning": "!", "failed": "✗", "not applicable": "–"}
# Files that say which packages a project needs, the most exact first.
_LISTS = ("uv.lock", "requirements.txt", "pyproject.toml", "environment.yml")


def setup(values: Values, show: Show) -> int:
    """`setup USER@HOST… --name N`; the exit code is the first failure's.

    Raises:
        UsageError: one name for several hosts, the same name twice, or a target that is none.
        ConfigError: a value is not valid; nothing is saved.
    """
    config = configuration()
    targets: list[str] = []
    for text in values["targets"]:
        targets += config.expand_hosts(text) if text.startswith("@") else [text]
    if values["name"] and len(targets) > 1:
        raise UsageError(
            f"--name names one host, and there are {len(targets)}; leave it out, or set up one by one"
        )
    wanted = [read_target(text, config, values["name"], values["ssh_key"]) for text in targets]
    if len({target.name for target in wanted}) < len(wanted):
        raise UsageError(
            f"two of the hosts would be called {_twice(wanted)}; set them up one by one, with --name"
        )
    here = Path.cwd()
    answers = at_once(wanted, lambda target: prepare(target, here), lambda one: one.examination.problem)
    failure = 0
    documents = []
    for target, answer in zip(wanted, answers, strict=True):
        error = answer if isinstance(answer, RemoteError) else answer.examination.problem
        if error is None and isinstance(answer, Prepared):
            save(answer, values["group"])
        failure = failure or (error.exit_code if error else 0)
        documents.append(_setup_document(target, answer))
    if values["json"]:
        print_json(documents)
        return failure
    _show_setup(wanted, answers, values, show)
    return failure


def doctor(values: Values, show: Show) -> int:
    """`doctor HOST…`; 1 when a check failed, the error's code when a host can't be used at all."""
    config, here = configuration(), Path.cwd()
    names = named_hosts(values["hosts"])
    hosts = [config.host(name) for name in names]
    answers = at_once(hosts, lambda host: examine_host(host, mirror_of(host, here)), lambda one: one.problem)
    code = 0
    documents = []
    for host, answer in zip(hosts, answers, strict=True):
        if isinstance(answer, RemoteError):
            answer = Examination(Facts(host, {}, {}, {}), answer)
        findings = examine(answer.facts)
        bad = any(finding.state == "failed" for _, finding in findings)
        code = code or (answer.problem.exit_code if answer.problem else int(bad))
        documents.append(_doctor_document(host.name, answer, findings))
        if not values["json"]:
            _show_doctor(host.name, answer, findings, several=len(hosts) > 1)
    if values["json"]:
        print_json(documents)
    return code


def _twice(targets: Sequence[Target]) -> str:
    names = [target.name for target in targets]
    return next(name for name in names if names.count(name) > 1)


# What `setup` shows.


def _show_setup(
    targets: Sequence[Target], answers: Sequence[Prepared | RemoteError], values: Values, show: Show
) -> None:
    good: list[Prepared] = []
    for target, answer in zip(targets, answers, strict=True):
        problem = answer if isinstance(answer, RemoteError) else answer.examination.problem
        if problem is not None:
            print(f"error: {problem}\n{target.name} was not saved.", file=sys.stderr)
        elif isinstance(answer, Prepared):
            good.append(answer)
    if not good:
        return
    if len(good) == 1:
        print_table(("WHAT", good[0].target.name), _facts_rows(good[0].examination.facts))
    else:
        columns = ("HOST", "SYSTEM", "PYTHON", "CPUS", "MEMORY", "GPUS", "HOME FREE", "INTERNET")
        print_table(columns, (_short_row(one) for one in good))
    for prepared in good:
        findings = [
            (c, f) for c, f in examine(prepared.examination.facts) if f.state in ("failed", "warning")
        ]
        if findings:
            print(f"\n{prepared.target.name}:")
        for check, finding in findings:
            print(f"  {_MARKS[finding.state]} {check.name}: {finding.text}\n    → {finding.remedy}")
    print(f"\nSaved in {config_dir() / HOSTS_FILE}.")
    names = ",".join(one.target.name for one in good)
    if not values["no_install"]:
        _offer_environments(good, show)
    print(f"Next: %%remote {names} before a cell, or `jupyter remote run {names} -- hostname`;")
    print(f"      all checks: `jupyter remote doctor {good[0].target.name}`.")


def _offer_environments(good: Sequence[Prepared], show: Show) -> None:
    """Offers to make what this project needs on each host; where nobody can be asked, says what to type."""
    file = next((name for name in _LISTS if Path(name).is_file()), None)
    for one in good:
        name = one.target.name
        create = f"jupyter remote env create {name} -r {file or 'requirements.txt'}"
        if file is None:
            if one.examination.facts.interpreter.get("ipython") is None:
                print(f"{name}: cells run there without IPython; get it with: {create}")
        elif not one.target.host.python.startswith("env:") and not _made(name, file, show):
            print(f"{name}: what {file} names gets there with: {create}")


def _made(name: str, file: str, show: Show) -> bool:
    """Whether the user wanted the environment, and it was made."""
    from ..options import walk
    from ..parsing import parse
    from ..transports.prompt import TerminalPrompter
    from . import HANDLERS

    words = ("env", "create")
    command = dict(walk()).get(words)
    if command is None:
        return False
    answer = TerminalPrompter().ask(
        f"Make an environment on {name} of {file}, and use it? [y/N] ", secret=False
    )
    if (answer or "").strip().lower() not in ("y", "yes"):
        return False
    try:
        return not HANDLERS[words](parse(command, [name, "-r", file, "--use"], "env create"), show)
    except RemoteError as error:
        print(f"error: {error}", file=sys.stderr)  # the host itself is saved, and can be used
        return False


def _facts_rows(facts: Facts) -> list[tuple[str, object]]:
    memory = facts.memory.get("total")
    found = facts.interpreter
    gpu = next((finding for check, finding in examine(facts) if check.name == "GPU"), None)
    rows: list[tuple[str, object]] = [
        ("system", f"{facts.system}, {facts.hello.get('machine')}"),
        ("transport", (facts.hello.get("transport") or {}).get("name")),
        ("python", f"{found['version']} ({found['executable']})" if found else "does not start"),
        ("other Pythons", ", ".join(f"{version} ({path})" for version, path in facts.pythons[:4])),
        ("CPUs", facts.cpus),
        ("memory", format_size(memory) if memory else ""),
        ("GPUs", gpu.text if gpu else ""),
        ("driver, CUDA", ", ".join(filter(None, [facts.driver, facts.cuda]))),
    ]
    for name in ("home", "tmp", "scratch", "/scratch", "/data"):
        place = facts.place(name)
        if place and place["exists"]:
            rows.append((name, f"{format_size(place['free'])} free of {format_size(place['total'])}"))
    engines = [f"{name}{f' (not usable: {why})' if why else ''}" for name, why in facts.containers.items()]
    rows += [
        ("containers", ", ".join(engines) or "none"),
        ("scheduler", to_save(facts).get("scheduler", "none")),
        ("modules", facts.modules or "none"),
        ("internet", _internet(facts)),
        ("clock", f"{facts.hello.get('skew', 0.0):+.1f} s"),
    ]
    return [(name, value) for name, value in rows if value not in (None, "")]


def _short_row(one: Prepared) -> tuple[object, ...]:
    facts = one.examination.facts
    memory = facts.memory.get("total")
    home = facts.place("home")
    names = [gpu["name"] for gpu in facts.gpus] or facts.amd
    return (
        one.target.name,
        facts.system,
        facts.interpreter.get("version"),
        facts.cpus,
        format_size(memory) if memory else "",
        f"{len(names)} × {names[0]}" if names else "0",
        format_size(home["free"]) if home else "",
        _internet(facts),
    )


def _internet(facts: Facts) -> str:
    if not facts.reach:
        return ""
    return "no" if all(facts.reach.values()) else "yes"


def _setup_document(target: Target, answer: Prepared | RemoteError) -> dict[str, Any]:
    problem = answer if isinstance(answer, RemoteError) else answer.examination.problem
    document: dict[str, Any] = {"host": target.name, "ok": problem is None}
    if problem is not None:
        return {**document, "exit_code": problem.exit_code, "error": _error(problem)}
    assert isinstance(answer, Prepared)
    facts = answer.examination.facts
    findings = [one for one in _findings(examine(facts)) if one["state"] in ("failed", "warning")]
    return {**document, "settings": answer.target.values, "facts": to_save(facts), "findings": findings}


# What `doctor` shows.


def _show_doctor(name: str, found: Examination, findings: Findings, *, several: bool) -> None:
    if several:
        print(f"── {name}")
    rows = []
    for check, finding in findings:
        if finding.state != "not applicable" or found.problem is None:
            remedy = f"\n→ {finding.remedy}" if finding.remedy else ""
            rows.append((f"{_MARKS[finding.state]} {check.name}", finding.text + remedy))
    print_table(("CHECK", "FOUND, AND WHAT TO DO"), rows)
    counts = {state: sum(one.state == state for _, one in findings) for state in _MARKS}
    print("\n" + ", ".join(f"{count} {state}" for state, count in counts.items() if count))
    if found.problem is not None:
        print(f"error: {found.problem}", file=sys.stderr)


def _doctor_document(name: str, found: Examination, findings: Findings) -> dict[str, Any]:
    document: dict[str, Any] = {"host": name, "ok": not any(one.state == "failed" for _, one in findings)}
    if found.problem is not None:
        document.update(ok=False, exit_code=found.problem.exit_code, error=_error(found.problem))
    return {**document, "checks": _findings(findings)}


def _findings(findings: Findings) -> list[dict[str, str]]:
    return [
        {"check": check.name, "state": one.state, "found": one.text, "remedy": one.remedy}
        for check, one in findings
    ]


def _error(error: RemoteError) -> dict[str, str]:
    return {"kind": type(error).__name__, "message": error.message, "hint": error.hint}
