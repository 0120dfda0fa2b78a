"""What a page can have done with a host. Each is the work of one operation, in a thread.

How an operation is told is `operations.py`'s business; what is done is the core's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jupyter_remote

from ..config_models import HostConfig
from ..config_save import save_host
from ..environments import create as environments
from ..errors import RemoteError, UsageError
from ..hosts.checks import examine
from ..hosts.examination import examine as examine_host
from ..hosts.registry import KINDS
from ..hosts.setup import mirror_of, prepare, read_target, save
from ..pulling import summary
from ..sync_report import describe_sync
from .bridge import Bridge
from .host_book import HostBook
from .operations import Operation, Operations, Work
from .places import below, shown_below
from .problems import NotNow

# Paths that a result names; a sync may have moved 100,000.
MOST_FILES = 1000

Options = Mapping[str, Any]


class HostActions:
    """The actions, for one server.

    Args:
        book: what is known of the hosts.
        bridge: brings news to the loop.
        operations: who is asked.
    """

    def __init__(self, book: HostBook, bridge: Bridge, operations: Operations) -> None:
        self._book = book
        self._bridge = bridge
        self._operations = operations

    def work(self, action: str, host: str, options: Options) -> Work:
        """What does `action`, with the options of its route."""
        done: Callable[[Operation, str, Options], dict[str, Any] | None] = getattr(self, f"_{action}")
        return lambda operation: done(operation, host, options)

    def add(self, options: Options) -> Work:
        """What connects to a new host, checks it, and saves it."""

        def work(operation: Operation) -> dict[str, Any]:
            name, key = options.get("name"), options.get("ssh_key")
            target = read_target(options["target"], self._book.config(), name, key)
            operation.host = target.name
            return self._set_up(operation, target, options.get("group"))

        return work

    def save(self, options: Options) -> str:
        """Saves a host without asking it anything; returns its name.

        Raises:
            NotNow: there is one of that name.
            UsageError, ConfigError: a value can't be used.
        """
        config = self._book.config()
        target = read_target(options["target"], config, options.get("name"), options.get("ssh_key"))
        if target.name in config.names():
            raise NotNow(
                f"there is a host {target.name} already", hint="Choose another name, or change that one."
            )
        save_host(target.name, target.values, {}, options.get("group"))
        return target.name

    def stop_session(self, host: str, session: str) -> Work:
        """What ends a session."""

        def work(operation: Operation) -> dict[str, Any]:
            remote = jupyter_remote.connect(host, workspace=self._book.root)
            remote.stop_session(session)
            self._bridge.post(self._book.learned, host, remote.status())
            return {"stopped": [session]}

        return work

    def remove_environment(self, host: str, name: str, force: bool) -> Work:
        """What removes an environment, or one of its names."""

        def work(operation: Operation) -> dict[str, Any]:
            remote = jupyter_remote.connect(host, workspace=self._book.root)
            try:
                told = environments.remove(remote, name, force)
            except UsageError as error:
                raise NotNow(error.message, host=host, hint=error.hint) from None
            kept = ", ".join(told["kept"])
            operation.tell(f"the environment stays as {kept}" if kept else f"{name} is removed", 1.0)
            return {"host": host}

        return work

    # The actions of /hosts/{host}/{action}.

    def _connect(self, operation: Operation, name: str, options: Options) -> dict[str, Any]:
        remote = jupyter_remote.connect(name, workspace=self._book.root)
        if remote.link.live is None:
            self._bridge.post(self._book.connecting, name)
        try:
            hello = remote.info
            status = remote.status()
        except RemoteError as error:
            self._bridge.post(self._book.failed, name, error)
            raise
        self._bridge.post(self._book.connected, name, hello)
        self._bridge.post(self._book.learned, name, status)
        return {"host": name}

    def _disconnect(self, operation: Operation, name: str, options: Options) -> dict[str, Any]:
        jupyter_remote.connect(name, workspace=self._book.root).close()
        return {"host": name}

    def _refresh(self, operation: Operation, name: str, options: Options) -> dict[str, Any]:
        from .. import runs
        from ..history_store import Query

        found = self._connect(operation, name, options)
        runs.refresh(jupyter_remote.connect(name, workspace=self._book.root), Query(host=name))
        return found

    def _setup(self, operation: Operation, name: str, options: Options) -> dict[str, Any]:
        return self._set_up(operation, read_target(name, self._book.config()), None)

    def _doctor(self, operation: Operation, name: str, options: Options) -> dict[str, Any]:
        operation.tell("looking at it from all sides")
        host = self._book.config().host(name)
        folder = below(self._book.root, options.get("folder", ""))
        found = examine_host(host, mirror_of(host, folder), self._operations.asker(name))
        findings = _findings(found.facts)
        if found.problem is not None and not any(one["state"] == "failed" for one in findings):
            raise found.problem
        return {"host": name, "findings": findings}

    def _start(self, operation: Operation, name: str, options: Options) -> dict[str, Any]:
        machine = _machine(self._book.config().host(name))
        now = machine.start(operation.tell)
        operation.tell(f"{now.id} ({now.kind}) runs, and its sshd answers")
        return {"host": name}

    def _stop(self, operation: Operation, name: str, options: Options) -> dict[str, Any]:
        machine = _machine(self._book.config().host(name))
        remote = jupyter_remote.connect(name, workspace=self._book.root)
        if not options.get("force") and machine.look().state == "running":
            busy = [str(one["active"]) for one in remote.sessions() if one.get("active")]
            if busy:
                raise UsageError(
                    f"{name} still runs {', '.join(busy)}", host=name, hint="Stop them first, or force it."
                )
        remote.close()
        machine.stop(operation.tell)
        return {"host": name}

    def _sync(self, operation: Operation, name: str, options: Options) -> dict[str, Any]:
        remote, _ = self._remote(name, options)
        dry_run = bool(options.get("dry_run"))
        report = remote.sync(dry_run=dry_run, progress=operation.moved)
        operation.tell(describe_sync(report, name, dry_run=dry_run).splitlines()[-1], 1.0)
        return {"host": name, "files": [*report.sent, *report.deleted][:MOST_FILES]}

    def _push(self, operation: Operation, name: str, options: Options) -> dict[str, Any]:
        remote, folder = self._remote(name, options)
        paths = options.get("paths") or []
        if not paths:
            raise UsageError("nothing to push: no path is named")
        report = remote.push([below(folder, path) for path in paths])
        operation.tell(describe_sync(report, name, dry_run=False).splitlines()[-1], 1.0)
        return {"host": name, "files": list(report.sent)[:MOST_FILES]}

    def _pull(self, operation: Operation, name: str, options: Options) -> dict[str, Any]:
        remote, folder = self._remote(name, options)
        output = options.get("output")
        target = folder if output is None else below(self._book.root, output)
        report = remote.pull(
            options.get("paths") or [],
            output=None if output is None else target,
            dry_run=bool(options.get("dry_run")),
            progress=operation.moved,
        )
        operation.tell(summary(report, name), 1.0)
        if report.refused:
            path, why = report.refused[0]
            raise RemoteError(f"{len(report.refused)} files were not brought: {path}: {why}", host=name)
        return {"host": name, "files": report.pulled[:MOST_FILES], **shown_below(self._book.root, target)}

    def _remote(self, name: str, options: Options) -> tuple[jupyter_remote.Remote, Path]:
        folder = below(self._book.root, options.get("folder", ""))
        if not folder.is_dir():
            raise UsageError(f"there is no folder {options.get('folder')}")
        return jupyter_remote.connect(name, workspace=folder), folder

    def _set_up(self, operation: Operation, target: Any, group: str | None) -> dict[str, Any]:
        operation.tell(f"connecting to {target.name}")
        ask = self._operations.asker(target.name)
        prepared = prepare(target, self._book.root, ask=ask)
        if prepared.examination.problem is not None:
            raise prepared.examination.problem
        save(prepared, group)
        # What was typed for this look is right for the link that pages will use, too.
        operation.were_right()
        operation.tell(f"{target.name} is saved; connecting")
        self._connect(operation, target.name, {})
        return {"host": target.name, "findings": _findings(prepared.examination.facts)}


def _findings(facts: Any) -> list[dict[str, str]]:
    return [
        {"name": check.name, "state": one.state, "text": one.text, "remedy": one.remedy}
        for check, one in examine(facts)
    ]


def _machine(host: HostConfig) -> Any:
    make = KINDS[host.type].machine
    if make is None:
        raise UsageError(
            f"{host.name} is {KINDS[host.type].summary}, which can't be started or stopped from here",
            host=host.name,
        )
    return make(host)
