"""What PBS's words mean, for people: why a job waits, why it was refused, how it ended. Text only."""

from __future__ import annotations

import re
import time
from signal import Signals
from typing import Literal

from ..errors import LaunchError
from .job import WILL_NOT_START, Standing, Verdict

# What the states other than `Q` say of a job that waits; Grid Engine's are several letters.
_STATES = {
    "H": "held; `qrls {id}` lets it go, or a job that it depends on",
    "W": "for its start time",
    "T": "on its way to another server",
    "M": "moved to another server",
    "hqw": "held; `qrls {id}` lets it go, or a job that it depends on",
    "Eqw": "it could not be started; `qstat -j {id}` on the host says why",
    "Ehqw": "it could not be started; `qstat -j {id}` on the host says why",
}
_NEVER = ("Can Never Run", "can never run", "Job violates")

# What ended a job when its exit status is negative (`JOB_EXEC_...` of its `job.h`).
_State = Literal["failed", "stopped", "lost"]
_ENDS: dict[int, tuple[_State, int, str]] = {
    -1: ("failed", 1, "it could not be started (JOB_EXEC_FAIL1)"),
    -2: ("failed", 1, "it could not be started (JOB_EXEC_FAIL2)"),
    -3: ("failed", 1, "it could not be started, and was to be tried again (JOB_EXEC_RETRY)"),
    -4: ("lost", 1, "its node was restarted (JOB_EXEC_INITABT)"),
    -5: ("lost", 1, "its node was restarted (JOB_EXEC_INITRST)"),
    -6: ("lost", 1, "its node was restarted (JOB_EXEC_INITRMG)"),
    -10: ("failed", 1, "your account is not valid on its node (JOB_EXEC_FAILUID)"),
    -11: ("stopped", 143, "it was put back into the queue (JOB_EXEC_RERUN)"),
    -16: ("failed", 1, "a hook of the site put it back into the queue (JOB_EXEC_FAILHOOK_RERUN)"),
    -17: ("failed", 1, "a hook of the site deleted it (JOB_EXEC_FAILHOOK_DELETE)"),
    -18: ("failed", 1, "a hook of the site put it back into the queue (JOB_EXEC_HOOK_RERUN)"),
    -19: ("failed", 1, "a hook of the site deleted it (JOB_EXEC_HOOK_DELETE)"),
    -20: ("lost", 1, "one of its nodes failed (JOB_EXEC_RERUN_MS_FAIL)"),
    -24: ("failed", 137, "it used more CPUs than it had asked for (JOB_EXEC_KILL_NCPUS_BURST)"),
    -25: ("failed", 137, "it used more CPUs than it had asked for (JOB_EXEC_KILL_NCPUS_SUM)"),
    -26: ("failed", 137, "it used more virtual memory than it had asked for (JOB_EXEC_KILL_VMEM)"),
    -27: (
        "failed",
        137,
        "it used more memory than it had asked for (JOB_EXEC_KILL_MEM); `--set memory=` asks for more",
    ),
    -28: ("stopped", 124, "it was over its limit of processor time (JOB_EXEC_KILL_CPUT)"),
}
# These numbers mean something else to Torque, whose ended jobs are in state C.
_TORQUE_ENDS: dict[int, tuple[_State, int, str]] = {
    -10: ("failed", 137, "it was over one of its limits (JOB_EXEC_OVERLIMIT)"),
    -11: ("failed", 1, "its output could not be written (JOB_EXEC_STDOUTFAIL)"),
}

# What qsub says, and what to do then.
_ADVICE = {
    r"would exceed|per-user limit|limit on number of|too many": (
        "A limit of yours in that queue is reached: wait for your other jobs, or delete some (`qdel`)."
    ),
    r"unknown queue|no queue|invalid partition|is not allowed to submit|unknown destination": (
        "`qstat -q` on the host lists the queues; name one with `--set queue=NAME`, or keep a table of "
        "them for `queue=auto`."
    ),
    r"exceeds? (queue|.*resource limits)|resource limits|min/max|not available|no suitable queue": (
        "Ask for less, or take another queue: `qstat -Qf QUEUE` on the host shows its limits (resources_max)."
    ),
    r"project|account": "Set it with `--set project=NAME`; on many clusters `groups` there lists yours.",
    r"storage": "Name what it needs as `--set storage=gdata/a56+scratch/a56`.",
    r"insufficient fund|allocation|service units": (
        "The project has no budget left for that: take another with `--set project=NAME`, or ask for less."
    ),
    r"unknown resource|illegal attribute|unknown.*resource|resource list": (
        "A resource has no such name or value there: `qstat -Bf` and `pbsnodes -a` on the host show which "
        "are known; `--set resources=a=1,b=2` and `args` take what has no word here."
    ),
    r"cannot connect|connection refused|no route|unable to contact|problem loading|pbs_iff|cannot reach": (
        "The server of PBS does not answer; `qstat -B` on the host shows when it is back. Try again then."
    ),
    r"not found|there is no (sh|qsub)": (
        "qsub must be on the PATH of a non-interactive login there: try `ssh HOST which qsub`."
    ),
    r"parallel environment|\bpe\b": (
        "`qconf -spl` on the host lists the parallel environments; set one with "
        "`--set parallel_environment=NAME`."
    ),
    r"unauthorized|not authorized|access from host not allowed|access to queue is denied": (
        "Your account may not submit there, or not from this machine: ask the people of the cluster."
    ),
}


def line(standing: Standing, ahead: int | None) -> str:
    """What the status line says of a job that has not started: `queued (12 ahead): for more ngpus (...)`."""
    if standing.phase != "waiting":
        return "starting on its node" if standing.phase == "running" else "queued"
    why = re.sub(r"^Not Running:\s*", "", standing.reason)
    if standing.reason.startswith(_NEVER) or standing.word.startswith("E"):
        why = why or _STATES.get(standing.word, standing.word).replace("{id}", standing.id)
        return f"{WILL_NOT_START}: {why}; interrupt it, and ask for something else"
    state = _STATES.get(standing.word, "").replace("{id}", standing.id)
    facts = [f"{ahead} ahead" if ahead else "next"] if ahead is not None and not state else []
    if standing.start:
        facts.append(f"est. {_clock(standing.start)}")
    told = [text for text in (state, why) if text]
    return "queued" + (f" ({', '.join(facts)})" if facts else "") + (f": {'; '.join(told)}" if told else "")


def _clock(start: str) -> str:
    day, _, clock = start.partition("T")
    return clock[:5] if day == time.strftime("%Y-%m-%d") else f"{day} {clock[:5]}"


def verdict(standing: Standing) -> Verdict:
    """What the end of a job means for a run that has none in its log."""
    named = f"job {standing.id}" if standing.id else "its job"
    where = f" on {standing.nodes}" if standing.nodes else ""
    code = standing.exit_code
    if standing.phase == "gone" and standing.word:
        return Verdict("lost", 1, f"{named} is over and left no exit code: it was killed, or its node failed")
    if standing.phase == "gone":
        return Verdict("lost", 1, f"PBS does not know {named} any more, and it left no exit code")
    if standing.word == "walltime" or code == -29:
        more = "`--set walltime=` asks for more"
        return Verdict("stopped", 124, f"{named} was over its time limit (walltime); {more}")
    if code < 0:
        known = _ENDS if standing.word != "C" else {**_ENDS, **_TORQUE_ENDS}
        state, code, why = known.get(code, ("failed", 1, f"PBS ended it with status {code}"))
        said = f": {standing.reason}" if standing.reason and not standing.reason.startswith("Job run") else ""
        return Verdict(state, code, f"{named}{where}: {why}{said}")
    signal = code - 256 if code > 256 else code - 128 if code > 128 else 0
    if standing.word == "deleted" or signal == Signals.SIGTERM:
        return Verdict("stopped", 143, f"{named} was deleted (qdel)")
    if standing.reason.startswith(_NEVER):
        return Verdict("failed", 1, f"{named} could not run: {standing.reason}")
    names = {one.value: one.name for one in Signals}
    how = names.get(signal, f"signal {signal}") if signal else f"exit code {code}"
    return Verdict(
        "failed",
        (128 + signal if signal else code) or 1,
        f"{named} ended{where} without a word of its own ({how})",
    )


def refused(host: str, said: str, code: int) -> LaunchError:
    """The error for a job that qsub did not take."""
    rows = [row for row in said.splitlines() if row.strip() and "option -S is ignored" not in row]
    # A wrapper around another scheduler shows the command as well, and the reason last but in quotes.
    quoted = [row for row in rows if re.match(r"'?\s*\w+: (error|fatal): |qsub: ", row)]
    first = (quoted or rows)[0] if rows else f"qsub ended with exit code {code}"
    first = re.sub(r"^'?\s*(sh: \d+: )?(exec: )?(qsub|sbatch): ((error|fatal|Error): )?", "", first).strip(
        " '"
    )
    if first == "not found":
        first = "there is no qsub here"
    hint = next(
        (advice for pattern, advice in _ADVICE.items() if re.search(pattern, "\n".join(rows), re.IGNORECASE)),
        None,
    )
    return LaunchError(f"{host}: PBS refused the job: {first}", host=host, hint=hint)
