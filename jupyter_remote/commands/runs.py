"""`sync` and `run`: the commands that bring work to a host."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import jupyter_remote

from ..call import Show, describe_dry_run, one_host, run_arguments
from ..errors import UsageError
from ..parsing import Values
from ..progress_bar import ProgressBar
from ..sync_report import describe_sync, sync_document
from ..tables import print_json


def sync(values: Values, show: Show) -> None:
    """`sync HOST [--dry-run]`."""
    host = one_host(values["host"])
    with ProgressBar(host) as progress:
        report = jupyter_remote.connect(host).sync(dry_run=values["dry_run"], progress=progress)
    if values["json"]:
        print_json(sync_document(report, host, dry_run=values["dry_run"]))
    else:
        print(describe_sync(report, host, dry_run=values["dry_run"]))


def run(values: Values, show: Show) -> int:
    """`run HOSTS [options] -- PROGRAM [ARGS]`, or with `--script FILE [ARGS]`."""
    host = one_host(values["hosts"])
    argv = list(values["program"])
    arguments: dict[str, Any] = run_arguments(values)
    if values["script"]:
        name, *words = values["script"]
        text = _read_script(name)
        what = shlex.join([name, *words])
    elif argv:
        what = shlex.join(argv)
    else:
        raise UsageError(f"nothing to run on {host}: give a program after --, or --script FILE")
    remote = jupyter_remote.connect(host)
    if values["dry_run"]:
        print(describe_dry_run(remote, what, values))
        return 0
    if values["script"]:
        # The folders of a path here mean nothing there.
        file = Path(name).name
        return show(
            remote, lambda told: remote.run_script(file, text, words, progress=told, **arguments), values
        )
    return show(remote, lambda told: remote.run_program(argv, progress=told, **arguments), values)


def _read_script(name: str) -> str:
    try:
        return Path(name).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"cannot read --script {name}: {reason}") from None
