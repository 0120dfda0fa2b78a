"""What a client asks a live session, and answers it: nothing is started for that, and nobody waits long."""

from __future__ import annotations

from . import messages as m
from . import sessions
from .rundir import FINAL_STATES, RunDir

# How long a session may think about half-typed code.
CONSULTED = 0.3


def ask(state: str, message: m.Message, payload: bytes) -> m.Message:
    """The session's answer; Facts that say nothing when there is no such session any more.

    Args:
        state: state folder of the host.
        message: Answer, Asked or Consult.
        payload: the code of a Consult.
    """
    if isinstance(message, m.Consult):
        return _ask(state, message.session, message, payload, CONSULTED) or m.Facts({"busy": 1})
    assert isinstance(message, (m.Answer, m.Asked))
    record = RunDir(state, message.run_id).record() or {}
    over = not record or record["state"] in FINAL_STATES
    told = None if over else _ask(state, record["session"], message, payload, 30)
    return told or m.Facts({})


def _ask(state: str, session: str, message: m.Message, payload: bytes, timeout: float) -> m.Message | None:
    link = sessions.connect(state, session)
    if link is None:
        return None
    try:
        return link.ask(message, payload, timeout)
    except sessions.NoSession:
        return None  # it has just ended, and its question with it; or it thinks for too long
    finally:
        link.close()
