"""From parsed values to a call of the public API: which host, which keyword arguments, a sync in words.

What the cell magic and the commands share, and nothing that only one of them does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .config import Config
from .errors import Interrupted, UsageError
from .parsing import Values

if TYPE_CHECKING:
    from .remote import Remote
    from .run import Run

# Starts a run, shows it to its end, and returns its exit code or raises what it failed with, as the front
# likes. Of the last argument, the options' values, `quiet` and `pull` matter.
Show = Callable[["Remote", Callable[[], "Run"], Values], int]


def configuration() -> Config:
    """Return the configuration of the workspace that this process is in.

    Raises:
        ConfigError: a file is not valid.
    """
    return Config.load(Path.cwd())


def one_host(spec: str | None) -> str:
    """Return the name of the one host that `spec` means.

    Raises:
        UsageError: none is named, or several are.
        UnknownHost: no host has that name.
    """
    config = configuration()
    if not spec:
        raise UsageError(f"no host named. Valid: {', '.join(config.names())}, or an alias of ~/.ssh/config")
    names = config.expand_hosts(spec)
    if len(names) != 1:
        raise UsageError(
            f"{spec} means {len(names)} hosts ({', '.join(names)}); several hosts in one call come later"
        )
    return names[0]


def run_arguments(values: Values) -> dict[str, Any]:
    """Return the keyword arguments that every `Remote.run_*` takes, from the options' values."""
    return {
        "sync": not values["no_sync"],
        "cwd": values["cwd"],
        "env": dict(values["env"]) or None,
        "pass_env": values["pass_env"],
        "timeout": values["timeout"],
        "label": values["label"],
    }


def start_or_say(start: Callable[[], Run], host: str) -> Run:
    """Return `start()`; an interrupt on the way is an error with what is known then.

    Raises:
        Interrupted: interrupted before the host had said that the run exists.
    """
    try:
        return start()
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
        lines.append(describe_sync(remote.sync(dry_run=True), remote.host.name, dry_run=True))
    folder = f" in {values['cwd']}" if values["cwd"] else ""
    lines.append(f"{remote.host.name}: would run {what}{folder}")
    return "\n".join(lines)


def describe_sync(report: Any, host: str, *, dry_run: bool) -> str:
    """Return a sync report as text: a line per file, then one that sums up."""
    lines = [f"+ {path}" for path in report.sent]
    lines += [f"- {path}" for path in report.deleted]
    lines += [f"! {path}: changed on {host}, kept there as {kept}" for path, kept in report.kept]
    lines += [f"= {path}: changed on {host} only, left as it is there" for path in report.host_changed]
    lines += [f"note: {note}" for note in report.notes]
    if dry_run:
        lines += [
            f"! {path}: changed on both sides, {host}'s would be kept aside" for path in report.conflicts
        ]
        lines += [f"  {skip.path} (skipped by {skip.rule}, {skip.source})" for skip in report.skipped]
    verb = "would send" if dry_run else "sent"
    lines.append(
        f"{host}: {verb} {count(report.sent, 'file')} ({format_size(report.bytes)}), "
        f"{'would delete' if dry_run else 'deleted'} {len(report.deleted)}, skipped {len(report.skipped)}"
    )
    return "\n".join(lines)


def count(things: Sequence[object], noun: str) -> str:
    """Return a number with its noun: `1 file`, `2 files`."""
    return f"{len(things)} {noun}{'' if len(things) == 1 else 's'}"


def format_size(count: float) -> str:
    """Return a number of bytes for a reader: `512 B`, `1.5 MiB`."""
    if count < 1024:
        return f"{count:.0f} B"
    for unit in ("KiB", "MiB", "GiB"):
        count /= 1024
        if count < 1024:
            return f"{count:.1f} {unit}"
    return f"{count / 1024:.1f} TiB"
