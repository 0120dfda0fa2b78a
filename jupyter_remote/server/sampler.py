"""Samples of hosts that a page watches: a thread for each host, for all pages, while there is a link.

No connection is opened here: looking at a panel must not log in anywhere.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jupyter_remote

from ..errors import RemoteError
from ..samples import Samples


class Sampler:
    """Takes samples of one host until it is closed or the link breaks.

    Args:
        host: its name.
        workspace: the server's folder.
        interval: seconds between two samples.
        tell: called from the thread with each.
    """

    def __init__(
        self, host: str, workspace: Path, interval: float, tell: Callable[[str, dict[str, Any]], None]
    ) -> None:
        self._host = host
        self._workspace = workspace
        self._interval = interval
        self._tell = tell
        self._samples: Samples | None = None
        self._closed = False
        self.thread = threading.Thread(target=self._follow, name=f"jupyter-remote sample {host}", daemon=True)
        self.thread.start()

    @property
    def alive(self) -> bool:
        """Whether it still takes samples."""
        return self.thread.is_alive()

    def close(self) -> None:
        """Ends it, soon."""
        self._closed = True
        if self._samples is not None:
            with contextlib.suppress(RemoteError):  # the link is gone, and the thread with it
                self._samples.close()

    def _follow(self) -> None:
        try:
            remote = jupyter_remote.connect(self._host, workspace=self._workspace)
            if remote.link.live is None:
                return
            with remote.samples(self._interval) as samples:
                self._samples = samples
                for facts in samples:
                    if self._closed:
                        return
                    self._tell(self._host, facts)
        except RemoteError:
            pass  # who looks after the links says why
