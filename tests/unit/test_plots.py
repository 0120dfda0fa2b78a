"""Figures are checked by what is drawn in them, and two of them by how they look."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.testing.compare import compare_images
from runs_side_by_side import curves, made, run_id

from jupyter_remote.comparison import Comparison
from jupyter_remote.errors import UsageError
from jupyter_remote.metric_table import Series
from jupyter_remote.plot_axes import unit
from jupyter_remote.plot_style import COLOURS, THEMES, styles, words
from jupyter_remote.plots import draw, picture, save

PICTURES = Path(__file__).parent / "pictures"


def drawn(count: int = 3, steps: int = 10, **how: Any) -> Figure:
    compared, points = curves(count, steps)
    return draw(compared, points=points, **how)


def labels(figure: Figure) -> list[tuple[str, str]]:
    return [(axes.get_xlabel(), axes.get_ylabel()) for axes in figure.axes]


def test_lines_have_the_points_and_bars_the_last_values() -> None:
    compared, points = curves(3)
    figure = draw(compared, points=points)
    assert labels(figure) == [("step", "val_loss"), ("step", "accuracy"), ("epoch_time_s (s)", "")]
    for axes, name in zip(figure.axes[:2], compared.metrics[:2], strict=True):
        for line, run in zip(axes.lines, compared, strict=True):
            wanted = points[run.id, name]
            assert [*map(float, line.get_xdata())] == wanted.steps
            assert str([*map(float, line.get_ydata())]) == str(wanted.values)  # NaN too
    bars = figure.axes[2].patches
    assert [bar.get_width() for bar in bars] == [2.0, 3.0, 4.0]
    assert [text.get_text() for text in figure.axes[2].texts] == ["2 ★", "3", "4"]
    assert len({bar.get_facecolor() for bar in bars}) == 2
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["dgx01", "dgx02", "dgx03"]


@pytest.mark.parametrize(("last", "whole"), [(3.0, True), (2.5, False)])
def test_between_whole_steps_nothing_is_named(last: float, whole: bool) -> None:
    compared, _ = curves(2)
    steps = [1.0, 2.0, last]
    points = {(run.id, "val_loss"): Series("val_loss", steps, steps, [3.0, 2.0, 1.0]) for run in compared}
    (axes, *_) = draw(compared, "val_loss", points=points, by="host").axes
    assert all(tick.is_integer() for tick in map(float, axes.get_xticks())) == whole


def test_no_value_is_a_gap_and_a_point_between_gaps_is_marked() -> None:
    line = drawn(2, steps=60, metric="val_loss").axes[0].lines[1]
    assert [n for n, value in enumerate(line.get_ydata()) if math.isnan(value)] == [3, 5]
    assert line.get_markevery() == [4]
    assert drawn(2, metric="val_loss").axes[0].lines[1].get_markevery() is None  # few: each is


@pytest.mark.parametrize(
    ("seconds", "label", "last"),
    [
        (9.0, "time since the start (s)", 81.0),
        (90.0, "time since the start (min)", 13.5),
        (3600.0, "time since the start (h)", 9.0),
        (86400.0, "time since the start (d)", 9.0),
    ],
)
def test_time_is_counted_from_the_start_in_units_to_read(seconds: float, label: str, last: float) -> None:
    times = [1000.0 + seconds * n for n in range(10)]
    points = {(run_id(0), "loss"): Series("loss", [1.0] * 10, times, [1.0] * 10)}
    compared = Comparison((made(0, metrics={"loss": 1.0}),), ("loss",))
    (axes,) = draw(compared, x="time", points=points).axes
    assert (axes.get_xlabel(), list(axes.lines[0].get_xdata())[-1]) == (label, last)
    late = Comparison((made(0, metrics={"loss": 1.0}, started=9e9),), ("loss",))  # a clock that was set
    assert min(draw(late, x="time", points=points).axes[0].lines[0].get_xdata()) == 0.0


def test_panels_by_host_or_parameter_share_their_axes() -> None:
    figure = drawn(6, by="lr", metric="val_loss")
    assert [axes.get_title() for axes in figure.axes] == ["lr = 0.001", "lr = 0.01", "lr = 0.1"]
    assert [len(axes.lines) for axes in figure.axes] == [2, 2, 2]
    assert len({axes.get_ylim() for axes in figure.axes}) == 1
    figure = drawn(3, by="host")
    assert [axes.get_title() for axes in figure.axes] == [f"host = dgx0{n}" for n in (1, 2, 3)] * 3
    runs = (
        made(0, metrics={"x": -100.0}),
        made(1, metrics={"x": 2000.0}),
        made(2, metrics={"x": math.nan}),
        made(3),
    )
    figure = draw(Comparison(runs, ("x",)), by="host", points={})
    picture(figure)
    (limits,) = {axes.get_xlim() for axes in figure.axes}
    assert limits[0] < -100 < 2000 < limits[1]
    with pytest.raises(UsageError, match=r"unknown parameter lrr of these runs; did you mean lr\?"):
        drawn(3, by="lrr")
    with pytest.raises(UsageError, match="seed has 10 values"):
        drawn(30, by="seed")


def test_thirty_runs_differ_in_colour_or_line_and_their_names_do_not_eat_the_panel() -> None:
    figure = drawn(30, metric="val_loss")
    lines = figure.axes[0].lines
    assert (
        len({(line.get_color(), str(line.get_linestyle()), str(line._dash_pattern)) for line in lines}) == 30
    )
    assert len(figure.legends[0].get_texts()) == 30
    figure.draw_without_rendering()
    assert figure.axes[0].get_window_extent().width > 5 * figure.dpi
    assert next(styles())["color"] == COLOURS[0]


def test_one_run_has_no_legend_and_a_kind_can_be_asked_for() -> None:
    assert drawn(1).legends == []
    figure = drawn(3, kind="bar", metric=["val_*", "accuracy"])
    assert [len(axes.patches) for axes in figure.axes] == [3, 3]
    assert labels(figure) == [("val_loss", ""), ("accuracy", "")]


def test_values_that_cannot_be_drawn_are_left_out() -> None:
    odd = [math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324, 0.0, 1.0]
    compared = Comparison(
        tuple(made(n, metrics={"x": value, "y": value}) for n, value in enumerate(odd)), ("x", "y")
    )
    points = {(run.id, "x"): Series("x", [*map(float, range(8))], [0.0] * 8, odd) for run in compared}
    points[run_id(0), "x"] = Series("x", odd, odd, [1.0] * 8)
    for how in ({}, {"log": True}, {"x": "time"}, {"kind": "bar"}, {"kind": "bar", "log": True}):
        picture(draw(compared, points=points, **how))  # type: ignore[arg-type]
    alone = Comparison((made(0, metrics={"x": math.nan}),), ("x",))
    gone = {(run_id(0), "x"): Series("x", [1.0, 2.0], [0.0, 1.0], [math.nan, math.inf])}
    (axes,) = draw(alone, points=gone).axes
    assert [text.get_text() for text in axes.texts] == ["no finite value"]
    picture(draw(alone, points={}))


@pytest.mark.parametrize("name", ["_hidden", "$x^$", "a\nb\x1b[0m", r"\frac{", "x" * 500, " ", "µ"])
def test_any_name_can_be_drawn(name: str) -> None:
    runs = tuple(
        made(n, label=f"{name}{n}", params={name: str(n)}, metrics={name: 1.0 + n}) for n in range(2)
    )
    compared = Comparison(runs, (name,))
    points = {(run.id, name): Series(name, [0.0, 1.0], [0.0, 1.0], [1.0, 2.0]) for run in runs}
    for how in ({"by": name}, {"kind": "bar"}):
        picture(draw(compared, points=points, **how))  # type: ignore[arg-type]
    assert len(words(name)) <= 61
    assert not words(name).startswith("_")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("epoch_time_s", "epoch_time_s (s)"), ("latency.ms", "latency.ms (ms)"), ("loss", "loss"),
        ("mem_gib", "mem_gib (GiB)"), ("seconds", "seconds (s)"), ("use_percent", "use_percent (%)"),
        ("tokens_per_s", "tokens_per_s"), ("it/s", "it/s"), ("class", "class"),
    ],
)  # fmt: skip
def test_an_axis_has_the_unit_that_the_name_ends_with(name: str, shown: str) -> None:
    assert unit(name) == shown


def test_more_metrics_than_can_be_read_are_named_only() -> None:
    names = tuple(f"m{number}" for number in range(15))
    compared = Comparison((made(0, metrics=dict.fromkeys(names, 1.0)),), names)
    figure = draw(compared, points={})
    assert len(figure.axes) == 12
    assert [text.get_text() for text in figure.texts] == ["not drawn: m12, m13, m14"]
    with pytest.raises(UsageError, match="nothing to draw"):
        draw(Comparison((made(0),), ()), points={})


@pytest.mark.parametrize("how", [{"x": "epoch"}, {"kind": "pie"}, {"theme": "pink"}])
def test_a_wrong_word_names_the_valid_ones(how: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="valid: "):
        drawn(1, **how)


def contrast(one: str, other: str) -> float:
    """Of two colours, by WCAG 2.1."""

    def luminance(colour: str) -> float:
        parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_lines_and_text_are_seen_on_light_and_on_dark_pages() -> None:
    for page in ("#ffffff", "#111111"):
        assert min(contrast(colour, page) for colour in COLOURS) >= 3
        assert contrast(THEMES["auto"].text, page) >= 4
    for name in ("light", "dark"):
        assert contrast(THEMES[name].text, THEMES[name].background) >= 7
    assert drawn(1).get_facecolor()[3] == 0  # nothing behind it
    assert to_hex(drawn(1, theme="dark").get_facecolor()) == "#111111"


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".PDF", b"%PDF")])
def test_the_suffix_says_what_is_written(tmp_path: Path, suffix: str, start: bytes) -> None:
    path = save(drawn(2), tmp_path / f"a{suffix}")
    assert path.read_bytes().startswith(start)
    with pytest.raises(UsageError, match=r"end in \.png, \.svg or \.pdf"):
        save(drawn(1), tmp_path / "a.jpeg")
    with pytest.raises(UsageError, match="can't write"):
        save(drawn(1), tmp_path / "none" / "a.png")


def test_pyplot_is_never_there() -> None:
    script = (
        "import sys; from runs_side_by_side import curves; from jupyter_remote.plots import draw, picture\n"
        "runs, points = curves(2); picture(draw(runs, points=points))\n"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=Path(__file__).parent
    )
    assert done.stdout.strip() == "False"


def test_a_notebook_shows_a_figure_by_itself() -> None:
    from IPython.core.formatters import DisplayFormatter

    figure = drawn(1)
    data, metadata = DisplayFormatter().format(figure)  # type: ignore[no-untyped-call]
    assert data["image/png"].startswith(b"\x89PNG")
    assert metadata["image/png"]["width"] == round(figure.get_size_inches()[0] * 100)


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("lines", {"metric": ["val_loss", "epoch_time_s"], "theme": "light"}),
        ("facets", {"by": "lr", "x": "time"}),
    ],
)
def test_it_looks_as_it_did(name: str, how: dict[str, Any], tmp_path: Path) -> None:
    if name == "facets":
        how = {**how, "metric": "accuracy", "theme": "dark"}
    made_now, kept = tmp_path / f"{name}.png", PICTURES / f"{name}.png"
    made_now.write_bytes(picture(drawn(6 if name == "facets" else 3, **how), dpi=60))
    # Other versions of matplotlib and FreeType put letters a little elsewhere.
    assert compare_images(str(kept), str(made_now), tol=12) is None
