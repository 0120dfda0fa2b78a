"""The queues of a platform as qxub describes it, as our table `pbs.queues`: which queue takes which jobs.

A platform is a file of its own, which a configuration names by a path, an address, or the name of a file in
its folder `platforms`. Only files that are here are read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ..config_file import Loader
from ..launchers.pbs_dialects import seconds_of
from .imported import mapping

# Theirs and ours; theirs counts memory in GB.
_LIMITS = {
    "min_cores": "min_cpus",
    "min_cpus": "min_cpus",
    "max_cores": "max_cpus",
    "max_cpus": "max_cpus",
    "min_gpus": "min_gpus",
    "max_gpus": "max_gpus",
    "min_memory_gb": "min_memory",
    "max_memory_gb": "max_memory",
    "max_walltime": "max_walltime",
}
_CONDITION = re.compile(r"\s*(gpus|cores|cpus|memory_gb|walltime_hours)\s*(>=|<=|>|<)\s*(\d+(?:\.\d+)?)\s*")
_SUBJECTS = {"cores": "cpus", "memory_gb": "memory", "walltime_hours": "walltime"}


def platform_file(named: str, folder: Path) -> Path | None:
    """The file here that the word of a configuration means, None when it is none.

    Args:
        named: a path, a `file://` address, or the name of a platform.
        folder: of the configuration.
    """
    path = Path(named.removeprefix("file://")).expanduser()
    for one in (folder / path, folder / "platforms" / f"{named}.yaml", folder / "platforms" / f"{named}.yml"):
        if "://" not in str(path) and one.is_file():
            return one
    return None


def queues(path: Path) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """The table, in the order in which qxub would choose, and what of the file it does not say.

    Raises:
        ValueError: it describes no platform.
    """
    try:
        loader = Loader(path.read_text(encoding="utf-8-sig"))
        try:
            document = mapping(loader.get_single_data())
        finally:
            loader.dispose()
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{path} can't be read: {str(error).splitlines()[0]}") from None
    told = document if "queues" in document else mapping(document.get("platform"))
    described = {str(name): mapping(one) for name, one in mapping(told.get("queues")).items()}
    if not described:
        raise ValueError(f"{path} has no `queues`")
    lost: list[str] = []
    chosen: list[tuple[str, str]] = []
    rules = told.get("auto_selection") or []
    for rule in map(mapping, rules if isinstance(rules, list) else mapping(rules).get("rules") or []):
        if str(rule.get("queue")) in described:
            chosen.append((str(rule["queue"]), str(rule.get("condition") or "")))
    order = dict.fromkeys([*(name for name, _ in chosen), *([] if chosen else described)])
    table = {name: _limits(described[name], f"queue {name}", lost) for name in order}
    for name, condition in chosen:
        if not _narrow(table[name], condition):
            lost.append(f"queue {name}: the condition {condition!r} has no counterpart here")
    left = [name for name in described if name not in table]
    if left:
        lost.append(f"{', '.join(left)}: `auto` never chooses these; name one with `pbs.queue`")
    return table, lost


def _limits(queue: Mapping[str, Any], where: str, lost: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in mapping(queue.get("limits")).items():
        if (ours := _LIMITS.get(str(key))) is not None:
            found[ours] = _amount(ours, value)
    rules = [mapping(one) for one in queue.get("walltime_rules") or []]
    cores = [int(word) for rule in rules for word in re.findall(r"\d+", str(rule.get("cores", "")))]
    if cores and "max_cpus" in found:
        # Theirs is of one node, the rules are of whole jobs.
        found["max_cpus"] = max(found["max_cpus"], *cores)
        if len({rule.get("max_walltime") for rule in rules}) > 1:
            lost.append(f"{where}: `walltime_rules`: that more CPUs get less time, PBS itself says")
    return found


def _amount(ours: str, value: Any) -> Any:
    if ours.endswith("memory"):
        return f"{value}G"
    if ours == "max_walltime":
        seconds = seconds_of(str(value))
        return f"{seconds / 3600:g}h" if seconds is not None else value
    return value


def _narrow(entry: dict[str, Any], condition: str) -> bool:
    """Has an entry take only what the condition means; False when that can't be said."""
    match = _CONDITION.fullmatch(condition)
    if match is None:
        return not condition
    subject, sign, number = _SUBJECTS.get(match[1], match[1]), match[2], float(match[3])
    if subject == "walltime":
        entry["max_walltime"] = f"{number:g}h"
        return "<" in sign
    if subject != "memory":
        number = number + 1 if sign == ">" else number - 1 if sign == "<" else number
    key = f"{'min' if '>' in sign else 'max'}_{subject}"
    entry[key] = f"{number:g}G" if subject == "memory" else int(number)
    return True
