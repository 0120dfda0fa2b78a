"""The link of a `Remote` to its host: one connection at a time, opened when needed, and again when it broke.

What travels over it is `connection.py`'s business, what is asked there `remote.py`'s.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from .connection import Connection
from .transports.prompt import TerminalPrompter

if TYPE_CHECKING:
    from .agent import messages as m
    from .config_models import HostConfig
    from .transports import Prompter


class HostLink:
    """The connection to one host, shared by all who need it.

    Args:
        host: the resolved settings.
        ask: who answers questions; None for the terminal or notebook.
        reopened: called before another connection is opened: what was known through the last one is void.
    """

    def __init__(self, host: HostConfig, ask: Prompter | None, reopened: Callable[[], None]) -> None:
        self.host = host
        self._ask = ask or TerminalPrompter()
        self._reopened = reopened
        self._live: Connection | None = None
        self._lock = threading.RLock()
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether it was closed, and not used since."""
        return self._closed

    def connection(self, first: m.Message | None = None) -> Connection:
        """The live connection, opened when there is none.

        Args:
            first: a request to send at once when it had to be opened; nobody waits for its answer.

        Raises:
            ConnectError, LaunchError, DiskFull: each with its advice.
        """
        with self._lock:
            if self._live is None or not self._live.alive:
                if self._live is not None:
                    self._live.close()
                self._reopened()
                self._live = Connection.open(self.host, self._ask)
                self._closed = False
                if first is not None:
                    self._live.request(first)
            return self._live

    def close(self) -> None:
        """Ends the connection; sessions and runs go on."""
        with self._lock:
            self._closed = True
            if self._live is not None:
                self._live.close()
                self._live = None
