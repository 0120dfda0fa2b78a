"""The one table of commands and options: the magics, the command line and the reference page read it.

Here belongs: what the user may type, as data, with its help and examples. Here does not belong: parsing
(`parsing.py`), doing (`commands/`, `cell.py`), or anything that has to be imported to be looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

from .option_types import Argument, Command, Kind, Option
from .options_runs import CLEAN, HISTORY, RUNS

__all__ = ["AUTOREMOTE", "CELL", "LINE", "Argument", "Command", "Kind", "Option", "help_text", "walk"]

HOSTS = Argument(
    "hosts",
    "HOSTS",
    "a host of `list`, an alias of ~/.ssh/config, or `local`; several as a,b,c or @group",
    kind="hosts",
)
HOST = Argument("host", "HOST", "the host's name")
SOME_HOSTS = Argument(
    "hosts", "HOST", "hosts; all configured ones when none is named", required=False, many=True
)

SETTINGS = Argument(
    "settings", "KEY=VALUE", "dots reach nested keys, values are YAML", many=True, kind="pair"
)
PROGRAM = Argument(
    "program", "PROGRAM [ARGS]", "the program and its arguments", required=False, many=True, last=True
)
RUN = Argument("run", "ID", "the run's id, or as much of it as only one run has")
NAMES = Argument("names", "NAME", "names of sessions", required=False, many=True)

SEND = Option(
    "send",
    "local variables that the session gets before the cell runs: `x,y` or 'x y'",
    "names",
    "NAMES",
    repeatable=True,
    short="i",
)
FETCH = Option(
    "fetch",
    "variables of the session that come here when the cell has ended well",
    "names",
    "NAMES",
    repeatable=True,
    short="o",
)
PULL = Option(
    "pull",
    "bring files that match here when the run ends, also when it failed (`sync.pull` of the host too); "
    "of several hosts into `pulled/HOST/`",
    "text",
    "GLOB",
    repeatable=True,
)
NO_SYNC = Option("no-sync", "run on the workspace as it is on the host")
SESSION = Option("session", "which session (default: one per host and notebook)", "session", "NAME")
FRESH = Option("fresh", "a new process for this run only")
BASH = Option("bash", "the cell is shell")
SCRIPT = Option(
    "script",
    "the cell's text is saved as FILE and run as a program with ARGS; everything after FILE belongs to ARGS",
    "rest",
    "FILE [ARGS]",
)
CWD = Option("cwd", "the folder it runs in, relative to the workspace on the host", "path", "PATH")
ENV = Option("env", "an environment variable of the run", "assignment", "K=V", repeatable=True)
PASS_ENV = Option(
    "pass-env",
    "hand over a local environment variable; its value is never recorded or visible in `ps`",
    "variable",
    "NAME",
    repeatable=True,
)
TIMEOUT = Option(
    "timeout", "stop the run after this time: 90, 30s, 10m, 1h30m, 2d, 01:30:00", "duration", "DURATION"
)
DETACH = Option("detach", "return at once with the run, which goes on; its output area keeps changing")
LABEL = Option("label", "a label that the run's record carries", "text", "TEXT")
DRY_RUN = Option("dry-run", "say what would happen and do nothing")
ON_HOST = Option("host", "where the run is (default: all configured hosts are asked)", "text", "HOST")
QUIET = Option("quiet", "no status line")
OUTPUT = Option(
    "output",
    "how much of what it prints is shown, beginning and end: 200K, 5M (`output_limit`)",
    "size",
    "SIZE",
)
JSON = Option("json", "one JSON document on stdout")

CELL = Command(
    "%%remote",
    "Run the cell on a host: sync the workspace, run, stream back what it prints, draws and raises.",
    arguments=(HOSTS,),
    options=(
        NO_SYNC, SESSION, FRESH, BASH, SCRIPT, SEND, FETCH, PULL, CWD, ENV, PASS_ENV, TIMEOUT, DETACH, LABEL,
        DRY_RUN, QUIET, OUTPUT,
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
    ),
)  # fmt: skip

AUTOREMOTE = Command(
    "%autoremote",
    "Send every following cell to a host, as `%%remote` does; `off` ends it, `%%local` runs one here.",
    arguments=(HOSTS,),
    options=CELL.options,
    examples=("%autoremote dgx01", "%autoremote dgx01 --session training", "%autoremote off"),
)

LINE = Command(
    "%remote",
    "Hosts, sessions and runs; `jupyter remote` takes the same words.",
    subcommands=(
        Command(
            "list",
            "The hosts, groups and archives, and where each is defined.",
            options=(JSON,),
            examples=("%remote list",),
        ),
        Command(
            "test",
            "Can the host be used? Connect, look at its Python, write in the workspace, run a program.",
            arguments=(Argument("hosts", "HOST", "hosts to test", many=True),),
            options=(JSON,),
            examples=("%remote test dgx01 dgx02",),
        ),
        Command(
            "show",
            "The host's resolved settings, and where each came from.",
            arguments=(HOST,),
            options=(JSON,),
            examples=("%remote show dgx01",),
        ),
        Command(
            "set",
            "Change settings of a host in your hosts.yaml; an unknown host is added.",
            arguments=(
                HOST,
                SETTINGS,
            ),
            examples=(
                "%remote set dgx01 hostname=gpu-server-01 user=me",
                "%remote set dgx01 ssh.keepalive=15",
            ),
        ),
        Command(
            "remove",
            "Forget the host: its entry in your hosts.yaml goes, nothing on the host changes.",
            arguments=(HOST,),
            examples=("%remote remove dgx01",),
        ),
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
                    "send this local script and run it with ARGS; everything after FILE belongs to ARGS",
                    "rest",
                    "FILE [ARGS]",
                ),
                PULL, CWD, ENV, PASS_ENV, TIMEOUT, DETACH, LABEL, DRY_RUN, QUIET,
            ),
            exclusive=("script", "program"),
            examples=("jupyter remote run dgx01 --timeout 2h -- python train.py --epochs 3",),
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
                ON_HOST,
            ),
            examples=("%remote logs 20261122-014500-7f3a --tail 100 --follow",),
        ),
        Command(
            "status",
            "Load, memory, disk, GPUs, my sessions and runs.",
            arguments=(SOME_HOSTS,),
            options=(JSON,),
            examples=("%remote status dgx01",),
        ),
        Command(
            "sessions",
            "The live sessions.",
            subcommands=(
                Command("list", "The live sessions of a host.", arguments=(SOME_HOSTS,), options=(JSON,)),
                Command(
                    "stop",
                    "End sessions of a host; all of mine there when none is named.",
                    arguments=(HOST, NAMES),
                ),
            ),
            default="list",
            examples=("%remote sessions list dgx01", "%remote sessions stop dgx01 training"),
        ),
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
