"""One page at the other end of a websocket: what it wants, what it knows, and what it is told next.

A page is told what has changed since it was told last, whenever its socket has room. So a slow page gets
fewer and fuller messages, holds up nobody, and nothing piles up for it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from ..errors import RemoteError
from ..whereabouts import Found
from . import contract
from .manager import Manager
from .models import is_whole, sample_change
from .output import Output
from .problems import BadRequest, Invalid, problem_of

# What comes within this time of the last message is told together.
TOGETHER_S = 0.1
LARGEST = 1 << 16

Send = Callable[[str], Awaitable[None]]


class Page:
    """One page.

    Args:
        manager: of the server.
        send: writes a message, and returns when there is room for another.
        since: the last event that the page has, if it was connected before.
        check: whether messages are compared with rest-api.yml.
    """

    def __init__(self, manager: Manager, send: Send, since: int | None, *, check: bool = False) -> None:
        self._manager = manager
        self._hub = manager.hub
        self._send = send
        self._seq = since
        self._comes_back = since is not None
        self._check = check
        self._news = asyncio.Event()
        # What the page knows of each host that it watches.
        self._samples: dict[str, dict[str, Any] | None] = {}
        # Of each run: its output, the version that the page knows, its settled lines then.
        self._outputs: dict[str, tuple[Found, Output | None, int, int]] = {}
        self._problems: list[dict[str, Any]] = []

    async def run(self) -> None:
        """Tells the page what happens until this is cancelled."""
        self._hub.listen(self._news.set)
        self._manager.wishes[self] = lambda: (set(self._samples), set(self._outputs))
        try:
            self._manager.look_soon()
            while True:
                async for message in self._messages():
                    await self._send(self._text(message))
                await asyncio.sleep(TOGETHER_S)
                await self._news.wait()
                self._news.clear()
        finally:
            self._hub.leave(self._news.set)
            self._manager.wishes.pop(self, None)

    async def hear(self, text: str | bytes) -> None:
        """Takes a message of the page."""
        try:
            await self._heed(_read(text))
        except RemoteError as error:
            self._problem(None, error)
        self._news.set()

    async def _heed(self, wanted: dict[str, Any]) -> None:
        for topic in wanted.get("unsubscribe", ()):
            kind, _, name = topic.partition(":")
            (self._samples if kind == "samples" else self._outputs).pop(name, None)
        for topic in wanted.get("subscribe", ()):
            kind, _, name = topic.partition(":")
            if kind == "samples":
                self._samples[name] = None
                continue
            try:
                found = await self._manager.runs.find(name)
                settled = int(wanted.get("lines", {}).get(name, 0))
                self._outputs[name] = found, self._manager.following.get(found), 0, settled
            except RemoteError as error:
                self._problem(topic, error)
        self._manager.look_soon()

    def _problem(self, topic: str | None, error: RemoteError) -> None:
        self._problems.append({"subject": "problem", "topic": topic, "problem": problem_of(error)})
        del self._problems[:-20]

    async def _messages(self) -> AsyncIterator[dict[str, Any]]:
        if self._seq is None or not self._hub.has(self._seq):
            hello = await self._manager.hello()
            self._seq = hello["seq"]
            yield hello
        elif self._comes_back:
            yield {"subject": "hello", "seq": self._seq, "server": self._hub.server, "resumed": True}
        self._comes_back = False
        for event in self._hub.since(self._seq):
            self._seq = event["seq"]
            yield event
        while self._problems:
            yield self._problems.pop(0)
        for message in [*self._sampled(), *self._printed()]:
            yield message

    def _sampled(self) -> Iterator[dict[str, Any]]:
        for host, before in list(self._samples.items()):
            now = self._manager.hosts.sample(host)
            if now is None or now is before:
                continue
            change = sample_change(before, now)
            if change is not None:
                self._samples[host] = now
                whole = before is None or is_whole(change, now)
                yield {"subject": "sample", "host": host, "whole": whole, "sample": change}

    def _printed(self) -> Iterator[dict[str, Any]]:
        for run_id, (found, output, version, settled) in list(self._outputs.items()):
            now = self._manager.following.known(run_id)
            if now is not output:
                version = 0  # it was let go of, and is followed anew
            event = None if now is None else now.news(version, settled)
            if now is not None and event is not None:
                self._outputs[run_id] = found, now, now.version, event["settled"]
                yield event

    def _text(self, message: dict[str, Any]) -> str:
        if self._check:
            contract.check(contract.schema("ServerMessage"), message)
        return json.dumps(message, allow_nan=False)


def _read(text: str | bytes) -> dict[str, Any]:
    if len(text) > LARGEST:
        raise BadRequest("the message is too long")
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the message is no JSON: {error}") from None
    if not isinstance(message, dict):
        raise Invalid("the message is no object")
    contract.check(contract.schema("PageMessage"), message)
    return message
