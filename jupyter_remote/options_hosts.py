"""The words about hosts: what there is, what it has, what lives there. Part of the table in `options.py`."""

from __future__ import annotations

from .option_types import Argument, Command, Option
from .options_setup import SETUP_COMMANDS
from .options_words import HOST, JSON, NAMES, SETTINGS, SOME_HOSTS

HOST_COMMANDS = (
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
        "ssh-setup",
        "Put a key of yours on hosts, so that they ask for no password any more; made if you have none.",
        arguments=(
            Argument(
                "targets", "TARGETS", "`a,b,c`: hosts of `list`, aliases, or `user@host:port`", many=True
            ),
        ),
        options=(
            Option("user", "the user on all of them that name none", "text", "NAME"),
            Option(
                "ssh-key", "the private key (default: ~/.ssh/id_ed25519); made when absent", "path", "FILE"
            ),
            Option("dry-run", "say what would be done, and connect to no host"),
            JSON,
        ),
        examples=(
            "%remote ssh-setup dgx01,dgx02 --user me",
            "jupyter remote ssh-setup me@gpu-server-01:2222 --ssh-key ~/.ssh/id_gpu",
        ),
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
    *SETUP_COMMANDS,
    Command(
        "start",
        "Switch a machine of EC2 on, and wait until its sshd answers.",
        arguments=(HOST,),
        examples=("%remote start trainer",),
    ),
    Command(
        "stop",
        "Switch a machine of EC2 off; its disk stays.",
        arguments=(HOST,),
        options=(Option("force", "also while runs of mine go on there"),),
        examples=("%remote stop trainer",),
    ),
    Command(
        "status",
        "Load, memory, disk, GPUs with who uses them, my sessions and runs.",
        arguments=(SOME_HOSTS,),
        options=(
            Option("watch", "go on showing it, until interrupted; with --json a document a line"),
            Option("interval", "with --watch: how often (default 1 s)", "duration", "DURATION"),
            JSON,
        ),
        examples=("%remote status dgx01", "jupyter remote status --watch @gpus"),
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
    Command(
        "forward",
        "Reach a port of a host (TensorBoard, a dashboard) through one of this machine's loopback address.",
        arguments=(
            Argument("host", "HOST", "the host's name", required=False),
            Argument("port", "PORT", "of the host", required=False, kind="number"),
        ),
        options=(
            Option("local-port", "the port here (default: the same, or a free one)", "count", "N"),
            Option("to", "another machine that the host reaches, instead of the host", "text", "HOST[:PORT]"),
            Option("ipv6", "listen on ::1 too"),
            Option("list", "what is forwarded now, by every process of mine here"),
            Option("stop", "end what HOST and PORT name of that, or all of it"),
            JSON,
        ),
        exclusive=("list", "stop"),
        examples=(
            "%remote forward dgx01 6006",
            "jupyter remote forward dgx01 8080 --to node17:80",
            "%remote forward --stop dgx01",
        ),
    ),
)
