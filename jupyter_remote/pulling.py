"""Artifacts: what a run has made is brought here when it ends, and a pull in words. Every front uses this.

How files are brought is `sync/pull.py`'s business.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .call import count, format_size
from .errors import RemoteError

if TYPE_CHECKING:
    from .remote import Remote
    from .run import Run
    from .sync.pull import PullReport

_NAMED = 3


def bring_artifacts(remote: Remote, run: Run, patterns: Sequence[str], *, quiet: bool) -> None:
    """Pull what the host's `sync.pull` and these patterns ask for, and tell on stderr what came.

    Args:
        run: it has ended, well or not.
        quiet: tell only what the user has to know.

    Raises:
        RemoteError: the pull failed. Not when the run failed too: then it is told, and the run's error comes.
    """
    wanted = [*remote.host.sync.pull, *patterns]
    if not wanted or not run.done:
        return
    from .progress_bar import ProgressBar  # most runs bring nothing

    try:
        with ProgressBar(remote.host.name) as progress:
            report = remote.pull(wanted, progress=progress)
    except RemoteError as error:
        if run.state == "finished":
            raise
        print(f"nothing pulled: {error}", file=sys.stderr, flush=True)
        return
    lines = _exceptions(report, remote.host.name, dry_run=False)
    if not quiet:
        lines.append(summary(report, remote.host.name))
    for line in lines:
        print(line, file=sys.stderr, flush=True)


def summary(report: PullReport, host: str) -> str:
    """Return one line on what came: `dgx01: pulled 2 files (1.5 MiB): a.png, results/b.csv`."""
    names = ", ".join(map(shown, report.pulled[:_NAMED]))
    more = f" and {len(report.pulled) - _NAMED} more" if len(report.pulled) > _NAMED else ""
    listed = f": {names}{more}" if names else f", {report.unchanged} unchanged"
    return f"{host}: pulled {count(report.pulled, 'file')} ({format_size(report.bytes)}){listed}"


def describe_pull(report: PullReport, host: str, *, dry_run: bool) -> str:
    """Return a pull report as text: a line per file, then one that sums up."""
    lines = [f"+ {shown(path)}" for path in report.pulled]
    lines += _exceptions(report, host, dry_run=dry_run)
    verb = "would pull" if dry_run else "pulled"
    lines.append(
        f"{host}: {verb} {count(report.pulled, 'file')} ({format_size(report.bytes)}), "
        f"{report.unchanged} unchanged"
    )
    return "\n".join(lines)


def shown(path: str) -> str:
    """Return a path as it can be printed on one line: a name may hold a newline, or be no text at all."""
    return path if path.isprintable() else ascii(path)


def _exceptions(report: PullReport, host: str, *, dry_run: bool) -> list[str]:
    if dry_run:
        lines = [f"! {shown(path)}: changed here, would be kept aside" for path, _ in report.kept]
    else:
        lines = [f"! {shown(path)}: changed here, kept as {shown(kept)}" for path, kept in report.kept]
    return lines + [f"! {shown(path)}: not pulled from {host}: {shown(why)}" for path, why in report.refused]
