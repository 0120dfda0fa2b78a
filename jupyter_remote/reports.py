"""`report`: runs written down for others: Markdown, or one HTML file with everything in it.

What is asked of the hosts is in `report_sources.py`, what is said of a run in `report_run.py`, and how it is
written in `report_html.py` and `report_markdown.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .chosen_runs import chosen
from .compared import Compared, of_row
from .comparison import Comparison
from .errors import UsageError
from .report_blocks import Block, Heading, Picture, Table, Text

if TYPE_CHECKING:
    from .metric_table import Series
    from .report_sources import Told
    from .run_metrics import Points

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
        campaign: all steps of this campaign, each with a section; how they stand comes first.
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
    title = _title(comparison, campaign)
    blocks = tuple(_blocks(title, comparison, told, points, campaign))
    missing = [f"{one.host}: {one.error.message}" for one in found.silent]
    made = Report(title, [*rows], blocks, missing)
    if output is not None:
        made.save(output)
    return made


def check_path(path: str | Path) -> Path:
    """Where a report is to go, before the work of writing it.

    Raises:
        UsageError: its suffix is none of those that can be written.
    """
    to = Path(path).expanduser()
    if to.suffix.lower() not in SUFFIXES:
        raise UsageError(f"can't tell what to write to {to}: its name has to end in .html or .md")
    return to


def _title(comparison: Comparison, campaign: str | None) -> str:
    if campaign is not None:
        return f"Campaign {campaign}"
    if len(comparison) > 1:
        return f"{len(comparison)} runs"
    run = comparison[0]
    return f"Run {run.id}" + (f": {run.label}" if run.label else "")


def _blocks(
    title: str,
    comparison: Comparison,
    told: Sequence[Told],
    points: Points,
    campaign: str | None,
) -> Iterator[Block]:
    from .report_run import blocks_of

    facts = _facts_of_hosts(comparison)
    single = len(comparison) == 1
    if not single:
        yield Heading(1, title)
        if campaign is not None:
            yield Heading(2, "States")
            yield matrix(comparison.runs)
        yield from _side_by_side(comparison, points)
    for one in told:
        run = one.run
        spans = {
            name: _span(run, name, points.get((run.id, name)))
            for name in comparison.metrics
            if name in run.metrics
        }
        alone = Comparison((run,), tuple(spans))
        pictures = _drawn(alone, points, "metrics of the run")
        heading = title if single else comparison.titles[run.id]
        yield from blocks_of(one, spans, pictures, heading, 1 if single else 2, facts.get(run.host, {}))


def matrix(runs: Sequence[Compared]) -> Table:
    """Steps and hosts, with the state of each step on each host."""
    hosts = [*dict.fromkeys(run.host for run in runs)]
    steps = [*dict.fromkeys(run.step or run.id for run in runs)]
    states = {(run.step or run.id, run.host): _state(run) for run in runs}
    rows = tuple((step, *(states.get((step, host), "") for host in hosts)) for step in steps)
    return Table(("step", *hosts), rows)


def _state(run: Compared) -> str:
    mark = {"finished": "✓ ", "failed": "✗ ", "stopped": "■ ", "lost": "? "}.get(run.state, "")
    code = f" ({run.exit_code})" if run.exit_code else ""
    return f"{mark}{run.state}{code}"


def _side_by_side(comparison: Comparison, points: Points) -> Iterator[Block]:
    from .comparison_looks import notes, table

    yield Heading(2, "Side by side")
    columns, rows = table(comparison)
    strong = {
        (number, at)
        for number, cells in enumerate(rows)
        for at, cell in enumerate(cells)
        if columns[at] in comparison.metrics and cell.endswith(" *")
    }
    yield Table(columns, tuple(rows), frozenset(strong))
    for line in notes(comparison):
        yield Text(line)
    yield from _drawn(comparison, points, "metrics of all runs")


def _drawn(comparison: Comparison, points: Points, caption: str) -> list[Picture]:
    """The metrics as pictures, in one that has lines and one that has bars; no bars for one run."""
    from .plots import MOST_METRICS, draw, picture

    long = [
        n for n in comparison.metrics if any(len(points[key].values) > 1 for key in points if key[1] == n)
    ]
    long = [n for n in long if any((run.id, n) in points for run in comparison)]
    # Bars that are all as long as each other, or one alone, say no more than the table.
    short = [n for n in comparison.metrics if n not in long and len(_values(comparison, n)) > 1]
    made = []
    for names in (long[:MOST_METRICS], short[:MOST_METRICS]):
        if names:
            figure = draw(comparison, names, theme="auto", points=points)
            named = f"{caption}: {', '.join(names)}"
            made.append(Picture(named, picture(figure, "png", 150), "image/png"))
    return made


def _values(comparison: Comparison, name: str) -> set[float]:
    return {run.metrics[name] for run in comparison if name in run.metrics}


def _span(run: Compared, name: str, points: Series | None) -> tuple[float, float, float]:
    last = run.metrics[name]
    values = [value for value in (points.values if points is not None else ()) if value == value] or [last]
    return last, min(values), max(values)


def _facts_of_hosts(comparison: Comparison) -> dict[str, dict[str, Any]]:
    from .call import configuration
    from .errors import RemoteError

    found: dict[str, dict[str, Any]] = {}
    for host in {run.host for run in comparison}:
        try:
            found[host] = dict(configuration().host(host).facts)
        except RemoteError:
            found[host] = {}
    return found
