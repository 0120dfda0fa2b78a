"""`launcher: tsp`: runs wait in the queue of task-spooler, the little batch system of one machine.

`plugin.program` names the program, `plugin.poll` the seconds between two looks at the queue.
"""

from __future__ import annotations

import re

from jupyter_remote.config_models import HostConfig
from jupyter_remote.errors import LaunchError
from jupyter_remote.launchers.job import Answer, NoAnswer, Order, Standing, Verdict, Work

SETTINGS = "plugin"

# TERM is how tsp ends a job; the trap lets sh live on to its last lines.
_SCRIPT = """#!/bin/sh
trap : TERM INT HUP
cd /
folder={folder}
{python} {boot} {state} {session} -1 -1 </dev/null
code=$?
echo "$code" >"$folder/.end"
mv -f "$folder/.end" "$folder/end"
exit "$code"
"""
# One that waits is taken out of the queue, one that runs is ended, one that is gone needs neither.
_CANCEL = '"$1" -r "$2" || "$1" -k "$2"; exit 0'
# ID, state, output, exit code and times once it has ended, and its command.
_ROW = re.compile(r"^(\d+) +(queued|running|finished|skipped) +\S+ +(?:(-?\d+) +\S+ +)?", re.MULTILINE)


def _program(host: HostConfig) -> str:
    return str(host.plugin.get("program", "tsp"))


def order(host: HostConfig, work: Work) -> Order | None:
    program = _program(host)
    return Order(
        kind="tsp",
        script=_SCRIPT,
        submit=[program, "sh", "{script}"],
        id=r"^(\d+)$",
        cancel=["sh", "-c", _CANCEL, "tsp", program, "{id}"],
        direct=True,  # the job runs on the machine that was asked
    )


def poll(host: HostConfig) -> list[str]:
    return [_program(host), "-l"]


def standings(answer: Answer) -> dict[str, Standing]:
    if answer.code:
        raise NoAnswer(answer.err.strip() or f"tsp ended with exit code {answer.code}")
    phases = {"queued": "waiting", "running": "running"}
    return {
        number: Standing(phases.get(word, "ended"), word, exit_code=int(code or 0), id=number)  # type: ignore[arg-type]
        for number, word, code in _ROW.findall(answer.out)
    }


def line(standing: Standing, ahead: int | None) -> str:
    return f"queued in tsp ({ahead} ahead)" if ahead else "queued in tsp"


def queue(standing: Standing) -> list[str] | None:
    return None


def ahead(answer: Answer, standing: Standing) -> int | None:
    return None


def ended(text: str) -> Standing:
    return Standing("ended", "finished", exit_code=int(text.strip() or 1))


def verdict(standing: Standing) -> Verdict:
    if standing.phase == "gone":
        return Verdict("lost", 1, "tsp does not know its job any more: its server was ended (tsp -K)")
    return Verdict("failed", standing.exit_code or 1, f"its job ended with exit code {standing.exit_code}")


def refused(host: str, said: str, code: int) -> LaunchError:
    return LaunchError(
        f"tsp on {host} took no job: {said}",
        host=host,
        hint="Is task-spooler installed there? `tsp` shows its queue.",
    )


def accounting(ids: list[str]) -> list[str] | None:
    return None


def used(answer: Answer) -> dict[str, dict[str, object]]:
    return {}
