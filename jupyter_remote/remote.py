"""A host, a workspace and a live link between them: the verbs. Start reading here.

A cell goes ``Remote.run_cell`` -> ``sync.session`` (what changed) -> ``connection`` (one message) -> agent ->
supervisor -> worker, and comes back as events of a :class:`~jupyter_remote.run.Run`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from .agent import messages as m
from .connection import Stale
from .errors import SyncError
from .hostlink import HostLink
from .linkstate import Told
from .log import Log
from .ordering import Options, Order, Orders
from .remote_host import HostVerbs
from .run import Run
from .starting import attach, start

if TYPE_CHECKING:
    from .config_models import HostConfig
    from .gpu_request import Gpus
    from .sync.progress import Report
    from .sync.pull import PullReport
    from .sync.session import SyncReport, WorkspaceSync
    from .transports import Prompter

# How often a sync is planned again because somebody else has synced to the same mirror.
ATTEMPTS = 5


class Remote(HostVerbs):
    """One host for one workspace.

    Args:
        host: the resolved settings.
        workspace: the local project folder.
        ask: who answers questions; None for the terminal or notebook.
        link: to the same host, when other workspaces use it too.
    """

    def __init__(
        self, host: HostConfig, workspace: Path, ask: Prompter | None = None, link: HostLink | None = None
    ) -> None:
        super().__init__(host, link or HostLink(host, ask))
        self.link.reopened.append(self._forget)
        self.workspace = workspace
        self._made_orders = Orders(host, workspace)
        self.mirror = self._made_orders.mirror
        self._kept_sync: WorkspaceSync | None = None
        self._making_sync = threading.Lock()

    def __repr__(self) -> str:
        return f"<Remote {self.host.name}: {self.workspace}>"

    def __enter__(self) -> Remote:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Runs.

    def run_cell(
        self,
        code: str,
        *,
        session: str = "default",
        fresh: bool = False,
        sync: bool = True,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        pass_env: Sequence[str] = (),
        gpus: Gpus | None = None,
        min_free: int | str | None = None,
        wait: bool | float | None = None,
        timeout: float | None = None,
        label: str | None = None,
        notebook: str | None = None,
        notes: Mapping[str, Any] | None = None,
        progress: Report | None = None,
        on_link: Told | None = None,
        send: Mapping[str, object] | None = None,
        fetch: Sequence[str] = (),
        launcher: str | None = None,
        resources: Mapping[str, str] | None = None,
        metrics: Sequence[str] = (),
        metric_files: Sequence[str] = (),
    ) -> Run:
        """Syncs the workspace and runs Python code in a session that keeps its variables.

        Args:
            code: one cell.
            session: name of the session; made when there is none.
            fresh: a new process for this run only, instead of the session.
            sync: False runs on the workspace as it is on the host.
            cwd: folder on the host to run in, relative to the workspace.
            env: variables for this run.
            pass_env: names of variables here whose values go there and are never written down.
            gpus: how many free GPUs, or which by index or UUID; the session has them until it ends, or a cell
                asks for others (0: gives them back). See docs/gpus.md.
            min_free: memory that each must have free, in bytes or as "20G".
            wait: True, or how many seconds, to wait for them in line; else it is an error when they are busy.
            timeout: seconds after which it is stopped.
            label: a text to know it by.
            notebook: where the cell stands, for the record.
            notes: what else the record shall say, e.g. ``command``: what was typed.
            progress: told how far the sync has come, at most ten times a second.
            on_link: told when the link breaks before the run has started; see `Run.on_link` for later.
            send: variables that the session gets before the code runs; see docs/variables.md.
            fetch: names of variables that are wanted after it: :meth:`Run.fetch` brings them.
            launcher: how its session is started, e.g. ``slurm``; as the host's settings say when None.
            resources: settings of the launcher for a session that has to be started, e.g. ``partition``.
            metrics: names or patterns of what counts as a metric too; see docs/metrics.md.
            metric_files: patterns of files of metrics that it writes.

        Returns:
            The run, started.

        Raises:
            ConnectError, SyncError, LaunchError: it could not be started.
            UsageError: a bad argument, or a variable that can't be sent; nothing was run.
        """
        order = self._orders.cell(
            code,
            session,
            fresh=fresh,
            send=send,
            fetch=fetch,
            sync=sync,
            cwd=cwd,
            env=env,
            pass_env=pass_env,
            gpus=gpus,
            min_free=min_free,
            wait=wait,
            timeout=timeout,
            label=label,
            notebook=notebook,
            notes=notes,
            launcher=launcher,
            resources=resources,
            metrics=metrics,
            metric_files=metric_files,
        )
        return self._start(order, progress, on_link)

    def send(self, values: Mapping[str, object], session: str = "default") -> None:
        """Gives variables to a session, when the runs before have ended.

        Args:
            values: by name.
            session: name of the session; made when there is none.

        Raises:
            UsageError: one can't travel, or not be made there; the session has none of them then.
            ConnectError, LaunchError, DiskFull: they could not be brought there.
        """
        label = f"send {', '.join(values)}"
        self.run_cell("", session=session, sync=False, label=label, send=values).wait().check()

    def fetch(self, names: Sequence[str], session: str = "default") -> dict[str, Any]:
        """Variables of a session, when the runs before have ended.

        Args:
            names: of the variables.
            session: name of the session.

        Returns:
            The values by name.

        Raises:
            UsageError: one is not defined there, or can't travel.
            ProtocolError: what the host sent is not what it says.
            ConnectError, LaunchError: the host could not be asked.
        """
        label = f"fetch {', '.join(names)}"
        return self.run_cell("", session=session, sync=False, label=label, fetch=names).fetch()

    def run_bash(
        self,
        code: str,
        *,
        progress: Report | None = None,
        on_link: Told | None = None,
        **options: Unpack[Options],
    ) -> Run:
        """Runs a shell script with bash.

        Args:
            code: the script.
            progress, on_link, options: as of :meth:`run_cell`, without session, fresh, send and fetch.

        Raises:
            ConnectError, SyncError, LaunchError: it could not be started.
        """
        return self._start(self._orders.bash(code, **options), progress, on_link)

    def run_script(
        self,
        name: str,
        text: str,
        args: Sequence[str] = (),
        *,
        progress: Report | None = None,
        on_link: Told | None = None,
        **options: Unpack[Options],
    ) -> Run:
        """Runs Python code as a program.

        Args:
            name: of the file that it is saved as on the host.
            text: the code.
            args: what it finds in ``sys.argv`` after its name.
            progress, on_link, options: as of :meth:`run_bash`.
        """
        return self._start(self._orders.script(name, text, args, **options), progress, on_link)

    def run_program(
        self,
        argv: Sequence[str],
        *,
        progress: Report | None = None,
        on_link: Told | None = None,
        **options: Unpack[Options],
    ) -> Run:
        """Runs a program.

        Args:
            argv: its words; a ``.py`` file in the first place is given to the host's Python.
            progress, on_link, options: as of :meth:`run_bash`.

        Raises:
            UsageError: there is no program in ``argv``.
        """
        return self._start(self._orders.program(argv, **options), progress, on_link)

    def run_words(
        self,
        argv: Sequence[str],
        code: str,
        *,
        script: str | None = None,
        python: str | None = None,
        progress: Report | None = None,
        on_link: Told | None = None,
        **options: Unpack[Options],
    ) -> Run:
        """Runs a program with ``code`` in a file of its own, or as one of its words.

        Args:
            argv: its words; ``{python}``, ``{code}`` and ``{script}`` are filled in on the host.
            code: what ``{code}`` or the file ``{script}`` is.
            script: the name of that file.
            python: another interpreter than the host's.
            progress, on_link, options: as of :meth:`run_bash`.
        """
        order = self._orders.words(argv, code, script=script, python=python, **options)
        return self._start(order, progress, on_link)

    def attach(self, run_id: str, from_seq: int = 0) -> Run:
        """A run of the host, running or ended, as if this process had started it.

        Args:
            run_id: its whole id.
            from_seq: number of the last event that is known already; 0 gives all that are kept.

        Raises:
            UsageError: there is no such run on the host.
        """
        run = attach(self.link, self.connection(), run_id, from_seq)
        run.workspace = self.workspace
        return run

    def _start(self, order: Order, progress: Report | None, on_link: Told | None) -> Run:
        run = start(self.link, order, lambda: self._sync, self._orders.provenance, progress, on_link)
        run.workspace = self.workspace
        return run

    @property
    def _orders(self) -> Orders:
        """By the settings as they are now: whoever changes `host` means the runs that follow."""
        if self._made_orders.host is not self.host:
            self._made_orders = Orders(self.host, self.workspace)
        return self._made_orders

    def log(self, run_id: str, lines: int | None = None, rank: int | None = None) -> Log:
        """What a run has printed on both streams, up to now.

        Args:
            run_id: the run.
            lines: only so many at the end; all when None.
            rank: of one process of several (a rank of a job, a task of an array); what was shown when None.

        Raises:
            UsageError: there is no such run on the host, or it has no such rank.
        """
        return Log(self.connection().request(m.Tail(run_id, lines, rank)))

    # The workspace.

    def sync(self, dry_run: bool = False, progress: Report | None = None) -> SyncReport:
        """Brings the workspace to the host, or with ``dry_run`` says what that would do.

        Args:
            dry_run: send nothing.
            progress: told how far it has come, at most ten times a second.

        Raises:
            SyncError, DiskFull, ConnectError: it could not be done.
        """
        from .sync.ahead import Ahead

        ahead = Ahead(lambda: self._sync)
        connection = self.link.connection(meanwhile=None if dry_run else ahead.begin)
        self._sync.forget()  # asked for by name, so what the host's side did to the files counts too
        if dry_run:
            return self._sync.preview(connection)
        for _ in range(ATTEMPTS):
            try:
                return self._sync.push(connection, progress, ahead).finish()
            except Stale:
                self._sync.forget()
        raise SyncError(f"the mirror on {self.host.name} keeps changing", host=self.host.name)

    def pull(
        self,
        patterns: Sequence[str],
        *,
        output: Path | None = None,
        dry_run: bool = False,
        progress: Report | None = None,
    ) -> PullReport:
        """Brings files of the mirror here: those that match, and are not here already.

        Args:
            patterns: as in a .gitignore, e.g. ``results/**`` or ``*.png``; see `agent/patterns.py`.
            output: the folder they go to; the workspace when None.
            dry_run: only say what would come.
            progress: told how far it has come, at most ten times a second.

        Returns:
            What came. A file that was changed here too is kept aside, see ``kept``.

        Raises:
            UsageError: a pattern can't be used.
            SyncError, DiskFull: files can't be written here; they are named, all others came.
            ProtocolError: what the host says can't be true.
            ConnectError: the link failed; the next pull goes on where it was cut.
        """
        from .sync.pull import parse_patterns, pull
        from .sync.pulled import source_of
        from .sync.target import Target

        parse_patterns(patterns)  # before a host is asked
        target = Target(output or self.workspace, source_of(self.host.name, self.mirror))
        return pull(self.connection(), self.mirror, patterns, target, dry_run=dry_run, progress=progress)

    def push(self, paths: Sequence[str | os.PathLike[str]]) -> SyncReport:
        """Brings files and folders of the workspace to its mirror, also those that the sync leaves out.

        Args:
            paths: in the workspace, relative to it or absolute. No later sync deletes them there.

        Raises:
            UsageError: a path is not there, or not in the workspace.
            SyncError, DiskFull, ConnectError: it failed; the next push goes on where it was cut.
        """
        from .sync.push import push_paths

        return push_paths(self._sync, self.connection(), paths)

    @property
    def _sync(self) -> WorkspaceSync:
        with self._making_sync:
            if self._kept_sync is None:
                from .sync.owner import workspace_owner
                from .sync.pulled import source_of
                from .sync.session import WorkspaceSync  # while the host starts, see Connection.open

                owner = workspace_owner(self.workspace)
                self._kept_sync = WorkspaceSync(
                    self.workspace, self.mirror, owner, self.host.sync, source_of(self.host.name, self.mirror)
                )
        return self._kept_sync

    def _forget(self) -> None:
        if self._kept_sync is not None:
            self._kept_sync.forget()
