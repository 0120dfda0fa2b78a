"""What all figures share: interleaved measurement, medians, bars, the table and the JSON document."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

Measurement = Callable[[], float]


@dataclass(frozen=True)
class Row:
    """One figure, the median of its measurements; seconds unless `unit` says otherwise.

    Args:
        name: what was measured.
        peer_name: what it is compared with, or "" where the bar is a time.
        ours, peer: medians; `peer` is None without one.
        bar: the promise, in words.
        passed: whether this run kept it.
        n: number of measurements of each side.
        unit: `s`, `B`, or `B/s`.
    """

    name: str
    peer_name: str
    ours: float
    peer: float | None
    bar: str
    passed: bool
    n: int
    unit: str = "s"

    @property
    def ratio(self) -> float | None:
        return self.ours / self.peer if self.peer else None


def timed(action: Callable[[], object]) -> float:
    """Seconds that `action` takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def interleaved(n: int, *measurements: Measurement) -> list[float]:
    """The medians of `n` rounds; a round takes each measurement once, so a slow spell hits them all."""
    rounds = [[measurement() for measurement in measurements] for _ in range(n)]
    return [median(column) for column in zip(*rounds, strict=True)]


def at_most_times(name: str, peer_name: str, ours: float, peer: float, limit: float, n: int) -> Row:
    """A row whose bar is a multiple of the peer's time."""
    return Row(name, peer_name, ours, peer, f"≤ {limit:g}×", ours <= limit * peer, n)


def beside(name: str, peer_name: str, ours: float, peer: float, n: int) -> Row:
    """A row without a bar: a figure to look at beside its peer's."""
    return Row(name, peer_name, ours, peer, "", True, n)


def at_most_above(name: str, peer_name: str, ours: float, peer: float, limit: float, n: int) -> Row:
    """A row whose bar is a number of seconds on top of the peer's."""
    return Row(name, peer_name, ours, peer, f"≤ +{limit * 1000:g} ms", ours - peer <= limit, n)


def faster_by(name: str, peer_name: str, ours: float, peer: float, factor: float, n: int) -> Row:
    """A row whose bar is how many times faster than the peer it is."""
    return Row(name, peer_name, ours, peer, f"{factor:g}× faster", peer >= factor * ours, n)


def at_most(name: str, ours: float, limit: float, n: int) -> Row:
    """A row whose bar is a time."""
    return Row(name, "", ours, None, f"≤ {limit * 1000:g} ms", ours <= limit, n)


def at_most_bytes(name: str, ours: int, limit: int, peer_name: str = "", peer: int | None = None) -> Row:
    """A row about bytes, measured once, whose bar is a number of them."""
    return Row(name, peer_name, ours, peer, f"≤ {_amount(limit)}", ours <= limit, 1, "B")


def at_least_share(name: str, peer_name: str, ours: float, peer: float, share: float, n: int) -> Row:
    """A row about bytes per second, whose bar is a share of the peer's."""
    return Row(name, peer_name, ours, peer, f"≥ {share:g}×", ours >= share * peer, n, "B/s")


def print_table(rows: Iterable[Row]) -> None:
    """Print one line per figure, all columns aligned."""
    titles = ("figure", "ours", "peer", "ours/peer", "bar", "", "n", "beside")
    lines = [titles, *(cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(titles))]
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def cells(row: Row) -> tuple[str, ...]:
    """A row as it is shown: name, ours, peer, ratio, bar, verdict, count of measurements, the peer."""
    ratio = "" if row.ratio is None else f"{row.ratio:.3g}"
    peer = "" if row.peer is None else _value(row.peer, row.unit)
    verdict = "ok" if row.passed else "MISSED"
    return row.name, _value(row.ours, row.unit), peer, ratio, row.bar, verdict, str(row.n), row.peer_name


def _value(value: float, unit: str) -> str:
    return _duration(value) if unit == "s" else _amount(value) + unit[1:]


def _amount(size: float) -> str:
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.4g} {unit}"
        size /= 1000
    return f"{size:.4g} GB"


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms" if seconds < 0.1 else f"{seconds:.3f} s"


def write_json(path: Path, rows: Sequence[Row]) -> None:
    """Write the figures and the machine they are of."""
    machine = {"python": sys.version.split()[0], "system": platform.platform(), "cpus": os.cpu_count()}
    document = {"machine": machine, "figures": [{**asdict(row), "ratio": row.ratio} for row in rows]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
