"""How a job is asked for in the languages of `qsub`: OpenPBS's (and PBS Pro's), Torque's, Grid Engine's.

Which of them a host speaks is found there, by what its `qsub` says of itself, in the moment of submitting.
What differs is in the tables; nobody else needs to know.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..durations import parse_duration
from ..errors import UsageError

if TYPE_CHECKING:
    from ..config_schedulers import PbsOptions

# Said before the words of each: `$1` is the script, `$2` the folder of the job.
_CHOOSE = """case "$(qsub --version 2>&1 </dev/null)" in *pbs_version*) {openpbs} ;; esac
case "$(qsub -help 2>&1 </dev/null | head -n 1)" in *GE\\ [0-9]* | *"Grid Engine"*) {grid_engine} ;; esac
{torque}"""


@dataclass(frozen=True)
class Dialect:
    """One language of `qsub`.

    Args:
        fixed: the words of every job.
        words: our settings that are an option of their own, and which.
        places: the resources that say how much on how many nodes.
        walltime: what the time limit is called.
    """

    fixed: tuple[str, ...]
    words: dict[str, tuple[str, ...]]
    places: Callable[[PbsOptions], list[str]]
    walltime: str = "walltime"


def _openpbs(wanted: PbsOptions) -> list[str]:
    if wanted.select is not None:
        return [f"select={wanted.select}"]
    amounts = [("ncpus", wanted.cpus), ("ngpus", wanted.gpus), ("mem", _memory(wanted.memory))]
    told = [f"{name}={value}" for name, value in amounts if value]
    # For one node the words that every site takes; sites with a filter of their own often want them so.
    return [":".join([f"select={wanted.nodes}", *(told or ["ncpus=1"])])] if wanted.nodes else told


def _torque(wanted: PbsOptions) -> list[str]:
    if wanted.select is not None:
        return [f"select={wanted.select}"]
    place = f"nodes={wanted.nodes or 1}:ppn={wanted.cpus or 1}"
    if wanted.gpus:
        place += f":gpus={wanted.gpus}"
    return [place, *([f"mem={_memory(wanted.memory)}"] if wanted.memory else [])]


def _grid_engine(wanted: PbsOptions) -> list[str]:
    amounts = [("gpu", wanted.gpus), ("mem_free", _memory(wanted.memory, suffix=""))]
    return [f"{name}={value}" for name, value in amounts if value]


# -S: else the login shell runs the script. -r n: what has run once is not begun again behind the user's back.
_PBS_FIXED = ("-j", "oe", "-S", "/bin/sh", "-r", "n")
_COMMON = {"queue": ("-q",), "account": ("-A",), "priority": ("-p",), "begin": ("-a",), "mail_user": ("-M",)}
DIALECTS = {
    "openpbs": Dialect(_PBS_FIXED, {**_COMMON, "project": ("-P",), "depend": ("-W", "depend={}")}, _openpbs),
    "torque": Dialect(
        # There -P is another user, and an account is what a project is elsewhere.
        _PBS_FIXED,
        {**_COMMON, "project": ("-A",), "depend": ("-W", "depend={}")},
        _torque,
    ),
    "grid_engine": Dialect(
        ("-terse", "-j", "y", "-S", "/bin/sh", "-r", "n", "-wd", "/"),
        {**_COMMON, "project": ("-P",), "depend": ("-hold_jid",)},
        _grid_engine,
        "h_rt",
    ),
}


def submit(wanted: PbsOptions, name: str) -> list[str]:
    """The argv that submits a script in the language of its host.

    Args:
        wanted: the settings; a queue that is chosen has been.
        name: of the job.

    Raises:
        UsageError: they don't fit together, or one is no time or memory.
    """
    check(wanted)
    lines = {kind: _line(kind, wanted, name) for kind in DIALECTS}
    return ["sh", "-c", _CHOOSE.format(**lines), "qsub", "{script}", "{folder}"]


def words(kind: str, wanted: PbsOptions, name: str) -> list[str]:
    """The options of `qsub` in one of the languages, without the script and the place of its output."""
    dialect = DIALECTS[kind]
    found = [*dialect.fixed, "-N", name[:15]]  # as long as older servers take
    found += ["-m", wanted.mail_events or ("abe" if wanted.mail_user else "n")]
    for key, (option, *form) in dialect.words.items():
        value = getattr(wanted, key)
        if value is not None:
            found += [option, form[0].format(value) if form else str(value)]
    if wanted.hold:
        found.append("-h")
    if kind == "grid_engine" and (slots := (wanted.nodes or 1) * (wanted.cpus or 1)) > 1:
        found += ["-pe", wanted.parallel_environment or "smp", str(slots)]
    resources = dialect.places(wanted)
    if wanted.walltime is not None:
        resources.append(f"{dialect.walltime}={walltime(wanted.walltime)}")
    resources += [f"{key}={getattr(wanted, key)}" for key in ("storage", "place") if getattr(wanted, key)]
    if wanted.resources:
        resources.append(wanted.resources)
    # In one option: where it may come several times some take only the last.
    return [*found, *(["-l", ",".join(resources)] if resources else []), *wanted.args]


def _line(kind: str, wanted: PbsOptions, name: str) -> str:
    return f'exec qsub {shlex.join(words(kind, wanted, name))} -o "$2/log" "$1"'


def check(wanted: PbsOptions) -> None:
    """Refuses what can't be meant.

    Raises:
        UsageError: `select` says all that `nodes`, `cpus`, `gpus` and `memory` would, or one of them is none.
    """
    if wanted.select is not None:
        for key in ("nodes", "cpus", "gpus", "memory"):
            if getattr(wanted, key) is not None:
                raise UsageError(f"pbs.select says all of it already: leave out pbs.{key}, or select")
    if wanted.walltime is not None:
        walltime(wanted.walltime)
    _memory(wanted.memory)


def walltime(text: str) -> str:
    """A time limit as PBS takes it, of its own forms (seconds, H:M:S) and ours (`90m`, `2h`, `1d12h`).

    Raises:
        UsageError: it is none.
    """
    seconds = seconds_of(text)
    if seconds is None:
        raise UsageError(f"{text!r} is no time for pbs.walltime; valid are 90m, 2h, 01:30:00, 3600 (seconds)")
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def seconds_of(text: str) -> int | None:
    """The seconds of a time limit, None when it is none."""
    if re.fullmatch(r"\d+(:\d+){0,3}", text):
        total = 0
        for part, factor in zip(reversed(text.split(":")), (1, 60, 3600, 86400), strict=False):
            total += int(part) * factor
        return total
    try:
        return int(parse_duration(text))
    except UsageError:
        return None


def _memory(text: str | None, suffix: str = "b") -> str | None:
    """An amount of memory as they take it: `16gb` of `16G`, `16 GiB`, `16gb`.

    Raises:
        UsageError: it is none.
    """
    if text is None:
        return None
    match = re.fullmatch(r"(\d+)\s*([kmgt])(?:i?b)?", text.strip(), re.IGNORECASE)
    if match is None:
        raise UsageError(f"{text!r} is no memory for pbs.memory; valid are 500M, 16G, 1T")
    return f"{match[1]}{match[2].lower() if suffix else match[2].upper()}{suffix}"
