"""What `qstat` answers, read: JSON of OpenPBS and PBS Pro, text of these and Torque, XML of Grid Engine.

An answer says itself in which form it is. What the words in it mean for people is in `pbs_words.py`.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from ..config_types import parse_size
from .job import NoAnswer, Phase, Standing
from .pbs_dialects import seconds_of

# By the first letter of OpenPBS, PBS Pro and Torque. What exits is not over: its end is still to be written.
_WAITING, _ENDED = ("Q", "H", "W", "T", "M"), ("F", "C", "X")


def standings(text: str) -> dict[str, Standing]:
    """How each job of an answer stands, by id.

    Raises:
        NoAnswer: it can't be read.
    """
    if not text.strip():
        return {}
    if text.lstrip().startswith("<"):
        return dict(_of_grid_engine(text))
    found = {}
    for name, facts in _jobs(text):
        found[name] = _standing(name, facts)
    return found


def _jobs(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Id and facts of each job, of JSON or text."""
    if not text.lstrip().startswith("{"):
        yield from _of_text(text)
        return
    try:
        jobs = json.loads(text, strict=False).get("Jobs") or {}
    except ValueError:
        # Some versions write what they were given as it is, so that a variable of anybody breaks it all.
        jobs = dict(_of_broken(text))
        if not jobs:
            raise NoAnswer("qstat answered what is no JSON") from None
    for name, facts in jobs.items():
        yield name, _flat(facts)


def _flat(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts with the names that the text form has: `Resource_List.walltime`."""
    found: dict[str, Any] = {}
    for key, value in facts.items():
        if isinstance(value, Mapping):
            found.update({f"{key}.{inner}": one for inner, one in value.items()})
        else:
            found[key] = value
    return found


def _of_broken(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The same of JSON that is broken somewhere, line by line: each fact has one."""
    name, facts, section = "", {}, ""  # type: str, dict[str, Any], str
    for row in text.splitlines():
        if (job := re.fullmatch(r"\s*\"(\d+[^\"]*)\":\s*\{", row)) is not None:
            if name:
                yield name, facts
            name, facts, section = job[1], {}, ""
        elif (begun := re.fullmatch(r"\s*\"(\w+)\":\s*\{", row)) is not None:
            section = f"{begun[1]}."
        elif row.strip().startswith("}"):
            section = ""
        elif (fact := re.fullmatch(r"\s*\"([\w.]+)\":\s*\"?(.*?)\"?,?", row)) is not None:
            facts[section + fact[1]] = fact[2]
    if name:
        yield name, facts


def _of_text(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The same of `qstat -f`: long values go on in lines that begin with a tab."""
    for block in re.split(r"(?m)^(?=Job Id:)", re.sub(r"\n\t(?!\s*[\w.]+ = )", "", text)):
        head = re.match(r"Job Id:\s*(\S+)", block)
        if head is not None:
            yield head[1], dict(re.findall(r"(?m)^\s+([\w.]+) = (.*)$", block))


def _of_grid_engine(text: str) -> Iterator[tuple[str, Standing]]:
    for job in re.findall(r"<job_list.*?</job_list>", text, re.DOTALL):
        said = dict(re.findall(r"<(JB_job_number|state|queue_name)>([^<]*)<", job))
        name, word = said.get("JB_job_number", ""), said.get("state", "")
        queue, _, node = said.get("queue_name", "").partition("@")
        waits = "q" in word or word.startswith("h")
        if name:
            yield (
                name,
                Standing("waiting" if waits else "running", word, "", queue=queue, nodes=node, id=name),
            )


def _standing(name: str, facts: Mapping[str, Any]) -> Standing:
    """One that has ended and of which nothing is told counts as gone: what its script left says more."""
    word = str(facts.get("job_state", ""))
    code = str(facts.get("Exit_status", facts.get("exit_status", "")))
    phase: Phase = "waiting" if word in _WAITING else "ended" if word in _ENDED else "running"
    if phase == "ended" and not re.fullmatch(r"-?\d+", code):
        if str(facts.get("substate")) != "91":
            return Standing("gone", word, id=name)
        code = "271"  # deleted before it ran
    reason = str(facts.get("comment") or "").strip()
    if phase == "ended":
        if over(facts):
            word = "walltime"
        elif str(facts.get("substate")) == "91":
            word = "deleted"
    return Standing(
        phase,
        word,
        reason,
        _start(facts),
        exit_code=int(code) if phase == "ended" else 0,
        queue=str(facts.get("queue", "")),
        nodes=_nodes(str(facts.get("exec_host", ""))),
        id=name,
    )


def over(facts: Mapping[str, Any], ran: int = 0) -> bool:
    """Whether a job has run as long as it might.

    Args:
        ran: seconds.
    """
    if str(facts.get("Exit_status")) == "-29" or "resource walltime" in str(facts.get("comment")):
        return True
    used = seconds_of(str(facts.get("resources_used.walltime", ""))) or 0
    limit = seconds_of(str(facts.get("Resource_List.walltime", ""))) or 0
    return bool(limit) and max(used, ran) >= limit and _killed(facts)


def _killed(facts: Mapping[str, Any]) -> bool:
    code = str(facts.get("Exit_status", facts.get("exit_status", "")))
    return not code.isdigit() or int(code) >= 128


def left(code: int, seconds: int, limit: str, said: str) -> Standing:
    """How a job stood by what its script left of it.

    Args:
        limit: as PBS writes a time.
        said: qstat's words.
    """
    facts = next((facts for _, facts in _of_text(said)), {})
    facts["exit_status"] = str(code)
    if seconds_of(limit):
        facts["Resource_List.walltime"] = limit
    word = "walltime" if over(facts, seconds) else ""
    nodes = _nodes(str(facts.get("exec_host", "")))
    return Standing("ended", word, "", exit_code=code, nodes=nodes)


def _nodes(places: str) -> str:
    """The nodes of `n1/0*2+n2/0`."""
    return ",".join(dict.fromkeys(place.partition("/")[0] for place in places.split("+") if place))


def _start(facts: Mapping[str, Any]) -> str:
    """When it is expected to start, `2026-11-26T10:40:00`."""
    told = str(facts.get("estimated.start_time", ""))
    with suppress(ValueError):
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.strptime(told, "%a %b %d %H:%M:%S %Y"))
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(int(told))) if told.isdigit() else ""


def used(text: str) -> dict[str, dict[str, object]]:
    """What the jobs of an answer have used, by id."""
    found: dict[str, dict[str, object]] = {}
    for name, facts in _jobs(text):
        word = str(facts.get("job_state", ""))
        told: dict[str, object] = {"state": "COMPLETED" if word in _ENDED else "RUNNING"}
        told["elapsed_seconds"] = seconds_of(str(facts.get("resources_used.walltime", "")))
        told["cpu_time"] = facts.get("resources_used.cput")
        with suppress(ValueError):
            told["peak_memory"] = parse_size(str(facts.get("resources_used.mem", "")))
        told["exit_code"] = str(facts.get("Exit_status", ""))
        given = {k.partition(".")[2]: v for k, v in facts.items() if k.startswith("Resource_List.")}
        names = ("ncpus", "ngpus", "mem", "nodect")
        told["tres"] = ",".join(f"{key}={given[key]}" for key in names if given.get(key))
        found[name] = told
    return found
