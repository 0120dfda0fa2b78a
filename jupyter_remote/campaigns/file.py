"""What a campaign's file may say: read, and judged key by key with the line of each. No host, no plan.

Options of a step are those of `run` in the table of options, whatever these are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, create_model

from ..config_file import Document, KeyPath, complaints, dotted, read
from ..config_types import Duration, Section
from ..errors import ConfigError, UsageError
from ..option_types import Option
from ..options import LINE
from ..values import FOREVER, convert
from .filling import plain

# What a step runs: exactly one of these.
KINDS = ("script", "program", "shell", "cell", "notebook")
# Of the options of `run`, those that are about showing or starting this one call.
_NOT_OF_A_STEP = ("no_sync", "script", "detach", "dry_run", "quiet")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _free(value: object) -> object:
    return value


Strings = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Words = tuple[str, ...]
Values = dict[str, Any]


class StepCommon(Section):
    """What a step may say that is no option of `run`, and `defaults` may say for all."""

    hosts: Strings | None = None
    python: str | None = None
    matrix: dict[str, tuple[Any, ...]] | None = None
    include: tuple[Values, ...] = ()
    exclude: tuple[Values, ...] = ()
    params: Values | None = None
    retries: int = Field(default=0, ge=0, le=100)
    retry_wait: Duration = 10.0


class StepOwn(StepCommon):
    """What only a step says."""

    name: str
    script: str | None = None
    program: str | tuple[str, ...] | None = None
    shell: str | None = None
    cell: str | None = None
    notebook: str | None = None
    args: str | tuple[str, ...] | None = None
    session: str | None = None
    after: Strings = ()
    each: bool = False


class CampaignFile(Section):
    """The file; `steps` and `defaults` have models of their own, see :func:`models`."""

    name: str | None = None
    hosts: Strings | None = None
    concurrency: int = Field(default=1, ge=1, le=1000)
    stop_on_failure: bool = False
    defaults: Any = None
    steps: Any


@dataclass(frozen=True)
class Source:
    """A campaign's file that is in order as far as its keys go.

    Args:
        document: its data, and the line of each key.
        settings: of the campaign as a whole.
        steps: each with its own settings over the defaults.
        name: of the campaign.
    """

    document: Document
    settings: CampaignFile
    steps: tuple[dict[str, Any], ...]
    name: str

    def where(self, *path: str | int) -> str:
        """``FILE:LINE: key`` for a message."""
        return f"{self.document.where(path)}: {dotted(path)}"


def step_options() -> dict[str, Option]:
    """The options of `run` that a step has too, by key."""
    (run,) = (command for command in LINE.subcommands if command.name == "run")
    return {option.key: option for option in run.options if option.key not in _NOT_OF_A_STEP}


@cache
def models() -> tuple[type[StepOwn], type[StepCommon]]:
    """The models of a step and of `defaults`, with the options that there are."""
    options: dict[str, Any] = {key: (Annotated[Any, BeforeValidator(_free)], None) for key in step_options()}
    return (
        create_model("Step", __base__=StepOwn, **options),
        create_model("Defaults", __base__=StepCommon, **options),
    )


def load(source: Path | Mapping[str, Any]) -> Source:
    """Reads and judges a campaign's file, or what such a file would say.

    Raises:
        ConfigError: it can't be read, or has keys or values that mean nothing; all problems, one per line.
    """
    if isinstance(source, Mapping):
        document = Document(Path("campaign"), dict(source), {})
        return _judged(document, [], "campaign")
    try:
        text = source.expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"the campaign {source} can't be read: {reason}") from None
    data, lines, problems = read(text, source)
    if not isinstance(data, dict) or not data:
        raise ConfigError(f"{source}:1: a campaign is a mapping; it needs `steps`, a list")
    return _judged(Document(source, data, lines), problems, source.stem)


def _judged(document: Document, problems: list[str], stem: str) -> Source:
    step_model, defaults_model = models()
    data = document.data

    def complain(path: KeyPath, text: str) -> None:
        problems.append(f"{document.where(path)}: {dotted(path)}: {text}")

    for path, text in complaints(CampaignFile, data):
        complain(path, text)
    steps = data.get("steps")
    if "steps" in data and not (isinstance(steps, list) and steps):
        complain(("steps",), "valid is a list of steps, each with a `name` and what it runs")
    steps = steps if isinstance(steps, list) else []
    defaults = data.get("defaults") or {}
    if not isinstance(defaults, dict):
        complain(("defaults",), "valid is a mapping of what all steps have")
        defaults = {}
    for path, text in complaints(defaults_model, defaults):
        complain(("defaults", *path), text)
    whole: list[dict[str, Any]] = []
    for number, step in enumerate(steps):
        if not isinstance(step, dict):
            complain(("steps", number), "valid is a mapping with a `name` and what it runs")
            continue
        found = list(complaints(step_model, step))
        for path, text in found:
            complain(("steps", number, *path), text)
        if not found:
            for path, text in _inconsistent(step):
                complain(("steps", number, *path), text)
            whole.append(_over(defaults, step, step_model) if not problems else {})
    seen: dict[str, int] = {}
    for number, step in enumerate(steps):
        name = step.get("name") if isinstance(step, dict) else None
        if isinstance(name, str) and seen.setdefault(name, number) != number:
            complain(("steps", number, "name"), f"two steps are called `{name}`")
    name = str(data.get("name") or stem)
    if not NAME.fullmatch(name):
        complain(
            ("name",), f"`{name}` can't be a campaign's name: letters, digits, `.`, `_`, `-`, at most 64"
        )
    if problems:
        raise ConfigError("\n".join(problems))
    return Source(document, CampaignFile.model_validate(data), tuple(whole), name)


def _inconsistent(step: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    kinds = [kind for kind in KINDS if step.get(kind) is not None]
    if len(kinds) != 1:
        found = " and ".join(f"`{kind}`" for kind in kinds) or "none"
        yield (), f"what it runs is exactly one of {', '.join(f'`{kind}`' for kind in KINDS)}; found {found}"
    if not NAME.fullmatch(str(step["name"])):
        yield (
            ("name",),
            f"`{step['name']}` can't be a step's name: letters, digits, `.`, `_`, `-`, at most 64",
        )
    kind = kinds[0] if kinds else ""
    for key, of in (
        ("args", ("script", "program")),
        ("params", ("cell", "notebook")),
        ("session", ("cell",)),
    ):
        if step.get(key) is not None and kind not in of:
            yield (key,), f"only a step with {' or '.join(f'`{one}`' for one in of)} has `{key}`"


def _over(defaults: Mapping[str, Any], step: Mapping[str, Any], model: type[StepOwn]) -> dict[str, Any]:
    """A step with the defaults under it; of `env` the single variables."""
    merged = {**defaults, **step}
    if isinstance(defaults.get("env"), dict) and isinstance(step.get("env"), dict):
        merged["env"] = {**defaults["env"], **step["env"]}
    if not (step.get("cell") or step.get("notebook")):
        merged.pop("params", None)
    return model.model_validate(merged).model_dump()


def option_value(option: Option, value: Any) -> Any:
    """The value of an option as the command line would have it.

    Args:
        option: of the table.
        value: as YAML has it: a mapping for an option of KEY=VALUE, a list where it may be repeated.

    Raises:
        UsageError: it is no value of that option.
    """
    if option.kind == "flag":
        if not isinstance(value, bool):
            raise UsageError(f"found `{plain(value)}`; valid is true or false")
        return value
    if isinstance(value, Mapping):
        if option.kind not in ("assignment", "pair"):
            raise UsageError(f"valid is {option.metavar}, not a mapping")
        value = [f"{key}={plain(one)}" for key, one in value.items()]
    if option.repeatable:
        every = value if isinstance(value, (list, tuple)) else [value]
        return tuple(convert(option.kind, plain(one)) for one in every)
    if isinstance(value, (list, tuple)):
        value = ",".join(plain(one) for one in value)
    # `wait: true` is the option without a value.
    return convert(option.kind, FOREVER if value is True and option.kind == "wait" else plain(value))
