"""The one place where the event loop meets the blocking core: work goes to threads, news come back to it.

There are two lanes, so that hosts which don't answer never keep the history or the configuration waiting. The
threads are daemons: one that waits for a dead host doesn't keep the server from ending.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from .problems import Busy

T = TypeVar("T")

# What waits for a thread beyond this is refused.
LONGEST_QUEUE = 500
_IDLE_S = 10.0


class Lane:
    """Some threads for one kind of work; they are started when needed and end when idle.

    Args:
        name: of the threads.
        threads: at most so many.
    """

    def __init__(self, name: str, threads: int) -> None:
        self._name = name
        self._most = threads
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._closed = False

    def submit(self, work: Callable[[], None]) -> None:
        """Has it done by the next free thread.

        Raises:
            Busy: too much waits already, or the server ends.
        """
        with self._lock:
            if self._closed or self._work.qsize() > LONGEST_QUEUE:
                raise Busy("the server has too much to do")
            self._work.put(work)
            if self._work.qsize() > self._idle and len(self._threads) < self._most:
                thread = threading.Thread(
                    target=self._serve, name=f"jupyter-remote {self._name}", daemon=True
                )
                self._threads.append(thread)
                thread.start()

    def _serve(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
            try:
                work = self._work.get(timeout=_IDLE_S)
            except queue.Empty:
                work = None
            with self._lock:
                self._idle -= 1
                if work is None and (self._closed or self._work.empty()):
                    self._threads.remove(threading.current_thread())
                    return
            if work is not None:
                work()

    def close(self) -> list[threading.Thread]:
        """Takes no more work, and drops what waits; returns the threads that may still be busy."""
        with self._lock:
            self._closed = True
            while not self._work.empty():
                self._work.get_nowait()
            for _ in self._threads:
                self._work.put(None)
            return list(self._threads)


class Bridge:
    """From the loop to threads and back.

    Args:
        loop: the server's.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._here = Lane("here", 4)
        self._there = Lane("hosts", 32)

    async def here(self, work: Callable[..., T], *args: object) -> T:
        """What `work` returns, in a thread for quick things: files and the local history.

        Raises:
            Busy: too much waits already.
        """
        return await self._run(self._here, work, args)

    async def there(self, work: Callable[..., T], *args: object) -> T:
        """The same for what talks to a host, and may take as long as a host likes.

        Raises:
            Busy: too much waits already.
        """
        return await self._run(self._there, work, args)

    def start(self, work: Callable[[], None]) -> None:
        """As `there`, for who doesn't wait; `work` must not raise.

        Raises:
            Busy: too much waits already.
        """
        self._there.submit(work)

    def post(self, news: Callable[..., object], *args: object) -> None:
        """Calls it in the loop, soon; from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended, and nobody is left to be told
            self._loop.call_soon_threadsafe(news, *args)

    async def _run(self, lane: Lane, work: Callable[..., T], args: tuple[object, ...]) -> T:
        done: asyncio.Future[T] = self._loop.create_future()

        def do() -> None:
            try:
                result = work(*args)
            except BaseException as error:
                self.post(_fail, done, error)
            else:
                self.post(_settle, done, result)

        lane.submit(do)
        return await done

    async def close(self, patience: float) -> None:
        """Ends the threads; those that hang after so many seconds are left alone."""
        threads = [*self._here.close(), *self._there.close()]
        until = time.monotonic() + patience
        while any(thread.is_alive() for thread in threads) and time.monotonic() < until:
            await asyncio.sleep(0.02)


def _settle(done: asyncio.Future[T], result: T) -> None:
    if not done.done():
        done.set_result(result)


def _fail(done: asyncio.Future[T], error: BaseException) -> None:
    if not done.done():
        done.set_exception(error)
