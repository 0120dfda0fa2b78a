"""What the GPUs of a run do, for a line that is shown while it works; only while it is, and at leisure."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from .errors import RemoteError

if TYPE_CHECKING:
    from .remote import Remote
    from .run import Run
    from .samples import Samples

_EVERY_S = 2.0


class GpuUse:
    """Takes samples in a thread of its own, from the first time that it is asked.

    Args:
        remote: the host; no link is made for this.
        run: whose GPUs count: those that its session has leased, and those that its processes use.
    """

    def __init__(self, remote: Remote, run: Run) -> None:
        self._remote = remote
        self._supervisor = (run.record.get("supervisor") or {}).get("pid")
        self._samples: Samples | None = None
        self._lock = threading.Lock()
        self._begun = self._closed = False
        self._words = ""

    def __call__(self) -> str:
        """`GPU 87 % 12.3 GiB` as it was last, "" when that is not known, or the run uses none."""
        if not self._begun:
            self._begun = True
            threading.Thread(target=self._follow, name="jupyter-remote gpu use", daemon=True).start()
        return self._words

    def close(self) -> None:
        """Ends it, on the host too."""
        with self._lock:
            self._closed = True
            samples = self._samples
        if samples is not None:
            with suppress(RemoteError):
                samples.close()

    def _follow(self) -> None:
        from .gpu_words import use_words

        if self._remote.link.live is None:
            return
        with suppress(RemoteError), self._remote.samples(_EVERY_S) as samples:
            with self._lock:
                if self._closed:
                    return
                self._samples = samples
            for facts in samples:
                self._words = use_words(facts, self._supervisor)
                if not facts.get("gpus") and not facts.get("gpu_error"):
                    return
        self._words = ""
