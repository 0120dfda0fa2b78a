"""PBS: `qsub` starts, `qstat` tells, `qdel` ends; OpenPBS and PBS Pro, Torque, Grid Engine as they differ.

The options of their `qsub` are in `pbs_dialects.py`, which queue is meant in `pbs_queues.py`, how their
answers are read in `pbs_answers.py`, and what their words mean in `pbs_words.py`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..errors import UsageError
from . import pbs_answers
from .job import Answer, NoAnswer, Order, Standing, Work
from .pbs_dialects import submit, walltime
from .pbs_queues import choose
from .pbs_words import line, refused, verdict

if TYPE_CHECKING:
    from ..config_models import HostConfig

# fmt: off
__all__ = [
    "SETTINGS", "accounting", "ahead", "ended", "line", "order", "poll", "queue", "refused", "standings",
    "used", "verdict",
]
# fmt: on

SETTINGS = "pbs"
GIVES_GPUS = True

# The trap lets sh live on to its last lines when the job is ended: the supervisor gets the signal as well.
# Most servers forget a job at once, and one that was over its time limit ends with the same TERM as one that
# was deleted, so how long it ran and how long it might is kept beside its exit code. The script may be sh's
# own input, which the supervisor must not read.
_SCRIPT = """#!/bin/sh
# Starts the supervisor of a session of jupyter_remote; see docs/pbs.md.
trap : TERM INT HUP USR1 USR2 XCPU
cd /
began=$(date +%s)
folder={folder}
python={python}
[ -x "$python" ] || python=python3
"$python" {boot} {state} {session} -1 -1 </dev/null
code=$?
job=${PBS_JOBID:-}
{
  echo "$code $(($(date +%s) - began)) {limit}"
  [ -z "$job" ] || qstat -f "$job" </dev/null 2>&1
} >"$folder/.end"
mv -f "$folder/.end" "$folder/end"
exit "$code"
"""

# A job that has ended meanwhile needs no ending.
_DELETE = """said=$(qdel "$1" 2>&1) && exit
code=$?
case $said in *"Unknown Job"* | *"has finished"* | *"does not exist"* | *"invalid state"*) exit 0 ;; esac
echo "$said" >&2
exit $code"""

# All jobs of the user that are not over, and where the server remembers them those that ended in the last two
# hours. They are looked for first because `qstat -f` alone tells of everybody's.
_POLL = """me=$(id -un)
case "$(qstat --version 2>&1 </dev/null)" in
*pbs_version*)
  past=-x
  since=$(date -d '2 hours ago' +%Y%m%d%H%M 2>/dev/null) || past=
  [ -z "$past" ] || jobs=$(qselect -x -u "$me" -tm.gt."$since" 2>/dev/null) || past=
  [ -n "$past" ] || jobs=$(qselect -u "$me") || exit
  [ -n "$jobs" ] || exit 0
  exec qstat $past -f -F json $jobs ;;
esac
case "$(qstat -help 2>&1 </dev/null | head -n 1)" in
*GE\\ [0-9]* | *"Grid Engine"*) exec qstat -xml -u "$me" ;;
esac
if command -v qselect >/dev/null; then jobs=$(qselect -u "$me") || exit
else
  listed=$(qstat -u "$me") || exit
  jobs=$(echo "$listed" | sed -n 's/^\\([0-9][^ ]*\\) .*/\\1/p')
fi
[ -n "$jobs" ] || exit 0
exec qstat -f $jobs"""

_ID = r"(?m)^(\d+(?:\.\S+)?)\s*$"
# What qstat says beside its answer of jobs that it has just forgotten.
_FORGOTTEN = ("Unknown Job", "has finished")


def order(host: HostConfig, work: Work) -> Order:
    """A batch job whose script starts the supervisor.

    Raises:
        UsageError: the settings don't fit together, or no queue takes them.
    """
    wanted = host.pbs
    if re.match(r"-?(J|t)\b", " ".join(wanted.args)):
        raise UsageError("an array of jobs can't be a session or run of pbs: start the runs one by one")
    queue = choose(wanted)
    return Order(
        kind="pbs",
        script=_SCRIPT.replace("{limit}", walltime(wanted.walltime) if wanted.walltime else "-"),
        submit=submit(wanted.model_copy(update={"queue": queue}), f"jr-{work.name}"),
        id=_ID,
        cancel=["sh", "-c", _DELETE, "qdel", "{id}"],
    )


# How jobs stand.


def poll(host: HostConfig) -> list[str]:
    """All jobs of this user, by one command line; where there is a history, with those that ended lately."""
    return ["sh", "-c", _POLL]


def standings(answer: Answer) -> dict[str, Standing]:
    """How each job stands.

    Raises:
        NoAnswer: qstat could not tell.
    """
    said = [text for text in map(str.strip, answer.err.splitlines()) if text]
    broken = [text for text in said if not any(word in text for word in _FORGOTTEN)]
    if answer.code and (broken or not said):
        raise NoAnswer(broken[-1] if broken else f"qstat ended with exit code {answer.code}")
    return pbs_answers.standings(answer.out)


def queue(standing: Standing) -> list[str] | None:
    """The ids of the jobs that wait in the same queue, in the server's order."""
    return ["qselect", "-s", "Q", "-q", standing.queue] if standing.queue else None


def ahead(answer: Answer, standing: Standing) -> int | None:
    """How many of them are before this one; None where the server doesn't say."""
    ids = re.findall(r"(?m)^(\d\S*)\s*$", answer.out)
    return ids.index(standing.id) if answer.code == 0 and standing.id in ids else None


def ended(text: str) -> Standing:
    """What the script left: its exit code, seconds and limit, then what qstat said."""
    first, _, rest = text.partition("\n")
    code, _, more = first.partition(" ")
    seconds, _, limit = more.partition(" ")
    return pbs_answers.left(
        int(code) if code.isdigit() else 1, int(seconds) if seconds.isdigit() else 0, limit, rest
    )


# What they have used.


def accounting(ids: list[str]) -> list[str] | None:
    """What the server remembers of ended jobs; many have that switched off."""
    return ["qstat", "-x", "-f", "-F", "json", *ids]


def used(answer: Answer) -> dict[str, dict[str, object]]:
    """Elapsed time (seconds), processor time, the peak of memory (bytes), what was allocated.

    Raises:
        NoAnswer: there is no history.
    """
    if answer.code and not answer.out.strip().startswith("{"):
        raise NoAnswer(answer.err.strip().partition("\n")[0] or f"qstat ended with exit code {answer.code}")
    return pbs_answers.used(answer.out)
