"""`sync` and `run`: the commands that bring work to a host."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jupyter_remote

from ..call import Show, Start, describe_dry_run, one_host, run_arguments, some_hosts
from ..errors import UsageError
from ..parsing import Values
from ..progress_bar import ProgressBar
from ..sync_report import describe_sync, sync_document
from ..tables import print_json

if TYPE_CHECKING:
    from ..remote import Remote


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
    hosts = some_hosts(values["hosts"], quiet=values["quiet"])
    argv = list(values["program"])
    text = ""
    if values["script"]:
        text = _read_script(values["script"][0])
        what = shlex.join(values["script"])
    elif argv:
        what = shlex.join(argv)
    else:
        raise UsageError(f"nothing to run on {hosts[0]}: give a program after --, or --script FILE")
    if len(hosts) > 1:
        from ..together import run_together  # most calls have one host

        run_together(hosts, lambda part: _start(part.remote, text, part.values), what, values)
        return 0
    remote = jupyter_remote.connect(hosts[0])
    if values["dry_run"]:
        print(describe_dry_run(remote, what, values))
        return 0
    return show(remote, _start(remote, text, values), values)


def _start(remote: Remote, text: str, values: Values) -> Start:
    arguments: dict[str, Any] = run_arguments(values)
    if not values["script"]:
        return lambda told: remote.run_program(list(values["program"]), progress=told, **arguments)
    name, *words = values["script"]
    # The folders of a path here mean nothing there.
    return lambda told: remote.run_script(Path(name).name, text, words, progress=told, **arguments)


def _read_script(name: str) -> str:
    try:
        return Path(name).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"cannot read --script {name}: {reason}") from None
