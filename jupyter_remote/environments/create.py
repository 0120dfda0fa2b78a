"""`env create`: from a file here to an environment on a host. The building is a run there, with the text of
`host/` as its code, so that its output, its log and a lost link are those of any run.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..agent import messages as m
from ..errors import BuildError, UsageError
from .sources import Source

if TYPE_CHECKING:
    from ..remote import Remote
    from ..run import Run

BUILDERS = ("uv", "venv", "conda")
# What a setting `python` begins with when it names an environment.
PREFIX = "env:"

_PARTS = ("files.py", "questions.py", "reasons.py", "tools.py", "programs.py", "builder.py")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """An environment to be.

    Args:
        source: what is in it.
        name: what it is called.
        python: the version that was asked for, or "".
        builder: what it is to be made with, or "" for what the host has.
        offline: whether everything is sent from here.
    """

    source: Source
    name: str
    python: str = ""
    builder: str = ""
    offline: bool = False

    def check(self) -> None:
        """Raises when it can't be.

        Raises:
            UsageError: file, builder and --offline don't go together.
        """
        if self.source.kind == "conda" and self.builder not in ("", "conda"):
            raise UsageError(
                f"{self.source.path.name} is conda's: --with {self.builder} can't make it; leave --with out"
            )
        if self.offline and "conda" in (self.source.kind, self.builder):
            raise UsageError("--offline goes with uv or venv; conda's packages can't be had from here")
        local = self.source.requirements.local
        if local and not self.offline:
            raise UsageError(
                f"{self.source.path.name} names {local[0]}, which is on this machine only",
                hint="With --offline everything is downloaded here and sent, that too.",
            )
        if self.source.kind == "conda" and self.python:
            raise UsageError(
                f"the Python of {self.source.path.name} stands in it: `python=…`; leave --python out"
            )


def base_python(remote: Remote) -> str:
    """The interpreter that environments of this host are made with: its own, never one of an environment."""
    host = remote.host
    if host.env_python or host.python.startswith(PREFIX):
        return host.env_python or "python3"
    return host.interpreter


def digest(plan: Plan, remote: Remote) -> str:
    """The key of an environment on a host."""
    return plan.source.digest(plan.python or base_python(remote), plan.builder)


def root(remote: Remote) -> str:
    """The folder of the environments on the host."""
    return remote.host.env_root or f"{remote.info['state']}/envs"


def create(remote: Remote, plan: Plan, wheels: list[str], *, probe: bool = False, **options: Any) -> Run:
    """Starts the run that makes it, or only asks what decides which wheels fit.

    Args:
        remote: the host.
        plan: the environment.
        wheels: names of what was sent for it.
        probe: only ask.
        options: as `Remote.run_bash` takes them.

    Raises:
        ConnectError, LaunchError: it could not be started.
    """
    found = plan.source.requirements
    spec = {
        "root": root(remote),
        "digest": digest(plan, remote),
        "name": plan.name,
        "with": plan.builder,
        "kind": plan.source.kind,
        "lines": found.lines,
        "constraints": found.constraints,
        "conda": plan.source.conda,
        "python": plan.python,
        "requires_python": plan.source.requires_python,
        "source": plan.source.path.name,
        "wheels": wheels,
        "probe": probe,
    }
    # Lists of runs show the first line.
    title = f"# makes environment {plan.name} ({spec['digest']}) from {plan.source.path.name}"
    code = f"{title}\n{builder_text()}\n\nmain({json.dumps(json.dumps(spec))})\n"
    # Isolated, so that no module of the workspace stands in the way.
    argv = ["{python}", "-I", "-u", "{code}"]
    options.setdefault("label", f"env {plan.name}")
    # That is no work for a queue or an image: the host itself has the network and the caches.
    options.setdefault("launcher", "process")
    return remote.run_words(argv, code, sync=False, python=base_python(remote), **options)


@cache
def builder_text() -> str:
    """The modules of `host/` as one program: without their imports of each other, and with one future."""
    texts = ["from __future__ import annotations"]
    for name in _PARTS:
        source = Path(__file__).with_name("host").joinpath(name).read_text(encoding="utf-8")
        lines = source.splitlines()
        for node in ast.parse(source).body:
            if isinstance(node, ast.ImportFrom) and (node.level or node.module == "__future__"):
                lines[node.lineno - 1 : node.end_lineno] = [""] * (
                    (node.end_lineno or node.lineno) - node.lineno + 1
                )
        texts.append("\n".join(lines).strip())
    return "\n\n\n".join(texts)


def wheels_for(remote: Remote, plan: Plan, say: Say) -> list[str]:
    """Downloads and sends what an environment needs; returns the names of the wheels.

    Raises:
        BuildError: not everything can be had.
        SyncError, DiskFull, ConnectError: it can't be brought there.
    """
    from .wheelhouse import download, scratch, send

    listed = listing(remote)["environments"]
    key = digest(plan, remote)
    if any(one["digest"] == key and one["whole"] for one in listed):
        return []
    facts = _probe(remote, plan)
    version, place = facts["markers"]["python_full_version"], facts["platform"]
    say(f"downloading here for {remote.host.name}: Python {version} on {place}")
    with scratch() as folder:
        wheels = download(plan.source, facts, Path(folder), remote.host.name, say)
        sent, size = send(remote, root(remote), wheels)
    there = len(wheels) - sent
    say(f"sent {sent} wheels, {size / (1 << 20):.1f} MiB; {there} were there already")
    return [path.name for path in wheels]


def _probe(remote: Remote, plan: Plan) -> dict[str, Any]:
    printed: dict[str, list[str]] = {"stdout": [], "stderr": []}
    run = create(remote, plan, [], probe=True, label=f"env {plan.name}: what fits").wait(
        lambda event: printed[event.kind].append(event.text) if event.kind in printed else None
    )
    try:
        facts: dict[str, Any] = json.loads("".join(printed["stdout"]).strip().splitlines()[-1])
        return facts
    except (ValueError, IndexError):
        said = "".join(printed["stderr"]).strip()
        if run.error is not None or not said:
            run.check()
        text, _, hint = (said or "the host's Python did not say what it is").partition("\n")
        raise BuildError(text, host=remote.host.name, hint=hint) from None


def listing(remote: Remote) -> dict[str, Any]:
    """The environments of a host: `root`, and `environments` with the facts of each."""
    return remote.connection().ask(m.Environments(remote.host.env_root))


def remove(remote: Remote, name: str, force: bool = False) -> dict[str, Any]:
    """Removes an environment, or one of its names; returns `digest` and the names it still has (`kept`).

    Raises:
        UsageError: there is none of that name, or it is used.
    """
    return remote.connection().ask(m.RemoveEnvironment(name, remote.host.env_root, int(force)))
