"""Which step runs where: the file's steps with every combination of their parameters, each on its host.

Pure: values in, a :class:`Plan` or all problems out. On which host is decided in `placing.py`.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

from ..config_file import nearest
from ..errors import ConfigError, RemoteError, UsageError
from .file import KINDS, PARAMETER, Source, option_value, step_options
from .filling import FillError, Params, combinations, fill, fill_value, folder_name, plain, words_of
from .placing import NowhereError, Piece, place

# What a placeholder may name besides the parameters.
_GIVEN = ("host", "step", "campaign")

# Names of hosts for `a`, `a,b`, `@group`, `any`.
Expand = Callable[[str], Sequence[str]]


@dataclass(frozen=True)
class Step:
    """One step with one combination of parameters on one host.

    Args:
        key: its name in the campaign on that host: `train[lr=0.1]`.
        step: the name in the file.
        number: which of the file's.
        host: where it runs.
        params: its combination.
        kind: one of :data:`file.KINDS`.
        what: the path of a script, cell or notebook, or the shell's text; empty for a program.
        argv: the program and its arguments, or those of the script.
        given: the parameters that a cell or a notebook gets.
        after: keys of the steps on the host that must have finished.
        options: of `run`, by key, converted.
        session: for a cell that is to find what others left.
        python: another interpreter or environment than the host's.
        retries, retry_wait: how often it is tried again when it failed, and after how many seconds first.
        folder: its name as that of a folder.
    """

    key: str
    step: str
    number: int
    host: str
    params: Params
    kind: str
    what: str
    argv: tuple[str, ...]
    given: Params
    after: tuple[str, ...]
    options: Mapping[str, Any]
    session: str | None
    python: str | None
    retries: int
    retry_wait: float
    folder: str

    @property
    def command(self) -> str:
        """What it runs, for a reader."""
        if self.kind == "shell":
            return " ".join(self.what.split())
        words = [self.what, *self.argv] if self.kind == "script" else [*self.argv]
        if self.kind in ("cell", "notebook"):
            words = [self.kind, self.what, *(f"{name}={plain(value)}" for name, value in self.given.items())]
        return shlex.join(words)


@dataclass(frozen=True)
class Plan:
    """A campaign that is in order.

    Args:
        name: its name.
        hosts: those that have steps, in the order of the pool.
        steps: all of them, in the order of the file.
        concurrency: how many run at a time on each host.
        stop_on_failure: whether no more steps are started when one has failed.
        source: where it came from, for messages.
    """

    name: str
    hosts: tuple[str, ...]
    steps: tuple[Step, ...]
    concurrency: int
    stop_on_failure: bool
    source: Source = field(repr=False)

    def of(self, host: str) -> tuple[Step, ...]:
        """The steps of one host."""
        return tuple(step for step in self.steps if step.host == host)


def make(source: Source, hosts: Sequence[str], expand: Expand) -> Plan:
    """The plan of a campaign.

    Args:
        source: its file.
        hosts: words for the hosts, instead of the file's.
        expand: what words for hosts mean.

    Raises:
        ConfigError: it can't be run as it is; all problems, one per line.
    """
    return _Planner(source, hosts, expand).plan()


class _Planner:
    def __init__(self, source: Source, hosts: Sequence[str], expand: Expand) -> None:
        self.source = source
        self.steps = source.steps
        self.numbers = {str(step["name"]): number for number, step in enumerate(source.steps)}
        self.options = step_options()
        self.problems: list[str] = []
        self._words = hosts
        self._expand = expand
        self._expanded: dict[str, tuple[str, ...]] = {}

    def plan(self) -> Plan:
        pools = [self._pool(number) for number in range(len(self.steps))]
        order = self._order()
        self._check()
        pieces = [
            Piece(number, params, pools[number], bool(step["each"]))
            for number, step in enumerate(self.steps)
            for params in self._combinations(number)
        ]
        self._raise()
        placed = self._placed(pieces, order)
        self._raise()
        keys: dict[tuple[str, int], list[str]] = {}
        for piece, host in placed:
            keys.setdefault((host, piece.number), []).append(self._key(piece))
        steps = [self._step(piece, host, keys) for piece, host in placed]
        self._raise()
        used = {host for _, host in placed}
        named = dict.fromkeys(host for pool in pools for host in pool)
        return Plan(
            self.source.name,
            tuple(host for host in named if host in used),
            tuple(step for step in steps if step is not None),
            self.source.settings.concurrency,
            self.source.settings.stop_on_failure,
            self.source,
        )

    def _key(self, piece: Piece) -> str:
        name = str(self.steps[piece.number]["name"])
        return f"{name}[{words_of(piece.params)}]" if piece.params else name

    # Problems.

    def _complain(self, path: Iterable[str | int], text: str) -> None:
        problem = f"{self.source.where(*path)}: {text}"
        if problem not in self.problems:
            self.problems.append(problem)

    def _raise(self) -> None:
        if self.problems:
            raise ConfigError("\n".join(self.problems))

    def _at(self, number: int, key: str) -> tuple[str | int, ...]:
        """Where a key of a step stands: in the step, or in the defaults."""
        here = ("steps", number, key)
        written: Any = self.source.document.data["steps"][number]
        return here if key in written else ("defaults", key)

    # Hosts.

    def _pool(self, number: int) -> tuple[str, ...]:
        own = self.steps[number]["hosts"]
        words = own or self._words or self.source.settings.hosts
        path = self._at(number, "hosts") if own else ("hosts",)
        if not words:
            self._complain(path, "no host is named: give `hosts:` in the file, or --host")
            return ()
        return self._names(",".join(words), path)

    def _names(self, words: str, path: tuple[str | int, ...]) -> tuple[str, ...]:
        if words not in self._expanded:
            try:
                self._expanded[words] = tuple(self._expand(words))
            except (UsageError, ConfigError) as error:
                self._complain(path, error.message)
                return ()
        return self._expanded[words]

    def _placed(self, pieces: list[Piece], order: list[int]) -> list[tuple[Piece, str]]:
        after = {n: [self.numbers[name] for name in self.steps[n]["after"]] for n in order}
        try:
            return place(pieces, after)
        except NowhereError as nowhere:
            name = self.steps[nowhere.number]["name"]
            text = f"no host may run both `{name}` and all that comes after it; such steps share one"
            if nowhere.before is not None:
                text = f"no host has both this and `{self.steps[nowhere.before]['name']}`"
            key = "hosts" if nowhere.before is None else "after"
            self._complain(self._at(nowhere.number, key), text)
            return []

    # What comes after what.

    def _order(self) -> list[int]:
        """The steps, each behind those it comes after."""
        after: dict[int, list[int]] = {}
        for number, step in enumerate(self.steps):
            after[number] = [self.numbers[name] for name in step["after"] if name in self.numbers]
            for name in step["after"]:
                if name not in self.numbers:
                    close = nearest(name, self.numbers)
                    guess = f"did you mean `{close[0]}`? " if close else ""
                    text = f"there is no step `{name}`; {guess}Valid: {', '.join(self.numbers)}"
                    self._complain(self._at(number, "after"), text)
                elif step["each"] and not self.steps[self.numbers[name]]["each"]:
                    text = f"with `each`, what it comes after is on every host too; set `each` for `{name}`"
                    self._complain(self._at(number, "after"), text)
        try:
            return list(TopologicalSorter(after).static_order())
        except CycleError as error:
            circle: list[int] = error.args[1][::-1]
            names = " after ".join(str(self.steps[number]["name"]) for number in circle)
            self._complain(("steps", circle[0], "after"), f"it comes after itself: {names}")
            return []

    # Parameters.

    def _combinations(self, number: int) -> list[Params]:
        step = self.steps[number]
        for name in {**(step["matrix"] or {}), **{k: 0 for entry in step["include"] for k in entry}}:
            if not PARAMETER.fullmatch(name) or name in _GIVEN:
                text = f"`{name}` can't be a parameter's name (letters, digits, `_`; not {', '.join(_GIVEN)})"
                self._complain((*self._at(number, "matrix"), name), text)
        try:
            return combinations(step["matrix"] or {}, step["include"], step["exclude"])
        except FillError as error:
            key = str(error).partition(":")[0]
            key = key if key in ("include", "exclude") else "matrix"
            self._complain(self._at(number, key), str(error).removeprefix(f"{key}: "))
            return []

    def _check(self) -> None:
        for number, step in enumerate(self.steps):
            for key in (*KINDS, "args"):
                value = step.get(key)
                if value in ("", (), []):
                    self._complain(("steps", number, key), "there is nothing to run")
                if key in ("program", "args") and isinstance(value, str):
                    try:
                        shlex.split(value)
                    except ValueError as error:
                        self._complain(("steps", number, key), str(error).lower())

    def _step(self, piece: Piece, host: str, keys: Mapping[tuple[str, int], list[str]]) -> Step | None:
        step, number = self.steps[piece.number], piece.number
        own = str(step["name"])
        key = self._key(piece)
        values = {**piece.params, "host": host, "step": own, "campaign": self.source.name}
        kind = next(one for one in KINDS if step[one] is not None)
        after = [one for name in step["after"] for one in keys[host, self.numbers[name]]]
        found = len(self.problems)
        what = (
            ""
            if kind == "program"
            else self._filled(number, kind, step[kind], values, strict=kind != "shell")
        )
        of_words = "program" if kind == "program" else "args"
        words = step[of_words] if kind in ("program", "script") else None
        argv = [self._filled(number, of_words, word, values) for word in _split(words or ())]
        if kind == "program":
            argv += [self._filled(number, "args", word, values) for word in _split(step["args"] or ())]
        given: Params = {}
        if kind in ("cell", "notebook"):
            given = self._given(number, step["params"], piece.params, values)
        options = self._converted(number, step, values)
        options["label"] = options.get("label") or key
        if len(self.problems) > found:
            return None
        return Step(
            key,
            own,
            number,
            host,
            piece.params,
            kind,
            what,
            tuple(argv),
            given,
            tuple(after),
            options,
            step["session"],
            None if step["python"] is None else self._filled(number, "python", step["python"], values),
            step["retries"],
            step["retry_wait"],
            folder_name(key),
        )

    def _given(self, number: int, params: Params | None, own: Params, values: Params) -> Params:
        if params is None:
            return own
        try:
            given = {name: fill_value(value, values) for name, value in params.items()}
        except FillError as error:
            self._complain(self._at(number, "params"), str(error))
            return {}
        for name in given:
            if not name.isidentifier():
                self._complain((*self._at(number, "params"), name), "this is no variable's name")
        return given

    def _filled(self, number: int, key: str, text: str, values: Params, *, strict: bool = True) -> str:
        try:
            return fill(str(text), values, strict=strict)
        except FillError as error:
            self._complain(self._at(number, key), str(error))
            return ""

    # Options.

    def _converted(self, number: int, step: Mapping[str, Any], values: Params) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, option in self.options.items():
            if (value := step.get(key)) is None:
                continue
            try:
                found[key] = option_value(option, fill_value(value, values))
            except (UsageError, FillError) as error:
                text = error.message if isinstance(error, RemoteError) else str(error)
                self._complain(self._at(number, key), text)
        # Steps of a campaign are in nobody's way while they wait, and nobody looks at them to try again.
        if "gpus" in found and found.get("wait") is None and (wait := self.options.get("wait")):
            found["wait"] = option_value(wait, True)
        return found


def _split(words: str | Iterable[str]) -> list[str]:
    return shlex.split(words) if isinstance(words, str) else list(words)
