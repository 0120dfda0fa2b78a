"""From typed words to values: builds click commands out of the table in `options.py`.

Here belongs: splitting a magic's line, and turning every complaint of click into
one line of our own. What the commands do is in `commands/` and `cell.py`.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, NoReturn

import click

from .errors import UsageError
from .options import Argument, Command, Kind, Option
from .values import FOREVER, convert

Values = dict[str, Any]
Handler = Callable[[Values, Any], object]


def split_line(line: str) -> list[str]:
    """Split a magic's line as a POSIX shell would, quotes and backslashes included.

    Raises:
        UsageError: a quote is not closed.
    """
    try:
        return shlex.split(line)
    except ValueError as error:
        raise UsageError(f"cannot read the magic line: {str(error).lower()} in: {line.strip()}") from None


def unknown(what: str, word: str, of: str, valid: Iterable[str]) -> UsageError:
    """Return the error for a word that is not in the table, with the nearest valid one first.

    Args:
        what: it should be: `option`, `host` …
        of: where it was typed.
    """
    choices = list(valid)
    near = get_close_matches(word, choices, n=1)
    guess = f"; did you mean {near[0]}?" if near else "."
    listed = f"Valid: {', '.join(choices)}" if choices else "There is none"
    return UsageError(f"unknown {what} {word} of {of}{guess} {listed}")


def parse(command: Command, words: Sequence[str], name: str | None = None) -> Values:
    """Return the values of `command` for `words`, keyed by `Option.key` and `Argument.key`.

    Raises:
        UsageError: an unknown option, a missing or bad value, options that exclude each other.
    """
    values: Values = {}
    invoke(_reader(command), words, name or command.name, values.update)
    return values


@lru_cache(maxsize=8)
def _reader(command: Command) -> click.Command:
    """The click command that hands the values over; to make one costs half a millisecond."""
    return build(command, lambda given, update: update(given), help_option=False)


def invoke(command: click.Command, words: Sequence[str], name: str, obj: object = None) -> object:
    """Run `command` with `words` and return what its handler returned (0 after `--help`).

    Args:
        obj: what handlers get besides the values.

    Raises:
        UsageError: the words are wrong. Errors of the handler pass through.
    """
    try:
        with command.make_context(name, list(words), obj=obj) as context:
            return command.invoke(context)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.ClickException as error:
        _complain(error, name)


def build(
    command: Command, handler: Handler | Mapping[tuple[str, ...], Handler], *, help_option: bool = True
) -> click.Command:
    """Return the click command of a table entry; a group for one with subcommands.

    Args:
        help_option: whether it takes `--help`.
        handler: what a leaf runs, with its values and the context's `obj`; for a group, a mapping from the
            words below it to those.
    """
    if command.subcommands:
        assert isinstance(handler, Mapping)
        return _group(command, handler)
    assert callable(handler)
    leaf = handler

    def callback(**values: Any) -> object:
        context = click.get_current_context()
        _check_exclusive(command, values, context)
        return leaf(values, context.obj)

    return _Leaf(
        command,
        name=command.name,
        help=_help(command),
        short_help=command.help,
        options_metavar="[options]",
        params=[*map(_argument, command.arguments), *map(_option, command.options)],
        callback=callback,
        add_help_option=help_option,
    )


def _group(command: Command, handlers: Mapping[tuple[str, ...], Handler]) -> click.Group:
    taken = [one for sub in command.subcommands if sub.name == command.default for one in sub.arguments]
    group = _Words(
        command.name,
        default=command.default,
        takes_file=any(argument.kind == "path" for argument in taken),
        help=_help(command),
        short_help=command.help,
        invoke_without_command=True,
        options_metavar="",
        subcommand_metavar=command.usage if command.default else "WORD …",
    )
    for child in command.subcommands:
        below = {words[1:]: handler for words, handler in handlers.items() if words[0] == child.name}
        group.add_command(build(child, below if child.subcommands else below[()]))

    def callback() -> object:
        context = click.get_current_context()
        if context.invoked_subcommand is not None:
            return None
        if not command.default:
            click.echo(context.get_help())
            return 0
        leaf = group.commands[command.default]
        with leaf.make_context(command.default, [], parent=context) as inner:
            return leaf.invoke(inner)

    group.callback = callback
    return group


def _help(command: Command) -> str:
    lines = [command.help]
    if command.arguments:
        lines += ["", "\b", *(f"{argument.metavar}: {argument.help}" for argument in command.arguments)]
    if command.examples:
        lines += ["", "\b", "Examples:", *(f"  {example}" for example in command.examples)]
    return "\n".join(lines)


class _Words(click.Group):
    """A click group that keeps the table's order and names the valid words.

    Options without a command before them belong to the default one, and so does what looks like a file when
    that takes one.
    """

    def __init__(self, name: str, default: str, takes_file: bool = False, **settings: Any) -> None:
        super().__init__(name, **settings)
        self._default = default
        self._takes_file = takes_file

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        word = args[0] if self._default and args else ""
        a_file = self._takes_file and word not in self.commands and ("." in word or "/" in word)
        if a_file or (word.startswith("-") and word not in ctx.help_option_names):
            args = [self._default, *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.commands and not args[0].startswith("-"):
            raise unknown("command", args[0], ctx.command_path, self.commands)
        return super().resolve_command(ctx, args)


class _Leaf(click.Command):
    """A click command that knows `rest` options: they take every word that follows them.

    A word among these that is an option of ours, and could be the program's, is an error; all are the
    program's after ``--``.
    """

    def __init__(self, table: Command, **settings: Any) -> None:
        super().__init__(**settings)
        self._options = {option.flag: option for option in table.options}
        self._options.update({f"-{option.short}": option for option in table.options if option.short})

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        args = self._with_values(args)
        for index, word in enumerate(args):
            if word == "--":
                break
            flag, equals, value = word.partition("=")
            option = self._options.get(flag)
            if option is None or option.kind != "rest" or _is_value(args, index, self._options):
                continue
            taken = ([value] if equals else []) + args[index + 1 :]
            left = super().parse_args(ctx, args[:index])
            if not taken:
                raise click.BadOptionUsage(flag, f"option {flag} needs a FILE", ctx)
            ctx.params[option.key] = self._of_the_program(flag, taken, ctx)
            return left
        return super().parse_args(ctx, args)

    def _of_the_program(self, flag: str, taken: list[str], ctx: click.Context) -> tuple[str, ...]:
        name, *words = taken
        if words[:1] == ["--"]:
            return (name, *words[1:])
        for word in words:
            if word == "--":
                break
            # Letters (`-o`) mean something to so many programs that nobody expects them to be ours here.
            if word.startswith("--") and word.partition("=")[0] in self._options:
                raise click.UsageError(
                    f"{word} comes after {flag} {name}: put it before {flag} if it is meant for us, "
                    f"or all that is the program's after --: {flag} {name} -- {shlex.join(words)}",
                    ctx,
                )
        return tuple(taken)

    def _with_values(self, args: list[str]) -> list[str]:
        """The words, with a value for each option that may do without one."""
        told = list(args)
        for index in range(len(told) - 1, -1, -1):
            option = self._options.get(told[index])
            if option is None or option.kind != "wait" or _within(told[:index], self._options):
                continue
            try:
                convert("wait", told[index + 1])
            except (IndexError, UsageError):
                told.insert(index + 1, FOREVER)
        return told


def _within(before: Sequence[str], options: Mapping[str, Option]) -> bool:
    """Whether the words up to here leave none to be an option: a program's or a script's follow."""
    kinds = [option.kind for word in before if (option := options.get(word.partition("=")[0])) is not None]
    return "--" in before or "rest" in kinds


def _is_value(args: Sequence[str], index: int, options: Mapping[str, Option]) -> bool:
    """Whether the word at `index` is the value of the option before it."""
    before = options.get(args[index - 1]) if index else None
    return before is not None and before.kind != "flag" and not _is_value(args, index - 1, options)


class _Value(click.ParamType):  # type: ignore[type-arg]
    """A value of one `Kind`."""

    def __init__(self, kind: Kind, metavar: str) -> None:
        self.kind = kind
        self.name = metavar

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return convert(self.kind, value) if isinstance(value, str) else value
        except UsageError as error:
            self.fail(str(error), param, ctx)


def _option(option: Option) -> click.Option:
    names = [*([f"-{option.short}"] if option.short else []), option.flag, option.key]
    if option.kind == "flag":
        return click.Option(names, is_flag=True, help=option.help)
    return click.Option(
        names,
        type=_Value(option.kind, option.metavar),
        metavar=option.metavar,
        multiple=option.repeatable,
        help=option.help,
    )


def _argument(argument: Argument) -> click.Argument:
    return click.Argument(
        [argument.key],
        type=_Value(argument.kind, argument.metavar),
        metavar=argument.usage,
        nargs=-1 if argument.many else 1,
        # Who asks for hosts knows which there are, and lists them when none is named.
        required=argument.required and argument.kind != "hosts",
    )


def _check_exclusive(command: Command, values: Values, context: click.Context) -> None:
    given = [key for key in command.exclusive if values.get(key)]
    if len(given) > 1:
        flags = {option.key: option.flag for option in command.options}
        names = [flags.get(key, key.upper()) for key in given]
        raise click.UsageError(f"{names[0]} and {names[1]} exclude each other", context)


def _complain(error: click.ClickException, name: str) -> NoReturn:
    """Raise the one-line error of ours for what click has to say."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    place = context.command_path if context is not None else name
    command = context.command if context is not None else None
    if isinstance(error, click.NoSuchOption):
        flags = (
            [param.opts[0] for param in command.params if isinstance(param, click.Option)] if command else []
        )
        complaint = unknown("option", error.option_name, place, flags)
        if command and any(param.name == "program" for param in command.params):
            complaint = UsageError(f"{complaint} (a program with options of its own comes after --)")
        raise complaint from None
    if isinstance(error, click.MissingParameter) and error.param is not None:
        missing = error.param.metavar or error.param.name or ""
        raise UsageError(f"{place} needs {missing}; see {place} --help") from None
    if isinstance(error, click.BadParameter) and error.param is not None:
        raise UsageError(f"{place}: bad {_name(error.param)}: {error.message}") from None
    text = error.message.rstrip(".")
    raise UsageError(f"{place}: {text[:1].lower()}{text[1:]}") from None


def _name(param: click.Parameter) -> str:
    return param.opts[0] if isinstance(param, click.Option) else str(param.metavar)
