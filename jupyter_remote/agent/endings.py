"""What the end of a process means for its run: pure decisions about state, exit code and words."""

from __future__ import annotations

import os
import signal

from .memory import killer, kills

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from .active import ActiveRun

# As timeout(1) and a shell after Ctrl-C have them.
TIMED_OUT = 124
INTERRUPTED = 130
OUTCOMES = {"ok": ("finished", 0), "error": ("failed", 1), "interrupted": ("stopped", INTERRUPTED)}


def of_cell(run: ActiveRun, outcome: str) -> tuple[str, int]:
    """State and exit code of a cell that ended in its session.

    Args:
        outcome: the worker's word.
    """
    return _in_time(run, *OUTCOMES[outcome])


def of_program(run: ActiveRun, code: int) -> tuple[str, int]:
    """State and exit code of a program that exited by itself, or by the first interrupt."""
    state = "finished" if code == 0 else "stopped" if code == INTERRUPTED else "failed"
    return _in_time(run, state, code)


def of_stopped(run: ActiveRun, code: int) -> tuple[str, int]:
    """State and exit code of a run whose processes were ended."""
    return _in_time(run, "stopped", code if code > 128 else 128 + signal.SIGTERM)


def _in_time(run: ActiveRun, state: str, code: int) -> tuple[str, int]:
    # A run that ended well just in time is not blamed.
    return ("stopped", TIMED_OUT) if run.timed_out and code else (state, code)


KILLED = 128 + signal.SIGKILL


def of_kill(run: ActiveRun, code: int) -> str | None:
    """Why a process was killed that nobody here has ended, None when it ended otherwise."""
    return f"killed by signal 9 ({killer(run.kills, kills())})" if code == KILLED else None


def death(run: ActiveRun, code: int) -> str:
    """How an interpreter died under its cell, for the user."""
    if code > 128:
        known = {one.value: one.name for one in signal.Signals}
        how = f"was ended by {known.get(code - 128, f'signal {code - 128}')}"
        how += f" ({killer(run.kills, kills())})" if code == KILLED else ""
    else:
        how = f"ended with exit code {code}"
    return f"the session's Python {how}; its variables are gone"


def cannot_start(error: OSError) -> str:
    """Why a process could not be started, for the user."""
    if isinstance(error, FileNotFoundError) and error.filename:
        return f"there is no {os.fsdecode(error.filename)} on the host"
    return str(error)
