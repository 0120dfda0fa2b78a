"""What hosts do now, for all widgets of this process: one thread and one stream of samples for each host.

It lives as long as somebody follows the host. A link that breaks is waited for, without a question to
anybody; a host that falls silent is told of after a while. How it looks is `gauges.py`'s business.
"""

from __future__ import annotations

import atexit
import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jupyter_remote

from ..errors import ConnectionLost, RemoteError
from .trend import Trend

if TYPE_CHECKING:
    from ..linkstate import LinkState
    from ..remote import Remote
    from ..samples import Samples

INTERVAL_S = 1.0
# How often it is looked whether a link has come back that no further try of ours could make.
_REFUSED_S = 1.0
# From when on a host is told to be silent: a driver that hangs is given up after 12 s there.
_SILENT_S = 15.0
_WATCH_S = 1.0
_SILENT = "nothing has come from it"


@dataclass(frozen=True)
class News:
    """How a host is.

    Attributes:
        state: `connecting`, `ready` or `unreachable`.
        facts: the last sample, also of a host that can't be reached now; empty when there was none.
        why: what keeps it from being reached, and when it is tried again.
        at: when the sample came, by this machine's clock; 0 when there was none.
    """

    state: str
    facts: dict[str, Any]
    why: str = ""
    at: float = 0.0


Told = Callable[[News], None]


class _Ended(Exception):
    """Nobody follows any more."""


class Feed:
    """The samples of one host, for all who follow it.

    Args:
        host: its name.
        interval: seconds between two samples.
    """

    def __init__(self, host: str, interval: float) -> None:
        self.host = host
        self.interval = interval
        self.news = News("connecting", {})
        self.trend = Trend()
        self._followers: list[Told] = []
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._samples: Samples | None = None
        # Made here: what the host asks appears below the cell that wanted it.
        self._remote: Remote = jupyter_remote.connect(host)
        self._begun = False
        self._thread = threading.Thread(target=self._run, name=f"jupyter-remote samples {host}", daemon=True)

    def add(self, told: Told) -> None:
        """Tell one more of each piece of news, in this feed's thread."""
        with self._lock:
            self._followers.append(told)
        if not self._thread.ident:
            self._thread.start()

    def remove(self, told: Told) -> bool:
        """Tell one less; returns whether somebody is left."""
        with self._lock, contextlib.suppress(ValueError):
            self._followers.remove(told)
        return bool(self._followers)

    def look(self) -> None:
        """Tell that the host is silent, when it is: a cut that nobody has noticed, a machine that hangs."""
        news = self.news
        silence = time.time() - news.at
        told = news.state == "unreachable" and not news.why.startswith(_SILENT)
        if news.at and not told and silence > max(_SILENT_S, 3 * self.interval):
            self._unreachable(f"{_SILENT} for {silence:.0f} s")

    def close(self) -> None:
        """End it, on the host too; doesn't wait for the thread."""
        self._ended.set()
        with self._lock:
            samples = self._samples
        if samples is not None:
            with contextlib.suppress(RemoteError):
                samples.close()

    def join(self, seconds: float) -> None:
        """Wait for its thread."""
        if self._thread.ident and self._thread is not threading.current_thread():
            self._thread.join(seconds)

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._take()
            except _Ended:
                return
            except ConnectionLost as error:
                self._unreachable(error.message)
            except RemoteError as error:
                self._unreachable(error.message)
                self._await_somebody()
            except Exception as error:  # a fault of ours: it is shown, and ends nothing else
                self._unreachable(f"{type(error).__name__}: {error}")
                self._ended.wait(_REFUSED_S)

    def _take(self) -> None:
        if self._begun:
            self._remote.link.restore(self._waits)
        else:
            # Only now anybody is asked. After this, what was answered is answered again.
            self._begun = True
            self._remote.connection()
        samples = self._remote.samples(self.interval)
        with self._lock:
            self._samples = samples
        with samples:
            for facts in samples:
                if self._ended.is_set():
                    return
                now = time.time()
                self.trend.add(now, facts)
                self._tell(News("ready", facts, "", now))

    def _waits(self, state: LinkState) -> None:
        if self._ended.is_set():
            raise _Ended
        if state.why:
            again = f"; tried again in {state.retry_in} s" if state.retry_in else "; trying again"
            self._unreachable(f"{state.why}{again}")

    def _await_somebody(self) -> None:
        """After a refusal (a password, a changed key): until the host is used again, or has another entry.

        More tries of ours could lock an account.
        """
        while not self._ended.wait(_REFUSED_S):
            with contextlib.suppress(RemoteError):
                self._remote = jupyter_remote.connect(self.host)
            if self._remote.link.live is not None:
                return
            self._tell(self.news)

    def _unreachable(self, why: str) -> None:
        self._tell(News("unreachable", self.news.facts, why, self.news.at))

    def _tell(self, news: News) -> None:
        self.news = news
        with self._lock:
            followers = list(self._followers)
        for told in followers:
            with contextlib.suppress(Exception):  # one that can't show it keeps no other from it
                told(news)


_feeds: dict[tuple[str, float], Feed] = {}
_feeds_lock = threading.Lock()
_watcher: threading.Thread | None = None
_ending = threading.Event()


def _watch() -> None:
    """The one thread that looks whether all still come; ends when there is none."""
    global _watcher
    while not _ending.wait(_WATCH_S):
        with _feeds_lock:
            feeds = list(_feeds.values())
            if not feeds:
                _watcher = None
                return
        for feed in feeds:
            feed.look()


def follow(host: str, told: Told, interval: float = INTERVAL_S) -> Feed:
    """Tell `told` of a host, in another thread, until `unfollow`; at once what is known already.

    Args:
        host: its name.
        told: called with each sample.
        interval: seconds between two samples.

    Raises:
        UnknownHost, ConfigError: there is no such host.
    """
    global _watcher
    with _feeds_lock:
        feed = _feeds.get((host, interval))
        if feed is None:
            feed = _feeds[host, interval] = Feed(host, interval)
        feed.add(told)
        if _watcher is None:
            _watcher = threading.Thread(target=_watch, name="jupyter-remote samples", daemon=True)
            _watcher.start()
    if feed.news.at:
        told(feed.news)
    return feed


def unfollow(feed: Feed, told: Told) -> None:
    """Tell it no more; the last one ends the samples."""
    with _feeds_lock:
        if feed.remove(told):
            return
        if _feeds.get((feed.host, feed.interval)) is feed:
            del _feeds[feed.host, feed.interval]
    feed.close()


def followed() -> list[str]:
    """The hosts whose samples are taken now."""
    with _feeds_lock:
        return [host for host, _ in _feeds]


@atexit.register
def _close_all() -> None:
    _ending.set()
    with _feeds_lock:
        feeds = list(_feeds.values())
        _feeds.clear()
    for feed in feeds:
        feed.close()
    for feed in feeds:
        feed.join(1.0)
