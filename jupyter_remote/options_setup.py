"""The words that set hosts up: `setup`, `doctor`, `import`. Part of the table in `options.py`."""

from __future__ import annotations

from .option_types import Argument, Command, Option
from .options_words import DRY_RUN, JSON

NAME = Option("name", "what the host is called here (default: the first part of its address)", "text", "N")
SSH_KEY = Option("ssh-key", "the private key that leads there", "path", "K")
NO_INSTALL = Option("no-install", "do not offer to prepare an environment there")
GROUP = Option("group", "the group that the hosts join", "text", "G")
REPLACE = Option("replace", "also take over what has an entry of that name already")

SETUP_COMMANDS = (
    Command(
        "setup",
        "Connect to hosts, look at what they are and have, and save them; a host that is "
        "known is looked at anew.",
        arguments=(
            Argument("targets", "USER@HOST[:PORT]", "addresses, names of known hosts, @group", many=True),
        ),
        options=(NAME, SSH_KEY, NO_INSTALL, GROUP, JSON),
        examples=(
            "%remote setup me@gpu-server-01 --name dgx01",
            "%remote setup me@node1 me@node2:2222 --group gpus",
        ),
    ),
    Command(
        "doctor",
        "Every check by name, and what to do about each that failed.",
        arguments=(Argument("hosts", "HOST", "hosts to look at", many=True),),
        options=(JSON,),
        examples=("%remote doctor dgx01",),
    ),
    Command(
        "import",
        "The hosts of a KITT hosts.yaml, a Guild config.yml or a qxub config.yaml; what "
        "can't be taken over is listed.",
        arguments=(Argument("file", "FILE", "the file; its kind is told from what is in it", kind="path"),),
        options=(DRY_RUN, REPLACE, JSON),
        examples=("%remote import ~/.kitt/hosts.yaml --dry-run",),
    ),
)
