"""``typing.NamedTuple`` without the 5 ms that importing ``typing`` costs every cold first cell.

To the type checker it is the real one. At run time the annotations of a class become the fields of a
``collections.namedtuple``; methods are not supported.
"""

from __future__ import annotations

from collections import namedtuple

TYPE_CHECKING = False  # as in typing
if TYPE_CHECKING:
    from typing import NamedTuple
else:

    class _Fields(type):
        def __new__(cls, name, bases, space):
            if not bases:
                return super().__new__(cls, name, bases, space)
            fields = list(space["__annotations__"])
            defaults = [space[field] for field in fields if field in space]
            made = namedtuple(name, fields, defaults=defaults, module=space["__module__"])
            made.__doc__ = space.get("__doc__")
            return made

    class NamedTuple(metaclass=_Fields):
        """Base of the classes that become namedtuples."""


__all__ = ["NamedTuple"]
