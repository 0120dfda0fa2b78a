"""Checks of the host's file systems: what can be written, what is full, quota, inodes, umask."""

from __future__ import annotations

import re
from typing import Any

from ..call import format_size
from .facts import Facts
from .findings import Check, Finding, failed, not_applicable, ok, warning

_GIB = 1 << 30
# Less is soon used up by an environment or a checkpoint.
_SCARCE = 5 * _GIB
_TMP_SCARCE = _GIB
_FULL = 50 << 20
_FEW_INODES = 1000
_WHY = {
    "EACCES": "no permission to write",
    "EPERM": "no permission to write",
    "EROFS": "it is read-only",
    "ENOSPC": "it is full",
    "EDQUOT": "the quota is used up",
}


def _room(place: dict[str, Any]) -> str:
    return f"{place['path']}: {format_size(place['free'])} free of {format_size(place['total'])}"


def _why(place: dict[str, Any]) -> str:
    return _WHY.get(str(place["problem"]), str(place["problem"]))


def elsewhere(facts: Facts) -> str:
    """A folder that has room and can be written to, for what has none; "" when none is known."""
    for name in ("scratch", "/scratch", "/data", "home"):
        place = facts.place(name)
        if place and place["exists"] and not place["problem"] and place["free"] > _SCARCE:
            return str(place["path"])
    return ""


def _missing(facts: Facts, name: str) -> Finding:
    if f"places {name}" in facts.late:
        return failed(
            "it does not answer",
            "A network file system hangs: nothing that touches it will start. Tell its admin.",
        )
    return not_applicable("not known")


def _home(facts: Facts) -> Finding:
    place = facts.place("home")
    if place is None:
        return _missing(facts, "home")
    if place["problem"]:
        return failed(
            f"{place['path']}: {_why(place)}",
            _elsewhere(facts) if place["problem"] in ("EACCES", "EPERM", "EROFS") else _free(facts),
        )
    if place["free"] < _FULL:
        return failed(f"{_room(place)}: as good as full", _free(facts))
    if place["free"] < _SCARCE:
        return warning(_room(place), _free(facts))
    return ok(_room(place))


def _free(facts: Facts) -> str:
    other = elsewhere(facts)
    there = (
        f", or move the mirror: jupyter remote set {facts.host.name} workspace={other}/{{project}}"
        if other
        else ""
    )
    return f"Free some space there (`jupyter remote clean {facts.host.name}` removes what is ours){there}."


def _elsewhere(facts: Facts) -> str:
    other = elsewhere(facts) or "FOLDER"
    return (
        f"Keep the mirror elsewhere (jupyter remote set {facts.host.name} "
        f"workspace={other}/{{project}}), and let sshd or "
        f"the site's profile set JUPYTER_REMOTE_STATE={other}/jupyter-remote for what outlives a connection."
    )


def _tmp(facts: Facts) -> Finding:
    place = facts.place("tmpdir") or facts.place("tmp")
    if place is None:
        return _missing(facts, "tmp")
    if place["problem"]:
        return failed(
            f"{place['path']}: {_why(place)}", "Sessions need it; point TMPDIR elsewhere, or empty it."
        )
    if place["noexec"]:
        return warning(
            f"{place['path']} is mounted noexec: programs that are built or unpacked there can't be started",
            f"jupyter remote set {facts.host.name} env.TMPDIR={elsewhere(facts) or 'FOLDER'}",
        )
    if place["free"] < _TMP_SCARCE:
        return warning(_room(place), f"Empty it, or: jupyter remote set {facts.host.name} env.TMPDIR=FOLDER")
    return ok(_room(place))


def _state(facts: Facts) -> Finding:
    place = facts.place("state")
    if place is None:
        return _missing(facts, "state")
    if place["problem"]:
        return failed(f"{place['path']}: {_why(place)}", _elsewhere(facts))
    home = facts.place("home")
    if not facts.variable("JUPYTER_REMOTE_STATE") and home and home["problem"]:
        return warning(
            f"runs are kept in {place['path']}, because the home can't be written: they may vanish with it",
            _elsewhere(facts),
        )
    if place["free"] < _FULL:
        return failed(f"{_room(place)}: runs can't log what they print", _free(facts))
    return ok(_room(place))


def _workspace(facts: Facts) -> Finding:
    place = facts.place("workspace")
    if place is None:
        return _missing(facts, "workspace")
    if place["problem"]:
        other = elsewhere(facts) or "FOLDER"
        return failed(
            f"{place['path']} can't be written: {_why(place)}",
            f"jupyter remote set {facts.host.name} workspace={other}/{{project}}",
        )
    if place["free"] < _FULL:
        return failed(f"{_room(place)}: no room for the mirror", _free(facts))
    if place["noexec"]:
        return warning(
            f"{place['path']} is mounted noexec: compiled extensions and programs of the "
            "workspace can't be started",
            f"jupyter remote set {facts.host.name} workspace={elsewhere(facts) or 'FOLDER'}/{{project}}",
        )
    if place["free"] < _SCARCE:
        return warning(_room(place), _free(facts))
    return ok(_room(place) + ("" if place["exists"] else " (made with the first sync)"))


def _scratch(facts: Facts) -> Finding:
    found = [facts.place(name) for name in ("scratch", "/scratch", "/data")]
    usable = [place for place in found if place and place["exists"] and not place["problem"]]
    if usable:
        return ok("; ".join(dict.fromkeys(map(_room, usable))))
    return not_applicable("no $SCRATCH, /scratch or /data that can be written")


def _inodes(facts: Facts) -> Finding:
    few = []
    for name in ("home", "tmp", "workspace", "state"):
        place = facts.place(name)
        # Some file systems have no fixed number of them, and say 0.
        if place and place["inodes"] > 0 and place["inodes_free"] < _FEW_INODES:
            few.append(f"{place['path']} ({place['inodes_free']} of {place['inodes']} left)")
    if few:
        return failed(
            f"hardly a file can be made in {', '.join(dict.fromkeys(few))}",
            "Remove folders of many small files: old environments, `__pycache__`, caches of pip and conda.",
        )
    return ok("enough files can be made") if facts.place("home") else _missing(facts, "home")


def _quota(facts: Facts) -> Finding:
    answer = facts.command("quota")
    if not answer.there:
        return not_applicable("no `quota` command")
    if answer.hangs:
        return warning(
            "`quota` does not answer", "A file server hangs, or its quota service is not reachable."
        )
    over: list[str] = []
    near: list[str] = []
    for line in answer.output.splitlines():
        cells = line.split()
        if len(cells) < 4 or not re.fullmatch(r"\d+\*?", cells[1]):
            continue
        used, limits = int(cells[1].rstrip("*")), [int(c) for c in cells[2:4] if c.isdigit() and int(c) > 0]
        if not limits:
            continue
        text = f"{cells[0]}: {format_size(used * 1024)} of {format_size(min(limits) * 1024)}"
        (over if used >= min(limits) else near if used >= 0.9 * min(limits) else []).append(text)
    if over:
        return failed(f"the quota is used up: {', '.join(over)}", _free(facts))
    if near:
        return warning(f"the quota is nearly used up: {', '.join(near)}", _free(facts))
    return ok("within the quota, or none")


def _umask(facts: Facts) -> Finding:
    text = facts.command("umask").first_line
    if not re.fullmatch(r"[0-7]{3,4}", text):
        return not_applicable("it did not say")
    if not int(text, 8) & 0o002:
        return warning(
            f"umask is {text}: everybody there may change the files you make",
            "Put `umask 022` (or 077) into `env_setup` and your ~/.bashrc there.",
        )
    return ok(f"{text}")


CHECKS = (
    Check("home", "whether the home can be written, and has room", _home),
    Check("tmp", "whether the temporary folder can be written, has room, and runs programs", _tmp),
    Check("state", "where runs are kept, and whether that lasts", _state),
    Check("workspace", "whether the mirror can be written, and has room", _workspace),
    Check("scratch", "which other large folders there are", _scratch),
    Check("inodes", "whether files can still be made", _inodes),
    Check("quota", "whether the user's quota is used up", _quota),
    Check("umask", "who may change files that are made there", _umask),
)
