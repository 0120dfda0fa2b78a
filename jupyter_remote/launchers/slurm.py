"""Slurm: `sbatch` starts, `squeue` tells, `scancel` ends. What its words mean is in `slurm_words.py`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..durations import parse_duration
from ..errors import UsageError
from .job import Answer, NoAnswer, Order, Phase, Standing, Work
from .slurm_words import line, refused, verdict

if TYPE_CHECKING:
    from ..config_models import HostConfig
    from ..config_schedulers import SlurmOptions

# fmt: off
__all__ = [
    "SETTINGS", "accounting", "ahead", "ended", "line", "order", "poll", "queue", "refused", "standings",
    "used", "verdict",
]
# fmt: on

SETTINGS = "slurm"
GIVES_GPUS = True

# The trap lets sh live on to its last lines when the job is ended: the supervisor gets the signal as well.
# Its own words for the state are kept too, because the scheduler forgets a job after some minutes.
_SCRIPT = """#!/bin/sh
# Starts the supervisor of a session of jupyter_remote; see docs/slurm.md.
trap : TERM INT HUP USR1 USR2 XCPU
folder={folder}{task}
python={python}
[ -x "$python" ] || python=python3
"$python" {boot} {state} {session} -1 -1
code=$?
{ echo "$code"; scontrol show job -o "$SLURM_JOB_ID" 2>&1; } >"$folder/.end"
mv -f "$folder/.end" "$folder/end"
exit "$code"
"""
# Of a program on several nodes: the first rank is shown, what the others print goes into a file each.
_RANK = 'n=${SLURM_PROCID:-0}; [ "$n" = 0 ] && exec "$@"; exec "$@" >"$0/$n.log" 2>&1'

# How our words are called by sbatch; every other key has the name of its option.
_NAMES = {"time": "time", "cpus": "cpus-per-task", "memory": "mem", "tasks": "ntasks", "gpus": "gres"}
_OURS = ("poll", "control", "args")

# What is asked of squeue: its fields have a width each, since a reason may hold any character.
_FIELDS = (
    *(("JobArrayID", 96), ("State", 24), ("exit_code", 14), ("Reason", 96)),
    *(("StartTime", 24), ("Partition", 64), ("NodeList", 128)),
)
_SQUEUE = ",".join(f"{name}:{width}" for name, width in _FIELDS)
_WAITING = (
    "PENDING",
    "CONFIGURING",
    "REQUEUED",
    "REQUEUE_HOLD",
    "REQUEUE_FED",
    "SPECIAL_EXIT",
    "RESV_DEL_HOLD",
)
_RUNNING = ("RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "RESIZING", "SIGNALING", "STAGE_OUT")
# These stay ahead of nobody: they don't start before somebody else has done something.
_HELD = ("JobHeldUser", "JobHeldAdmin", "Dependency", "DependencyNeverSatisfied", "BeginTime")
_SACCT = ("JobID", "State", "ExitCode", "ElapsedRaw", "MaxRSS", "TotalCPU", "AllocTRES")


def order(host: HostConfig, work: Work) -> Order:
    """A batch job whose script starts the supervisor.

    Raises:
        UsageError: the settings don't fit together, or the time is none.
    """
    wanted = host.slurm
    tasks = _tasks(wanted, work)
    words = ["sbatch", "--parsable", "--no-requeue", f"--job-name=jr-{work.name}", "--chdir=/"]
    words += ["--output={folder}/tasks/%a/log" if tasks else "--output={folder}/log"]
    words += [f"--{name}={value}" if value is not True else f"--{name}" for name, value in _options(wanted)]
    many = (wanted.nodes or 1) > 1 or (wanted.tasks or 1) > 1
    each: list[str] = []
    if many and work.one_run == "program":
        cpus = [f"--cpus-per-task={wanted.cpus}"] if wanted.cpus else []
        each = ["srun", "--disable-status", "--kill-on-bad-exit=1", *cpus, "sh", "-c", _RANK, "{ranks}"]
    relay = ["srun", "--jobid={id}", "--overlap", "--nodes=1", "--ntasks=1", "--relative=0", "--quiet"]
    return Order(
        kind="slurm",
        script=_SCRIPT.replace("{task}", '/tasks/"$SLURM_ARRAY_TASK_ID"' if tasks else ""),
        submit=[*words, *wanted.args, "{script}"],
        id=r"(?m)^(\d+)(?:;\S*)?\s*$",
        cancel=["scancel", "{id}"],
        relay=[*relay, "{relay}"] if wanted.control == "auto" and not tasks else [],
        tasks=tasks,
        each=each,
    )


def _options(wanted: SlurmOptions) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for key, value in wanted.model_dump(exclude_none=True, exclude=set(_OURS)).items():
        if value is False:
            continue
        if key == "time":
            value = _time(str(value))
        elif key == "gpus":
            value = f"gpu:{value}"
        found.append((_NAMES.get(key, key.replace("_", "-")), value))
    return found


def _time(text: str) -> str:
    """A time limit as sbatch takes it: its own forms, and ours (`90m`, `2h`, `1d12h`)."""
    if re.fullmatch(r"\d+|\d+:\d\d|\d+:\d\d:\d\d|\d+-\d+(:\d\d){0,2}", text) or text.upper() in (
        "INFINITE",
        "UNLIMITED",
    ):
        return text
    try:
        seconds = int(parse_duration(text))
    except UsageError:
        raise UsageError(
            f"{text!r} is no time for slurm.time; valid are 30 (minutes), 90m, 2h, 01:30:00, 1-12:00:00"
        ) from None
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _tasks(wanted: SlurmOptions, work: Work) -> list[str]:
    if wanted.array is None:
        return []
    if work.one_run != "program":
        raise UsageError(
            "an array runs a program several times: it goes with --bash, --script and `run`, not with a cell"
        )
    return _numbers(wanted.array)


def _numbers(text: str) -> list[str]:
    """The numbers of `0-3`, `1,4,7`, `0-20:4`, each with a limit `%N` or without.

    Raises:
        UsageError: it is none of that.
    """
    found: list[int] = []
    for part in text.partition("%")[0].split(","):
        match = re.fullmatch(r"\s*(\d+)(?:-(\d+)(?::(\d+))?)?\s*", part)
        if match is None or (match[3] and int(match[3]) == 0):
            raise UsageError(
                f"{text!r} is no array; valid are 0-3, 1,4,7, 0-20:4 and 0-99%10 (at most 10 at once)"
            )
        found += range(int(match[1]), int(match[2] or match[1]) + 1, int(match[3] or 1))
    if not found:
        raise UsageError(f"the array {text!r} has no tasks")
    return [str(number) for number in dict.fromkeys(found)]


# How jobs stand.


def poll(host: HostConfig) -> list[str]:
    """All jobs of this user, with those that ended some minutes ago."""
    return ["sh", "-c", f'exec squeue -h -t all -u "$(id -un)" -O {_SQUEUE}']


def standings(answer: Answer) -> dict[str, Standing]:
    """How each job stands.

    Raises:
        NoAnswer: squeue could not tell.
    """
    if answer.code:
        raise NoAnswer(_first(answer.err) or f"squeue ended with exit code {answer.code}")
    found = {}
    for row in answer.out.splitlines():
        fields, at = [], 0
        for _, width in _FIELDS:
            fields.append(row[at : at + width].strip())
            at += width
        names, word, code, reason, start, partition, nodes = fields
        status = int(code) if code.isdigit() else 0
        standing = Standing(
            phase=_phase(word),
            word=word,
            reason="" if reason == "None" else reason,
            start="" if start in ("N/A", "Unknown") else start,
            exit_code=status >> 8 & 255,
            signal=status & 127,
            queue=partition.partition(",")[0],
            nodes="" if nodes == "(null)" else nodes,
        )
        for name in _ids(names):
            found[name] = Standing(**{**standing.__dict__, "id": name})
    return found


def _phase(word: str) -> Phase:
    return "waiting" if word in _WAITING else "running" if word in _RUNNING else "ended"


def _ids(name: str) -> list[str]:
    """The ids that stand for a row: `7`, `5_2`, and `5_[0-3,7%2]` for tasks that wait."""
    match = re.fullmatch(r"(\d+)_\[(.*?)\]?", name)
    if match is None:
        return [name]
    try:
        return [f"{match[1]}_{number}" for number in _numbers(match[2].rstrip(".,"))]
    except UsageError:
        return [name]


def queue(standing: Standing) -> list[str] | None:
    """The jobs that wait in the same partition, those that start first before the others."""
    if not standing.queue:
        return None
    return ["squeue", "-h", "-t", "PENDING", "-p", standing.queue, "--sort=-p,i", "-o", "%i|%r"]


def ahead(answer: Answer, standing: Standing) -> int | None:
    """How many of them are before this one."""
    if answer.code:
        return None
    before = 0
    for row in answer.out.splitlines():
        name, _, reason = row.partition("|")
        if standing.id in (name, *_ids(name)):
            return before
        before += reason not in _HELD
    return None


def ended(text: str) -> Standing:
    """What the script left: its exit code, then a line of `scontrol show job`."""
    first, _, rest = text.partition("\n")
    code = int(first) if first.strip().isdigit() else 1
    said = dict(re.findall(r"(?:^|\s)(JobState|Reason|NodeList)=(\S+)", rest))
    reason = said.get("Reason", "None")
    word = said.get("JobState", "")
    if reason == "TimeLimit":
        word = "TIMEOUT"
    elif word in ("COMPLETING", "RUNNING", ""):
        word = "COMPLETED" if code == 0 else "CANCELLED" if code == 143 else "FAILED"
    return Standing(
        "ended", word, "" if reason == "None" else reason, exit_code=code, nodes=said.get("NodeList", "")
    )


# What they have used.


def accounting(ids: list[str]) -> list[str] | None:
    """What sacct knows; many sites have it switched off."""
    return ["sacct", "-n", "-P", "--units=K", "-j", ",".join(ids), "-o", ",".join(_SACCT)]


def used(answer: Answer) -> dict[str, dict[str, object]]:
    """Elapsed time (seconds), processor time, the peak of memory of any step (bytes), what was allocated.

    Raises:
        NoAnswer: there is no accounting.
    """
    if answer.code:
        raise NoAnswer(_first(answer.err) or f"sacct ended with exit code {answer.code}")
    found: dict[str, dict[str, object]] = {}
    for row in answer.out.splitlines():
        fields = row.split("|")
        if len(fields) != len(_SACCT):
            continue
        name, state, code, elapsed, memory, cpu, tres = fields
        job, _, step = name.partition(".")
        facts = found.setdefault(job, {})
        if not step:
            facts.update(state=state, exit_code=code, cpu_time=cpu, tres=tres)
            facts["elapsed_seconds"] = int(elapsed) if elapsed.isdigit() else None
        if (match := re.fullmatch(r"([\d.]+)K", memory)) is not None:
            peak = int(float(match[1]) * 1024)
            facts["peak_memory"] = max(peak, int(str(facts.get("peak_memory", 0))))
    return found


def _first(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")
