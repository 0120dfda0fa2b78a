"""`python -m benchmarks.page [FILE]`: the figures of a whole run, kept and written into docs/benchmarks.md.

FILE is what `make bench` has written; it becomes figures.json of this folder. A test compares page and file.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .harness import Row, cells

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "benchmarks" / "figures.json"
PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- figures: begin -->\n", "<!-- figures: end -->\n"


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


def main() -> None:
    """Keeps the figures of a run."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build" / "bench.json")
    document = json.loads(path.read_text(encoding="utf-8"))
    document["date"] = datetime.fromtimestamp(path.stat().st_mtime, UTC).date().isoformat()
    FIGURES.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), document), encoding="utf-8")


if __name__ == "__main__":
    main()
