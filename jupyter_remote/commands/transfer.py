"""`push` and `pull`: single paths to a host, and files from it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import jupyter_remote

from ..call import Show, one_host
from ..errors import SyncError
from ..parsing import Values
from ..progress_bar import ProgressBar
from ..pulling import describe_pull
from ..sync_report import describe_sync, sync_document
from ..tables import print_json


def push(values: Values, show: Show) -> None:
    """`push HOST PATH…`."""
    host = one_host(values["host"])
    report = jupyter_remote.connect(host).push([Path(path).expanduser() for path in values["paths"]])
    if values["json"]:
        print_json(sync_document(report, host, dry_run=False))
    else:
        print(describe_sync(report, host, dry_run=False))


def pull(values: Values, show: Show) -> int:
    """`pull HOST PATTERN… [--output DIR] [--dry-run]`; fails when something that matches was refused."""
    host = one_host(values["host"])
    output = Path(values["output"]).expanduser() if values["output"] else None
    remote = jupyter_remote.connect(host)
    dry_run = values["dry_run"]
    with ProgressBar(host) as progress:
        report = remote.pull(values["patterns"], output=output, dry_run=dry_run, progress=progress)
    if values["json"]:
        print_json({"host": host, "dry_run": values["dry_run"], **asdict(report)})
    else:
        print(describe_pull(report, host, dry_run=values["dry_run"]))
    return SyncError.exit_code if report.refused else 0
