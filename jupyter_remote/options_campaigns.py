"""The words about campaigns. Part of the table in `options.py`."""

from __future__ import annotations

from .option_types import Argument, Command, Option
from .options_words import JSON

NAME = Argument("name", "NAME", "the campaign's name")
WHERE = Option(
    "host", "where to look: hosts as a,b,c or @group (default: where it was started, or all)", "text", "HOSTS"
)
WAIT = Option("wait", "show how it goes until it has ended; exits with 1 when a step has not finished")

CAMPAIGN = Command(
    "campaign",
    "Many runs from one YAML file, which the hosts run by themselves; `campaign FILE` starts one.",
    subcommands=(
        Command(
            "start",
            "Start the runs of a file: everything is checked first, then each host gets its part.",
            arguments=(Argument("file", "FILE", "the YAML file, see docs/campaigns.md", kind="path"),),
            options=(
                Option("host", "hosts as a,b,c, @group or any, instead of the file's", "text", "HOSTS"),
                WAIT,
                Option("dry-run", "check everything, on the hosts too, and show which step runs what where"),
                JSON,
            ),
            examples=(
                "%remote campaign start sweep.yaml --host dgx01,dgx02 --dry-run",
                "jupyter remote campaign start sweep.yaml --host @gpus --wait",
            ),
        ),
        Command(
            "status",
            "How the steps of a campaign stand.",
            arguments=(NAME,),
            options=(WHERE, WAIT, JSON),
        ),
        Command("list", "The campaigns of all hosts.", options=(WHERE, JSON)),
        Command(
            "stop",
            "End a campaign: nothing more is started, and what runs is ended.",
            arguments=(NAME,),
            options=(WHERE, JSON),
        ),
        Command(
            "resume",
            "Go on with the steps that wait, were stopped, skipped or lost, also after a host was restarted.",
            arguments=(NAME,),
            options=(Option("failed", "with those that failed too"), WHERE, WAIT, JSON),
        ),
        Command(
            "logs",
            "What the steps of a campaign have printed, up to now.",
            arguments=(NAME,),
            options=(Option("tail", "only the last N lines of each", "count", "N"), WHERE),
            examples=("%remote campaign logs sweep --tail 100",),
        ),
        Command(
            "pull",
            "Bring the results of all steps here, into `campaigns/NAME/HOST/STEP/`.",
            arguments=(NAME,),
            options=(WHERE, JSON),
        ),
    ),
    default="start",
    examples=("%remote campaign sweep.yaml", "%remote campaign status sweep"),
)
