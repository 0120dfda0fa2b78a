"""The link of a `Remote` to its host: one connection at a time, opened when needed, and again when it broke.

What travels over it is `connection.py`'s business, what is asked there `remote.py`'s.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from .connection import Connection
from .errors import (
    AuthenticationError,
    ConnectError,
    ConnectionLost,
    HostKeyError,
    ProtocolError,
    RemoteError,
)
from .greeting import Address, address_of, greets
from .linkstate import LinkState, Told
from .transports.prompt import RememberingPrompter, front_prompter

if TYPE_CHECKING:
    from .agent import messages as m
    from .config_models import HostConfig
    from .transports import Prompter

# Another try can't help against these.
_FINAL = (AuthenticationError, HostKeyError, ProtocolError)
FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 15.0
# How often it is looked meanwhile whether the host is there again.
PROBE_S = 1.0
# A connection that lived so long is no reason to wait before the next one.
_LIVED_S = 10.0
_TICK = 0.5


class HostLink:
    """The connection to one host, shared by all who need it.

    Args:
        host: the resolved settings.
        ask: who answers questions; None for the terminal or notebook.

    Attributes:
        reopened: called before another connection is opened: what was known through the last one is void.
    """

    def __init__(self, host: HostConfig, ask: Prompter | None = None) -> None:
        self.host = host
        self.reopened: list[Callable[[], None]] = []
        self._ask = RememberingPrompter(ask or front_prompter(host.name))
        self._changed = threading.Condition()
        self._live: Connection | None = None
        self._opened = 0.0
        self._worked = True
        self._opening = False
        self._closed = False
        self._failures = 0
        self._due = 0.0
        self._why = ""
        self._waiters = 0
        self._reopener: threading.Thread | None = None
        self._refused: Exception | None = None
        self._probed: Address | None = None
        self._closers: list[threading.Thread] = []

    @property
    def closed(self) -> bool:
        """Whether it was closed, and not used since."""
        return self._closed

    @property
    def live(self) -> Connection | None:
        """The connection, when there is one."""
        connection = self._live
        return connection if connection is not None and connection.alive else None

    def connection(
        self, first: m.Message | None = None, meanwhile: Callable[[], None] | None = None
    ) -> Connection:
        """The live connection, opened when there is none.

        Args:
            first: a request to send at once when it had to be opened; nobody waits for its answer.
            meanwhile: called while the host's Python starts, when it had to be opened.

        Raises:
            ConnectError, LaunchError, DiskFull: each with its advice.
        """
        with self._changed:
            while self._opening:
                self._changed.wait(_TICK)
            if (live := self.live) is not None:
                return live
            self._opening = True
            self._closed = False
        opened = self._open(self._ask, meanwhile or _load_sync)
        if first is not None:
            opened.tell(first)
        return opened

    def works(self) -> None:
        """Something of use has come over the connection: when it breaks, the next try is made at once."""
        self._worked = True

    def restore(self, told: Told, patience: float | None = None) -> Connection:
        """The connection, after it broke: tried again, less and less often, by one thread for all who wait.

        Nobody is asked anything: what was answered before is answered again.

        Args:
            told: hears how it stands, twice a second.
            patience: seconds after which it is given up; None for never.

        Raises:
            ConnectionLost: it was closed here, or given up.
            RemoteError: another try can't help.
        """
        start = time.monotonic()
        with self._changed:
            if not self._waiters:
                self._refused = None
            self._waiters += 1
        try:
            while True:
                with self._changed:
                    if (live := self.live) is not None:
                        return live
                    if self._refused is not None:
                        raise self._refused
                    self._keep_trying()
                    state = self._state()
                if patience is not None and time.monotonic() - start > patience:
                    raise ConnectionLost(
                        f"the connection to {self.host.name} was lost: {self._why}", host=self.host.name
                    )
                told(state)
                with self._changed:
                    if self.live is None and self._refused is None:
                        self._changed.wait(_TICK)
        finally:
            with self._changed:
                self._waiters -= 1
                self._changed.notify_all()

    def close(self) -> None:
        """Ends the connection; sessions and runs go on."""
        with self._changed:
            self._closed = True
            live, self._live = self._live, None
            self._changed.notify_all()
        if live is not None:
            live.close()
        for thread in (self._reopener, *self._closers):
            if thread is not None and thread is not threading.current_thread():
                thread.join(_LIVED_S)

    def _state(self) -> LinkState:
        now = time.monotonic()
        wait = 0 if self._opening else max(0, round(self._due - now))
        return LinkState(self.host.name, False, wait, self._why)

    def _open(self, ask: Prompter, meanwhile: Callable[[], None]) -> Connection:
        """Opens a connection; `_opening` is ours."""
        try:
            self._bury()
            for forget in self.reopened:
                forget()
            opened = Connection.open(self.host, ask, meanwhile)
        except BaseException:
            with self._changed:
                self._opening = False
                self._changed.notify_all()
            raise
        with self._changed:
            self._opening = False
            self._changed.notify_all()
            if not self._closed:
                self._live, self._opened, self._worked = opened, time.monotonic(), False
                return opened
        opened.close()
        raise ConnectionLost(f"the connection to {self.host.name} was closed here", host=self.host.name)

    def _bury(self) -> str:
        """Closes what is left of a dead connection, which takes its time; returns what was wrong with it."""
        dead, self._live = self._live, None
        if dead is None:
            return ""
        self._closers = [one for one in self._closers if one.is_alive()]
        self._closers.append(threading.Thread(target=dead.close, name="jupyter-remote close", daemon=True))
        self._closers[-1].start()
        return dead.lost_text()

    # Trying again. The lock is held where not said otherwise.

    def _keep_trying(self) -> None:
        if self._closed:
            raise ConnectionLost(f"the connection to {self.host.name} was closed here", host=self.host.name)
        if self._live is not None and not self._opening:
            self._probed = address_of(self._live.transport)
            self._why = self._bury()
            useful = self._worked or time.monotonic() - self._opened > _LIVED_S
            self._failures = 0 if useful else self._failures + 1
            self._due = time.monotonic() + self._delay()
        if self._reopener is None:
            self._reopener = threading.Thread(
                target=self._reopen, name=f"jupyter-remote reconnect {self.host.name}", daemon=True
            )
            self._reopener.start()

    def _delay(self) -> float:
        if not self._failures:
            return 0.0
        # Clients that lost the same host must not come back all at the same moment.
        return min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** (self._failures - 1)) * random.uniform(0.75, 1.0)

    def _reopen(self) -> None:
        """Tries until there is a connection, or nobody wants one. A thread of its own, without the lock."""
        while self._claim():
            try:
                self._open(self._ask.replay(), _load_sync)
            except Exception as error:
                with self._changed:
                    self._why = error.message if isinstance(error, RemoteError) else repr(error)
                    if _final(error):
                        self._refused = error
                    self._failures += 1
                    self._due = time.monotonic() + self._delay()
                    self._changed.notify_all()

    def _claim(self) -> bool:
        while True:
            with self._changed:
                if not self._waiters or self._closed or self.live is not None or self._refused is not None:
                    self._reopener = None
                    return False
                if not self._opening and time.monotonic() >= self._due:
                    self._opening = True
                    return True
                left = self._due - time.monotonic()
                self._changed.wait(_TICK if self._opening else max(0.0, min(left, PROBE_S)))
            if self._probed is not None and not self._opening and greets(self._probed):
                # Once: when the login fails although the host is there, it is tried ever more seldom.
                self._probed, self._due = None, time.monotonic()


def _load_sync() -> None:
    """Loads what the first cell needs here."""
    from .sync import session as _  # noqa: F401


def _final(error: Exception) -> bool:
    return isinstance(error, _FINAL) or not isinstance(error, ConnectError)
