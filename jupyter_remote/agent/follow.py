"""Shows a run's log to a client, from any event on, until its end."""

from __future__ import annotations

from . import messages as m
from .processes import alive
from .rundir import FINAL_STATES, LogReader, RunDir
from .sessions import SupervisorLink, connect
from .streams import Stream

BATCH = 1 << 18
LOOK = 5.0


def follow(stream: Stream, state: str, run: RunDir, seq: int, link: SupervisorLink | None) -> None:
    """Sends the events after ``seq``; returns after the last one.

    Args:
        stream: where they go; it waits for the client's credit, so a slow viewer holds only itself.
        state: state folder.
        run: the run.
        seq: the last event that the client has.
        link: connection to its supervisor when there is one already.
    """
    reader = LogReader(run, seq)
    try:
        while not reader.ended:
            events, payload = reader.batch(BATCH)
            if events:
                stream.send(m.Events(events), payload)
            elif not _grows(stream, state, run, reader.seq, link):
                events, payload = reader.batch(BATCH)
                stream.send(m.Events(events or [_lost(run, reader.seq)]), payload)
                if not events:
                    return
    finally:
        reader.close()
        if link is not None:
            link.close()


def _grows(stream: Stream, state: str, run: RunDir, seq: int, link: SupervisorLink | None) -> bool:
    """Waits until the log has more; False when nobody is there to write any."""
    own = None
    try:
        if link is None:
            record = run.record() or {}
            if record.get("state") in FINAL_STATES:
                return False
            link = own = connect(state, str(record.get("session")))
            if link is None:
                return False
        link.send(m.Watch(run.id, seq))
        while not stream.cancelled:
            try:
                return link.receive(LOOK) is not None
            except TimeoutError:
                continue
        return True
    except OSError:
        return False
    finally:
        if own is not None:
            own.close()


def _lost(run: RunDir, seq: int) -> dict[str, object]:
    # Worked out, not written: the log ends where its supervisor did.
    record = run.record() or {}
    supervisor = record.get("supervisor") or {}
    reason = "its supervisor was killed"
    if not supervisor or alive(supervisor):
        reason = "its supervisor does not answer"
    return {"seq": seq + 1, "t": 0, "kind": "end", "state": "lost", "exit_code": 1, "seconds": 0, "reason": reason}
