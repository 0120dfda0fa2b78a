"""Figures in the documents: measured ones are those of the last whole run, limits those of the code."""

from __future__ import annotations

import ast
import json
import re
from functools import cache

from doc_pages import DOCS, ROOT, prose, text
from docs_limits import LIMITS

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


def test_cited_figures_are_those_of_the_last_whole_run() -> None:
    """`python -m benchmarks.page` writes them anew."""
    assert [page for page in DOCS if text(page) != cited(text(page), DOCUMENT)] == []


@cache
def rows() -> tuple[set[str], list[re.Pattern[str]]]:
    """What rows of benchmarks are called: texts, and texts with anything where a value is put in."""
    texts, forms = set(), []
    for path in (ROOT / "benchmarks").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = [one.value if isinstance(one, ast.Constant) else None for one in node.values]
                if sum(len(str(part)) for part in parts if part is not None) > 8:
                    forms.append(re.compile("".join(".+" if p is None else re.escape(str(p)) for p in parts)))
    return texts, forms


def is_row(name: str) -> bool:
    texts, forms = rows()
    return name in texts or any(form.fullmatch(name) for form in forms)


def test_cited_figures_are_of_rows_that_there_are() -> None:
    for page in DOCS:
        for _, _, name, peer, body, _ in CITED.findall(text(page)):
            assert is_row(name), f"{page}: {name}"
            assert not peer or is_row(peer), f"{page}: {peer}"
            assert not DOCUMENT["figures"] or body != MISSING, f"{page}: the last whole run has no {name!r}"
    assert not is_row("two million printed lines")


def test_no_line_begins_with_a_cited_figure() -> None:
    """Markdown would take the rest of the line for HTML."""
    assert [page for page in DOCS if re.search(r"(?m)^\s*<!-- /?figure\b", text(page))] == []


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


def test_every_other_figure_is_a_limit_that_the_code_keeps() -> None:
    """A measured figure in a sentence gets old: cite it. A limit is in `docs_limits.py` with its source."""
    for page in DOCS:
        found = {re.sub(r"\s+", " ", figure) for figure in FIGURE.findall(plain(page))}
        assert found == set(LIMITS.get(page, {})), page


def test_limits_are_what_the_code_has() -> None:
    for figure, source in sorted({item for table in LIMITS.values() for item in table.items()}):
        path, _, line = source.partition(": ")
        assert line in text(path), f"{path} no longer has {line!r}: is it still {figure}?"
        assert any(abs(a - b) < 1e-9 for a in amounts(line) for b in values(figure)), f"{figure}: {source}"


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
