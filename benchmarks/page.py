"""`python -m benchmarks.page [FILE]`: the figures of a whole run, kept and written into the documents.

FILE is what `make bench` has written; it becomes figures.json of this folder. docs/benchmarks.md gets the
table, and README and the other pages what they cite of it, between two marks that no reader sees:

    <!-- figure: speed-up of NAME beside PEER -->12<!-- /figure -->

where NAME is a row's, `beside PEER` is needed when two rows have it, and the first word is `ours`, `theirs`,
`ratio` (ours/theirs) or `speed-up` (theirs/ours). A test compares pages and file.
"""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .harness import Row, cells

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "benchmarks" / "figures.json"
PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- figures: begin -->\n", "<!-- figures: end -->\n"
CITED = re.compile(
    r"(<!-- figure: (ours|theirs|ratio|speed-up) of ([^>]+?)(?: beside ([^>]+?))? -->)(.*?)(<!-- /figure -->)"
)
MISSING = "not measured yet"


def table(document: dict[str, Any]) -> str:
    """The figures as a table of Markdown.

    Args:
        document: as `harness.write_json` wrote it.
    """
    rows = ["| figure | ours | beside | theirs | ours/theirs | bar | |", "|---|---|---|---|---|---|---|"]
    for one in document["figures"]:
        row = Row(**{key: value for key, value in one.items() if key != "ratio"})
        name, ours, peer, ratio, bar, verdict, _, peer_name = (
            text.replace("|", "\\|") for text in cells(row)
        )
        missed = "**missed**" if verdict == "MISSED" else "ok" if bar else ""
        rows.append(f"| {name} | {ours} | {peer_name} | {peer} | {ratio} | {bar} | {missed} |")
    return "\n".join(rows) + "\n"


def filled(page: str, document: dict[str, Any]) -> str:
    """The page with these figures between its two marks."""
    machine = document["machine"]
    what = f"{machine['cpus']} processors, {machine['system']}, Python {machine['python']}"
    said = f"{document['date']}, {what}:\n\n"
    body = said + table(document) if document["figures"] else "No whole run is kept yet.\n"
    head, _, rest = page.partition(BEGIN)
    return head + BEGIN + body + END + rest.partition(END)[2]


def cited(page: str, document: dict[str, Any]) -> str:
    """The page with these figures wherever it cites one.

    Args:
        page: Markdown.
        document: as for :func:`table`; a row that it lacks is "not measured yet".
    """

    def figure(match: re.Match[str]) -> str:
        begin, what, name, peer, _, end = match.groups()
        return f"{begin}{_figure(document, what, name, peer)}{end}"

    return CITED.sub(figure, page)


def _figure(document: dict[str, Any], what: str, name: str, peer: str | None) -> str:
    for one in document["figures"]:
        if one["name"] == name and peer in (None, one["peer_name"]):
            row = Row(**{key: value for key, value in one.items() if key != "ratio"})
            _, ours, theirs, ratio, *_ = cells(row)
            times = 1 / row.ratio if row.ratio else None
            speed_up = "" if times is None else f"{times:.0f}" if times >= 10 else f"{times:.2g}"
            return {"ours": ours, "theirs": theirs, "ratio": ratio, "speed-up": speed_up}[what] or MISSING
    return MISSING


def main() -> None:
    """Keeps the figures of a run."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build" / "bench.json")
    document = json.loads(path.read_text(encoding="utf-8"))
    document["date"] = datetime.fromtimestamp(path.stat().st_mtime, UTC).date().isoformat()
    FIGURES.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), document), encoding="utf-8")
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        page.write_text(cited(page.read_text(encoding="utf-8"), document), encoding="utf-8")


if __name__ == "__main__":
    main()
