"""Processes of this machine: who they are beyond their pid, which belong together, and how they end.

A process is named by pid + start time + boot id, since pids come again. On Linux ``/proc`` tells; where
there is none, ``ps`` does.
"""

from __future__ import annotations

import os
import signal
import time

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    import resource
    from typing import Any, Iterator

# Every process of a session carries this variable, so that even one that left its family is found. Its
# value names the supervisor (see mark), not the session: names come again, in other state folders too.
MARKER = "JUPYTER_REMOTE_SESSION"
PREFIX = MARKER.encode() + b"="


def boot_id() -> str:
    """A word that changes with every boot; empty where the system has none."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def boot_time() -> float | None:
    """When this machine was started (seconds since the epoch), None where the system doesn't tell."""
    try:
        with open("/proc/stat", encoding="ascii") as file:
            return next((float(line.split()[1]) for line in file if line.startswith("btime ")), None)
    except OSError:
        return None


def node() -> str:
    """The name of this machine among those that share a home."""
    return os.uname().nodename


def _stat(pid: int) -> list[bytes] | None:
    # proc(5): the name (field 2) may hold blanks and parentheses, so fields are counted from its end.
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return None


def start_time(pid: int) -> str:
    """When the process started, in the system's own words; empty when there is none, or a zombie."""
    if os.path.isdir("/proc/self"):
        fields = _stat(pid)
        return "" if fields is None or fields[0] in (b"Z", b"X") else fields[19].decode("ascii")
    import subprocess

    answer = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True)
    state, _, started = answer.stdout.strip().partition(" ")
    return "" if state.startswith("Z") else started.strip()


def identity(pid: int) -> dict[str, Any]:
    """What names the process for ever: ``pid``, ``start``, ``boot``, and for people the machine, ``node``."""
    return {"pid": pid, "start": start_time(pid), "boot": boot_id(), "node": node()}


def mark(supervisor: dict[str, Any]) -> str:
    """The marker's value for the processes of the supervisor of this identity."""
    return f"{supervisor['pid']}-{supervisor['start']}-{supervisor['boot']}"


def unmark(marker: str) -> dict[str, Any] | None:
    """The identity that :func:`mark` was given, None when it is something else.

    Args:
        marker: of :func:`mark`.
    """
    pid, _, rest = marker.partition("-")
    start, _, boot = rest.partition("-")
    return {"pid": int(pid), "start": start, "boot": boot} if pid.isdigit() and start else None


def alive(who: dict[str, Any]) -> bool:
    """Whether the very process that :func:`identity` named still runs."""
    return bool(who.get("start")) and who.get("boot") == boot_id() and start_time(who["pid"]) == who["start"]


def _parents() -> dict[int, int]:
    if os.path.isdir("/proc/self"):
        found = {}
        for name in os.listdir("/proc"):
            fields = _stat(int(name)) if name.isdigit() else None
            if fields is not None and fields[0] not in (b"Z", b"X"):
                found[int(name)] = int(fields[1])
        return found
    import subprocess

    answer = subprocess.run(["ps", "-Ao", "pid=,ppid=,stat="], capture_output=True, text=True)
    rows = [line.split() for line in answer.stdout.splitlines()]
    return {int(row[0]): int(row[1]) for row in rows if len(row) >= 3 and not row[2].startswith("Z")}


def marker_of(pid: int) -> str:
    """The marker that a process carries; empty when there is none, or it is another user's."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            found = (entry for entry in file.read().split(b"\0") if entry.startswith(PREFIX))
            return next(found, PREFIX)[len(PREFIX) :].decode("ascii", "replace")
    except OSError:
        return ""


def marked() -> dict[int, str]:
    """The living processes of this user that carry a marker, and its value; on Linux only.

    One in another process namespace, a container's, is not among them: its marker speaks of other pids.
    """
    if not os.path.isdir("/proc/self"):
        return {}
    found = {}
    here = _namespace("self")
    for pid in _parents():
        value = marker_of(pid)
        try:
            if value and os.stat(f"/proc/{pid}").st_uid == os.getuid() and _namespace(str(pid)) == here:
                found[pid] = value
        except OSError:
            pass  # it has just ended
    return found


def _namespace(pid: str) -> str:
    return os.readlink(f"/proc/{pid}/ns/pid")


def command_of(pid: int) -> str:
    """What the process was started as, shortened; empty when it is gone or the system doesn't tell."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read(200).rstrip(b"\0").replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""


def family(root: int | None, marker: str) -> list[int]:
    """The living processes below ``root`` (with it), and all that carry the marker.

    The calling process is never among them.
    """
    parents = _parents()
    chosen = {pid for pid in parents if marker_of(pid) == marker}
    if root is not None and root in parents:
        chosen.add(root)
    grown = True
    while grown:
        children = {pid for pid, parent in parents.items() if parent in chosen} - chosen
        chosen |= children
        grown = bool(children)
    chosen.discard(os.getpid())
    return sorted(chosen)


def send(pids: list[int], number: int) -> None:
    """Sends a signal to each; one that is gone is no error.

    Args:
        pids: of the processes.
        number: of the signal.
    """
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            pass


def end_family(root: int | None, marker: str, grace: float = 2.0) -> list[int]:
    """TERM for all, KILL after ``grace`` seconds; returns what still lives then (normally nothing).

    Args:
        marker: in the environment of all of them.
    """
    deadline = time.monotonic() + grace
    send(family(root, marker), signal.SIGTERM)
    while time.monotonic() < deadline:
        if not family(root, marker):
            return []
        time.sleep(0.02)
    # A fork that races with the KILL is caught by looking again.
    for _ in range(50):
        left = family(root, marker)
        if not left:
            return []
        send(left, signal.SIGKILL)
        time.sleep(0.02)
    return family(root, marker)


def adopt_orphans() -> None:
    """Makes orphaned grandchildren children of this process (Linux), so that none gets out of sight."""
    try:
        import ctypes

        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER, prctl(2)
    except (ImportError, OSError, AttributeError):
        pass  # the marker still finds them


def ended_children() -> Iterator[tuple[int, int, resource.struct_rusage]]:
    """Each child that has ended, adopted ones too: pid, wait status, what it used."""
    while True:
        try:
            pid, status, used = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        yield pid, status, used
