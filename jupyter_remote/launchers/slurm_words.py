"""What Slurm's words mean, for people: why a job waits, why it was refused, how it ended. Text only."""

from __future__ import annotations

import re
import time
from signal import Signals

from ..errors import LaunchError
from .job import WILL_NOT_START, Standing, Verdict

# Why a job waits.
_REASONS = {
    "Resources": "for free resources",
    "Priority": "behind jobs of higher priority",
    "Dependency": "for the jobs it depends on",
    "JobHeldUser": "held by its user; `scontrol release {id}` lets it go",
    "JobHeldAdmin": "held by an administrator",
    "BeginTime": "for its start time",
    "Licenses": "for a licence",
    "ReqNodeNotAvail": "for nodes that are down, drained or reserved",
    "Reservation": "for its reservation",
    "Cleaning": "for its former run to be cleaned up",
    "JobArrayTaskLimit": "for other tasks of its array",
    "NodeDown": "for a node that is down",
    "PartitionDown": "for its partition, which is down",
    "PartitionInactive": "for its partition, which is inactive",
    "launch failed requeued held": "held, because it could not be started",
}
# With these it waits for ever.
_NEVER = {
    "PartitionNodeLimit": "it asks for more nodes than its partition gives",
    "PartitionTimeLimit": "it asks for more time than its partition gives",
    "BadConstraints": "no node has what it asks for",
    "DependencyNeverSatisfied": "a job it depends on has failed",
    "AccountNotAllowed": "its account may not use the partition",
    "QOSNotAllowed": "its QOS may not use the partition",
    "InvalidAccount": "its account is not valid",
    "InvalidQOS": "its QOS is not valid",
    "ReservationDeleted": "its reservation was deleted",
    "QOSMaxWallDurationPerJobLimit": "it asks for more time than its QOS gives",
    "AssocMaxWallDurationPerJobLimit": "it asks for more time than its account may have",
}

# What sbatch says, and what to do then.
_ADVICE = {
    r"node configuration is not available": (
        "No node of the partition has that much: ask for fewer GPUs, CPUs or less memory. "
        "`sinfo -o '%P %D %c %m %G %f'` on the host shows what there is."
    ),
    r"invalid partition": (
        "`sinfo -s` on the host lists the partitions; set one with `--set partition=NAME`."
    ),
    r"account/partition combination|invalid account": (
        "Set the account with `--set account=NAME`; `sacctmgr show assoc user=$USER` on the host lists yours."
    ),
    r"invalid qos": "`sacctmgr show qos` on the host lists them; set one with `--set qos=NAME`.",
    r"unable to contact slurm controller|connection failure|socket timed out": (
        "Slurm's controller does not answer; `scontrol ping` there shows when it is back. Try again then."
    ),
    r"time limit is invalid|invalid --time": (
        "Set `time` to 30 (minutes), 2h, 01:30:00 or 1-12:00:00, within the partition's limit."
    ),
    r"memory specification": "Ask for less memory, e.g. `--set memory=4G`.",
    r"invalid feature|constraint": (
        "`sinfo -o '%P %f'` on the host lists the features; set one with `--set constraint=NAME`."
    ),
    r"gres|generic resource": (
        "`sinfo -o '%P %G'` on the host shows which GPUs there are, e.g. `--set gpus=a100:2`."
    ),
    r"QOSMax|AssocMax|AssocGrp|job submit limit|violates accounting": (
        "A limit of your account or QOS is reached: wait for your other jobs, or ask for less."
    ),
    r"configuration source": (
        "Slurm's commands find no configuration there. Where the login shell sets SLURM_CONF, "
        "set it for non-interactive logins too."
    ),
    r"there is no sbatch": (
        "Slurm's commands must be on the PATH of a non-interactive login there: try `ssh HOST which sbatch`."
    ),
}


def line(standing: Standing, ahead: int | None) -> str:
    """What the status line says of a job that has not started: `queued (12 ahead, est. 10:40)`."""
    if standing.phase != "waiting":
        return "starting on its node" if standing.phase == "running" else "queued"
    if never := _never(standing.reason):
        return f"{WILL_NOT_START}: {never} ({standing.reason})"
    held = standing.reason.startswith(("JobHeld", "Dependency", "BeginTime"))
    facts = [f"{ahead} ahead" if ahead else "next"] if ahead is not None and not held else []
    if standing.start:
        facts.append(f"est. {_clock(standing.start)}")
    why = "" if ahead and standing.reason == "Priority" else _reason(standing)
    return "queued" + (f" ({', '.join(facts)})" if facts else "") + (f": {why}" if why else "")


def _reason(standing: Standing) -> str:
    reason = standing.reason
    if not reason:
        return ""
    if reason.startswith("QOS"):
        return f"a limit of its QOS is reached ({reason})"
    if reason.startswith(("Assoc", "Association")):
        return f"a limit of its account is reached ({reason})"
    for word, meaning in _REASONS.items():
        if reason.startswith(word):
            return f"{meaning.replace('{id}', standing.id)} ({word})"
    return reason


def _never(reason: str) -> str:
    return next((meaning for word, meaning in _NEVER.items() if reason.startswith(word)), "")


def _clock(start: str) -> str:
    day, _, clock = start.partition("T")
    return clock[:5] if day == time.strftime("%Y-%m-%d") else f"{day} {clock[:5]}"


def verdict(standing: Standing) -> Verdict:
    """What the end of a job means for a run that has none in its log."""
    word = standing.word.partition(" ")[0]
    named = f"job {standing.id}" if standing.id else "its job"
    where = f" on {standing.nodes}" if standing.nodes else ""
    if standing.phase == "gone":
        return Verdict("lost", 1, f"Slurm does not know {named} any more, and it left no exit code")
    if word == "TIMEOUT":
        return Verdict(
            "stopped", 124, f"{named} was over its time limit (TIMEOUT); `--set time=` asks for more"
        )
    if word == "DEADLINE":
        return Verdict("stopped", 124, f"{named} was ended at its deadline (DEADLINE)")
    if word == "OUT_OF_MEMORY":
        more = "`--set memory=` asks for more"
        return Verdict(
            "failed", 137, f"{named} used more memory than it had asked for (OUT_OF_MEMORY); {more}"
        )
    if word in ("NODE_FAIL", "BOOT_FAIL"):
        return Verdict("lost", 1, f"the node of {named} failed{where} ({word})")
    if word == "PREEMPTED":
        return Verdict("stopped", 143, f"{named} had to give way to another one (PREEMPTED)")
    if word == "CANCELLED":
        return Verdict("stopped", 143, f"{named} was cancelled (CANCELLED)")
    if word == "REVOKED":
        return Verdict("lost", 1, f"{named} was revoked: another cluster has it (REVOKED)")
    if _never(standing.reason):
        return Verdict("failed", 1, f"{named} could not run: {_never(standing.reason)} ({standing.reason})")
    code = standing.exit_code
    how = f"exit code {code}"
    if standing.signal:
        code = 128 + standing.signal
        known = {one.value: one.name for one in Signals}
        how = known.get(standing.signal, f"signal {standing.signal}")
    return Verdict(
        "failed", code or 1, f"{named} ended{where} without a word of its own ({word or 'unknown'}, {how})"
    )


def refused(host: str, said: str, code: int) -> LaunchError:
    """The error for a job that sbatch did not take."""
    text = re.sub(r"(?m)^sbatch: (error: )?(Batch job submission failed: )?", "", said).strip()
    first = text.splitlines()[-1] if text else f"sbatch ended with exit code {code}"
    hint = next(
        (advice for pattern, advice in _ADVICE.items() if re.search(pattern, said, re.IGNORECASE)), None
    )
    return LaunchError(f"{host}: Slurm refused the job: {first}", host=host, hint=hint)
