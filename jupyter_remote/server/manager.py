"""What the pages of one server share: hosts, runs, operations, questions, and what keeps them fresh.

Handlers ask this, and it asks the core through the bridge. It is made with the first request.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import pool
from ..agent.version import PROTOCOL, VERSION
from ..config_edit import remove_host, set_host
from ..errors import RemoteError
from ..transports import prompt
from ..whereabouts import Found
from . import artifacts
from .batch import Batch
from .belongings import Belongings
from .bridge import Bridge
from .curves import Curves, link_to
from .following import Following
from .forwards import Forwards
from .host_actions import HostActions
from .host_book import HostBook
from .hub import Hub
from .operations import Operation, Operations, Work
from .problems import Busy
from .prompts import Prompts
from .run_actions import RunActions
from .run_book import RunBook

LOG = logging.getLogger(__name__)

# How often links, files and the history are looked at while anybody is there.
TICK_S = 1.0
# How often hosts are asked how their runs stand.
REFRESH_S = 10.0
# How long the end of the server may wait for threads.
PATIENCE_S = 5.0


class Manager:
    """The pages' side of this process.

    Args:
        root: the server's folder.
        interval: seconds between two samples of a host.
        idle_timeout: seconds after which a link that nobody uses is closed.
        prompt_timeout: seconds that a question waits.
        output_limit: bytes that are kept of one run's output.
    """

    def __init__(
        self,
        root: Path,
        *,
        interval: float = 1.0,
        idle_timeout: float = 600.0,
        prompt_timeout: float = 300.0,
        output_limit: int = 1 << 30,
    ) -> None:
        self.hub = Hub()
        self.bridge = Bridge(asyncio.get_running_loop())
        self.prompts = Prompts(self.hub, self.bridge, prompt_timeout)
        self.operations = Operations(self.hub, self.bridge, self.prompts)
        self.hosts = HostBook(root, self.hub, self.bridge, interval)
        self.runs = RunBook(root, self.hub, self.bridge)
        self.following = Following(self.bridge, self.prompts, output_limit, self.hub.wake)
        self.host_actions = HostActions(self.hosts, self.bridge, self.operations)
        self.run_actions = RunActions(root, lambda found: self.bridge.post(self._begun, found))
        self.belongings = Belongings(root, self.hub, self.bridge)
        self.forwards = Forwards(root, lambda: self.bridge.post(self.look_soon))
        self.batch = Batch(self.run_actions.work)
        self.curves = Curves()
        # What each page watches: hosts by name, runs by id.
        self.wishes: dict[object, Callable[[], tuple[set[str], set[str]]]] = {}
        self._idle_timeout = idle_timeout
        self._refreshed = 0.0
        self._refreshing: set[str] = set()
        self._front, prompt.front = prompt.front, self.operations.asker
        self._news = asyncio.Event()
        self._task = asyncio.create_task(self._keep_fresh())

    def version(self) -> dict[str, Any]:
        """``Version`` of rest-api.yml."""
        return {"version": VERSION, "protocol": PROTOCOL, "api": 1, "server": self.hub.server}

    async def hello(self) -> dict[str, Any]:
        """The whole state, for a page that begins."""
        await self.runs.check()  # what happens after this moment is told
        hosts = await self.hosts.listing()
        facts = {"seq": self.hub.seq, "server": self.hub.server, "resumed": False}
        operations, prompts = self.operations.listing(), self.prompts.listing()
        lists = {"operations": operations, "prompts": prompts, **await self.belongings.forwards()}
        return {"subject": "hello", **facts, "hosts": hosts, **lists}

    async def output(self, run_id: str, from_line: int, lines: int) -> dict[str, Any]:
        """``Output`` of rest-api.yml: some lines of a run, which is followed from now on.

        Raises:
            NotFound: there is no such run.
            Busy: too many are followed.
        """
        output = self.following.get(await self.runs.find(run_id))
        return await self.bridge.here(output.page, from_line, lines)

    async def cell(self, run_id: str) -> dict[str, Any]:
        """``CellOutputs`` of rest-api.yml; errors as `output`."""
        found = await self.runs.find(run_id)
        cell = await self.bridge.here(self.following.get(found).cell)
        return {**cell, "host": found.host}

    async def display(self, run_id: str, number: int) -> dict[str, Any] | None:
        """``Display`` of rest-api.yml, None when there is none of that number; errors as `output`."""
        return self.following.get(await self.runs.find(run_id)).display(number)

    async def metrics(self, run_id: str, points: int, name: str | None) -> dict[str, Any]:
        """``Metrics`` of rest-api.yml.

        Raises:
            NotFound: there is no such run, or no such metric.
        """
        found = await self.runs.find(run_id)
        return await self.bridge.there(self.curves.document, found, points, name)

    async def compared(self, run_ids: Sequence[str], metric: str | None, points: int) -> dict[str, Any]:
        """``Comparison`` of rest-api.yml.

        Raises:
            NotFound: there is no such run.
        """
        founds = [await self.runs.find(one) for one in dict.fromkeys(run_ids)]
        return await self.bridge.there(self.curves.compared, founds, metric, points)

    async def artifact_list(self, run_id: str) -> dict[str, Any]:
        """``Artifacts`` of rest-api.yml.

        Raises:
            NotFound: there is no such run.
        """
        found = await self.runs.find(run_id)
        return await self.bridge.there(artifacts.listing, found, link_to(found.host))

    async def artifact(self, run_id: str, path: str) -> artifacts.Download:
        """One of them; errors as `artifacts.opened`."""
        return await self.bridge.here(artifacts.opened, await self.runs.find(run_id), path)

    async def add_host(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Saves a host and asks it nothing; returns ``Host``.

        Raises:
            NotNow: there is one of that name.
            UsageError, ConfigError: a value can't be used.
        """
        name = await self.bridge.here(self.host_actions.save, wanted)
        self.look_soon()
        return await self.hosts.document(name)

    async def change_host(self, name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Changes settings in hosts.yaml; returns ``HostDetail``.

        Raises:
            UnknownHost: there is no such host.
            ConfigError: a key or a value is not valid.
        """
        await self.hosts.document(name)
        await self.bridge.here(set_host, name, settings)
        self.look_soon()
        return await self.hosts.detail(name)

    async def remove_host(self, name: str) -> None:
        """Takes a host out of hosts.yaml.

        Raises:
            UnknownHost: there is no such host.
            ConfigError: it is not defined there.
        """
        await self.hosts.document(name)
        await self.bridge.here(remove_host, name)
        self.look_soon()

    def then_look(self, kind: str, host: str, work: Work) -> Work:
        """The same work; then all pages are told what it has changed: campaigns or environments."""

        def both(operation: Operation) -> dict[str, Any] | None:
            try:
                return work(operation)
            finally:
                self.belongings.look(kind, host)

        return both

    def look_soon(self) -> None:
        """Looks now what has changed, and not at the next tick."""
        self._news.set()

    def _begun(self, found: Found) -> None:
        with contextlib.suppress(Busy):  # it is followed when somebody looks at it
            self.following.get(found)
        self.look_soon()

    # What keeps it fresh.

    async def _keep_fresh(self) -> None:
        while True:
            self._news.clear()
            try:
                await self._look()
            except RemoteError as error:
                LOG.debug("jupyter_remote: %s", error.message)
            except Exception:  # a fault of ours must not end it
                LOG.exception("jupyter_remote: a look at hosts and runs failed")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), TICK_S)

    async def _look(self) -> None:
        hosts, runs = set[str](), set[str]()
        for wishes in self.wishes.values():
            some_hosts, some_runs = wishes()
            hosts |= some_hosts
            runs |= some_runs
        self.following.sweep(runs)
        going_on = {str(one["host"]) for one in self.operations.listing() if one["state"] == "running"}
        busy = self.following.hosts() | self.forwards.hosts() | going_on
        self.hosts.look(busy, self._idle_timeout)
        self.hosts.watch(hosts)
        if not self.hub.listeners:
            return
        await self.hosts.check(await self.runs.check())
        await self.belongings.check_forwards()
        self.hosts.ask()
        if time.monotonic() - self._refreshed > REFRESH_S:
            self._refreshed = time.monotonic()
            for host in self.runs.unfinished_hosts() - self._refreshing:
                self._refresh(host)

    def _refresh(self, host: str) -> None:
        def work() -> None:
            try:
                self.runs.ask(host)
                self.belongings.look_again(host)
            except Exception:  # a fault of ours; who waits for it is nobody
                LOG.exception("jupyter_remote: the runs of %s could not be looked at", host)
            finally:
                self.bridge.post(self._refreshing.discard, host)

        try:
            self.bridge.start(work)
            self._refreshing.add(host)
        except Busy:
            pass  # the next look does it

    async def close(self) -> None:
        """Ends links and threads; sessions and runs go on. It takes seconds at most."""
        self._task.cancel()
        prompt.front = self._front
        self.prompts.close()
        threads = [*self.following.close(), *self.hosts.close(), *self.forwards.close()]
        for link in pool.links():
            threads.append(threading.Thread(target=link.close, name="jupyter-remote close", daemon=True))
            threads[-1].start()
        until = time.monotonic() + PATIENCE_S
        while any(thread.is_alive() for thread in threads) and time.monotonic() < until:
            await asyncio.sleep(0.02)
        await self.bridge.close(PATIENCE_S)
