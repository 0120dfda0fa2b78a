"""The hosts as they are known here, at once: what is configured, how the links are, what was seen last.

What is done with a host is in `host_actions.py`. Everything here is called in the loop, unless it says so.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jupyter_remote

from .. import history, pool
from ..config import Config
from ..config_models import HostConfig
from ..errors import ConfigError, ConnectionLost, HistoryError, RemoteError
from ..hosts.registry import KINDS
from .bridge import Bridge
from .hub import Hub
from .models import sample_document, session_document
from .problems import Busy, problem_of
from .sampler import Sampler

# How often a connected host is asked for its disks and sessions, while a page is open.
STATUS_S = 15.0
# And so long after its runs have changed.
SOON_S = 1.0
_SECRET = ("env",)


@dataclass
class _Known:
    """What is known of one host beyond its settings."""

    state: str = "unknown"
    reason: dict[str, Any] | None = None
    since: float | None = None
    seen: float | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    sample: dict[str, Any] | None = None
    disk: dict[str, Any] | None = None
    sessions: list[dict[str, Any]] = field(default_factory=list)
    asked: float = 0.0
    asking: bool = False
    idle_since: float = 0.0


class HostBook:
    """All hosts.

    Args:
        root: the server's folder, whose configuration counts.
        hub: tells the pages.
        bridge: has the threads.
        interval: seconds between two samples.
    """

    def __init__(self, root: Path, hub: Hub, bridge: Bridge, interval: float) -> None:
        self.root = root
        self._hub = hub
        self._bridge = bridge
        self._interval = interval
        self._known: dict[str, _Known] = {}
        self._shown: dict[str, dict[str, Any]] = {}
        self._samplers: dict[str, Sampler] = {}
        self._config: object = None

    def config(self) -> Config:
        """What is configured; from any thread.

        Raises:
            ConfigError: a file is not valid.
        """
        return Config.load(self.root)

    def sample(self, name: str) -> dict[str, Any] | None:
        """The last sample of a host."""
        known = self._known.get(name)
        return None if known is None else known.sample

    async def listing(self) -> dict[str, Any]:
        """``Hosts`` of rest-api.yml."""
        try:
            configured, groups = await self._bridge.here(_configured, self.root)
            problem = None
        except ConfigError as error:
            shown = [self._known_document(entry) for entry in self._shown.values()]
            return {"hosts": shown, "groups": {}, "problem": problem_of(error)}
        self._shown = configured
        hosts = [self._known_document(entry) for entry in configured.values()]
        return {"hosts": hosts, "groups": groups, "problem": problem}

    async def document(self, name: str) -> dict[str, Any]:
        """``Host`` of rest-api.yml.

        Raises:
            UnknownHost: there is no such host.
            ConfigError: the configuration is not valid.
        """
        entry = await self._bridge.here(_one, self.root, name)
        self._shown[name] = entry
        return self._known_document(entry)

    async def detail(self, name: str) -> dict[str, Any]:
        """``HostDetail`` of rest-api.yml; errors as `document`."""
        settings, sources = await self._bridge.here(_settings, self.root, name)
        return {**await self.document(name), "settings": settings, "sources": sources}

    def sessions(self, host: str | None) -> list[dict[str, Any]]:
        """The sessions that were last seen."""
        names = self._known if host is None else [host]
        return [one for name in names if name in self._known for one in self._known[name].sessions]

    async def check(self, runs_changed: bool) -> None:
        """Tells the pages what has changed in the configuration and in the numbers of runs.

        Args:
            runs_changed: whether these may have.
        """
        config = await self._bridge.here(_loaded, self.root)
        if config == self._config and not runs_changed:
            return
        first, self._config = self._config is None, config
        before = self._shown
        told = await self.listing()
        if first:
            return  # pages that are there have asked for all of them
        for name in before.keys() - self._shown.keys():
            self._hub.publish("host", name, name=name, host=None)
        for host in told["hosts"]:
            if before.get(host["name"]) != self._shown[host["name"]]:
                self._hub.publish("host", host["name"], name=host["name"], host=host)
                self._ask_soon(host["name"])

    # How the links are.

    def connecting(self, name: str) -> None:
        """A link is being made."""
        self._set(name, "connecting")

    def failed(self, name: str, error: RemoteError) -> None:
        """It could not be made."""
        self._set(name, "down", problem_of(error))

    def connected(self, name: str, facts: Mapping[str, Any] | None = None) -> None:
        """It stands.

        Args:
            name: of the host.
            facts: what the agent said first.
        """
        known = self._known.setdefault(name, _Known())
        if facts:
            names = ("python", "platform", "machine", "version", "hostname", "user")
            known.facts = {key: facts[key] for key in names if facts.get(key) is not None}
        known.seen = time.time()
        self._set(name, "connected")

    def learned(self, name: str, status: Mapping[str, Any]) -> None:
        """What a host says of itself."""
        known = self._known.setdefault(name, _Known())
        known.seen = time.time()
        if known.sample is None or name not in self._samplers:
            known.sample = sample_document({"time": time.time(), **status})
        known.disk = dict(status.get("disk") or {})
        before = known.sessions
        known.sessions = [session_document(name, one) for one in status.get("sessions") or ()]
        if [_lasting(one) for one in before] != [_lasting(one) for one in known.sessions]:
            self._publish(name)

    def look(self, busy: set[str], idle_timeout: float) -> None:
        """Sees which links have come, gone, or are not used any more.

        Args:
            busy: hosts whose links are in use.
            idle_timeout: seconds after which a link that nobody uses is closed.
        """
        links: dict[str, list[Any]] = {}
        for link in pool.links():
            links.setdefault(link.host.name, []).append(link)
        now = time.monotonic()
        for name, these in links.items():
            known = self._known.setdefault(name, _Known())
            live = next((link for link in these if link.live is not None), None)
            if live is not None and known.state != "connected":
                self.connected(name, live.live.hello if live.live is not None else None)
            elif live is None and known.state == "connected":
                if all(link.closed for link in these):
                    self._set(name, "unknown")
                else:
                    lost = ConnectionLost(f"the connection to {name} was lost", host=name)
                    self.failed(name, lost)
                    self._restore(these[-1])
            if live is None or name in busy or name in self._samplers:
                known.idle_since = now
            elif now - known.idle_since > idle_timeout:
                for link in these:
                    self._start(link.close)

    def ask(self) -> None:
        """Asks connected hosts for what changes slowly, now and then."""
        now = time.monotonic()
        for name, known in self._known.items():
            if known.state == "connected" and not known.asking and now - known.asked > STATUS_S:
                known.asked, known.asking = now, True
                self._start(lambda name=name: self._status(name))  # type: ignore[misc]

    def _ask_soon(self, name: str) -> None:
        """Runs of it have begun or ended, and with them sessions are busy or free."""
        known = self._known.get(name)
        if known is not None:
            known.asked = min(known.asked, time.monotonic() - STATUS_S + SOON_S)

    def watch(self, wanted: set[str]) -> None:
        """Takes samples of these hosts, as far as there are links, and of no others."""
        for name, sampler in list(self._samplers.items()):
            if name not in wanted or not sampler.alive:
                sampler.close()
                del self._samplers[name]
        for name in wanted:
            known = self._known.get(name)
            if known is not None and known.state == "connected" and name not in self._samplers:
                self._samplers[name] = Sampler(name, self.root, self._interval, self._sampled)

    def close(self) -> list[Any]:
        """Ends the samplers; returns their threads."""
        for sampler in self._samplers.values():
            sampler.close()
        return [sampler.thread for sampler in self._samplers.values()]

    # In threads.

    def _sampled(self, name: str, facts: dict[str, Any]) -> None:
        self._bridge.post(self._take_sample, name, facts)

    def _status(self, name: str) -> None:
        try:
            remote = jupyter_remote.connect(name, workspace=self.root)
            if remote.link.live is not None:
                self._bridge.post(self.learned, name, remote.status())
        except RemoteError:
            pass  # the link breaks, and that is seen
        finally:
            self._bridge.post(self._asked, name)

    def _restore(self, link: Any) -> None:
        """Makes a broken link again, with what was answered before; nobody is asked."""

        def work() -> None:
            try:
                link.restore(lambda state: None, 60.0)
            except RemoteError as error:
                if not link.closed:
                    self._bridge.post(self.failed, link.host.name, error)

        self._start(work)

    # In the loop.

    def _asked(self, name: str) -> None:
        self._known[name].asking = False

    def _take_sample(self, name: str, facts: dict[str, Any]) -> None:
        known = self._known.setdefault(name, _Known())
        # Who uses a card is told by session where that is known.
        known.sample, known.seen = sample_document(facts), time.time()
        self._hub.wake()

    def _start(self, work: Callable[[], None]) -> None:
        with contextlib.suppress(Busy):  # the next look does it
            self._bridge.start(work)

    def _set(self, name: str, state: str, reason: dict[str, Any] | None = None) -> None:
        known = self._known.setdefault(name, _Known())
        if (known.state, known.reason) != (state, reason):
            known.state, known.reason, known.since = state, reason, time.time()
            if state == "connected":
                known.asked, known.idle_since = 0.0, time.monotonic()
            self._publish(name)

    def _publish(self, name: str) -> None:
        entry = self._shown.get(name)
        if entry is not None:
            self._hub.publish("host", name, name=name, host=self._known_document(entry))

    def _known_document(self, entry: dict[str, Any]) -> dict[str, Any]:
        known = self._known.get(entry["name"]) or _Known()
        names = ("state", "reason", "since", "seen", "sample", "disk", "sessions")
        document = {**entry, **{name: getattr(known, name) for name in names}}
        document["facts"] = {**entry["facts"], **known.facts}
        return document


def _lasting(session: Mapping[str, Any]) -> dict[str, Any]:
    """A session without what changes by itself."""
    return {key: value for key, value in session.items() if key not in ("idle_seconds", "ends_in")}


# Files and the local history, in a thread.


def _configured(root: Path) -> tuple[dict[str, dict[str, Any]], dict[str, list[str]]]:
    config = Config.load(root)
    counts = _unfinished()
    names = [*config.names(), *config.aliases()]
    entries = {name: entry for name in names if (entry := _entry(config, name, counts)) is not None}
    return entries, {name: list(members) for name, members in config.groups.items()}


def _loaded(root: Path) -> object:
    """The configuration, the same object as long as no file has changed; what is wrong with it as a text."""
    try:
        return Config.load(root)
    except ConfigError as error:
        return str(error)


def _one(root: Path, name: str) -> dict[str, Any]:
    config = Config.load(root)
    config.host(name)
    entry = _entry(config, name, _unfinished())
    assert entry is not None
    return entry


def _unfinished() -> dict[str, int]:
    try:
        return history.store().unfinished_counts()
    except HistoryError:
        return {}  # it is told where runs are listed


def _entry(config: Config, name: str, counts: Mapping[str, int]) -> dict[str, Any] | None:
    try:
        host = config.host(name)
    except ConfigError:
        return None  # one bad entry must not hide the others; `doctor` and the magics say what is wrong
    return {
        "name": name,
        "kind": host.type,
        "groups": [group for group, members in config.groups.items() if name in members],
        "address": _address(host),
        "defined_in": config.where(name),
        "can_start": KINDS[host.type].machine is not None,
        "facts": dict(host.facts),
        "runs": counts.get(name, 0),
    }


def _address(host: HostConfig) -> str:
    if host.type == "command":
        return " ".join(host.command)
    if host.type == "local":
        return "this machine"
    user = f"{host.user}@" if host.user else ""
    port = f":{host.port}" if host.port else ""
    return f"{user}{host.destination}{port}"


def _settings(root: Path, name: str) -> tuple[dict[str, Any], dict[str, str]]:
    config = Config.load(root)
    settings = config.host(name).model_dump(mode="json", exclude={"name"})
    for key in _SECRET:
        # Values of variables are nobody's business here, and may be secrets.
        settings[key] = dict.fromkeys(settings.get(key) or {}, "…")
    return settings, config.sources(name)
