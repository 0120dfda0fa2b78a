"""Arguments and options that several commands take. Part of the table in `options.py`."""

from __future__ import annotations

from .option_types import Argument, Option

HOSTS = Argument(
    "hosts",
    "HOSTS",
    "a host of `list`, an alias of ~/.ssh/config, or `local`; several as a,b,c or @group; "
    "`any` (of some: any:a,b or any:@group) is the one with most GPU memory free",
    kind="hosts",
)
CELL_HOSTS = Argument(
    HOSTS.key,
    HOSTS.metavar,
    f"{HOSTS.help}; without it the notebook's own host",
    required=False,
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
METRICS = Option(
    "metrics",
    "what counts as a metric too: names (`gflops*`), or a regular expression with named groups",
    "text",
    "PATTERN",
    repeatable=True,
)
METRIC_FILES = Option(
    "metric-files",
    "files of metrics that the run writes (CSV, JSON lines, TensorBoard's, logs), as in .gitignore",
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
    "save the cell's text as FILE and run it with ARGS, all that follows; our options go before it",
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
GPUS = Option(
    "gpus",
    "lease so many free GPUs (2, auto:2), or these (0,1 or UUIDs); 0 gives back what the session has",
    "gpus",
    "N|IDS|auto:N",
)
MIN_FREE = Option("min-free", "with --gpus: each must have so much memory free", "size", "SIZE")
WAIT = Option(
    "wait",
    "with --gpus: wait until they are free, in line with others; not longer than this",
    "wait",
    "[DURATION]",
)
LAUNCHER = Option(
    "launcher",
    "how the process starts: `process`, in a `container`, or as a job of `slurm`, `pbs` or `ray`",
    "text",
    "KIND",
)
SET = Option(
    "set",
    "a setting of the launcher, for a process that is to be started: `partition=gpu`, `image=python:3.12`",
    "pair",
    "KEY=VALUE",
    repeatable=True,
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
