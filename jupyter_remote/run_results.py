"""What a run brings beside its output: metrics and artifacts, while it runs and afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .artifacts import Artifact, Artifacts
    from .hostlink import HostLink
    from .metrics import Metrics

# A property that is read in a loop asks the host once in a while.
FRESH_S = 1.0
# And not for long: the run may print more quickly than it is read.
LIVE_S = 0.2
# A run of so many seconds is asked for metrics at its end even when its output has none: it may have files.
GATHER_AFTER_S = 5.0
# At most so long: the rest is taken when somebody asks.
GATHER_S = 2.0
# One of these is in nearly every line that can say a metric (`Loss`, `epoch` and `Step` among them).
HINTS = (b"RESULT_", b"oss", b"acc", b"poch", b"tep", b"score", b"iter", b"flops")
# Looking for them takes 10 ns a byte, more than all else that is done with output: of a flood only the ends
# of its pieces are looked at, where its last words are.
ALL_HEARD_B, ENDS_B = 4 << 20, 16 << 10


class RunResults:
    """The part of a :class:`~jupyter_remote.Run` that is about its results.

    Attributes:
        workspace: the local folder that its artifacts go to; None where there is none.
        said_metrics: whether it has printed what may be metrics.
    """

    id: str
    seconds: float
    said_metrics = False
    _heard = 0
    record: dict[str, Any]
    workspace: Path | None = None
    _link: HostLink
    _metrics: Metrics | None = None
    _artifacts: Artifacts | None = None

    def hear(self, raw: bytes) -> None:
        """Takes what it has printed (``raw``), to know whether it is worth asking for metrics."""
        if self.said_metrics:
            return
        if self._heard > ALL_HEARD_B and len(raw) > 2 * ENDS_B:
            raw = raw[:ENDS_B] + raw[-ENDS_B:]
        self._heard += len(raw)
        self.said_metrics = any(hint in raw for hint in HINTS)

    @property
    def done(self) -> bool:
        """Whether its end has been seen."""
        raise NotImplementedError

    @property
    def metrics(self) -> Metrics:
        """Its metrics, up to a second ago; for a run whose host is away, what is stored here of them.

        See docs/metrics.md for what counts as one. `Metrics.refresh` asks the host at once.
        """
        metrics = self._known_metrics()
        if metrics.age > FRESH_S or self.done:
            metrics.refresh(seconds=LIVE_S)
        if metrics.over and not metrics.complete:
            metrics.refresh()
        return metrics

    def _known_metrics(self) -> Metrics:
        if self._metrics is None:
            from .metrics import Metrics  # most runs are not asked

            self._metrics = Metrics(self.id, self._link, lambda: self.done)
        return self._metrics

    def artifacts_so_far(self) -> list[Artifact]:
        """The files that match its patterns and were written since it began; complete ones are pulled first.

        The patterns are those of ``--pull`` and of the host's ``sync.pull``. Each call looks once, but not
        more often than once a second; a file that two looks see unchanged is complete.

        Raises:
            RemoteError: the host can't be asked, or files can't be written here.
        """
        artifacts = self.arriving()
        artifacts.look()
        return artifacts.known()

    def arriving(self, patterns: Sequence[str] | None = None, output: Path | None = None) -> Artifacts:
        """What looks for its artifacts; the same each time.

        Args:
            patterns: others than the run's own, the first time.
            output: another folder than the workspace, the first time.
        """
        if self._artifacts is None:
            from .artifacts import Artifacts

            own = self.record.get("pull") or () if patterns is None else patterns
            wanted = [*self._link.host.sync.pull, *map(str, own)]
            place = output or self.workspace or Path.cwd()
            self._artifacts = Artifacts(self._link, self.record, wanted, place)
        return self._artifacts


def gather(run: RunResults) -> None:
    """Takes what an ended run has of metrics, so that the history knows it; only when there may be something.

    Nothing is raised: who is interested asks again, by :attr:`RunResults.metrics`.
    """
    if not run.done or not (run.said_metrics or run.seconds >= GATHER_AFTER_S):
        return
    run._known_metrics().refresh(connect=False, seconds=GATHER_S)
