"""Shows a run's log to a client, from any event on, until its end."""

from __future__ import annotations

import time

from . import messages as m
from .processes import alive
from .rundir import FINAL_STATES, LogReader, RunDir
from .sessions import SupervisorLink, connect
from .streams import Stream

BATCH = 1 << 18
# The first batches are small: over a link that breaks every few seconds, too, something arrives whole.
FIRST_BATCH = 1 << 14
LOOK = 5.0
SETTLE = 1.0


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
    limit = FIRST_BATCH
    try:
        while not reader.ended:
            events, payload = reader.batch(limit)
            if events:
                stream.send(m.Events(events), payload)
                limit = min(2 * limit, BATCH)
            elif not _grows(stream, state, run, reader.seq, link):
                events, payload = reader.batch(BATCH)
                stream.send(m.Events(events or [_end(run, reader.seq)]), payload)
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
                frame = link.receive(LOOK)
                # A supervisor that doesn't know the run (-1) has nothing more to write to its log.
                return frame is not None and isinstance(frame.message, m.Grew) and frame.message.seq >= 0
            except TimeoutError:
                continue
        return True
    except OSError:
        return False
    finally:
        if own is not None:
            own.close()


def _end(run: RunDir, seq: int) -> dict[str, object]:
    record = run.record() or {}
    if record.get("state") in FINAL_STATES:  # the client has seen its last event already
        keys = ("state", "exit_code", "seconds", "reason")
        return dict({key: record.get(key) for key in keys}, seq=seq, t=record["ended"], kind="end")
    # Worked out, not written: the log ends where its supervisor did. A process that is killed closes its
    # socket a moment before it is gone.
    deadline = time.monotonic() + SETTLE
    while (gone := not alive(record.get("supervisor") or {})) is False and time.monotonic() < deadline:
        time.sleep(0.01)
    reason = "its supervisor was killed" if gone else "its log has no end"
    return {
        "seq": seq + 1,
        "t": 0,
        "kind": "end",
        "state": "lost",
        "exit_code": 1,
        "seconds": 0,
        "reason": reason,
    }
