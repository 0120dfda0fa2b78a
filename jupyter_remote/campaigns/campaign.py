"""A campaign that was started, here or by another client: how it stands, its results, its end."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import jupyter_remote

from .. import history, records
from ..config import Config
from ..errors import ConfigError, HistoryError, RemoteError, UsageError
from ..log import Log
from ..whereabouts import learn
from . import hostside
from .hostside import WAITING, Part, StepState

T = TypeVar("T")
FOLDER = "campaigns"
# How often it is looked at while somebody waits: soon after something happened, and later.
QUICK_S, SLOW_S, BUSY_S = 0.2, 2.0, 5.0
STOP_S = 30.0


@dataclass(frozen=True)
class Status:
    """How a campaign stands.

    Args:
        parts: by host, of those that answered.
        unreachable: the hosts that did not, and why.
    """

    parts: tuple[Part, ...]
    unreachable: tuple[tuple[str, RemoteError], ...] = ()

    @property
    def steps(self) -> list[StepState]:
        """All steps on all hosts."""
        return [step for part in self.parts for step in part.steps]

    @property
    def ended(self) -> bool:
        """Whether nothing more happens by itself: all steps have ended, or nobody starts those that wait."""
        return not self.unreachable and all(
            part.ended or (part.abandoned and all(s.ended or s.state == WAITING for s in part.steps))
            for part in self.parts
        )

    @property
    def ok(self) -> bool:
        """Whether every step has finished."""
        return not self.unreachable and all(step.state == "finished" for step in self.steps)


class Campaign:
    """Many runs of one file.

    Args:
        name: of the campaign.
        hosts: that have a part.
        workspace: the local project folder.
        id: tells it from others that had its name; "" for all of these.
    """

    def __init__(self, name: str, hosts: Sequence[str], workspace: Path, id: str = "") -> None:
        self.name = name
        self.id = id
        self.hosts = tuple(hosts)
        self.workspace = workspace

    def __repr__(self) -> str:
        return f"<Campaign {self.name} on {', '.join(self.hosts)}>"

    def status(self) -> Status:
        """How it stands now, as its hosts say."""
        return _status(self._on_hosts(lambda remote: hostside.look(remote, self.name)))

    def wait(self, told: Callable[[Status], None] | None = None) -> Status:
        """Waits until nothing more happens by itself; a host that can't be reached is tried again.

        With ``stop_on_failure`` the other hosts are told when a step has failed on one, and start no more.

        Args:
            told: called with every state of affairs that is another one than before.
        """
        last: object = None
        halted: set[str] = set()
        changed = time.monotonic()
        while True:
            status = self.status()
            now = (
                [(s.host, s.key, s.state, len(s.runs)) for s in status.steps],
                [h for h, _ in status.unreachable],
            )
            if now != last:
                last, changed = now, time.monotonic()
                if told is not None:
                    told(status)
            if status.ended:
                return status
            self._halt_others(status, halted)
            time.sleep(QUICK_S if time.monotonic() - changed < BUSY_S else SLOW_S)

    def _halt_others(self, status: Status, halted: set[str]) -> None:
        """Tells the hosts that still start steps of one that has failed elsewhere, each once."""
        failed = next((s for p in status.parts if p.stop_on_failure for s in p.steps if s.failed), None)
        if failed is None:
            return
        # Where one has failed the host knows it.
        others = [
            part.host
            for part in status.parts
            if part.host not in halted
            and not any(step.failed for step in part.steps)
            and any(step.state == WAITING for step in part.steps)
        ]
        if not others:
            return
        why = f"{failed.key} failed on {failed.host}, and stop_on_failure is set"
        answers = self._on_hosts(lambda remote: hostside.halt(remote, self.name, why), others)
        halted.update(host for host, answer in answers if not isinstance(answer, RemoteError))

    def stop(self) -> Status:
        """Ends it on all hosts: nothing more is started, what runs is ended with all its processes.

        Raises:
            RemoteError: a host can't be told, or its part does not end.
        """
        answers = self._on_hosts(lambda remote: hostside.stop(remote, self.name))
        deadline = time.monotonic() + STOP_S
        while True:
            status = _status(answers)
            if status.unreachable:
                raise status.unreachable[0][1]
            live = [p.host for p in status.parts if p.driven or not _stopped(p)]
            if not live:
                return status
            if time.monotonic() > deadline:
                raise RemoteError(f"campaign {self.name} does not end on {', '.join(live)}")
            time.sleep(QUICK_S)
            answers = self._on_hosts(lambda remote: hostside.look(remote, self.name))

    def resume(self, *, failed: bool = False) -> Status:
        """Has its hosts go on with what waits, was stopped, skipped or lost.

        Args:
            failed: what failed too.

        Raises:
            UsageError: it goes on everywhere already, or a variable that its steps get is not set here.
            RemoteError: a host can't be told.
        """
        status = self.status()
        if status.unreachable:
            raise status.unreachable[0][1]
        idle = {part.host: part for part in status.parts if part.ended or not part.driven}
        if not idle:
            raise UsageError(f"campaign {self.name} goes on on {', '.join(self.hosts)}: nothing to resume")
        names = sorted({name for part in idle.values() for name in part.pass_env})
        if lacking := [name for name in names if name not in os.environ]:
            raise UsageError(f"campaign {self.name} hands {', '.join(lacking)} to its steps, not set here")
        secrets = {name: os.environ[name] for name in names}
        answers = self._on_hosts(
            lambda remote: hostside.resume(remote, self.name, secrets, failed=failed), list(idle)
        )
        for _, answer in answers:
            if isinstance(answer, RemoteError):
                raise answer
        return self.status()

    @property
    def runs(self) -> list[records.Record]:
        """The records of all its runs, newest first; the local history learns them.

        Raises:
            RemoteError: a host can't be asked.
        """

        def read(remote: jupyter_remote.Remote) -> list[records.Record]:
            found = list(records.records(remote, None, campaign=self.name, code=True))
            learn(remote, found)
            mine = [one for one in found if not self.id or one.get("campaign_id") == self.id]
            return [{**one, "host": remote.host.name} for one in mine]

        every: list[records.Record] = []
        for _, answer in self._on_hosts(read):
            if isinstance(answer, RemoteError):
                raise answer
            every += answer
        return sorted(every, key=lambda record: str(record["id"]), reverse=True)

    def logs(self, lines: int | None = None) -> Iterator[tuple[StepState, Log]]:
        """What the last run of every step has printed up to now, step by step.

        Args:
            lines: only so many at the end of each; all when None.

        Raises:
            RemoteError: a host can't be asked.
        """
        status = self.status()
        for step in status.steps:
            if step.runs:
                yield step, self._remote(step.host).log(step.runs[-1], lines)
        for _, error in status.unreachable:
            raise error

    def pull(self) -> dict[str, list[str]]:
        """Brings all results here, into ``campaigns/NAME/HOST/STEP/``.

        These are what a step wrote to ``$JUPYTER_REMOTE_STEP_DIR``, what its ``pull`` patterns match, its
        output (``output.log``) and how it stands (``step.json``).

        Returns:
            The files that came, by host, relative to the host's folder.

        Raises:
            RemoteError: a host can't be asked, or files can't be written; the other hosts' came.
        """
        base = self.workspace / FOLDER / self.name
        if not base.exists():
            base.mkdir(parents=True)
            # Results are no sources: neither git nor a sync takes them.
            (base / ".gitignore").write_text("*\n", encoding="utf-8")
        status = self.status()
        parts = {part.host: part for part in status.parts}
        answers = self._on_hosts(
            lambda remote: self._bring(remote, parts[remote.host.name], base / remote.host.name), list(parts)
        )
        for _, answer in (*answers, *status.unreachable):
            if isinstance(answer, RemoteError):
                raise answer
        return {host: files for host, files in answers if not isinstance(files, RemoteError)}

    def _bring(self, remote: jupyter_remote.Remote, part: Part, base: Path) -> list[str]:
        from ..sync.pull import pull
        from ..sync.pulled import source_of
        from ..sync.target import Target

        steps = [step for step in part.steps if step.runs]
        connection = remote.connection()
        folder = f"{part.workspace}/{FOLDER}/{self.name}"
        came = []
        if steps:
            target = Target(base, source_of(remote.host.name, folder))
            came += pull(connection, folder, [f"/{step.folder}/**" for step in steps], target).pulled
        for step in steps:
            there = base / step.folder
            there.mkdir(parents=True, exist_ok=True)
            if step.pull:
                target = Target(there, source_of(remote.host.name, part.workspace))
                came += [
                    f"{step.folder}/{p}" for p in pull(connection, part.workspace, step.pull, target).pulled
                ]
            for number, run_id in enumerate(step.runs, 1):
                last = number == len(step.runs)
                with suppress(UsageError):  # it was deleted there
                    log = b"".join(remote.log(run_id))
                    (there / ("output.log" if last else f"output.try{number}.log")).write_bytes(log)
            (there / "step.json").write_text(json.dumps(document_of(step), indent=2) + "\n", encoding="utf-8")
        return came

    def _remote(self, host: str) -> jupyter_remote.Remote:
        return jupyter_remote.connect(host, workspace=self.workspace)

    def _on_hosts(
        self, work: Callable[[jupyter_remote.Remote], T], hosts: Sequence[str] | None = None
    ) -> list[tuple[str, T | RemoteError]]:
        return hostside.on_hosts(self.hosts if hosts is None else hosts, work, self.workspace)


def document_of(step: StepState) -> dict[str, Any]:
    """A step as a JSON document shows it."""
    keys = ("host", "key", "step", "state", "exit_code", "reason", "started", "seconds")
    return {**{key: getattr(step, key) for key in keys}, "params": dict(step.params), "runs": list(step.runs)}


def find(name: str, hosts: Sequence[str] = ()) -> Campaign:
    """A campaign, whoever started it.

    Args:
        name: of the campaign.
        hosts: where to look; when none is named, where it was started from here, or all configured hosts.

    Raises:
        UsageError: none of the hosts has it; those that did not answer are named.
    """
    asked = list(hosts) or places(name)
    answers = hostside.on_hosts(asked, lambda remote: hostside.look(remote, name), _project(name))
    found = [part for _, part in answers if isinstance(part, Part)]
    silent = [host for host, answer in answers if isinstance(answer, RemoteError)]
    if not found:
        told = f"; not answering: {', '.join(silent)}" if silent else ""
        raise UsageError(
            f"no campaign {name} on {', '.join(asked)}{told}",
            hint="`campaign list` shows those there are; --host names other hosts.",
        )
    newest = max(found, key=lambda part: part.created)
    # What an earlier one of the same name left elsewhere is not this one's.
    members = [part.host for part in found if part.id == newest.id]
    members += [
        host for host in newest.hosts if host not in members and (host in silent or _known(host, asked))
    ]
    return Campaign(name, members, _project(name), newest.id)


def places(name: str) -> list[str]:
    """The hosts that may have a part of a campaign."""
    try:
        store = history.store()
        known = [host for row in store.campaigns(name) for host in row["hosts"]] + store.hosts_of(name)
    except HistoryError:
        known = []
    return list(dict.fromkeys(known)) or Config.load(Path.cwd()).names()


def everywhere(hosts: Sequence[str] = ()) -> list[tuple[str, list[Part] | RemoteError]]:
    """The campaigns of hosts; when none is named, of all configured ones and where one was started here."""
    asked = list(hosts)
    if not asked:
        asked = Config.load(Path.cwd()).names()
        with suppress(HistoryError):
            asked += [host for row in history.store().campaigns() for host in row["hosts"]]
    return hostside.on_hosts(list(dict.fromkeys(asked)), hostside.listed)


def _status(answers: Sequence[tuple[str, Part | RemoteError | None]]) -> Status:
    parts = tuple(answer for _, answer in answers if isinstance(answer, Part))
    return Status(parts, tuple((host, one) for host, one in answers if isinstance(one, RemoteError)))


def _stopped(part: Part) -> bool:
    return all(step.ended or (step.state == WAITING and part.stopping) for step in part.steps)


def _project(name: str) -> Path:
    """The folder a campaign was started for, when it is here; else the current one."""
    with suppress(HistoryError):
        for row in history.store().campaigns(name):
            if Path(row["project"]).is_dir():
                return Path(row["project"])
    return Path.cwd()


def _known(host: str, asked: Sequence[str]) -> bool:
    """Whether a host of the plan, which may be another client's name for it, means something here."""
    try:
        return host not in asked and Config.load(Path.cwd()).is_known(host)
    except ConfigError:
        return False
