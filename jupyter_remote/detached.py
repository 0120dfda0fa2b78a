"""The output area of a detached run: one display that keeps changing in place while other cells run.

It holds the beginning and the end of what was printed; `attach` shows all of it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from .display import status_line
from .errors import RemoteError
from .frames import newest_frames
from .link_line import link_line
from .live_line import live_line
from .marks import mark
from .run_results import gather
from .status_line import status_words

if TYPE_CHECKING:
    from .events import Event
    from .linkstate import LinkState
    from .live_line import Write
    from .remote import Remote
    from .run import Run

HEAD = 1 << 18
TAIL = 3 << 18
# The whole area travels to the front each time, so a large one is sent less often.
_PER_SECOND = 1 << 19
_SHORTEST_S = 0.2


class Window:
    """The beginning and the end of a text that grows without bound."""

    def __init__(self, head: int = HEAD, tail: int = TAIL) -> None:
        self._room, self._limit = head, tail
        self._head: list[str] = []
        self._tail: deque[str] = deque()
        self._size = 0
        self.dropped = 0

    def add(self, text: str) -> None:
        """Takes more text."""
        first, text = text[: self._room], text[self._room :]
        self._room -= len(first)
        if first:
            self._head.append(first)
        if text:
            self._tail.append(text)
            self._size += len(text)
        while self._size > self._limit:
            over = self._size - self._limit
            oldest = self._tail.popleft()
            if len(oldest) > over:
                self._tail.appendleft(oldest[over:])
            dropped = min(over, len(oldest))
            self._size -= dropped
            self.dropped += dropped

    def text(self) -> str:
        """The beginning, what is missing, and the end."""
        gap = f"\n… {self.dropped:,} characters are left out here …\n" if self.dropped else ""
        return "".join(self._head) + gap + "".join(self._tail)


class DetachedView:
    """Follows a run in a thread and shows it in one place.

    Args:
        write: shows a text in place of the one before.
    """

    def __init__(self, write: Write) -> None:
        self._write = write
        self._window = Window()
        self._printed: list[str] = []
        self._waiting = 0
        self._before = "\n"
        self._line = ""
        self._due = 0.0
        self._later: threading.Timer | None = None
        self._lock = threading.Lock()

    def event(self, event: Event) -> None:
        """Takes an event."""
        with self._lock:
            self._take(event)
        wait = self._due - time.monotonic()
        if wait <= 0:
            self.show()
        elif self._later is None:
            # Nothing more may come for hours, and what came last must be seen.
            self._later = threading.Timer(wait, self.show)
            self._later.daemon = True
            self._later.start()

    def _take(self, event: Event) -> None:
        if event.kind in ("stdout", "stderr"):
            self._printed.append(event.text)
            self._waiting += len(event.text)
            if self._waiting > HEAD:
                self._settle()
            return
        self._settle()
        if event.kind in ("display", "result"):
            text = event.data.get("data", {}).get("text/plain")
            self._window.add(f"{text}\n" if isinstance(text, str) else "")
        elif event.kind == "input_request":
            self._window.add(f"{event.data.get('prompt', '')}\n[it waits for input: attach to answer]\n")
        elif event.kind == "error":
            self._window.add("\n".join(event.data.get("traceback") or []) + "\n")

    def _settle(self) -> None:
        # Of a progress bar, the frames that came since it was shown last are one.
        text = "".join(self._printed)
        self._printed.clear()
        self._waiting = 0
        if text:
            self._window.add(newest_frames(text, self._before))
            self._before = text[-1]

    def link(self, state: LinkState) -> None:
        """Takes the state of the link."""
        self._line = "" if state.up else link_line(state)
        self.show()

    def end(self, line: str) -> None:
        """Shows the last state, with that line below."""
        self._line = line
        self.show()

    def show(self) -> None:
        """Shows what there is now."""
        with self._lock:
            self._later = None
            self._settle()
            text = newest_frames(self._window.text())
            self._write(text + self._line)
        self._due = time.monotonic() + max(_SHORTEST_S, len(text) / _PER_SECOND)


def show_detached(remote: Remote, run: Run) -> threading.Thread | None:
    """Lets a run go on by itself; where there is a notebook its output keeps changing below the cell.

    Args:
        remote: where it runs.
        run: it was started just now, and nobody waits for it.

    Returns:
        The thread that shows it, None where nothing can be shown in place.
    """
    run.detach()
    write = live_line(kernel_only=True, name="area", about=lambda: mark(run))
    if write is None:
        return None
    view = DetachedView(write)
    view.end(f"run {run.id} on {run.host}")
    thread = threading.Thread(
        target=_follow, args=(remote, run, view), name=f"jupyter-remote run {run.id}", daemon=True
    )
    thread.start()
    return thread


def _follow(remote: Remote, run: Run, view: DetachedView) -> None:
    try:
        # An object of its own: whoever holds `run` may wait for it too.
        followed = remote.attach(run.id)
        followed.on_link = view.link
        followed.on_job = lambda words: view.end(words and status_words(run.host, words, None))
        for event in followed.events():
            view.event(event)
            run.state = followed.state
        run.exit_code, run.seconds, run.reason = followed.exit_code, followed.seconds, followed.reason
        view.end(status_line(followed))
        gather(followed)
    except RemoteError as error:
        view.end(str(error))
