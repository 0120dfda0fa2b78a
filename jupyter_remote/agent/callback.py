"""What a front end says to the widgets of a session becomes a small run: in turn, logged, shown to its end.

It never starts a session: widgets of one that has ended have nobody to hear them.
"""

from __future__ import annotations

from . import messages as m
from . import sessions
from .follow import follow
from .paths import remove_tree
from .rundir import CALLBACK, FINAL_STATES, RunDir
from .streams import Stream


def call_back(stream: Stream, state: str, message: m.CallBack, payload: bytes) -> None:
    """Hands it over and shows what it does; an empty Facts when the session is gone."""
    if message.seen is not None:
        _discard(state, message.seen)
    link = sessions.connect(state, message.session)
    if link is None:
        stream.send(m.Facts({}))
        return
    run = RunDir(state, message.run["id"])
    try:
        answer = link.ask(m.Execute(dict(message.run, kind=CALLBACK), {}), payload)
    except sessions.NoSession:
        link.close()
        stream.send(m.Facts({}))
        return
    stream.send(answer)
    if isinstance(answer, m.Accepted):
        follow(stream, state, run, 0, link)
    else:
        link.close()


def _discard(state: str, run_id: str) -> None:
    # A slider that is dragged makes dozens, and none says more than the front end has seen.
    run = RunDir(state, run_id)
    record = run.record() or {}
    if record.get("kind") == CALLBACK and record.get("state") in FINAL_STATES:
        remove_tree(run.path)
