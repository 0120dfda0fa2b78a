"""`report`: runs written down for others: Markdown, or one HTML file with everything in it.

What is asked of the hosts is in `report_sources.py`, what is said of all runs in `report_overview.py` and of
one in `report_run.py`, and how it is written in `report_html.py` and `report_markdown.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .chosen_runs import chosen
from .compared import of_row
from .comparison import Comparison
from .errors import RemoteError, UsageError
from .report_blocks import Block, Picture
from .report_overview import States, blocks
from .values import written_to

TAIL = 60
SUFFIXES = (".html", ".md")


@dataclass(frozen=True)
class Report:
    """What is said of some runs; a notebook shows it.

    Args:
        title: of all.
        runs: their ids.
        blocks: in order.
        missing: which hosts could not be asked, and why.
    """

    title: str
    runs: list[str]
    blocks: tuple[Block, ...]
    missing: list[str]

    def html(self) -> str:
        """The page, with all pictures in it."""
        from .report_html import render

        return render(self.title, self.blocks)

    def markdown(self, files: Mapping[int, str] | None = None) -> str:
        """The document; pictures are named only, where `files` does not say by block where they are."""
        from .report_markdown import render

        return render(self.blocks, files or {})

    def save(self, path: str | Path) -> list[Path]:
        """Writes it; returns the files: the document, then the pictures of Markdown, in ``NAME_files/``.

        Args:
            path: ends with ``.html`` or ``.md``, which says what is written.

        Raises:
            UsageError: it ends otherwise, or can't be written.
        """
        to = check_path(path)
        try:
            if to.suffix.lower() == ".html":
                to.write_text(self.html(), encoding="utf-8")
                return [to]
            folder = to.with_name(f"{to.stem}_files")
            names: dict[int, str] = {}
            for number, block in enumerate(self.blocks):
                if isinstance(block, Picture):
                    folder.mkdir(exist_ok=True)
                    name = f"{len(names) + 1:03d}{block.suffix}"
                    (folder / name).write_bytes(block.content)
                    names[number] = f"{folder.name}/{name}"
            to.write_text(self.markdown(names), encoding="utf-8")
        except OSError as error:
            raise UsageError(f"can't write {to}: {error.strerror}") from None
        return [to, *(to.parent / name for name in names.values())]

    def _repr_markdown_(self) -> str:
        return self.markdown()


def report(
    *runs: object,
    campaign: str | None = None,
    output: str | Path | None = None,
    tail: int = TAIL,
    local: bool = False,
) -> Report:
    """Writes down what there is to know of runs: inputs, circumstances, outcome, metrics, pictures, log.

    Values of `--pass-env` are nowhere in it, and of other variables not those whose names look like secrets.

    Args:
        runs: as of :func:`jupyter_remote.compare`.
        campaign: all steps of this campaign, each with a section; how they stand comes first. See `compare`.
        output: a file to write it to as well, ``.html`` or ``.md``; see `Report.save`.
        tail: so many lines of each log, from its end.
        local: ask no host: what the local history has.

    Raises:
        UsageError: a run or campaign is not there, or the file can't be written.
        HistoryError: the local history can't be read.
    """
    from .report_sources import tell
    from .run_metrics import metrics_of

    if output is not None:
        check_path(output)
    found = chosen(runs, campaign, ask=not local)
    rows = {row["id"]: row for row in found.rows}
    metrics = metrics_of(found, ask=not local)
    compared = metrics.filled([of_row(row, found.gpus.get(row["id"], "")) for row in found.rows])
    names = tuple(dict.fromkeys(name for run in compared for name in run.metrics))
    comparison = Comparison(tuple(compared), names, {}, tuple(found.silent))
    points = metrics.points(comparison, names)
    told = tell([(run, rows[run.id]) for run in compared], tail, ask=not local)
    title = _title(comparison, found.campaign[0])
    states = _states(comparison, *found.campaign, ask=not local) if found.campaign[0] else None
    facts = _facts_of_hosts(comparison)
    missing = [f"{one.host}: {one.error.message}" for one in found.silent]
    made = Report(title, [*rows], tuple(blocks(title, comparison, told, points, states, facts)), missing)
    if output is not None:
        made.save(output)
    return made


def check_path(path: str | Path) -> Path:
    """Where a report is to go; see `values.written_to`."""
    return written_to(path, "write to", SUFFIXES)


def _title(comparison: Comparison, campaign: str) -> str:
    if campaign:
        return f"Campaign {campaign}"
    if len(comparison) > 1:
        return f"{len(comparison)} runs"
    run = comparison[0]
    return f"Run {run.id}" + (f": {run.label}" if run.label else "")


def _states(comparison: Comparison, campaign: str, campaign_id: str, *, ask: bool) -> States:
    """How the steps stand: those that have no run yet are known by their hosts only."""
    states: States = {(run.step or run.id, run.host): (run.state, run.exit_code) for run in comparison}
    if ask:
        from .campaigns.campaign import find

        with suppress(RemoteError):  # the campaign was cleaned away, or all hosts are
            parts = [one for one in find(campaign).status().parts if one.id == campaign_id]
            now = {(s.key, s.host): (s.state, s.exit_code) for part in parts for s in part.steps}
            states = {**now, **{place: state for place, state in states.items() if place not in now}}
    return states


def _facts_of_hosts(comparison: Comparison) -> dict[str, dict[str, Any]]:
    from .call import configuration

    found: dict[str, dict[str, Any]] = {}
    for host in {run.host for run in comparison}:
        try:
            found[host] = dict(configuration().host(host).facts)
        except RemoteError:
            found[host] = {}
    return found
