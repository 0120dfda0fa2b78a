"""Runs in words, the end of what they print, and curves: pure text."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest

from jupyter_remote.widgets import run_words
from jupyter_remote.widgets.curves import curve_svg
from jupyter_remote.widgets.run_tail import Tail, ansi_html, log_html
from jupyter_remote.widgets.run_words import Wish, chosen

NOW = 1_800_000_000.0


def run(number: int, **known: Any) -> dict[str, Any]:
    blank = dict.fromkeys(run_words.COLUMNS) | dict.fromkeys(("label", "campaign", "step", "seconds"))
    return {
        **blank,
        "id": f"20261122-0145{number:02d}-7f3a",
        "host": "dgx01",
        "state": "finished",
        "seconds": 1.0,
        "started": NOW - 100,
        **known,
    }


RUNS = [
    run(4, state="running", seconds=None, started=NOW - 42, label="Base", source="import torch\ntrain()"),
    run(3, host="dgx02", state="failed", exit_code=3, seconds=7.5, campaign="sweep", step="train[lr=0.1]"),
    run(2, state="lost", label="ablation", seconds=90.0),
    run(1, host="dgx02", label="base", metrics='{"loss": 0.25, "nan": "NaN", "huge": 1e300}'),
]


def ids(wish: Wish) -> str:
    return "".join(row["id"][14] for row in chosen(RUNS, wish, NOW))


def test_runs_are_filtered_and_sorted() -> None:
    assert ids(Wish()) == "4321"
    assert ids(Wish("TRAIN")) == "43"
    assert ids(Wish("base dgx02")) == "1"
    assert ids(Wish(host="dgx02", state="failed")) == "3"
    assert ids(Wish(state="unfinished")) == "4"
    assert ids(Wish(campaign="sweep")) == "3"
    assert ids(Wish(sort="oldest first")) == "1234"
    assert ids(Wish(sort="longest first")) == "2431"
    assert ids(Wish(sort="state")) == "4321"
    # Those without a label come last, and capitals are no other letters.
    assert ids(Wish(sort="label")) == "2413"


def test_a_run_says_what_it_is() -> None:
    assert run_words.what(RUNS[0]) == "Base: import torch"
    assert run_words.what(RUNS[1]) == "train[lr=0.1]"
    assert run_words.metrics_words(RUNS[3]) == "loss 0.25 · nan nan · huge 1e+300"
    assert run_words.metrics_words(run(1, metrics="[broken")) == ""
    assert run_words.took(42.3, ended=False) == "42 s"
    assert run_words.took(3700, ended=False) == "1 h 01 min"
    assert run_words.took(None, ended=True) == ""


def test_words_of_users_are_no_html() -> None:
    bad = run(1, label="<script>alert(1)</script>", host='"><b>', metrics='{"<i>": 1}')
    for html in (run_words.row_html(bad, NOW), run_words.static_html([bad], NOW)):
        assert not {"<script>", "<b>", "<i>"} & set(re.findall(r"<\w+>", html))
    assert "<i>" not in curve_svg("<i>", [0, 1], [0, 1])
    assert "<b>" not in log_html("<b>\x1b[31m<b>", "<b>")


def test_a_static_table_is_bounded() -> None:
    text = run_words.static_text([*RUNS] * 100, NOW)
    assert text.splitlines()[1].startswith("● running")
    assert text.splitlines()[-1] == "… and 380 more"
    assert len(text.splitlines()) == 2 + run_words.STATIC_ROWS


def test_the_end_of_an_endless_text() -> None:
    tail = Tail(lines=5, characters=1000)
    for number in range(20_000):
        tail.add(f"\r{number}%" if number % 100 else f"line {number}\n")
    assert tail.text().splitlines()[-1] == "19999%"
    assert len(tail.text().splitlines()) == 5 and len(tail.text()) < 1000
    assert tail.cut
    short = Tail()
    for number in range(100):
        short.add(f"\r{number}/99")
    assert short.text().strip("\r") == "99/99"
    assert not short.cut  # frames that were printed over are nothing that is missing


def test_a_line_without_end_is_bounded() -> None:
    tail = Tail(characters=1000)
    for _ in range(100):
        tail.add("x" * 1000)
    assert tail.text() == "x" * 1000


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("\x1b[31mred\x1b[0m on", '<span class="jr-bad">red</span> on'),
        ("\x1b[1;38;5;2mx\x1b[39;22my", '<span class="jr-good" style="font-weight: 600">x</span>y'),
        ("\x1b[38;2;1;2;3mx\x1b[48;5;1my", "xy"),
        ("\x1b[38mx\x1b[38;5my\x1b[;mz", "xyz"),
        ("a\x1b[2K\x1b]0;title\x07\x00b<&", "ab&lt;&amp;"),
    ],
)
def test_colours_become_classes(text: str, html: str) -> None:
    assert ansi_html(text) == html


def path_of(svg: str) -> str:
    (path,) = re.findall(r'class="jr-path" d="([^"]*)"', svg)
    return str(path)


def test_a_curve_has_its_ends_and_its_gaps() -> None:
    assert path_of(curve_svg("loss", [0, 1, 2], [4, 0, 2])) == "M46.0 8.0h0L169.0 112.0L292.0 60.0"
    gaps = path_of(curve_svg("loss", [0, 1, 2, 3], [1, math.nan, 2, math.inf]))
    assert gaps.count("M") == 2 and "nan" not in gaps and "inf" not in gaps
    assert "no finite value" in curve_svg("loss", [0, 1], [math.nan, math.inf])


@pytest.mark.parametrize("values", [[1e308, -1e308], [5.0, 5.0], [5e-324, 0.0], [1.0]])
def test_a_curve_of_any_numbers_stays_in_its_frame(values: list[float]) -> None:
    numbers = [float(n) for n in re.findall(r"-?[\d.]+", path_of(curve_svg("x", range(len(values)), values)))]
    assert all(0 <= number <= 300 for number in numbers)
