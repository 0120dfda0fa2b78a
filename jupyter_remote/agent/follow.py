"""Shows a run's log to a client, from any event on, until its end."""

from __future__ import annotations

import time

from . import messages as m
from .evidence import why_lost
from .logreader import LogReader
from .rundir import FINAL_STATES, RunDir
from .sessions import SupervisorLink, connect
from .streams import Stream

BATCH = 1 << 18
# The first batches are small: over a link that breaks every few seconds, too, something arrives whole.
FIRST_BATCH = 1 << 14
LOOK = 5.0
# How long an answer waits for the events behind it: a small cell is one packet then, not three.
AT_ONCE = 0.01
SETTLE = 1.0


def follow(
    stream: Stream,
    state: str,
    run: RunDir,
    seq: int,
    link: SupervisorLink | None,
    printed: int | None = None,
) -> None:
    """Sends the events after ``seq``; returns after the last one.

    Args:
        stream: where they go; it waits for the client's credit, so a slow viewer holds only itself.
        state: state folder.
        run: the run.
        seq: the last event that the client has.
        link: connection to its supervisor when there is one already.
        printed: as for LogReader.
    """
    if ((run.record() or {}).get("job") or {}).get("tasks"):
        from .collect import Collector

        Collector(state, run).follow(stream)
    reader = LogReader(run, seq, printed)
    limit = FIRST_BATCH
    try:
        if link is not None and stream.held:  # the first event only says that it runs
            _grows(stream, state, run, seq + 1, link, AT_ONCE)
        while not reader.ended:
            events, payload = reader.batch(limit)
            if events:
                stream.send(m.Events(events), payload)
                limit = min(2 * limit, BATCH)
                continue
            stream.flush()
            grows = _grows(stream, state, run, reader.seq, link)
            if grows:
                continue
            events, payload = reader.batch(BATCH)
            if events:
                stream.send(m.Events(events), payload)
                continue
            end = _end(run, reader.seq, over=grows is False)
            if end:
                stream.send(m.Events([end]))
                return
            # Its supervisor lives but can't be reached: the log itself is looked at.
            if link is not None:
                link.close()
                link = None
            if stream.cancelled:
                return
    finally:
        reader.close()
        if link is not None:
            link.leave()


def _grows(
    stream: Stream,
    state: str,
    run: RunDir,
    seq: int,
    link: SupervisorLink | None,
    patience: float | None = None,
) -> bool | None:
    """Waits until the log may have more; False when the run is over, None when nobody can be asked."""
    own = None
    try:
        if link is None:
            record = run.record() or {}
            if record.get("state") in FINAL_STATES:
                return False
            link = own = connect(state, str(record.get("session")))
            if link is None:
                return None
        link.send(m.Watch(run.id, seq))
        link.watches += 1
        while not stream.cancelled:
            try:
                frame = link.receive(patience or LOOK)
                link.watches -= 1
                if frame is None or not isinstance(frame.message, m.Grew):
                    return None
                # A supervisor that doesn't know the run (-1) has nothing more to write to its log.
                return frame.message.seq >= 0
            except TimeoutError:
                if patience:
                    break
        return True
    except OSError:
        return None
    finally:
        if own is not None:
            own.close()


def _end(run: RunDir, seq: int, over: bool) -> dict[str, object] | None:
    # A process that is killed closes its socket a moment before it is gone, and a run's directory is there a
    # moment before its record.
    deadline = time.monotonic() + SETTLE
    while True:
        record = run.record() or {}
        if record.get("state") in FINAL_STATES:  # the client has seen its last event already
            keys = ("state", "exit_code", "seconds", "reason")
            return dict({key: record.get(key) for key in keys}, seq=seq, t=record["ended"], kind="end")
        reason = why_lost(record) if record or time.monotonic() > deadline else None
        if reason or time.monotonic() > deadline:
            break
        time.sleep(0.01)
    if reason is None and over and not record.get("job"):
        reason = "its log has no end"
    if reason is None:
        return None
    # Worked out, not written: the log ends where its supervisor did.
    return {
        "seq": seq + 1,
        "t": 0,
        "kind": "end",
        "state": "lost",
        "exit_code": 1,
        "seconds": 0,
        "reason": reason,
    }
