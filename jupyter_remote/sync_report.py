"""What a sync did, or would do, in words and as a JSON document. Doing it is `sync/session.py`'s business."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .call import format_size

if TYPE_CHECKING:
    from .sync.rules import Skipped
    from .sync.session import SyncReport

# Lines of one kind; a cell's output with 10,000 of them helps nobody. JSON has all of them.
LONGEST_LIST = 50
SIZE_GUARD = "max_file_size"


def describe_sync(report: SyncReport, host: str, *, dry_run: bool) -> str:
    """Return a sync report as text: a line per path, at most `LONGEST_LIST` of a kind, and one that sums up.

    Args:
        report: of `Remote.sync`.
        host: its name.
        dry_run: whether it tells what would happen; what was skipped is listed then too.
    """
    too_large, skipped = _split(report.skipped)
    lines = [*_cut((f"+ {path}" for path in report.sent), len(report.sent), "to send" if dry_run else "sent")]
    lines += _cut(
        (f"- {path}" for path in report.deleted), len(report.deleted), "to delete" if dry_run else "deleted"
    )
    lines += [f"! {path}: changed on {host}, kept there as {kept}" for path, kept in report.kept]
    if dry_run:
        conflicts = (
            f"! {path}: changed on both sides, {host}'s would be kept aside" for path in report.conflicts
        )
        lines += _cut(conflicts, len(report.conflicts), "conflicts")
    left_alone = (f"= {path}: changed on {host} only, left as it is there" for path in report.host_changed)
    lines += _cut(left_alone, len(report.host_changed), f"changed on {host} only")
    if dry_run:
        pulled = (f"= {path}: pulled from there: left alone" for path in report.pulled)
        lines += _cut(pulled, len(report.pulled), "pulled from there")
    lines += [f"note: {note}" for note in report.notes]
    # Never cut: somebody may wait for such a file on the host.
    lines += [f"  {skip.path}: {skip.rule}" for skip in too_large]
    if dry_run:
        named = (f"  {skip.path} (skipped by {skip.rule}, {skip.source})" for skip in skipped)
        lines += _cut(named, len(skipped), "skipped")
    return "\n".join([*lines, f"{host}: {_summary(report, dry_run, len(too_large))}"])


def sync_document(report: SyncReport, host: str, *, dry_run: bool) -> dict[str, Any]:
    """Return a sync report as the document of `sync --json`: complete, with the keys of docs/sync.md."""
    too_large, _ = _split(report.skipped)
    lists = ("sent", "deleted", "kept", "conflicts", "host_changed", "pulled", "skipped")
    return {
        "host": host,
        "dry_run": dry_run,
        **asdict(report),
        "too_large": [skip.path for skip in too_large],
        "counts": {**{name: len(getattr(report, name)) for name in lists}, "too_large": len(too_large)},
    }


def _split(skipped: Iterable[Skipped]) -> tuple[list[Skipped], list[Skipped]]:
    """What the size guard left out, and the rest."""
    too_large: list[Skipped] = []
    rest: list[Skipped] = []
    for skip in skipped:
        (too_large if skip.source == SIZE_GUARD else rest).append(skip)
    return too_large, rest


def _cut(lines: Iterator[str], total: int, what: str) -> list[str]:
    if total <= LONGEST_LIST:
        return list(lines)
    # One line says "and so many more": it must not stand for a single path.
    shown = [line for line, _ in zip(lines, range(LONGEST_LIST - 1), strict=False)]
    return [*shown, f"  … and {total - len(shown):,} more {what}; --json has them all"]


def _summary(report: SyncReport, dry_run: bool, too_large: int) -> str:
    sent = f"{len(report.sent)} path{'' if len(report.sent) == 1 else 's'} ({format_size(report.bytes)})"
    words = [f"{'would send' if dry_run else 'sent'} {sent}"]
    words.append(f"{'would delete' if dry_run else 'deleted'} {len(report.deleted)}")
    words.append(f"skipped {len(report.skipped)}")
    if too_large:
        words[-1] += f" ({too_large} over {SIZE_GUARD})"
    if report.conflicts:
        words.append(f"{len(report.conflicts)} in conflict")
    if report.host_changed:
        words.append(f"{len(report.host_changed)} changed on the host only")
    if report.pulled:
        words.append(f"{len(report.pulled)} pulled from there")
    return ", ".join(words)
