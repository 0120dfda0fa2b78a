"""The manual page, `man jupyter-remote`, made of the table of options; who builds a wheel puts it in.

Here belongs: how the table looks as a manual page. What the words mean is in `options.py`. It all needs no
more than the standard library: the hook that builds has no other packages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from . import errors
from .agent.version import VERSION
from .option_types import Command
from .options import CELL, walk

PROGRAM = "jupyter-remote"

# What the user may set in the environment.
VARIABLES = {
    "JUPYTER_REMOTE_CONFIG_DIR": "the folder of hosts.yaml, instead of the one below Jupyter's own settings",
    "JUPYTER_REMOTE_SSH_CONFIG": "the ssh configuration that is read, instead of ~/.ssh/config",
}


def page() -> str:
    """The whole page, as `man` reads it (man(7): lines that begin with a dot are its macros)."""
    lines = [
        f'.TH {PROGRAM.upper()} 1 "" "jupyter_remote {VERSION}" "User Commands"',
        *_section("NAME", f"{PROGRAM}, jupyter remote - run notebook cells and programs on remote hosts"),
        *_section("SYNOPSIS", ""),
        "\\fBjupyter remote\\fR \\fIWORD\\fR [options] …",
        ".PP",
        "\\fBjupyter remote\\fR \\fIWORD\\fR \\fB\\-\\-help\\fR",
        *_section(
            "DESCRIPTION",
            "The same words are a line magic of notebooks, %remote; a cell runs on a host by %%remote HOST. "
            "The link to a host is only a viewer: a run goes on without it, and `attach` shows it later.",
        ),
        *_section("COMMANDS", ""),
    ]
    for words, command in walk():
        if not command.subcommands:
            lines += _command(" ".join(words), command)
    lines += _section("CELLS", "")
    lines += _command(CELL.name, CELL)
    lines += _section("EXIT STATUS", "That of a run is the run's own, 128 + n for a signal. Otherwise:")
    for code, what in sorted(_codes().items()):
        lines += [".TP", str(code), _plain(what)]
    lines += _section("FILES", "")
    lines += [
        ".TP",
        ".I hosts.yaml",
        _plain("hosts, groups, archives; `jupyter remote list` says where it is."),
    ]
    lines += [".TP", ".I .jupyter-remote.yaml", "what a workspace has of its own."]
    lines += _section("ENVIRONMENT", "")
    for name, what in VARIABLES.items():
        lines += [".TP", f".B {name}", _plain(what)]
    lines += _section("SEE ALSO", "ssh(1), ssh_config(5), jupyter(1)")
    return "\n".join(lines) + "\n"


def _section(title: str, text: str) -> Iterator[str]:
    yield f".SH {title}"
    if text:
        yield _plain(text)


def _command(words: str, command: Command) -> Iterator[str]:
    yield f'.SS "{_plain(f"{words} {command.usage}".strip())}"'
    yield _plain(command.help)
    for argument in command.arguments:
        yield from (".TP", f"\\fI{_plain(argument.metavar)}\\fR", _plain(argument.help))
    for option in command.options:
        yield from (".TP", f"\\fB{_plain(option.usage)}\\fR", _plain(option.help))
    if command.examples:
        yield from (".PP", "Examples:", ".nf", *(_plain(f"  {line}") for line in command.examples), ".fi")


def _codes() -> dict[int, str]:
    """Exit code -> what it means: what is said of the errors that bring it in."""
    found = {1: ["Anything else went wrong."], 130: ["Interrupted here."]}
    for one in vars(errors).values():
        if not isinstance(one, type) or not issubclass(one, errors.RemoteError):
            continue
        if one.exit_code not in (1, getattr(one.__base__, "exit_code", 1)):
            found.setdefault(one.exit_code, []).append((one.__doc__ or "").strip().partition("\n")[0])
    return {code: " ".join(texts) for code, texts in found.items()}


def _plain(text: str) -> str:
    """As it stands here: nothing in it is a macro, and a hyphen can be copied into a shell."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq").replace("~", "\\(ti")
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.MULTILINE)
