"""What hosts are told and asked about campaigns; their answers, never believed further than they can be."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import jupyter_remote

from .. import records
from ..agent import messages as m
from ..agent.rundir import FINAL_STATES, RUN_ID
from ..errors import ConnectionLost, ProtocolError, RemoteError
from ..many import at_once

if TYPE_CHECKING:
    from ..remote import Remote

T = TypeVar("T")
PIECE = 1 << 18
LOOK_S = 30.0
_NO_SUCH = 127
# A word before each name, as env_setup prints what it likes.
_MARK = "jupyter-remote-missing:"
_PROGRAMS = f'eval "$0" </dev/null\nfor p; do command -v -- "$p" >/dev/null || echo "{_MARK}$p"; done'
_FILES = (
    "import json, os, sys; from os.path import *; "
    "w = join(expanduser('~'), expandvars(expanduser(sys.argv[1]))); "
    "print(json.dumps([f for f in sys.argv[2:] if not exists(join(w, f))]))"
)
# States of a step that are none of a run: it waits; it never will run.
WAITING, SKIPPED = "waiting", "skipped"
ENDED = (*FINAL_STATES, SKIPPED)


@dataclass(frozen=True)
class StepState:
    """How one step stands on its host.

    Args:
        host: its name here.
        key: of the step: `train[lr=0.1]`.
        step: its name in the file.
        params: its combination.
        state: `waiting`, `skipped`, or that of its last run.
        runs: ids of its runs, one a try.
        exit_code, reason, started, seconds: of the last one, as far as known.
        folder: the name of its folder for results.
        pull: patterns of what else it makes.
        job: whether its last run, which has not ended, is a scheduler's job.
        failed: whether it has failed for good, by itself.
    """

    host: str
    key: str
    step: str
    params: Mapping[str, Any]
    state: str
    runs: tuple[str, ...]
    exit_code: int | None
    reason: str | None
    started: float | None
    seconds: float | None
    folder: str
    pull: tuple[str, ...]
    job: bool
    failed: bool

    @property
    def ended(self) -> bool:
        """Whether nothing more comes of it by itself."""
        return self.state in ENDED


@dataclass(frozen=True)
class Part:
    """One host's part of a campaign.

    Args:
        host: its name here.
        name, id, file, created: of the campaign.
        hosts: all that have a part.
        driven: whether the process that starts its steps lives.
        stopping: whether it was told to end.
        stop_on_failure: whether nothing more is started when a step has failed.
        pass_env: names of variables that the steps are given.
        workspace: the mirror, as a path there.
        steps: in the order of the plan.
    """

    host: str
    name: str
    id: str
    file: str
    created: float
    hosts: tuple[str, ...]
    driven: bool
    stopping: bool
    stop_on_failure: bool
    pass_env: tuple[str, ...]
    workspace: str
    steps: tuple[StepState, ...]

    @property
    def ended(self) -> bool:
        """Whether all steps have ended."""
        return all(step.ended for step in self.steps)

    @property
    def abandoned(self) -> bool:
        """Whether steps wait and nobody will start them: the process that did was killed."""
        return not self.driven and any(step.state == WAITING for step in self.steps)

    @property
    def standing(self) -> str:
        """`ended`, `running`, `stopping`, `stopped`, or `interrupted`: nobody starts what waits."""
        if self.ended:
            return "ended"
        if self.driven:
            return "stopping" if self.stopping else "running"
        return "stopped" if self.stopping else "interrupted"


def on_hosts(
    hosts: Sequence[str], work: Callable[[Remote], T], workspace: Path | None = None
) -> list[tuple[str, T | RemoteError]]:
    """What `work` returns for each host, or its error, in order; all at the same time."""
    answers = at_once(hosts, lambda host: work(jupyter_remote.connect(host, workspace=workspace)))
    return list(zip(hosts, answers, strict=True))


def look(remote: Remote, name: str) -> Part | None:
    """A host's part of a campaign; None when it has none.

    Raises:
        RemoteError: the host can't be asked.
    """
    part = _part(remote, _ask(remote, m.Campaign("look", name)))
    jobs = [step.runs[-1] for step in part.steps if step.job and not step.ended] if part else []
    if jobs:
        from ..runs import settled  # most hosts have no scheduler

        # The end of a job that was killed is written by who knows what its scheduler's words mean.
        settled(remote, list(records.records(remote, len(jobs), ids=jobs)))
    return part


def listed(remote: Remote) -> list[Part]:
    """All campaigns of a host.

    Raises:
        RemoteError: the host can't be asked.
    """
    found = _ask(remote, m.Campaign("list")).get("campaigns")
    parts = [_part(remote, one) for one in found] if isinstance(found, list) else []
    return [part for part in parts if part is not None]


def start(remote: Remote, document: Mapping[str, Any], secrets: Mapping[str, str]) -> Part:
    """Hands a host its part, which begins at once; sent again, it is the same.

    Raises:
        UsageError: a campaign of that name goes on there.
        RemoteError: the host could not be told.
    """
    message = m.Campaign("start", str(document["name"]), None, dict(secrets))
    plan = zlib.compress(json.dumps(document, separators=(",", ":")).encode("ascii"), 1)
    for last in (False, False, True):
        try:
            part = _part(remote, _ask(remote, message, plan))
            break
        except ConnectionLost:
            if last:
                raise
    if part is None:
        raise ProtocolError("the host does not say what became of the campaign", host=remote.host.name)
    return part


def resume(remote: Remote, name: str, secrets: Mapping[str, str], *, failed: bool) -> Part | None:
    """Has a host go on with what has not ended well.

    Args:
        failed: steps that have failed are run again, too.

    Raises:
        UsageError: it goes on already.
        RemoteError: the host could not be told.
    """
    return _part(remote, _ask(remote, m.Campaign("resume", name, {"failed": failed}, dict(secrets))))


def stop(remote: Remote, name: str) -> Part | None:
    """Ends a host's part: nothing more is started, and what runs is ended.

    Raises:
        RemoteError: the host could not be told.
    """
    return _part(remote, _ask(remote, m.Campaign("stop", name)))


def halt(remote: Remote, name: str, why: str) -> Part | None:
    """Has a host start no more steps; what runs goes on.

    Args:
        remote: the host.
        name: of the campaign.
        why: the reason of the steps that are skipped.

    Raises:
        RemoteError: the host could not be told.
    """
    return _part(remote, _ask(remote, m.Campaign("halt", name, {"reason": why})))


def missing(remote: Remote, needs: Mapping[str, Any]) -> list[str]:
    """What a host does not have of a campaign's needs, one sentence each.

    Args:
        remote: the host.
        needs: ``sessions`` with the programs that are to be found in each, ``files`` of the workspace.

    Raises:
        RemoteError: the host can't be asked.
    """
    host = remote.host.name
    said: list[str] = []
    files = list(needs["files"])
    for session, programs in needs["sessions"]:
        python = session.get("python") or "python3"
        asked: dict[str, Any] = {"python": python, "env": session.get("env"), "seconds": LOOK_S}
        asked["commands"] = {
            "files": ["{python}", "-c", _FILES, remote.mirror, *files],
            **{
                shell: [shell, "-c", _PROGRAMS, session.get("env_setup") or ":", *programs]
                for shell in ("bash", "sh")
            },
        }
        told = remote.connection().ask(m.Probe(asked))["commands"]
        # As a run does: by bash, and by sh where there is none.
        found = told.get("bash") or {}
        if found.get("status") == _NO_SUCH:
            found = told.get("sh") or {}
        if found.get("status") is None:
            said.append(f"{host}: env_setup does not end within {LOOK_S:g} s")
        else:
            lines = str(found["output"]).splitlines()
            absent = [one.removeprefix(_MARK) for one in lines if one.startswith(_MARK)]
            said += [f"{host}: there is no program `{one}` there" for one in absent]
        found = told.get("files") or {}
        if found.get("status") != 0:
            why = str(found.get("output") or "it does not answer").strip().splitlines()[-1]
            said.append(f"{host}: the Python `{python}` can't be used: {why}")
            continue
        absent = [one for one in json.loads(found["output"].splitlines()[-1]) if one in files]
        said += [f"{host}: {one} is not in the workspace there" for one in absent]
        files = []  # once is enough
    return said


def _ask(remote: Remote, message: m.Message, payload: bytes | None = None) -> dict[str, Any]:
    stream = remote.connection().request(message)
    if payload is not None:
        for at in range(0, len(payload), PIECE):
            stream.send(m.Data(), payload[at : at + PIECE])
        stream.send(m.End())
    return records.read_object(stream, remote.host.name)


def _part(remote: Remote, told: Any) -> Part | None:
    if told == {}:
        return None
    host = remote.host.name
    try:
        steps = tuple(_step(host, one) for one in told["steps"])
        return Part(
            host,
            str(told["name"]),
            str(told["id"]),
            str(told.get("file") or ""),
            float(told["created"]),
            tuple(map(str, told["hosts"])),
            bool(told["driven"]),
            bool(told["stopping"]),
            bool(told["stop_on_failure"]),
            tuple(map(str, told["pass_env"])),
            str(told["workspace"]),
            steps,
        )
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        raise ProtocolError(f"the host's word on the campaign is broken: {error}", host=host) from None


def _step(host: str, told: dict[str, Any]) -> StepState:
    runs = tuple(str(one) for one in told["runs"])
    if not all(map(RUN_ID.fullmatch, runs)):
        raise ValueError("ids that are none")
    folder = str(told["folder"])
    if not folder or "/" in folder or folder.startswith("."):
        raise ValueError(f"a folder {folder!r}")
    code, started, seconds = told.get("exit_code"), told.get("started"), told.get("seconds")
    return StepState(
        host,
        str(told["key"]),
        str(told["step"]),
        dict(told["params"]),
        # Between the journal's word and the run's: it is about to start.
        "starting" if told["state"] == "active" else str(told["state"]),
        runs,
        None if code is None else int(code),
        None if told.get("reason") is None else str(told["reason"]),
        None if started is None else float(started),
        None if seconds is None else float(seconds),
        folder,
        tuple(map(str, told.get("pull") or ())),
        bool(told.get("job")),
        bool(told.get("failed")),
    )
