"""What may be removed of us on this host: dead sessions, old agents, a mirror, ended runs.

Nothing that is in use goes, and of a mirror only what was put there and nobody changed since.
"""

from __future__ import annotations

import os
import tempfile
import time

from . import records, remains
from .evidence import elsewhere
from .paths import expand, read_json, remove_tree
from .processes import alive, command_of
from .rundir import FINAL_STATES, RUN_ID, RunDir
from .sessions import bury_dead
from .sessions import records as live_sessions

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any

# One that has just been put there may be about to start, or not be whole yet.
NEW_FOR_S = 3600.0


def clean(state: str, options: dict[str, Any]) -> dict[str, Any]:
    """Removes leftovers, or with ``dry_run`` only names them.

    Args:
        state: state folder.
        options: dry_run; workspace (also that mirror); runs (also all ended runs and the trash).

    Returns:
        Names by kind; ``kept`` is what of the mirror stays, ``in_use`` what else stays, and why.
    """
    dry = bool(options.get("dry_run"))
    told: dict[str, Any] = {"in_use": [], "processes": _processes(dry)}
    told.update(sessions=_sessions(state, dry), agents=_agents(dry))
    if options.get("workspace"):
        told.update(_mirror(state, expand(options["workspace"]), dry, told["in_use"]))
    if options.get("runs"):
        told["runs"] = _runs(state, dry)
    return told


def _sessions(state: str, dry: bool) -> list[str]:
    base = os.path.join(state, "sessions")
    dead = []
    for name in sorted(os.listdir(base)) if os.path.isdir(base) else []:
        who = (read_json(os.path.join(base, name, "session.json")) or {}).get("supervisor")
        if who and not alive(who) and not elsewhere(who):
            dead.append(name)
    if not dry:
        bury_dead(state)
    return dead


def _processes(dry: bool) -> list[str]:
    if not dry:
        return [f"{fact['command']} (pid {fact['pid']})" for fact in remains.end()]
    pids = sorted(pid for found in remains.find().values() for pid in found)
    return [f"{command_of(pid)} (pid {pid})" for pid in pids]


def _agents(dry: bool) -> list[str]:
    own = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    used = _command_lines()
    old = []
    for base in _caches():
        for name in sorted(os.listdir(base)):
            path = os.path.join(base, name)
            ours = name.startswith(("agent-", tempfile.gettempprefix())) and os.path.isdir(path)
            # A process that runs from there reads modules of it whenever it needs one more.
            in_use = path == own or name.rpartition("agent-")[2].encode() in used
            if ours and not in_use and time.time() - os.lstat(path).st_mtime > NEW_FOR_S:
                old.append(path)
    for path in [] if dry else old:
        remove_tree(path)
    return old


def _caches() -> list[str]:
    # As stage 0 has them.
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    other = os.path.join(os.environ.get("TMPDIR") or "/tmp", f"jupyter-remote-agent-{os.getuid()}")
    places = (os.path.join(home, "jupyter-remote"), other)
    return [path for path in places if os.path.isdir(path) and os.lstat(path).st_uid == os.getuid()]


def _command_lines() -> bytes:
    """All command lines in one text: that of an agent names its digest, that of a session its folder."""
    if not os.path.isdir("/proc/self"):
        import subprocess

        return subprocess.run(["ps", "-Aww", "-o", "args="], capture_output=True).stdout
    lines = []
    for name in os.listdir("/proc"):
        try:
            if name.isdigit():
                with open(f"/proc/{name}/cmdline", "rb") as file:
                    lines.append(file.read())
        except OSError:
            pass
    return b"\n".join(lines)


def _mirror(state: str, root: str, dry: bool, in_use: list[str]) -> dict[str, Any]:
    from .tree import SAME, Mirror

    for facts in live_sessions(state):
        if facts.get("workspace") == root:
            in_use.append(f"{root}: session {facts['name']} works there; `sessions stop` ends it")
            return {}
    mirror = Mirror(root)
    if mirror.generation() <= 0:
        return {"mirror": []}  # not a mirror, or one that another client is writing to
    entries = mirror.inventory()[1]
    ours = [path for path, (_, _, found) in entries.items() if found == SAME]
    kept = [path for path in _walk(root) if path not in set(ours)]
    if not dry:
        # What is inside comes before its folder, and a folder that still holds something stays.
        for path in sorted(ours, reverse=True):
            _remove(os.path.join(os.fsencode(root), path.encode("utf-8", "surrogateescape")))
        remove_tree(os.path.join(root, ".jupyter-remote"))
        _remove(os.fsencode(root))
    return {"mirror": [root], "mirror_files": len(ours), "kept": sorted(kept)}


def _walk(root: str) -> list[str]:
    found = []
    for folder, folders, files in os.walk(root):
        if folder == root and ".jupyter-remote" in folders:
            folders.remove(".jupyter-remote")
        found += [os.path.relpath(os.path.join(folder, name), root) for name in files]
    return found


def _remove(path: bytes) -> None:
    try:
        if os.path.isdir(path) and not os.path.islink(path):
            os.rmdir(path)
        else:
            os.unlink(path)
    except OSError:
        pass  # it holds something that stays


def _runs(state: str, dry: bool) -> list[str]:
    found = []
    for place in (records.TRASH, records.RUNS):
        folder = os.path.join(state, place)
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            if not RUN_ID.fullmatch(name):
                continue
            record = records.standing(RunDir(state, name, place)) or {}
            if record.get("state") in FINAL_STATES:
                found.append(name)
    if not dry:
        for name in found:
            records.change(state, "delete", [name], None)
            records.change(state, "purge", [name], None)
    return found
