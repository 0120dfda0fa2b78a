"""From parsed values to a call of the public API: which host, which keyword arguments.

What the cell magic and the commands share, and nothing that only one of them does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .config import Config
from .errors import Interrupted, UsageError
from .link_line import LinkLine
from .parsing import Values

if TYPE_CHECKING:
    from .live_line import Write
    from .remote import Remote
    from .run import Run
    from .sync.progress import Report

# Starts a run, shows it to its end, and returns its exit code or raises what it failed with, as the front
# likes. Of the last argument, the options' values, `quiet` and `pull` matter.
Show = Callable[["Remote", "Start", Values], int]

# Starts a run; what it is given is told how far the sync before it has come.
Start = Callable[["Report"], "Run"]

# What the user typed, for the records of the runs that come of it.
typed: ContextVar[str | None] = ContextVar("typed", default=None)


def configuration() -> Config:
    """Return the configuration of the workspace that this process is in.

    Raises:
        ConfigError: a file is not valid.
    """
    return Config.load(Path.cwd())


def one_host(spec: str | None) -> str:
    """Return the name of the one host that `spec` means; `some_hosts` is for words that may mean more.

    Raises:
        UsageError: none is named, or several are.
        UnknownHost: no host has that name.
        HostUnreachable: `any`, and none can be used.
    """
    config = configuration()
    if not spec:
        raise UsageError(f"no host named. Valid: {', '.join(config.names())}, or an alias of ~/.ssh/config")
    names = _chosen(config, spec) or config.expand_hosts(spec)
    if len(names) != 1:
        raise UsageError(f"{spec} means {len(names)} hosts ({', '.join(names)}); this takes one")
    return names[0]


def some_hosts(spec: str | None, *, quiet: bool = False) -> list[str]:
    """Return the names of the hosts that `a,b,@group` or `any` means, at least one.

    Raises:
        UsageError: none is named.
        UnknownHost: no host has one of the names.
        HostUnreachable: `any`, and none can be used.
    """
    config = configuration()
    if not spec:
        raise UsageError(f"no host named. Valid: {', '.join(config.names())}, or an alias of ~/.ssh/config")
    names = _chosen(config, spec, quiet) or config.expand_hosts(spec)
    for name in names:
        config.host(name)  # one that can't be used is told before the others have begun
    return names


def _chosen(config: Config, spec: str, quiet: bool = False) -> list[str]:
    """The one host that `any` means now; nothing when the words name hosts."""
    if not spec.strip().startswith("any"):
        return []
    from .anyhost import among, choose  # most calls name a host

    hosts = among(config, spec)
    return [] if hosts is None else [choose(hosts, quiet=quiet)]


def named_hosts(specs: Iterable[str]) -> list[str]:
    """Return the hosts that the words mean, each once; all configured ones when there are no words."""
    config = configuration()
    names = [str(name) for spec in specs for name in config.expand_hosts(spec)]
    return list(dict.fromkeys(names or config.names()))


def run_arguments(values: Values) -> dict[str, Any]:
    """Return the keyword arguments that every `Remote.run_*` takes, from the options' values."""
    return {
        "sync": not values["no_sync"],
        "cwd": values["cwd"],
        "env": dict(values["env"]) or None,
        "pass_env": values["pass_env"],
        "gpus": values["gpus"],
        "min_free": values["min_free"],
        "wait": values["wait"],
        "timeout": values["timeout"],
        "label": values["label"],
        "launcher": values.get("launcher"),
        "resources": dict(values.get("set") or ()) or None,
        "metrics": values.get("metrics") or (),
        "metric_files": values.get("metric_files") or (),
        "notes": {"command": typed.get(), "pull": list(values["pull"]), **(values.get("notes") or {})},
        "on_link": values.get("on_link") or LinkLine(meanwhile="the run starts when it is back"),
    }


def start_or_say(start: Start, host: str, line: Write | None = None) -> Run:
    """Return what `start` starts, showing its sync's progress (on `line` if there is one).

    An interrupt on the way is an error with what is known then.

    Raises:
        Interrupted: interrupted before the host had said that the run exists.
    """
    from .progress_bar import ProgressBar

    try:
        with ProgressBar(host, line) as progress:
            return start(progress)
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted before {host} answered; `status {host}` shows whether a run has started there",
            host=host,
        ) from None


def describe_dry_run(remote: Remote, what: str, values: Values) -> str:
    """Return what a run with these values would do, as text; asks the host what a sync would send."""
    lines = []
    if values["no_sync"]:
        lines.append(f"{remote.host.name}: no sync")
    else:
        from .sync_report import describe_sync  # most runs describe none

        lines.append(describe_sync(remote.sync(dry_run=True), remote.host.name, dry_run=True))
    folder = f" in {values['cwd']}" if values["cwd"] else ""
    gpus = f", on GPUs: {values['gpus']}" if values["gpus"] else ""
    lines.append(f"{remote.host.name}: would run {what}{folder}{gpus}")
    return "\n".join(lines)


def count(things: Sequence[object], noun: str) -> str:
    """Return a number with its noun: `1 file`, `2 files`."""
    return f"{len(things)} {noun}{'' if len(things) == 1 else 's'}"


def job_words(facts: Mapping[str, Any]) -> str | None:
    """Return which job a run or a session is: `slurm 4711`; None for none."""
    job = facts.get("job") or {}
    return f"{job.get('launcher')} {job.get('id')}" if job else None


def format_size(size: float) -> str:
    """Return a number of bytes for a reader: `512 B`, `1.5 MiB`."""
    if size < 1024:
        return f"{size:.0f} B"
    for unit in ("KiB", "MiB", "GiB"):
        size /= 1024
        if size < 1024:
            return f"{size:.1f} {unit}"
    return f"{size / 1024:.1f} TiB"
