"""What the table of options is made of: options, arguments, commands. The table itself is `options.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "flag",
    "text",
    "path",
    "session",
    "pair",
    "assignment",
    "variable",
    "names",
    "duration",
    "moment",
    "number",
    "rest",
    "hosts",
    "count",
    "size",
    "gpus",
    "wait",
]


@dataclass(frozen=True)
class Option:
    """One option.

    Args:
        name: the long name, without dashes.
        help: one sentence, no full stop.
        kind: what its value is; a `flag` has none, `rest` takes every word that follows, `wait` may have a
            duration or nothing.
        metavar: the value's name in help texts.
        repeatable: may be given several times; the value is then a tuple.
        short: its letter, where it has one.
    """

    name: str
    help: str
    kind: Kind = "flag"
    metavar: str = ""
    repeatable: bool = False
    short: str = ""

    @property
    def flag(self) -> str:
        """As it is typed: `--name`."""
        return f"--{self.name}"

    @property
    def key(self) -> str:
        """The name that the parsed value goes by."""
        return self.name.replace("-", "_")

    @property
    def usage(self) -> str:
        """All ways to type it, with the name of its value."""
        flag = f"-{self.short}, {self.flag}" if self.short else self.flag
        return f"{flag} {self.metavar}" if self.metavar else flag


@dataclass(frozen=True)
class Argument:
    """One positional word, or (`many`) all the remaining ones, or (`last`) all those after `--`."""

    key: str
    metavar: str
    help: str
    required: bool = True
    many: bool = False
    last: bool = False
    kind: Kind = "text"

    @property
    def usage(self) -> str:
        """The word as help texts show it."""
        if self.last:
            return f"-- {self.metavar}"
        text = f"{self.metavar}…" if self.many else self.metavar
        return text if self.required else f"[{text}]"


@dataclass(frozen=True)
class Command:
    """One command: `%%remote` itself, a word of `%remote`, or a word below one of those.

    Args:
        exclusive: keys of options of which at most one may be given.
        default: the subcommand that runs when none is named.
    """

    name: str
    help: str
    arguments: tuple[Argument, ...] = ()
    options: tuple[Option, ...] = ()
    examples: tuple[str, ...] = ()
    exclusive: tuple[str, ...] = ()
    subcommands: tuple[Command, ...] = ()
    default: str = ""

    @property
    def flags(self) -> tuple[str, ...]:
        """Its options as they are typed."""
        return tuple(option.flag for option in self.options)

    @property
    def usage(self) -> str:
        """The words after the command's own name."""
        words = [argument.usage for argument in self.arguments if not argument.last]
        words += ["[options]"] if self.options else []
        words += [argument.usage for argument in self.arguments if argument.last]
        if self.subcommands:
            words.insert(0, f"[{'|'.join(command.name for command in self.subcommands)}]")
        return " ".join(words)
