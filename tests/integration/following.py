"""Following a run that is a job: what it prints, and what is said of it while it waits."""

from __future__ import annotations

import threading
from collections.abc import Callable

from hosts import Place

from jupyter_remote import history, runs
from jupyter_remote.events import Event
from jupyter_remote.history_rows import Row
from jupyter_remote.history_store import Query
from jupyter_remote.run import Run


class Told:
    """What a run is told of its job."""

    def __init__(self, run: Run) -> None:
        self.words: list[str] = []
        self._changed = threading.Condition()
        run.on_job = self._take

    def _take(self, words: str) -> None:
        with self._changed:
            self.words.append(words)
            self._changed.notify_all()

    def wait_for(self, what: str) -> None:
        """Waits until it was told something with that in it."""
        with self._changed:
            found = self._changed.wait_for(lambda: any(what in words for words in self.words), 40)
        assert found, self.words


def following(run: Run) -> tuple[threading.Thread, list[Event], Told]:
    """Takes a run's events in a thread; what came, and what was told of its job."""
    told, events = Told(run), []  # type: tuple[Told, list[Event]]
    thread = threading.Thread(target=lambda: run.wait(events.append))
    thread.start()
    return thread, events, told


def listed(place: Place, run: Run) -> Row:
    """What `runs list` has of it, once the host was asked."""
    runs.refresh(place.remote, Query(host="local"))
    history.flush()
    return next(row for row in history.store().find(Query(host="local")) if row["id"] == run.id)


def until(run: Run, text: str, act: Callable[[], object]) -> str:
    """Takes a run's events to the end, and acts when it has printed that; returns what it printed."""
    seen = ""
    done = False
    for event in run.events():
        seen += event.text
        if text in seen and not done:
            done = True
            act()
    return seen
