"""Checks of what runs there: Python, the interpreter of the settings, its packages, PATH, modules."""

from __future__ import annotations

from .facts import Facts
from .findings import Check, Finding, failed, not_applicable, ok, warning
from .shell_probe import version_of

OLDEST = (3, 8)
_SHOWN = 4


def _python(facts: Facts) -> Finding:
    usable = [(version, path) for version, path in facts.pythons if version_of(version) >= OLDEST]
    old = [f"{version} ({path})" for version, path in facts.pythons if version_of(version) < OLDEST]
    if facts.hello and not usable:
        return ok(f"Python {facts.hello.get('python')} ({facts.hello.get('executable')})")
    if not facts.pythons:
        return failed(
            "no Python was found",
            "Install Python 3.8 or newer there: `uv python install`, conda, or a module.",
        )
    if not usable:
        return failed(f"only old Pythons: {', '.join(old)}", "Install Python 3.8 or newer there.")
    shown = ", ".join(f"{version} ({path})" for version, path in usable[:_SHOWN])
    more = f" and {len(usable) - _SHOWN} more" if len(usable) > _SHOWN else ""
    return ok(shown + more)


def _interpreter(facts: Facts) -> Finding:
    name, answer, found = facts.host.interpreter, facts.command("interpreter"), facts.interpreter
    host = facts.host.name
    if found:
        version = str(found["version"])
        if version_of(version) < OLDEST:
            better = [path for other, path in facts.pythons if version_of(other) >= OLDEST]
            remedy = (
                f"jupyter remote set {host} python={better[0]}"
                if better
                else "Install Python 3.8 or newer there, and name it with `python:`."
            )
            return failed(f"`python: {name}` is Python {version}; sessions need 3.8 or newer", remedy)
        return ok(f"{found['executable']} is Python {version}")
    if answer.hangs:
        return failed(
            f"`python: {name}` does not start within some seconds",
            "A slow file system or `env_setup`? Try it by hand there.",
        )
    if facts.host.env_setup and answer.status not in (126, 127):
        return not_applicable("env_setup failed before it")
    better = [path for version, path in facts.pythons if version_of(version) >= OLDEST]
    remedy = f"jupyter remote set {host} python={better[0]}" if better else "Correct `python:`."
    return failed(f"`python: {name}` can't be started: {answer.last_line or 'it says nothing'}", remedy)


def _package(facts: Facts, name: str, why: str) -> Finding:
    found = facts.interpreter
    if not found:
        return not_applicable("the interpreter did not start")
    version = found.get(name.lower())
    if version is not None:
        return ok(f"{name} {version}".strip())
    return warning(
        f"{found['executable']} has no {name}: {why}",
        f"jupyter remote env create {facts.host.name} -r requirements.txt, or install it there with pip.",
    )


def _ipython(facts: Facts) -> Finding:
    return _package(facts, "IPython", "cells run in a plain loop, without magics and rich results")


def _ipykernel(facts: Facts) -> Finding:
    found = facts.interpreter
    if not found:
        return not_applicable("the interpreter did not start")
    version = found.get("ipykernel")
    return ok(f"ipykernel {version}") if version else not_applicable("no ipykernel; none is needed")


def _setup(facts: Facts) -> Finding:
    if not facts.host.env_setup:
        return not_applicable("no `env_setup`")
    answer = facts.command("interpreter")
    if facts.interpreter:
        return ok("env_setup runs")
    if answer.hangs:
        return failed(
            "env_setup does not end", f"Last it said: {answer.last_line or 'nothing'}. Try it by hand."
        )
    return failed(
        f"env_setup fails with exit code {answer.status}: {answer.last_line or 'it says nothing'}",
        "Its lines are run by bash, not by a login shell: `source /etc/profile` first if it needs `module`.",
    )


def _path(facts: Facts) -> Finding:
    if facts.login_path is None:
        answer = facts.command("login")
        if answer.hangs:
            return warning(
                "a login shell does not start within some seconds",
                "Something in its profile waits: look into ~/.bash_profile, ~/.profile and /etc/profile.d.",
            )
        return not_applicable("the login shell did not say its PATH")
    own = set(str(facts.variable("PATH") or "").split(":"))
    missing = [
        folder for folder in dict.fromkeys(facts.login_path.split(":")) if folder and folder not in own
    ]
    only = [name for name in facts.login_programs if name not in facts.programs]
    if only:
        return warning(
            f"only a login shell finds {', '.join(only)}",
            f'Put it into `env_setup`: export PATH="{":".join(missing)}:$PATH"',
        )
    if missing:
        return ok(f"a login shell also has {', '.join(missing[:_SHOWN])}; no program that is used is there")
    return ok("the same in login and other shells")


def _modules(facts: Facts) -> Finding:
    if not facts.modules:
        return not_applicable("no `module` command")
    return ok(f"`module` by {facts.modules}; use it in `env_setup`")


def _builders(facts: Facts) -> Finding:
    names = ("uv", "conda", "mamba", "micromamba")
    found = [name for name in names if name in facts.programs or name in facts.login_programs]
    return (
        ok(", ".join(found))
        if found
        else ok("none of uv, conda, mamba: environments are built with venv and pip")
    )


CHECKS = (
    Check("python", "which Pythons there are, and whether one is new enough", _python),
    Check("interpreter", "whether `python` of the settings starts", _interpreter),
    Check("IPython", "whether it has IPython", _ipython),
    Check("ipykernel", "whether it has ipykernel, which is not needed", _ipykernel),
    Check("env_setup", "whether `env_setup` runs without an error", _setup),
    Check("PATH", "what a login shell finds and a session doesn't", _path),
    Check("modules", "whether there is a `module` command", _modules),
    Check("builders", "what environments can be built with", _builders),
)
