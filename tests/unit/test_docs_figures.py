"""Figures in the documents: measured ones are those of the last whole run, limits those of the code."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator

import pytest
from docs_limits import LIMITS
from pages import DOCS, ROOT, prose, text

from benchmarks.harness import Row
from benchmarks.page import CITED, FIGURES, MISSING, cited, filled

DOCUMENT = json.loads(FIGURES.read_text(encoding="utf-8"))
# A number with a unit of time, of size or of speed.
FIGURE = re.compile(
    r"(?<![\w.,-])\d[\d,.]*\s?"
    r"(?:ms|µs|s|seconds?|minutes?|min|%|x|×|times|[kMG]B/s|[kMG]B|[KMG]iB|bytes|[a-z]+ a second)(?![\w/])"
)
UNITS = {
    **{"ms": 1e-3, "µs": 1e-6, "s": 1, "second": 1, "seconds": 1, "min": 60, "minute": 60, "minutes": 60},
    **{"kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30},
}


def test_the_figures_are_those_of_the_last_whole_run() -> None:
    page = text("docs/benchmarks.md")
    assert page == filled(page, DOCUMENT)


@pytest.mark.parametrize("page", DOCS)
def test_cited_figures_are_those_of_the_last_whole_run(page: str) -> None:
    assert text(page) == cited(text(page), DOCUMENT), "python -m benchmarks.page writes them anew"


def rows() -> Iterator[re.Pattern[str]]:
    """What rows of benchmarks are called: their texts, with anything where a value is put in."""
    for path in (ROOT / "benchmarks").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) > 3:
                yield re.compile(re.escape(node.value))
            elif isinstance(node, ast.JoinedStr):
                parts = [
                    re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".+"
                    for part in node.values
                ]
                if len("".join(parts).replace(".+", "")) > 8:
                    yield re.compile("".join(parts))


@pytest.mark.parametrize("page", DOCS)
def test_cited_figures_are_of_rows_that_there_are(page: str) -> None:
    known = list(rows())
    for _, _, name, peer, body, _ in CITED.findall(text(page)):
        assert any(row.fullmatch(name) for row in known), name
        assert not peer or any(row.fullmatch(peer) for row in known), peer
        assert not DOCUMENT["figures"] or body != MISSING, f"the last whole run has no row {name!r}"


def plain(page: str) -> str:
    """The page without code, without figures that are cited, and without the table of all figures."""
    words = re.sub(r"(?s)<!-- figures: begin -->.*?<!-- figures: end -->", "", CITED.sub("", prose(page)))
    return re.sub(r"`[^`]+`", "", words)


def amounts(code: str) -> set[float]:
    """The numbers that a line of code has, `16 << 10` worked out."""
    found = re.findall(r"(?<![\w.])[\d_.]*\d(?:\s*(?:<<|\*)\s*\d[\d_]*)*(?!\w)", code.replace(",", ""))
    return {float(eval(number, {})) for number in found}  # digits, `<<` and `*` only


def values(figure: str) -> set[float]:
    """What a figure may be in code: its number, or that in seconds or bytes."""
    number, unit = re.fullmatch(r"([\d,.]+)\s?(.*)", figure).groups()  # type: ignore[union-attr]
    value = float(number.replace(",", ""))
    factor = UNITS.get(unit, 1.0)
    return {value, value * factor, value / 100}


@pytest.mark.parametrize("page", DOCS)
def test_every_other_figure_is_a_limit_that_the_code_keeps(page: str) -> None:
    """A measured figure in a sentence gets old: cite it. A limit is in `docs_limits.py` with its source."""
    found = {re.sub(r"\s+", " ", figure) for figure in FIGURE.findall(plain(page))}
    assert found == set(LIMITS.get(page, {}))


@pytest.mark.parametrize(
    ("figure", "source"), sorted({item for table in LIMITS.values() for item in table.items()})
)
def test_limits_are_what_the_code_has(figure: str, source: str) -> None:
    path, _, line = source.partition(": ")
    assert line in text(path), f"{path} no longer has {line!r}: is it still {figure}?"
    assert any(abs(a - b) < 1e-9 for a in amounts(line) for b in values(figure)), f"{figure} is not {line}"


def test_a_figure_is_cited_as_it_was_measured() -> None:
    row = Row("a cell", "ssh", 0.012, 0.36, "", True, 9)
    document = {"figures": [{**vars(row), "ratio": row.ratio}]}
    page = "<!-- figure: {} -->?<!-- /figure -->"
    shown = {
        what: cited(page.format(what), document).partition("-->")[2].partition("<!--")[0]
        for what in ("ours of a cell", "theirs of a cell beside ssh", "speed-up of a cell", "ratio of a cell",
                     "ours of a cell beside rsync", "ours of no cell")
    }  # fmt: skip
    assert list(shown.values()) == ["12.00 ms", "0.360 s", "30", "0.0333", MISSING, MISSING]


def test_a_figure_in_a_sentence_is_seen() -> None:
    assert FIGURE.findall("It takes 12 ms, 3.5 × less at 50 MB/s; 1,000 lines a second.") == [
        *("12 ms", "3.5 ×", "50 MB/s", "1,000 lines a second"),
    ]
