"""Switches this machine off when none of my runs has gone on for a time: a process of its own, one a machine.

Only where the settings say so. It ends by itself when they no longer do, and when the state folder goes.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time

from . import campaigns, sessions
from .launch import boot_argv, environment
from .paths import read_json, write_json

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any

LONGEST_PAUSE_S = 30.0
# After an order to switch off; if the machine still runs then, it is given again.
GRACE_S = 180.0


def arrange(state: str, options: dict[str, Any]) -> dict[str, Any]:
    """Says when this machine is to be switched off, and sees to it that somebody does.

    Args:
        options: ``seconds`` that nothing has run by then (None: it is not to be switched off); ``load``: with
            more to do (of one minute, as in uptime(1)) somebody else uses it; ``order`` and ``cancel``: the
            programs that switch it off a minute later, and that take it back.

    Returns:
        ``why`` it can't be done; empty when it can.
    """
    path = os.path.join(state, "idle.json")
    if not options["seconds"]:
        if os.path.exists(path):
            os.unlink(path)
        return {}
    order = options["order"]
    if order[0] == "sudo":
        # Asked for now: in the night nobody would notice.
        try:
            ask = ["sudo", "-n", "-l", *order[2:3]]
            asked = subprocess.run(ask, stdin=subprocess.DEVNULL, capture_output=True)
        except OSError as error:
            return {"why": str(error)}
        if asked.returncode:
            return {"why": asked.stderr.decode("utf-8", "replace").strip() or "sudo refuses"}
    write_json(path, options)
    subprocess.Popen(
        boot_argv([sys.executable, "-I", "-S"], "idle", state),
        cwd="/",
        env=environment({}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    return {}


def main() -> None:
    """Waits until nothing has run for long enough, and switches the machine off."""
    state = sys.argv[1]
    lock = os.open(os.path.join(state, "idle.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return  # another one is watching already, and reads what was written
    used, ordered = time.monotonic(), 0.0
    while True:
        wanted = read_json(os.path.join(state, "idle.json"))
        if wanted is None:
            return
        now = time.monotonic()
        if in_use(state, wanted["load"]):
            used = now
            if ordered:
                _run(state, wanted["cancel"])
                ordered = 0.0
        elif now - used >= wanted["seconds"] and (not ordered or now - ordered > GRACE_S):
            ordered = now
            _run(state, wanted["order"])
        time.sleep(min(LONGEST_PAUSE_S, wanted["seconds"] / 10))


def in_use(state: str, load: float) -> bool:
    """Whether a run of mine goes on or waits, or the machine is busy with something else.

    Args:
        load: up to which the machine counts as idle, of one minute.
    """
    for session in sessions.records(state):
        if session.get("active") or session.get("queued") or session.get("silent"):
            return True
    return campaigns.live(state) or os.getloadavg()[0] > load


def _run(state: str, argv: list[str]) -> None:
    with open(os.path.join(state, "idle.log"), "ab") as log:
        log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())} UTC: {' '.join(argv)}\n".encode())
        log.flush()
        subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False)
