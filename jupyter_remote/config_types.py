"""What the models of `hosts.yaml` are made of: the base of a section, and values with a unit or a form.

Which sections and keys there are is in `config_models.py` and `config_schedulers.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from .durations import parse_duration
from .errors import UsageError

_SIZES = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


def _seconds(value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0:
        return float(value)
    try:
        return parse_duration(str(value))
    except UsageError:
        raise ValueError("a duration such as 30, 90s, 15m, 1h30m or 24h") from None


def parse_size(value: object) -> int:
    """Bytes of `1000`, `"500M"`, `"2 GiB"`; K, M, G and T are powers of 1024.

    Raises:
        ValueError: it is no size.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", str(value).strip(), re.IGNORECASE)
    if match is None or isinstance(value, bool):
        raise ValueError("a size such as 1000, 500M or 2G")
    return int(float(match[1]) * 1024 ** _SIZES[match[2].upper()])


def _word(value: str) -> str:
    # These end up as arguments of `ssh`: a leading dash would be read as an option.
    if not value or value.startswith("-") or any(ch.isspace() or not ch.isprintable() for ch in value):
        raise ValueError("one word without spaces that does not start with `-`")
    return value


def _variable_names(value: dict[str, str]) -> dict[str, str]:
    for name in value:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise ValueError(f"names of variables (letters, digits, `_`); `{name}` is none")
    return value


def _one_of(group: str, *ours: str) -> BeforeValidator:
    """One of our kinds, or of those that another package brings."""

    def known(value: object) -> object:
        if value in ours:
            return value
        from .plugins import installed

        valid = [*ours, *(name for name in installed(group) if name not in ours)]
        if value in valid:
            return value
        quoted = [f"'{name}'" for name in valid]
        expected = f"{', '.join(quoted[:-1])} or {quoted[-1]}"
        raise PydanticCustomError("literal_error", "Input should be {expected}", {"expected": expected})

    return BeforeValidator(known)


HostKind = Annotated[str, _one_of("hosts", "ssh", "ec2", "command", "local")]
TransportKind = Annotated[str, _one_of("transports", "auto", "paramiko", "openssh")]
LauncherKind = Annotated[str, _one_of("launchers", "process", "container", "slurm", "pbs", "ray")]
ArchiveKind = Annotated[str, _one_of("archives", "s3", "folder")]
Duration = Annotated[float, BeforeValidator(_seconds)]
Size = Annotated[int, BeforeValidator(parse_size)]
Word = Annotated[str, AfterValidator(_word)]
AtLeastOne = Annotated[int, Field(ge=1)]
NotNegative = Annotated[int, Field(ge=0)]
Amount = Annotated[float, Field(ge=0)]
Variables = Annotated[dict[str, str], AfterValidator(_variable_names)]


class Section(BaseModel):
    """Base of every section: immutable, and an unknown key is an error."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, coerce_numbers_to_str=True, hide_input_in_errors=True
    )
    # Other names of keys: those that the users of a program know from its own options.
    SYNONYMS: ClassVar[Mapping[str, str]] = {}
    # Keys that a single call can't overlay: later ones have to find what it started by them.
    OF_THE_HOST: ClassVar[tuple[str, ...]] = ()

    @model_validator(mode="before")
    @classmethod
    def _by_one_name(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or not cls.SYNONYMS:
            return data
        found: dict[Any, Any] = {}
        for key, value in data.items():
            name = cls.SYNONYMS.get(key, key)
            if name in found and found[name] != value:
                raise ValueError(f"only one of `{name}` and `{key}`, which are the same")
            found[name] = value
        return found
