"""What a session's namespace says of half-typed code, completions and help, within a bound of time.

The shells know the namespace; here is the bound, what a shell without IPython can say, and how much travels.
"""

from __future__ import annotations

import re
import signal
import sys

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any

    from . import messages as m

# After this time code of the user's (`__dir__`, `__getattr__`) that is asked is ended, and again and again.
BOUND, AGAIN = 0.2, 0.05
MOST, LONGEST = 500, 100_000
NAME = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*\.?$")


class TooLong(BaseException):
    """The bound is over. Not an Exception, so that nothing it interrupts takes it for its own."""


def consult(shell: Any, message: m.Consult, code: str) -> dict[str, Any]:
    """The answer of a shell; empty when it has none in time."""
    if signal.getitimer(signal.ITIMER_REAL)[0]:
        return {}  # the user's alarm, which is not to be lost
    hook, sys.excepthook = sys.excepthook, _silent  # IPython shows what a matcher of its own raises
    handler = signal.signal(signal.SIGALRM, _ring)
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, BOUND, AGAIN)
            if message.what == "complete":
                return _fitting(shell.complete(code, message.cursor))
            return _fitting(shell.inspect(code, message.cursor, message.detail))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except (TooLong, Exception):
        return {}  # of the user's objects, which may raise anything
    finally:
        signal.signal(signal.SIGALRM, handler)
        sys.excepthook = hook


def _ring(_number: int, _frame: Any) -> None:
    raise TooLong


def _silent(*_: object) -> None:
    pass


def _fitting(facts: dict[str, Any]) -> dict[str, Any]:
    if "matches" in facts:
        facts["matches"] = facts["matches"][:MOST]
    if "data" in facts:
        facts["data"] = {mime: str(text)[:LONGEST] for mime, text in facts["data"].items()}
    return facts


def complete(namespace: dict[str, Any], code: str, cursor: int) -> dict[str, Any]:
    """Names of the namespace, and attributes of its objects.

    Args:
        cursor: where it stands in the code, in characters.
    """
    import rlcompleter

    found = NAME.search(code[:cursor])
    word = found.group() if found else ""
    completer = rlcompleter.Completer(namespace)
    matches: list[Any] = []
    while word and len(matches) < MOST:
        match = completer.complete(word, len(matches))
        if match is None:
            break
        matches.append([match.rstrip("(): "), "", cursor - len(word), cursor])
    return {"matches": matches}


def inspect(namespace: dict[str, Any], code: str, cursor: int) -> dict[str, Any]:
    """Type, value and docstring of the object that is named there.

    Args:
        cursor: where it stands in the code, in characters.
    """
    import pydoc

    before = NAME.search(code[:cursor].rstrip("("))
    at = before.start() if before else cursor
    found = re.match(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*", code[at:])
    if not found:
        return {}
    first, *rest = found.group().split(".")
    value = namespace[first] if first in namespace else getattr(namespace["__builtins__"], first)
    for name in rest:
        value = getattr(value, name)
    lines = [f"Type: {type(value).__name__}", f"Value: {repr(value)[:1000]}", "", pydoc.getdoc(value)]
    return {"data": {"text/plain": "\n".join(lines).rstrip()}}
