"""What may be removed of us on this host: dead sessions, old agents, leases and half-built environments that
nobody holds, a mirror, ended runs.

Nothing that is in use goes, and of a mirror only what was put there and nobody changed since.
"""

from __future__ import annotations

import os
import tempfile
import time

from . import records, remains
from .campaigns import forgotten
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


def clean(state: str, options: dict[str, Any], only: list[str] | None = None) -> dict[str, Any]:
    """Removes leftovers, or with ``dry_run`` only names them.

    Args:
        state: state folder.
        options: dry_run; sizes (in bytes, wanted too); workspace (also that mirror); runs (also ended runs
            and the trash).
        only: of the runs only these.

    Returns:
        Names by kind; ``kept`` is what of the mirror stays, ``in_use`` what else stays, and why; ``sizes`` by
        kind, ``run_sizes`` of each of the runs.
    """
    dry, sized = bool(options.get("dry_run")), bool(options.get("sizes"))
    told: dict[str, Any] = {"in_use": [], "processes": _processes(dry)}
    told["sessions"] = _sessions(state, dry)
    sizes = told["sizes"] = {}
    told["agents"] = _agents()
    if sized:
        sizes["agents"] = sum(map(_size, told["agents"]))
    for path in [] if dry else told["agents"]:
        remove_tree(path)
    told["leases"] = _leases(state, dry)
    told["environments"], size = _environments(state, dry, sized)
    if sized:
        sizes["environments"] = size
    told["jobs"] = _jobs(state, dry)
    if options.get("workspace"):
        told.update(_mirror(state, expand(options["workspace"]), dry, told["in_use"], sizes))
    if options.get("runs"):
        found = _runs(state, only)
        told["runs"] = [run.id for run in found]
        if sized:
            told["run_sizes"] = [_size(run.path) for run in found]
        for run in [] if dry else found:
            records.change(state, "delete", [run.id], None)
            records.change(state, "purge", [run.id], None)
    told["campaigns"] = forgotten(state, dry)
    return told


def _size(path: str) -> int:
    total = 0
    for folder, _, files in os.walk(path):
        for name in files:
            try:
                total += os.lstat(os.path.join(folder, name)).st_size
            except OSError:
                pass  # it has just gone
    return total


def _old(path: str) -> bool:
    try:
        return time.time() - os.lstat(path).st_mtime > NEW_FOR_S
    except OSError:
        return False


def _leases(state: str, dry: bool) -> list[str]:
    """GPU leases that nobody holds; who takes one looks whether the file he locked is still there."""
    base = os.path.join(state, "gpus")
    found = []
    for name in sorted(os.listdir(base)) if os.path.isdir(base) else []:
        path = os.path.join(base, name)
        lock = _lock(path) if _old(path) else None
        if lock is not None:
            found.append(path)
            if not dry:
                os.unlink(path)
            os.close(lock)
    return found


def _environments(state: str, dry: bool, sized: bool) -> tuple[list[str], int]:
    """Environments that are not whole, and that no process builds; and their size."""
    base = os.path.join(state, "envs")
    found, size = [], 0
    for name in sorted(os.listdir(base)) if os.path.isdir(base) else []:
        path = os.path.join(base, name)
        # One that was being removed has a name with a dot.
        half = name.startswith(".") or not os.path.exists(os.path.join(path, "env.json"))
        if not half or os.path.islink(path) or not os.path.isdir(path) or not _old(path):
            continue
        lock = _lock(path + ".lock")
        if lock is None and os.path.exists(path + ".lock"):
            continue
        found.append(path)
        size += _size(path) if sized else 0
        if not dry:
            aside = os.path.join(base, f".{name.lstrip('.')}.{os.getpid()}")
            os.rename(path, aside)
            remove_tree(aside)
        if lock is not None:
            os.close(lock)
    return found, size


def _lock(path: str) -> int | None:
    import fcntl

    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return fd
    except OSError:
        os.close(fd)
        return None


def _sessions(state: str, dry: bool) -> list[str]:
    base = os.path.join(state, "sessions")
    dead = []
    for name in sorted(os.listdir(base)) if os.path.isdir(base) else []:
        record = read_json(os.path.join(base, name, "session.json")) or {}
        who = record.get("supervisor")
        if who and not record.get("job") and not alive(who) and not elsewhere(who):
            dead.append(name)
    if not dry:
        bury_dead(state)
    return dead


def _jobs(state: str, dry: bool) -> list[str]:
    """Folders of jobs that are over and whose logs are elsewhere, or whose run is gone."""
    base = os.path.join(state, "jobs")
    old = []
    for key in sorted(os.listdir(base)) if os.path.isdir(base) else []:
        end = os.path.join(base, key, "end")
        own = RUN_ID.search(key)
        kept = own and any(os.path.exists(RunDir(state, own[0], place).path) for place in ("runs", "trash"))
        if not kept and os.path.exists(end) and time.time() - os.stat(end).st_mtime > NEW_FOR_S:
            old.append(key)
            if not dry:
                remove_tree(os.path.join(base, key))
    return old


def _processes(dry: bool) -> list[str]:
    if not dry:
        return [f"{fact['command']} (pid {fact['pid']})" for fact in remains.end()]
    pids = sorted(pid for found in remains.find().values() for pid in found)
    return [f"{command_of(pid)} (pid {pid})" for pid in pids]


def _agents() -> list[str]:
    own = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    used = _command_lines()
    old = []
    for base in _caches():
        for name in sorted(os.listdir(base)):
            path = os.path.join(base, name)
            ours = name.startswith(("agent-", tempfile.gettempprefix())) and os.path.isdir(path)
            # A process that runs from there reads modules of it whenever it needs one more.
            in_use = path == own or name.rpartition("agent-")[2].encode() in used
            if ours and not in_use and _old(path):
                old.append(path)
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


def _mirror(state: str, root: str, dry: bool, in_use: list[str], sizes: dict[str, int]) -> dict[str, Any]:
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
    ours_too = set(ours)
    kept = [path for path in _walk(root) if path not in ours_too]
    sizes["mirror"] = sum(entries[path][0].size for path in ours)
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


def _runs(state: str, only: list[str] | None) -> list[RunDir]:
    found = []
    wanted = None if only is None else set(only)
    for place in (records.TRASH, records.RUNS):
        folder = os.path.join(state, place)
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            if not RUN_ID.fullmatch(name) or (wanted is not None and name not in wanted):
                continue
            run = RunDir(state, name, place)
            if (records.standing(run) or {}).get("state") in FINAL_STATES:
                found.append(run)
    return found
