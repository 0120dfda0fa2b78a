"""One run followed for a view of it: its state, the end of its log, its pictures, progress and artifacts.

Two threads: one takes the events, which may not come for hours, the other looks at metrics and artifacts now
and then and says when something is to be drawn. What is kept is bounded. No widget is known here.
"""

from __future__ import annotations

import base64
import binascii
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import AuthenticationError, ConnectError, HostKeyError, RemoteError
from ..history_rows import UNFINISHED, Row
from ..link_line import link_line
from ..metrics import Metrics
from ..whereabouts import Found, find_run
from .run_tail import LINES, Tail

if TYPE_CHECKING:
    from ..events import Event
    from ..linkstate import LinkState
    from ..run import Run

# How often something is drawn at most, and looked at.
DRAW_S, METRICS_S, ARTIFACTS_S = 0.5, 1.0, 3.0
# So few events are taken all, and with them the pictures that a run has shown; else the end of its log.
WHOLE = 500
# When a host that can't be reached is tried again: soon, and then less and less often.
RETRY_S, SLOWEST_S = 1.0, 30.0
PICTURES = 6
LARGEST_PICTURE = 2 << 20
_FORMATS = {"image/png": "png", "image/jpeg": "jpeg"}


@dataclass(frozen=True)
class Picture:
    """A picture that a run has shown.

    Args:
        name: what it is called.
        format: ``png`` or ``jpeg``.
        data: its bytes.
    """

    name: str
    format: str
    data: bytes


class Follower:
    """Follows a run from the end of what it has printed on. Use :meth:`start`, and :meth:`stop`.

    Args:
        run_id: whole, or a beginning of it.
        draw: called when there is something new, from a thread, at most every `DRAW_S`.
        host: where it is; None for finding out.

    Attributes:
        row: what is known of it, as in the history.
        run: what is followed, when its host has been reached.
        metrics: its metrics, as far as they are here.
        link: one line on a link that is lost, else "".
        asks: the prompt of a question that the code waits for an answer to, else None.
        error: why it can't be followed.
        looked: whether all of it is here: its end, and what metrics and artifacts there are then.
    """

    def __init__(self, run_id: str, draw: Callable[[], None], host: str | None = None) -> None:
        self.found: Found = find_run(run_id, host)
        self.id = self.found.id
        self.host = self.found.host
        self.row: Row = dict(self.found.row)
        self.run: Run | None = None
        self.metrics = Metrics(self.id)  # what is stored here
        self.tail = Tail()
        self.pictures: dict[str, Picture] = {}
        self.artifacts: list[Any] = []
        self.link = ""
        self.asks: str | None = None
        self.error: Exception | None = None
        self.looked = False
        self._draw = draw
        self._dirty = threading.Event()
        self._stop: threading.Event | None = None
        self._seen = False
        self._shown = 0
        self._lock = threading.Lock()

    @property
    def state(self) -> str:
        """How it stands, as far as has been seen."""
        return str(self.row.get("state") or "queued")

    @property
    def over(self) -> bool:
        """Whether its end has been seen."""
        return self.state not in UNFINISHED

    def start(self) -> None:
        """Begins, or goes on after :meth:`stop`."""
        with self._lock:
            if self._stop is not None:
                return
            stop = self._stop = threading.Event()
        taken = threading.Event()
        for work in (self._follow, self._look):
            name = f"jupyter-remote view {self.id}"
            threading.Thread(target=work, args=(stop, taken), name=name, daemon=True).start()

    def stop(self) -> None:
        """Ends both threads; the run goes on."""
        with self._lock:
            stop, self._stop = self._stop, None
        if stop is not None:
            stop.set()
            self._dirty.set()
            if self.run is not None:
                self.run.detach()

    def see(self) -> None:
        """Takes what there is at this moment, the first time, unless the run is followed already."""
        if self._stop is not None or self._seen:
            return
        self._seen = True
        try:
            remote = self.found.remote()
            log = remote.log(self.id, LINES)
            for piece in log:
                self.tail.add(piece.decode("utf-8", "replace"))
            self._take_record(log.record)
            self.metrics = Metrics(self.id, remote.link, lambda: self.over)
            self.metrics.refresh(seconds=METRICS_S)
        except RemoteError as error:
            self.error = error

    # What comes.

    def _follow(self, stop: threading.Event, taken: threading.Event) -> None:
        pause = RETRY_S
        try:
            while not stop.is_set():
                try:
                    self._take_all(stop)
                    return
                except (AuthenticationError, HostKeyError):
                    raise  # nobody wants to be asked again and again
                except ConnectError as error:
                    self.error = error
                    self._dirty.set()
                    stop.wait(pause)
                    pause = min(2 * pause, SLOWEST_S)
        except RemoteError as error:
            self.error = error
        finally:
            taken.set()
            self._dirty.set()

    def _take_all(self, stop: threading.Event) -> None:
        remote = self.found.remote()
        log = remote.log(self.id, LINES)
        tail = Tail()
        for piece in log:
            tail.add(piece.decode("utf-8", "replace"))
        whole = log.seq <= WHOLE
        if whole:
            tail, self.pictures = Tail(), {}
        run = remote.attach(self.id, 0 if whole else log.seq)
        self._take_record(log.record)
        run.on_link = self._linked
        self.tail, self.run, self.error, self.link = tail, run, None, ""
        self._dirty.set()
        # Looked at each time, as it may have been told to stop before there was something to stop.
        while not stop.is_set() and (event := next(run.events(), None)) is not None:
            self._take(event)
        run.detach()

    def _take_record(self, record: dict[str, Any]) -> None:
        keys = ("state", "exit_code", "reason", "seconds", "started", "created", "label", "ended")
        self.row.update({key: record[key] for key in keys if record.get(key) is not None})

    def _take(self, event: Event) -> None:
        kind, data = event.kind, event.data
        if kind in ("stdout", "stderr"):
            self.tail.add(event.text)
        elif kind in ("display", "update_display", "result"):
            self._show(data)
        elif kind == "error":
            self.tail.add("\n".join(data.get("traceback") or []) + "\n")
        elif kind == "state":
            self.row["state"] = data.get("state")
            self.row.setdefault("started", event.time)
        elif kind == "end":
            self._take_record({**data, "ended": event.time})
        if kind in ("input_request", "input_reply", "end"):
            self.asks = str(data.get("prompt") or "") if kind == "input_request" else None
        self._dirty.set()

    def _show(self, content: dict[str, Any]) -> None:
        data = content.get("data") or {}
        name = str((content.get("transient") or {}).get("display_id") or "")
        for mime, form in _FORMATS.items():
            if isinstance(text := data.get(mime), str) and len(text) < 4 * LARGEST_PICTURE // 3:
                if not name:
                    self._shown += 1
                    name = f"figure {self._shown}"
                with suppress(binascii.Error, ValueError):
                    self.pictures[name] = Picture(name, form, base64.b64decode(text))
                while len(self.pictures) > PICTURES:
                    self.pictures.pop(next(iter(self.pictures)))
                return
        if isinstance(text := data.get("text/plain"), str):
            self.tail.add(text + "\n")

    def _linked(self, state: LinkState) -> None:
        self.link = "" if state.up else link_line(state)
        self._dirty.set()

    # What is looked at.

    def _look(self, stop: threading.Event, taken: threading.Event) -> None:
        metrics_due = artifacts_due = 0.0
        while not stop.is_set():
            self._dirty.wait(1.0)
            self._dirty.clear()
            last = taken.is_set()
            now = time.monotonic()
            if self.run is not None and not self.link and self.error is None:
                if last or now >= metrics_due:
                    self._refresh()
                    metrics_due = time.monotonic() + METRICS_S
                if last or now >= artifacts_due:
                    self._gather()
                    artifacts_due = time.monotonic() + ARTIFACTS_S
            self.looked = last
            if not stop.is_set():
                self._draw()
            if last:
                return
            stop.wait(DRAW_S)

    def _refresh(self) -> None:
        if self.run is not None:
            self.metrics = self.run.metrics
            with suppress(RemoteError):
                # A million points come over several looks; of one that has ended all of them.
                self.metrics.refresh(seconds=None if self.over else METRICS_S)

    def _gather(self) -> None:
        look = getattr(self.run, "artifacts_so_far", None)
        if look is not None:
            with suppress(RemoteError):
                self.artifacts = list(look())
