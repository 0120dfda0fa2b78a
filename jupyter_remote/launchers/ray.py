"""Ray: a job of a cluster that runs already, by its job API: `ray job submit`, `list` and `stop`.

The entrypoint of the job is our script, so the run's log is where it always is and Ray's own log of the
driver stays empty. The runtime environment is the user's business (`args`). What Ray's words mean is in
`ray_words.py`.
"""

from __future__ import annotations

import ast
import json
import re
from typing import TYPE_CHECKING

from .job import Answer, NoAnswer, Order, Phase, Standing, Work
from .ray_words import line, refused, verdict

if TYPE_CHECKING:
    from ..config_models import HostConfig

# fmt: off
__all__ = [
    "SETTINGS", "accounting", "ahead", "ended", "line", "order", "poll", "queue", "refused", "standings",
    "used", "verdict",
]
# fmt: on

SETTINGS = "ray"
GIVES_GPUS = True

# Ray ends a job with TERM, and after 3 s with KILL; the trap lets sh live on to its last lines.
_SCRIPT = """#!/bin/sh
# Starts the supervisor of a session of jupyter_remote; see docs/ray.md.
trap : TERM INT HUP
cd /
folder={folder}
python={python}
[ -x "$python" ] || python=python3
"$python" {boot} {state} {session} -1 -1 </dev/null
code=$?
echo "$code" >"$folder/.end"
mv -f "$folder/.end" "$folder/end"
exit "$code"
"""

# A job that is gone needs no stopping.
_STOP = """said=$("$@" 2>&1) && exit
code=$?
case $said in *"does not exist"*) exit 0 ;; esac
echo "$said" | tail -n 1 >&2
exit $code"""

_TEXT = r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_JOB = re.compile(
    rf"submission_id={_TEXT},\s*driver_info=(?:None|DriverInfo\([^)]*\)),\s*"
    rf"status=<JobStatus\.(\w+): '\w+'>,\s*entrypoint={_TEXT},\s*message=(?:None|{_TEXT})"
)
_PHASES: dict[str, Phase] = {"PENDING": "waiting", "RUNNING": "running"}
_FORMATTING = re.compile(r"\x1b\[[0-9;]*m")


def order(host: HostConfig, work: Work) -> Order:
    """A job whose entrypoint starts the supervisor, with the resources of the entrypoint itself."""
    wanted = host.ray
    words = ["submit", "--no-wait", "--submission-id", "jr-{key}"]
    amounts = (("cpus", wanted.cpus), ("gpus", wanted.gpus))
    words += [f"--entrypoint-num-{name}={value:g}" for name, value in amounts if value is not None]
    if wanted.memory is not None:
        words.append(f"--entrypoint-memory={wanted.memory}")
    if wanted.resources:
        words.append(f"--entrypoint-resources={json.dumps(wanted.resources)}")
    return Order(
        kind="ray",
        script=_SCRIPT,
        submit=_ray(host, *words, *wanted.args, "--", "/bin/sh", "{script}"),
        id=r"Job '([^']+)' submitted successfully",
        # What waits can't be taken back: it ends in the moment in which Ray starts it.
        cancel=["sh", "-c", _STOP, "ray", *_ray(host, "stop", "--no-wait", "{id}")],
    )


def _ray(host: HostConfig, *words: str) -> list[str]:
    wanted = host.ray
    at = [] if wanted.address == "auto" else [f"--address={wanted.address}"]
    verb, *rest = words
    argv = ["job", verb, *at, *rest]
    if wanted.program.startswith("~/"):
        return [
            "sh",
            "-c",
            'program="$HOME/$1"; shift; exec "$program" "$@"',
            "ray",
            wanted.program[2:],
            *argv,
        ]
    return [wanted.program, *argv]


# How jobs stand.


def poll(host: HostConfig) -> list[str]:
    """All jobs of the cluster, of which there are few; those that ended stay until it does."""
    return _ray(host, "list")


def standings(answer: Answer) -> dict[str, Standing]:
    """How each job stands.

    Raises:
        NoAnswer: Ray could not tell.
    """
    if answer.code:
        rows = [row.strip() for row in answer.err.splitlines() if row.strip()]
        said = rows[-1] if rows else f"ray ended with exit code {answer.code}"
        raise NoAnswer(re.sub(r"^\w+(Error|Exception): ", "", said))
    found = {}
    # It logs its answer, to either of its outputs, as Python shows objects.
    for match in _JOB.finditer(_FORMATTING.sub("", f"{answer.out}\n{answer.err}")):
        name, word = str(ast.literal_eval(match[1])), match[2]
        reason = str(ast.literal_eval(match[4])) if match[4] else ""
        code = re.search(r"failed with exit code (-?\d+)", reason)
        found[name] = Standing(
            _PHASES.get(word, "ended"),
            word,
            reason.partition(", last available logs")[0].partition("\n")[0],
            exit_code=int(code[1]) if code else 0,
            id=name,
        )
    return found


def queue(standing: Standing) -> list[str] | None:
    """Ray has no order of what waits."""
    return None


def ahead(answer: Answer, standing: Standing) -> int | None:
    """Not known."""
    return None


def ended(text: str) -> Standing:
    """What the script left: its exit code."""
    code = text.strip()
    return Standing("ended", "", exit_code=int(code) if code.isdigit() else 1)


# What they have used.


def accounting(ids: list[str]) -> list[str] | None:
    """Ray keeps no accounts; the run's own record has its times and memory."""
    return None


def used(answer: Answer) -> dict[str, dict[str, object]]:
    """Nothing is known."""
    return {}
