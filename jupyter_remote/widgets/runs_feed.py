"""How runs stand, looked at for all widgets of this process by one thread, as long as one of them is shown.

The local history is looked at often, which costs two calls of `stat` when nothing is new there. Hosts are
asked about the runs that were not seen to end; what they say goes into the history when it is something
new. A host that can't be asked is asked less and less often, and never has the user answer a question.
Nothing is shown here.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import jupyter_remote

from .. import history, records, runs
from ..errors import HistoryError, RemoteError
from ..history_rows import UNFINISHED
from ..history_store import Query
from ..pool import live
from ..whereabouts import learn

LOOK_S = 0.5
# How often a host is asked about its unfinished runs, and about runs that somebody else has started there.
ASK_S, ASK_NEW_S = 2.0, 30.0
SLOWEST_S = 60.0
# Hosts that are being asked at a time, and runs of one that are asked about.
AT_ONCE = 16
MOST_RUNS = 1000
NEWEST = 50

# Called with whether the history has changed since the last call, from the feed's thread. It shows errors of
# its own: whoever looks at it is to know.
Told = Callable[[bool], None]


class Feed:
    """Looks, and tells. Use `FEED`: a second one would ask the hosts a second time.

    What it knows of hosts ends with its looking: who looks later wants them asked at once.

    Attributes:
        silent: why a host could not be asked, by its name.
    """

    def __init__(self) -> None:
        self.silent: dict[str, RemoteError] = {}
        self._told: list[Told] = []
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._asking: set[str] = set()
        self._due: dict[str, float] = {}
        self._new_due: dict[str, float] = {}
        self._fails: dict[str, int] = {}
        self._last: dict[str, records.Record] = {}
        self._complaint = ""

    def subscribe(self, told: Told) -> None:
        """Has `told` called at every look, from now on; a second time is the same as once."""
        with self._lock:
            if told not in self._told:
                self._told.append(told)
            if self._thread is None:
                for known in (self.silent, self._due, self._new_due, self._fails, self._last):
                    known.clear()
                self._thread = threading.Thread(target=self._look_on, name="jupyter-remote runs", daemon=True)
                self._thread.start()
        self._wake.set()

    def unsubscribe(self, told: Told) -> None:
        """Has it not called any more; with the last one the looking ends."""
        with self._lock:
            if told in self._told:
                self._told.remove(told)
        self._wake.set()

    def hurry(self, host: str | None = None) -> None:
        """Looks at once, and asks a host at once: something was done there."""
        if host is not None:
            self._due.pop(host, None)
            self._new_due.pop(host, None)
        self._wake.set()

    @property
    def looking(self) -> bool:
        """Whether its thread runs."""
        return self._thread is not None

    def _look_on(self) -> None:
        before: object = None
        while True:
            with self._lock:
                told = list(self._told)
                if not told:
                    self._thread = None
                    return
            self._wake.clear()
            now = _mark()
            for one in told:
                try:
                    one(now != before)
                except Exception as error:  # one widget that can't be drawn is no reason for others to stop
                    if repr(error) != self._complaint:  # not at each look
                        self._complaint = repr(error)
                        print(f"jupyter_remote: a view of runs can't be drawn: {error!r}", file=sys.stderr)
            before = now
            with suppress(HistoryError):
                self._ask_hosts()
            self._wake.wait(LOOK_S)

    def _ask_hosts(self) -> None:
        now = time.monotonic()
        store = history.store()
        unfinished = set(store.hosts(unfinished=True))
        # A link that is open costs nothing; for news of others' runs none is opened.
        news = {host for host in store.hosts() if now >= self._new_due.get(host, 0.0) and live(host)}
        for host in sorted(unfinished | news):
            due = now >= self._due.get(host, 0.0) or host in news
            if due and host not in self._asking and len(self._asking) < AT_ONCE:
                self._asking.add(host)
                self._due[host] = now + ASK_S
                name = f"jupyter-remote runs of {host}"
                threading.Thread(target=self._ask, args=(host, host in news), name=name, daemon=True).start()

    def _ask(self, host: str, news: bool) -> None:
        from ..transports.prompt import handed_over

        handed_over.set(True)  # in this thread nobody is asked for a password
        try:
            remote = jupyter_remote.connect(host)
            if news:
                self._new_due[host] = time.monotonic() + ASK_NEW_S
            self._learn(remote, news)
            self._fails.pop(host, None)
            self.silent.pop(host, None)
        except RemoteError as error:
            fails = self._fails[host] = self._fails.get(host, 0) + 1
            self._due[host] = time.monotonic() + min(SLOWEST_S, ASK_S * 2**fails)
            self.silent[host] = error
        finally:
            self._asking.discard(host)
            self._wake.set()

    def _learn(self, remote: jupyter_remote.Remote, news: bool) -> None:
        host = remote.host.name
        store = history.store()
        open_ids = [row["id"] for row in store.find(Query(host=host, states=UNFINISHED, limit=MOST_RUNS))]
        seen = list(records.records(remote, len(open_ids), ids=open_ids)) if open_ids else []
        gone = set(open_ids) - {str(record["id"]) for record in seen}
        if news:
            seen += list(records.records(remote, NEWEST, code=True))
        fresh = [one for one in runs.settled(remote, seen) if self._last.get(one["id"]) != one]
        if fresh or gone:
            learn(remote, fresh)
            why = f"{host} does not have it any more"
            learn(remote, [{"id": one, "state": "lost", "reason": why} for one in gone])
        for one in fresh:
            self._last[one["id"]] = one
        while len(self._last) > 4 * MOST_RUNS:
            self._last.pop(next(iter(self._last)))


def _mark() -> object:
    """Another one when the history was written to, by whichever process."""
    history.flush(1.0)
    path = history.history_file()
    return [_stamp(path), _stamp(path.with_name(path.name + "-wal"))]


def _stamp(path: Path) -> object:
    try:
        told = path.stat()
    except OSError:
        return None
    return told.st_ino, told.st_mtime_ns, told.st_size


FEED = Feed()
