"""Functions, classes and modules, made of their nodes (see ``variables.py``) by name or by source.

Only a session makes them, since whoever sends to it runs code there anyway; the client never does. What
their nodes are made of is the client's ``code_source.py``.
"""

from __future__ import annotations

import linecache

from .parcel import Refused

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, Callable

    from .variables import Unpacker


def _unpack_name(unpacker: Unpacker, module: str, name: str) -> Any:
    _may_run(unpacker)
    return unpacker.look_up(module, name)


def _unpack_module(unpacker: Unpacker, module: str) -> Any:
    _may_run(unpacker)
    return unpacker.look_up(module, "")


def _unpack_source(unpacker: Unpacker, name: str, text: str) -> Any:
    _may_run(unpacker)
    text = unpacker.value(text)
    file = f"<{name}, sent>"
    number = 1
    while file in linecache.cache:
        number += 1
        file = f"<{name}, sent {number}>"
    made: dict[str, Any] = {}
    try:
        exec(compile(text, file, "exec", dont_inherit=True), unpacker.namespace, made)
    except NameError as error:
        hint = "Define it there, or send it too, before this."
        raise Refused(f"{name} needs what is not there: {error}", hint) from None
    except Exception as error:
        raise Refused(f"{name} can't be defined there: {type(error).__name__}: {error}") from None
    # Where tracebacks and inspect look for the text.
    linecache.cache[file] = (len(text), None, text.splitlines(True), file)
    return made[name]


def _may_run(unpacker: Unpacker) -> None:
    if not unpacker.code:
        raise Refused(
            "it is code, and code that a host sends is not run here",
            "Copy its text.",
        )


UNPACK: dict[str, Callable[..., Any]] = {
    "code.name": _unpack_name,
    "code.module": _unpack_module,
    "code.source": _unpack_source,
}
