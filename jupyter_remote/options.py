"""The one table of commands and options: the magics, the command line and the reference page read it.

Here belongs: what the user may type, as data, with its help and examples. Here does not belong: parsing
(`parsing.py`), doing (`commands/`, `cell.py`), or anything that has to be imported to be looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

from .option_types import Argument, Command, Kind, Option
from .options_campaigns import CAMPAIGN
from .options_compare import COMPARE
from .options_env import ENV as ENVIRONMENTS
from .options_hosts import HOST_COMMANDS
from .options_runs import CLEAN, HISTORY, RUNS
from .options_words import (
    BASH,
    CELL_HOSTS,
    CWD,
    DETACH,
    DRY_RUN,
    ENV,
    FETCH,
    FRESH,
    GPUS,
    HOST,
    HOSTS,
    JSON,
    LABEL,
    LAUNCHER,
    METRIC_FILES,
    METRICS,
    MIN_FREE,
    NO_SYNC,
    ON_HOST,
    OUTPUT,
    PASS_ENV,
    PROGRAM,
    PULL,
    QUIET,
    RUN,
    SCRIPT,
    SEND,
    SESSION,
    SET,
    TIMEOUT,
    WAIT,
)

__all__ = ["AUTOREMOTE", "CELL", "LINE", "Argument", "Command", "Kind", "Option", "help_text", "walk"]

CELL = Command(
    "%%remote",
    "Run the cell on a host: sync the workspace, run, stream back what it prints, draws and raises.",
    arguments=(CELL_HOSTS,),
    options=(
        NO_SYNC, SESSION, FRESH, BASH, SCRIPT, SEND, FETCH, PULL, CWD, ENV, PASS_ENV, GPUS, MIN_FREE, WAIT,
        LAUNCHER, SET, TIMEOUT, DETACH, LABEL, METRICS, METRIC_FILES, DRY_RUN, QUIET, OUTPUT,
    ),
    exclusive=("session", "fresh", "bash", "script"),
    examples=(
        "%%remote dgx01",
        "%%remote dgx01 --session training --timeout 2h",
        "%%remote dgx01 -i x,y -o model",
        "%%remote dgx01 --pull 'results/**' --pull '*.png'",
        "%%remote local --bash",
        "%%remote dgx01 --script train.py --epochs 3",
        "%%remote dgx01,dgx02 --bash",
        "%%remote dgx01 --gpus 1 --min-free 20G --wait",
        "%%remote cluster --launcher slurm --set partition=gpu --set gpus=1",
    ),
)  # fmt: skip

AUTOREMOTE = Command(
    "%autoremote",
    "Send every following cell to a host, as `%%remote` does; `off` ends it, `%%local` runs one here.",
    arguments=(CELL_HOSTS,),
    options=CELL.options,
    examples=("%autoremote dgx01", "%autoremote dgx01 --session training", "%autoremote off"),
)

LINE = Command(
    "%remote",
    "Hosts, sessions and runs; `jupyter remote` takes the same words.",
    subcommands=(
        *HOST_COMMANDS,
        Command(
            "sync",
            "Bring the workspace to the host.",
            arguments=(HOST,),
            options=(Option("dry-run", "list what would go, and what is skipped by which rule"), JSON),
            examples=("%remote sync dgx01 --dry-run",),
        ),
        Command(
            "push",
            "Bring single files or folders of the workspace to the host, ignored ones too.",
            arguments=(HOST, Argument("paths", "PATH", "files or folders; no sync deletes them", many=True)),
            options=(JSON,),
            examples=("%remote push dgx01 data/train",),
        ),
        Command(
            "pull",
            "Bring files of the workspace's mirror on the host here.",
            arguments=(
                HOST,
                Argument(
                    "patterns",
                    "PATTERN",
                    "as in .gitignore: `*.png` at any depth, `results/*.csv`, `results/**`, `!` leaves out",
                    many=True,
                ),
            ),
            options=(
                Option("output", "the folder they go to (default: the workspace)", "path", "DIR"),
                Option("dry-run", "list what would come"),
                JSON,
            ),
            examples=(
                "%remote pull dgx01 'results/**' '*.png'",
                "%remote pull dgx01 out/ --output ~/from-dgx01",
            ),
        ),
        Command(
            "run",
            "Run a program (or with --script a local script) on hosts; exits with its exit code.",
            arguments=(
                HOSTS,
                PROGRAM,
            ),
            options=(
                NO_SYNC,
                Option(
                    "script",
                    "send this local script, run it with ARGS, all that follows; our options go before it",
                    "rest",
                    "FILE [ARGS]",
                ),
                PULL, CWD, ENV, PASS_ENV, GPUS, MIN_FREE, WAIT, LAUNCHER, SET, TIMEOUT, DETACH, LABEL,
                METRICS, METRIC_FILES, DRY_RUN, QUIET,
            ),
            exclusive=("script", "program"),
            examples=("jupyter remote run dgx01 --timeout 2h -- train.py --epochs 3",),
        ),
        Command(
            "attach",
            "Show a run as if this cell had started it: all of its output, its result or its error.",
            arguments=(RUN,),
            options=(ON_HOST, QUIET),
            examples=("%remote attach 20261122-014500-7f3a",),
        ),
        Command(
            "watch",
            "Wait for the end of a run and show what it prints from now on; exits with its exit code.",
            arguments=(RUN,),
            options=(ON_HOST, QUIET),
            examples=("jupyter remote watch 20261122-014500-7f3a",),
        ),
        Command(
            "logs",
            "What a run has printed, up to now.",
            arguments=(RUN,),
            options=(
                Option("tail", "only the last N lines", "count", "N"),
                Option("follow", "and what it prints from now on"),
                Option("rank", "of one process: a rank of a job, or a task of an array", "count", "N"),
                ON_HOST,
            ),
            examples=("%remote logs 20261122-014500-7f3a --tail 100 --follow",),
            exclusive=("follow", "rank"),
        ),
        ENVIRONMENTS,
        CAMPAIGN,
        COMPARE,
        RUNS,
        HISTORY,
        CLEAN,
        Command("version", "Of the package, the protocol and the agent.", options=(JSON,)),
    ),
)  # fmt: skip


def walk(command: Command = LINE, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Command]]:
    """Yield every command below `command` with the words that lead to it."""
    for child in command.subcommands:
        words = (*path, child.name)
        yield words, child
        yield from walk(child, words)


def help_text() -> str:
    """Everything the magics understand, as plain text: what `%%remote?` shows."""
    lines = [f"{CELL.name} {CELL.usage}", f"    {CELL.help}", ""]
    lines += [f"    {option.usage:<20} {option.help}" for option in CELL.options]
    lines += [
        "",
        *(f"    {example}" for example in CELL.examples),
        "",
        f"{AUTOREMOTE.name} {AUTOREMOTE.usage}",
        f"    {AUTOREMOTE.help}",
        "",
        f"{LINE.name} WORDS",
        f"    {LINE.help}",
        "",
    ]
    lines += [f"    {' '.join((*words, command.usage))}\n        {command.help}" for words, command in walk()]
    return "\n".join(lines)
