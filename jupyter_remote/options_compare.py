"""The words about runs side by side: `compare`, `runs report`. Part of the table in `options.py`."""

from __future__ import annotations

from .option_types import Argument, Command, Option
from .options_words import JSON

SOME_RUNS = Argument(
    "runs",
    "ID",
    "ids of runs, unique beginnings of them, or a group: all runs of one call on several hosts",
    required=False,
    many=True,
)
CAMPAIGN = Option(
    "campaign",
    "the runs of this campaign, of each step the last; an older one of that name by ID, its or a run's",
    "text",
    "NAME",
)
LOCAL = Option("local", "ask no host: the runs as they were when last seen")

COMPARE = Command(
    "compare",
    "Runs side by side: metrics with the best marked, parameters that differ; --plot draws them.",
    arguments=(SOME_RUNS,),
    options=(
        CAMPAIGN,
        Option(
            "metric", "only this metric; `*` stands for any letters: `val_*`", "text", "NAME", repeatable=True
        ),
        Option(
            "best",
            "what is better where a metric's name doesn't tell: `min`, `max`, or `NAME=min` for one",
            "text",
            "WHICH",
            repeatable=True,
        ),
        Option("plot", "draw the metrics into FILE: .png, .svg or .pdf", "path", "FILE"),
        Option("kind", "with --plot: `line`, or `bar` of the last values", "text", "KIND"),
        Option("x", "with --plot: by `step` (the default) or by `time` since the start", "text", "AXIS"),
        Option("by", "with --plot: panels by `host`, or by the parameter of that name", "text", "NAME"),
        Option("log", "with --plot: a logarithmic axis"),
        Option(
            "theme",
            "with --plot: `light`, `dark`, or `auto` for no background (the default)",
            "text",
            "THEME",
        ),
        LOCAL,
        JSON,
    ),
    examples=(
        "%remote compare 20261122-0145 20261122-0152",
        "%remote compare --campaign sweep --metric val_* --plot sweep.png --by lr",
        "jupyter remote compare g20261122-014500-7f3a --best gflops=max",
    ),
)

REPORT = Command(
    "report",
    "Write what there is to know of runs into a file: inputs, circumstances, metrics, pictures, log.",
    arguments=(SOME_RUNS,),
    options=(
        CAMPAIGN,
        Option(
            "output",
            "the file: .html (all in one) or .md (pictures beside it); default: print it",
            "path",
            "FILE",
        ),
        Option("tail", "so many lines of each log, from its end (default: 60)", "number", "N"),
        LOCAL,
        JSON,
    ),
    examples=(
        "%remote runs report 20261122-0145 --output report.html",
        "jupyter remote runs report --campaign sweep --output sweep.md",
    ),
)
