"""`campaign`: many runs from one file started, watched, ended, brought here; see `campaigns/`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .. import history
from ..call import Show, count, some_hosts
from ..durations import format_duration
from ..errors import RemoteError
from ..parsing import Values
from ..tables import print_json, print_table

if TYPE_CHECKING:
    from ..campaigns.campaign import Campaign, Status
    from ..campaigns.hostside import Part, StepState
    from ..campaigns.starting import Prepared

_LONGEST = 90


def start(values: Values, show: Show) -> int:
    """`campaign FILE [--host HOSTS] [--wait] [--dry-run]`."""
    from ..campaigns.starting import Prepared

    prepared = Prepared(values["file"], values["host"])
    prepared.check(dry_run=values["dry_run"])
    if values["dry_run"]:
        _print_plan(prepared, values["json"])
        return 0
    campaign = prepared.start()
    plan = prepared.plan
    if not values["json"]:
        spread = ", ".join(f"{len(plan.of(host))} on {host}" for host in plan.hosts)
        print(
            f"campaign {plan.name}: {count(plan.steps, 'step')} ({spread}); "
            f"`campaign status {plan.name}` shows it"
        )
    return _followed(campaign, values)


def status(values: Values, show: Show) -> int:
    """`campaign status NAME [--wait]`."""
    return _followed(_found(values), values, say=True)


def resume(values: Values, show: Show) -> int:
    """`campaign resume NAME [--failed] [--wait]`."""
    campaign = _found(values)
    campaign.resume(failed=values["failed"])
    return _followed(campaign, values, say=True)


def stop(values: Values, show: Show) -> int:
    """`campaign stop NAME`; one that has ended already is no error."""
    campaign = _found(values)
    _tell(campaign, campaign.stop(), values["json"])
    return 0


def list_all(values: Values, show: Show) -> int:
    """`campaign list`; a host that can't be asked is named."""
    from ..campaigns.campaign import everywhere

    answers = everywhere(some_hosts(values["host"]) if values["host"] else ())
    parts = [part for _, answer in answers if not isinstance(answer, RemoteError) for part in answer]
    failed = [(host, answer) for host, answer in answers if isinstance(answer, RemoteError)]
    parts.sort(key=lambda part: part.created, reverse=True)
    if values["json"]:
        print_json(
            {
                "campaigns": [_part_document(part) for part in parts],
                "unreachable": [{"host": host, "error": error.message} for host, error in failed],
            }
        )
    elif parts:
        rows = [(p.name, p.host, _summary(p.steps), p.standing, _clock(p.created), p.file) for p in parts]
        print_table(("CAMPAIGN", "HOST", "STEPS", "STATE", "STARTED", "FILE"), rows)
    else:
        print("no campaigns")
    for host, error in failed:
        print(f"{host}: {error.message}", file=sys.stderr)
    return 0


def logs(values: Values, show: Show) -> None:
    """`campaign logs NAME [--tail N]`."""
    for step, log in _found(values).logs(values["tail"]):
        print(f"==> {step.host}: {step.key} ({step.state}, run {step.runs[-1]})")
        text = b"".join(log).decode("utf-8", "replace")
        print(text, end="" if text.endswith("\n") or not text else "\n")


def pull(values: Values, show: Show) -> None:
    """`campaign pull NAME`."""
    campaign = _found(values)
    came = campaign.pull()
    if values["json"]:
        print_json({"campaign": campaign.name, "pulled": came})
        return
    for host, files in came.items():
        print(f"{host}: {count(files, 'file')} into campaigns/{campaign.name}/{host}/")


def _found(values: Values) -> Campaign:
    from ..campaigns.campaign import find

    return find(values["name"], some_hosts(values["host"]) if values["host"] else ())


def _followed(campaign: Campaign, values: Values, *, say: bool = False) -> int:
    """Show it until it has ended when that is wanted, and how it stands then."""
    if not values["wait"]:
        if say or values["json"]:
            _tell(campaign, campaign.status(), values["json"])
        return 0
    try:
        done = campaign.wait(None if values["json"] else _Lines())
    except KeyboardInterrupt:
        print(f"campaign {campaign.name} goes on; `campaign stop {campaign.name}` ends it", file=sys.stderr)
        raise
    _tell(campaign, done, values["json"])
    return 0 if done.ok else 1


class _Lines:
    """A line for every step whose state is another one than before."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], object] = {}
        self._silent: set[str] = set()

    def __call__(self, status: Status) -> None:
        for step in status.steps:
            at, now = (step.host, step.key), (step.state, len(step.runs))
            before = self._seen.get(at, ("waiting", 0))
            self._seen[at] = now
            if now != before and not (now[0] == "waiting" and not step.runs):
                print(f"{_clock(time.time())[-8:]} {step.host}: {step.key} {_how(step)}", flush=True)
        silent = {host for host, _ in status.unreachable}
        for host, error in status.unreachable:
            if host not in self._silent:
                print(f"{host}: {error.message}; it is tried again", file=sys.stderr, flush=True)
        self._silent = silent


def _how(step: StepState) -> str:
    took = f" after {format_duration(step.seconds)}" if step.seconds is not None and step.ended else ""
    code = f", exit code {step.exit_code}" if step.exit_code else ""
    why = f" ({step.reason})" if step.reason else ""
    return f"{step.state}{took}{code}{why}"


def _tell(campaign: Campaign, status: Status, as_json: bool) -> None:
    history.flush()
    if as_json:
        print_json(
            {
                "campaign": campaign.name,
                "ended": status.ended,
                "ok": status.ok,
                "parts": [_part_document(part) for part in status.parts],
                "unreachable": [{"host": host, "error": error.message} for host, error in status.unreachable],
            }
        )
        return
    rows = [
        (
            step.host,
            step.key,
            step.state,
            step.exit_code,
            len(step.runs) or "",
            "" if step.seconds is None else format_duration(step.seconds),
            step.runs[-1] if step.runs else "",
            step.reason,
        )
        for step in status.steps
    ]
    print_table(("HOST", "STEP", "STATE", "EXIT", "TRIES", "WALL", "RUN", "REASON"), rows)
    print(f"campaign {campaign.name}: {_summary(status.steps)}")
    for part in status.parts:
        if part.abandoned and not part.stopping:
            print(
                f"{part.host}: what starts the steps there was killed, or the host was restarted; "
                f"{_waiting(part)} left: `campaign resume {part.name}` goes on",
                file=sys.stderr,
            )
    for host, error in status.unreachable:
        print(f"{host}: {error.message}", file=sys.stderr)


def _waiting(part: Part) -> str:
    return count([step for step in part.steps if not step.ended], "step")


def _summary(steps: Iterable[StepState]) -> str:
    counts: dict[str, int] = {}
    for step in steps:
        counts[step.state] = counts.get(step.state, 0) + 1
    return ", ".join(f"{number} {state}" for state, number in counts.items())


def _part_document(part: Part) -> dict[str, Any]:
    from ..campaigns.campaign import document_of

    keys = ("host", "name", "id", "file", "created")
    return {
        **{key: getattr(part, key) for key in keys},
        "state": part.standing,
        "steps": [document_of(step) for step in part.steps],
    }


def _print_plan(prepared: Prepared, as_json: bool) -> None:
    plan = prepared.plan
    if as_json:
        steps = [
            {
                **{
                    key: getattr(step, key) for key in ("key", "step", "host", "params", "command", "retries")
                },
                "after": list(step.after),
            }
            for step in plan.steps
        ]
        print_json({"campaign": plan.name, "hosts": list(plan.hosts), "steps": steps})
        return
    rows = [
        (
            step.key,
            step.host,
            ", ".join(dict.fromkeys(k.partition("[")[0] for k in step.after)),
            _short(step.command),
        )
        for step in plan.steps
    ]
    print_table(("STEP", "HOST", "AFTER", "COMMAND"), rows)
    at_once = f"{plan.concurrency} at a time on each host"
    stops = "; no more are started when one has failed" if plan.stop_on_failure else ""
    print(f"campaign {plan.name}: {count(plan.steps, 'step')} on {', '.join(plan.hosts)}, {at_once}{stops}")


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _clock(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))
