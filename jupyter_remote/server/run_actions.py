"""What a page can have done with runs. Each is the work of one operation, in a thread.

How an operation is told is `operations.py`'s business; what is done is the core's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import jupyter_remote

from .. import history, runs
from ..artifacts import exactly
from ..errors import RemoteError
from ..gpu_request import Gpus
from ..notebook import session_name
from ..pulling import summary
from ..run import Run
from ..whereabouts import Found
from .host_actions import MOST_FILES
from .operations import Operation, Work
from .places import below, shown_below
from .problems import Invalid, NotNow
from .run_book import document, find

Options = Mapping[str, Any]


class RunActions:
    """The actions, for one server.

    Args:
        root: the server's folder.
        started: told of a run that was started or is to be followed; from the thread.
    """

    def __init__(self, root: Path, started: Callable[[Found], None]) -> None:
        self._root = root
        self._started = started

    def work(self, action: str, run_id: str, options: Options) -> Work:
        """What does `action`, with the options of its route."""
        done: Callable[[Operation, Found, Options], dict[str, Any] | None] = getattr(self, f"_{action}")

        def work(operation: Operation) -> dict[str, Any] | None:
            found = find(run_id)
            operation.host = options.get("host") or found.host
            return done(operation, found, options)

        return work

    def label(self, run_id: str, text: str) -> Work:
        """What gives a run a label."""
        return lambda operation: self._change("label", find(run_id), text)

    def run(self, options: Options) -> Work:
        """What runs code: a cell, a script, or a shell script."""

        def work(operation: Operation) -> dict[str, Any]:
            folder, notebook = self._place(options.get("notebook"))
            remote = jupyter_remote.connect(options["host"], workspace=folder)
            if options.get("sync", True):
                operation.tell("syncing")
            run = _start(remote, options, notebook, operation)
            return self._follow(operation, run)

        return work

    def _place(self, notebook: str | None) -> tuple[Path, str | None]:
        """The workspace, and the notebook by the name that its kernel knows it by."""
        if not notebook:
            return self._root, None
        path = below(self._root, notebook)
        if not path.parent.is_dir():
            raise Invalid(f"there is no folder {PurePosixPath(notebook).parent}")
        # A kernel is told the path without links resolved, and the session's name depends on it.
        return path.parent, str(self._root / notebook)

    def _follow(self, operation: Operation, run: Run) -> dict[str, Any]:
        run.detach()  # whoever looks at it follows it from its start
        history.flush()
        operation.run = run.id
        found = find(run.id)
        self._started(found)
        return {"run": document(run.id)}

    # The actions of /runs/{run}/{action}.

    def _interrupt(self, operation: Operation, found: Found, options: Options) -> dict[str, Any]:
        run = found.remote().attach(found.id)
        try:
            run.interrupt()
        finally:
            run.detach()
        return {"run": document(found.id)}

    def _stop(self, operation: Operation, found: Found, options: Options) -> dict[str, Any]:
        runs.stop(found)
        return {"run": document(found.id)}

    def _attach(self, operation: Operation, found: Found, options: Options) -> dict[str, Any]:
        remote = found.remote()
        remote.connection()
        self._started(found)
        return {"run": document(found.id)}

    def _delete(self, operation: Operation, found: Found, options: Options) -> dict[str, Any]:
        return self._change("delete", found)

    def _restore(self, operation: Operation, found: Found, options: Options) -> dict[str, Any]:
        return self._change("restore", found)

    def _purge(self, operation: Operation, found: Found, options: Options) -> dict[str, Any]:
        return self._change("purge", found)

    def _rerun(self, operation: Operation, found: Found, options: Options) -> dict[str, Any]:
        remote, record, code = runs.again(found, options.get("host"))
        run = runs.repeat(remote, record, code, progress=operation.moved)
        return self._follow(operation, run)

    def _pull(self, operation: Operation, found: Found, options: Options) -> dict[str, Any]:
        remote = found.remote()
        patterns = [exactly(path.strip("/")) for path in options.get("paths") or ()] or patterns_of(
            found, remote
        )
        if not patterns:
            raise NotNow(
                f"run {found.id} names no artifacts",
                host=found.host,
                hint="Say which in the host's `sync.pull`, with --pull, or name the paths.",
            )
        report = remote.pull(patterns, progress=operation.moved)
        operation.tell(summary(report, found.host), 1.0)
        if report.refused:
            path, why = report.refused[0]
            raise RemoteError(f"{len(report.refused)} files were not brought: {path}: {why}", host=found.host)
        files = report.pulled[:MOST_FILES]
        return {"run": document(found.id), "files": files, **shown_below(self._root, remote.workspace)}

    def _change(self, action: str, found: Found, text: str | None = None) -> dict[str, Any]:
        _, why = runs.change(action, [found], text)[0]
        if why is not None:
            raise NotNow(f"{found.id}: {why}", host=found.host)
        return {} if action == "purge" else {"run": document(found.id)}


def patterns_of(found: Found, remote: jupyter_remote.Remote) -> list[str]:
    """The patterns of a run's artifacts: those of its host's settings and its own."""
    options = found.row.get("options")
    own = (json.loads(options) if isinstance(options, str) else options or {}).get("pull") or ()
    return [*remote.host.sync.pull, *map(str, own)]


def _start(
    remote: jupyter_remote.Remote, options: Options, notebook: str | None, operation: Operation
) -> Run:
    names = ("sync", "cwd", "timeout", "label")
    gpus: Gpus | None = options.get("gpus")
    arguments: dict[str, Any] = {name: options[name] for name in names if options.get(name) is not None}
    arguments |= {"gpus": gpus, "wait": True if options.get("wait") else None, "notebook": notebook}
    cell = options.get("cell")
    arguments |= {"progress": operation.moved, "notes": {"cell": cell} if cell else None}
    kind = options.get("kind", "cell")
    if kind == "bash":
        return remote.run_bash(options["code"], **arguments)
    if kind == "script":
        name = options.get("script") or "script.py"
        return remote.run_script(name, options["code"], options.get("args") or (), **arguments)
    session = options.get("session") or session_name({"__vsc_ipynb_file__": notebook} if notebook else {})
    if notebook is None and not options.get("session"):
        session = "default"
    fresh = bool(options.get("fresh"))
    return remote.run_cell(options["code"], session=session, fresh=fresh, **arguments)
