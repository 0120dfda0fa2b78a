"""`host_status`: gauges of hosts that follow them while somebody looks. Their samples are `sampler.py`'s."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from ..call import named_hosts
from ..errors import RemoteError
from ..many import ask_all
from ..samples import check_interval
from . import gauges, sampler
from .audience import Audience
from .looks import STYLE, Html, box
from .sampler import INTERVAL_S, News
from .shown import Shown
from .trend import Trend

if TYPE_CHECKING:
    import ipywidgets

    from .sampler import Feed

# Faster than this nobody reads, and a page has better things to do.
_LEAST_S = 0.2
# How long the display waits for the hosts' first words, so that the static copy has them.
_FIRST_S = 2.0


def host_status(*hosts: str, interval: float = INTERVAL_S) -> HostStatus:
    """Gauges of hosts: processors, memory, disk, and each GPU with who uses it.

    They follow the hosts while the notebook shows them, rest when nobody looks, and are grey while a host
    can't be reached. What a host asks (a password, its key) is asked below the cell.

    Args:
        hosts: names, `@group` or `a,b`; all that have an entry when there are none.
        interval: seconds between two samples.

    Raises:
        UnknownHost, ConfigError: there is no such host.
        UsageError: the interval is no time.
    """
    return HostStatus(named_hosts(hosts), interval)


class HostStatus(Shown):
    """What `host_status` returns.

    Args:
        hosts: their names.
        interval: seconds between two samples.
    """

    def __init__(self, hosts: list[str], interval: float = INTERVAL_S) -> None:
        super().__init__()
        check_interval(interval)
        self.hosts = hosts
        self.interval = interval
        self._news = {host: News("connecting", {}) for host in hosts}
        self._trends = {host: Trend() for host in hosts}
        # The same objects are given to the sampler and taken from it.
        self._tellers = {host: partial(self._take, host) for host in hosts}
        self._feeds: dict[str, Feed] = {}
        self._pages: dict[str, ipywidgets.HTML] = {}
        self._drawn = dict.fromkeys(hosts, 0.0)
        self._audience: Audience | None = None
        self._changing = threading.RLock()
        self._first = threading.Condition()
        self._waited = False

    def __repr__(self) -> str:
        return f"<HostStatus {', '.join(self.hosts)}>"

    def text(self) -> str:
        self._await_first()
        return gauges.words_of(self._news)

    def html(self) -> Html:
        self._await_first()
        parts = [gauges.host_html(host, self._news[host], self._trends[host]) for host in self.hosts]
        when = time.strftime("%Y-%m-%d %H:%M:%S")
        return Html("".join([*parts, box(Html(f'<div class="jr-small">As it was at {when}.</div>'))]))

    def build(self) -> ipywidgets.DOMWidget:
        import ipywidgets

        for host in self.hosts:
            page = gauges.host_html(host, self._news[host], self._trends[host])
            self._pages[host] = ipywidgets.HTML(page)
        whole = ipywidgets.VBox([ipywidgets.HTML(STYLE), *self._pages.values()])
        self._audience = Audience(whole, self.resume)
        self.resume()
        return whole

    def resume(self) -> None:
        """Follow the hosts, as when somebody looks at them; no matter when they are followed."""
        with self._changing:
            if self._feeds:
                return
            for host, told in self._tellers.items():
                feed = self._feeds[host] = sampler.follow(host, told, self.interval)
                self._trends[host] = feed.trend

    def pause(self, why: str = "asked for") -> None:
        """Follow them no more, and say `why`, until `resume`, or until somebody looks again."""
        with self._changing:
            feeds, self._feeds = self._feeds, {}
        for host, feed in feeds.items():
            sampler.unfollow(feed, self._tellers[host])
            self._draw(host, why)
        if feeds:
            self.keep_copy()

    @property
    def following(self) -> bool:
        """Whether the hosts are followed now."""
        return bool(self._feeds)

    def _take(self, host: str, news: News) -> None:
        """In the thread of the host's feed."""
        before = self._news[host]
        self._news[host] = news
        if before.state == "connecting" != news.state:
            self._told_first()
        if news.state != before.state or time.monotonic() - self._drawn[host] >= _LEAST_S:
            self._draw(host)
        if self._audience is not None and (why := self._audience.away()):
            self.pause(why)

    def _draw(self, host: str, paused: str = "") -> None:
        self._drawn[host] = time.monotonic()
        if (page := self._pages.get(host)) is not None:
            page.value = gauges.host_html(host, self._news[host], self._trends[host], paused)

    def _told_first(self) -> None:
        with self._first:
            self._first.notify_all()
        if self._waited and self._all_told():
            self.keep_copy()  # which was made before the last of them had answered

    def _all_told(self) -> bool:
        return all(news.state != "connecting" for news in self._news.values())

    def _await_first(self) -> None:
        """Have something to show; only the first time it is waited for."""
        if self._waited:
            return
        if self._feeds:
            with self._first:
                self._first.wait_for(self._all_told, _FIRST_S)
        else:
            for host, answer in ask_all(self.hosts, lambda remote: remote.status()):
                if isinstance(answer, RemoteError):
                    self._news[host] = News("unreachable", {}, answer.message)
                else:
                    self._news[host] = News("ready", answer, "", time.time())
        self._waited = True
