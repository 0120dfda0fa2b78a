"""What Ray's words mean, for people: why a job waits, why it was refused, how it ended. Text only."""

from __future__ import annotations

import re
from signal import Signals

from ..errors import LaunchError
from .job import Standing, Verdict

# What `ray job submit` says, and what to do then.
_ADVICE = {
    r"failed to connect|connection refused|could not find any running ray|timed out|no available agent": (
        "Is there a cluster? `ray status` on the host shows it, `ray start --head` starts one; its address "
        "is `ray.address` of the host, e.g. http://127.0.0.1:8265."
    ),
    r"there is no |not found|no such file": (
        "Name the program with `ray.program` of the host, e.g. ~/env/bin/ray, or put it on the PATH of a "
        "non-interactive login."
    ),
    r"no module named|ray\[default\]|job submission": (
        "The job API is part of `ray[default]`: `pip install 'ray[default]'` there."
    ),
    r"no such option": "Ray's version there does not know that: upgrade it, or leave the setting out.",
    r"runtime.?env": "The runtime environment in `ray.args` could not be read there.",
}


def line(standing: Standing, ahead: int | None) -> str:
    """What the status line says of a job that has not started."""
    if standing.phase != "waiting":
        return "starting on its node" if standing.phase == "running" else "queued"
    if "runtime env" in standing.reason.lower():
        return f"queued: {standing.reason}"
    return (
        "queued: for CPUs, GPUs or other resources of the Ray cluster (`ray status` there shows what is free)"
    )


def verdict(standing: Standing) -> Verdict:
    """What the end of a job means for a run that has none in its log."""
    named = f"job {standing.id}" if standing.id else "its job"
    code = standing.exit_code
    if standing.phase == "gone":
        return Verdict("lost", 1, f"Ray does not know {named} any more: its cluster was stopped")
    if standing.word == "STOPPED":
        return Verdict("stopped", 143, f"{named} was stopped (ray job stop)")
    if "exit code" not in standing.reason and standing.word == "FAILED":
        return Verdict("failed", 1, f"{named} failed: {standing.reason or 'Ray does not say why'}")
    if code in (143, -15):
        return Verdict("stopped", 143, f"{named} was stopped (ray job stop)")
    signal = -code if code < 0 else code - 128 if code > 128 else 0
    how = {one.value: one.name for one in Signals}.get(signal, f"signal {signal}") if signal else ""
    told = how or f"exit code {code}"
    return Verdict(
        "failed", (128 + signal if signal else code) or 1, f"{named} ended without a word of its own ({told})"
    )


def refused(host: str, said: str, code: int) -> LaunchError:
    """The error for a job that Ray did not take."""
    rows = [row.strip() for row in re.sub(r"\x1b\[[0-9;]*m", "", said).splitlines() if row.strip(" .\t")]
    errors = [row for row in rows if re.match(r"([\w.]+(Error|Exception)|Error): ", row)]
    first = (errors or rows or [f"ray ended with exit code {code}"])[-1]
    first = re.sub(r"^([\w.]+(Error|Exception)|Error): ", "", first)
    if code == 127 and "not found" in first:
        first = "there is no ray here"
    hint = next(
        (advice for pattern, advice in _ADVICE.items() if re.search(pattern, said, re.IGNORECASE)), None
    )
    return LaunchError(f"{host}: Ray refused the job: {first}", host=host, hint=hint)
