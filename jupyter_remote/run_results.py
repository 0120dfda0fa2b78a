"""What a run brings beside its output: metrics and artifacts, while it runs and afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .hostlink import HostLink
    from .metrics import Metrics

# A property that is read in a loop asks the host once in a while.
FRESH_S = 1.0


class RunResults:
    """The part of a :class:`~jupyter_remote.Run` that is about its results."""

    id: str
    _link: HostLink
    _metrics: Metrics | None = None

    @property
    def done(self) -> bool:
        """Whether its end has been seen."""
        raise NotImplementedError

    @property
    def metrics(self) -> Metrics:
        """Its metrics, up to a second ago; for a run whose host is away, what is stored here of them.

        See docs/metrics.md for what counts as one. `Metrics.refresh` asks the host at once.
        """
        if self._metrics is None:
            from .metrics import Metrics  # most runs are not asked

            self._metrics = Metrics(self.id, self._link, lambda: self.done)
        if self._metrics.age > FRESH_S or self.done:
            self._metrics.refresh()
        return self._metrics
