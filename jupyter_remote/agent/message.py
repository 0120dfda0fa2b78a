"""What a message is: a frozen record of JSON values with a number. Which there are is in `messages.py`.

The records are dataclasses to the type checker only: making real ones costs 1 ms each in each of the
three processes that a first cell starts.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import ClassVar, dataclass_transform
else:

    def dataclass_transform(**_options):
        return lambda cls: cls


class MessageError(Exception):
    """Fields that don't fit the message they claim to be."""


_TYPES = {
    "int": (int,),
    "str": (str,),
    "int | None": (int, type(None)),
    "str | None": (str, type(None)),
    "dict[str, Any]": (dict,),
    "dict[str, Any] | None": (dict, type(None)),
    "list[Any]": (list,),
}
KINDS: dict[int, type[Message]] = {}


@dataclass_transform(frozen_default=True)
class Message:
    """Base of all messages: the fields are the annotations of the subclass, in order."""

    kind: ClassVar[int] = -1
    _fields: ClassVar[dict[str, tuple[type, ...]]] = {}

    def __init_subclass__(cls) -> None:
        cls._fields = {name: _TYPES[t] for name, t in cls.__annotations__.items() if name != "kind"}
        KINDS[cls.kind] = cls

    if not TYPE_CHECKING:

        def __init__(self, *args, **kwargs):
            names = list(self._fields)
            values = dict(zip(names, args), **kwargs)
            for name in names:
                if name not in values:
                    if not hasattr(type(self), name):
                        raise MessageError(f"missing field {name!r}")
                    values[name] = getattr(type(self), name)
                value, expected = values[name], self._fields[name]
                if not isinstance(value, expected) or isinstance(value, bool):
                    raise MessageError(f"field {name!r} is a {type(value).__name__}")
            if len(values) > len(names) or len(args) > len(names):
                raise MessageError(f"unknown field {sorted(set(values) - set(names))}")
            self.__dict__.update(values)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((self.kind, repr(self.__dict__)))

    def __repr__(self) -> str:
        # Secrets travel in messages, and a repr ends in logs and tracebacks.
        shown = {k: "..." if k == "secrets" and v else v for k, v in self.__dict__.items()}
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in shown.items())})"
