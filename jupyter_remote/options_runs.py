"""The part of the table of options that is about runs that were started before: `runs`, `history`, `clean`.

Read by `options.py`, which is what everybody else imports.
"""

from __future__ import annotations

from .option_types import Argument, Command, Option
from .options_compare import REPORT

STATES = "queued, starting, running, finished, failed, stopped or lost"

JSON = Option("json", "one JSON document on stdout")
RUN = Argument("run", "ID", "the run's id, or as much of its beginning as no other has")
SOME_RUNS = Argument("runs", "ID", "ids of runs, or unique beginnings of them", many=True)
AT_HOST = Option("host", "the host it is on, when the local history doesn't know the run", "text", "HOST")
HOST = Option("host", "runs of this host only", "text", "HOST")
SINCE = Option(
    "since",
    "started since then: a time ago (90m, 2d) or a date (2026-11-20, 2026-11-20T14:30)",
    "moment",
    "TIME",
)
LIMIT = Option("limit", "at most so many, the newest (default: 50)", "number", "N")

ARCHIVE = Option("archive", "in this archive, and not on the host", "text", "ARCHIVE")

RUNS = Command(
    "runs",
    "Runs on all hosts: list them, look at one, stop, delete, run again, compare, archive.",
    subcommands=(
        Command(
            "list",
            "Runs, newest first, from the local history; the hosts concerned say how they stand.",
            options=(
                HOST,
                Option("state", f"runs in this state only: {STATES}", "text", "STATE"),
                Option("label", "runs with this label only", "text", "TEXT"),
                Option("campaign", "runs of this campaign only", "text", "NAME"),
                SINCE,
                LIMIT,
                Option("deleted", "the runs in the trash instead"),
                Option("local", "ask no host: the runs as they were when last seen"),
                Option("archive", "the runs in this archive instead", "text", "ARCHIVE"),
                JSON,
            ),
            examples=("%remote runs --host dgx01 --state failed --since 2d",),
        ),
        Command(
            "info",
            "All that is known of a run: code, times, resources, workspace, commit, environment.",
            arguments=(RUN,),
            options=(AT_HOST, JSON),
        ),
        Command(
            "label",
            "Give a run a label; an empty one takes it away.",
            arguments=(RUN, Argument("text", "TEXT", "the label")),
            options=(AT_HOST, JSON),
        ),
        Command(
            "stop", "End runs with all their processes.", arguments=(SOME_RUNS,), options=(AT_HOST, JSON)
        ),
        Command(
            "delete",
            "Move ended runs to the trash of their host; `restore` brings them back.",
            arguments=(SOME_RUNS,),
            options=(AT_HOST, ARCHIVE, JSON),
        ),
        Command(
            "restore",
            "Bring deleted runs back, exactly as they were.",
            arguments=(SOME_RUNS,),
            options=(AT_HOST, ARCHIVE, JSON),
        ),
        Command(
            "purge",
            "Remove deleted runs for good, on their host and here.",
            arguments=(SOME_RUNS,),
            options=(AT_HOST, ARCHIVE, JSON),
        ),
        Command(
            "push",
            "Put ended runs into an archive, with output and artifacts; what is there is not sent again.",
            arguments=(SOME_RUNS, Argument("archive", "ARCHIVE", "its name below `archives:` in hosts.yaml")),
            options=(AT_HOST, JSON),
            examples=("%remote runs push 20261122-0145 lab",),
        ),
        Command(
            "pull",
            "Bring runs from an archive into folders here.",
            arguments=(SOME_RUNS, Argument("archive", "ARCHIVE", "its name below `archives:` in hosts.yaml")),
            options=(
                Option("output", "where their folders are made (default: here)", "path", "DIR"),
                JSON,
            ),
            examples=("%remote runs pull 20261122-0145 lab --output ~/runs",),
        ),
        Command(
            "rerun",
            "Run the same code, program and options again, with the workspace as it is now.",
            arguments=(RUN,),
            options=(
                Option("host", "on this host instead of its own", "text", "HOST"),
                Option("quiet", "no status line"),
                Option("json", "instead of its output, the new run as one JSON document when it has ended"),
            ),
            examples=("%remote runs rerun 20261122-014500-7f3a --host dgx02",),
        ),
        Command(
            "diff",
            "How two runs differ: code, environment, workspace, settings, metrics, end.",
            arguments=(
                Argument("first", "ID1", "a run, by its id or a unique beginning"),
                Argument("second", "ID2", "another one"),
            ),
            options=(JSON,),
        ),
        REPORT,
    ),
    default="list",
    examples=("%remote runs", "%remote runs diff 20261122-0145 20261122-0152"),
)

HISTORY = Command(
    "history",
    "Everything ever run, from the local history; no host is asked.",
    options=(
        HOST,
        SINCE,
        LIMIT,
        Option("export", "write all of it to FILE instead: .csv or .json", "path", "FILE"),
        Option("rebuild", "first ask the hosts (all configured ones, or that of --host) for all their runs"),
        JSON,
    ),
    examples=("%remote history --since 30d --export runs.csv", "%remote history --rebuild"),
)

CLEAN = Command(
    "clean",
    "List what dead sessions, old agents and broken builds left on a host, ask, and remove it; runs stay.",
    arguments=(Argument("host", "HOST", "the host's name"),),
    options=(
        Option("all", "the mirror of this workspace too, except what was made or changed on the host"),
        Option("runs", "ended runs that are in an archive too, for good"),
        Option("unarchived", "ended runs too that are nowhere else, for good"),
        Option("dry-run", "list what would go and remove nothing"),
        Option("yes", "don't ask"),
        JSON,
    ),
    exclusive=("dry_run", "yes"),
    examples=("%remote clean dgx01 --dry-run", "jupyter remote clean dgx01 --all --yes"),
)
