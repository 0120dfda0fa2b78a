"""Which paths of a mirror a pull asks for: patterns in, yes or no out. Pure; both ends use it.

A pattern is written as in a ``.gitignore``, with `/` between the parts of a path:

- `*` and `?` stand for any characters, or one, of a single name; `[a-z]` for one of a set (`[!a-z]`: none of
  it); a backslash takes the next character as it is. Upper and lower case differ.
- Without a `/` (one at the end doesn't count) a pattern matches names at any depth: `*.png`. With one it is
  relative to the workspace: `results/*.png`, `/report.pdf`. A leading `./` is dropped; `.` means everything.
- `**` as a whole part stands for any number of folders, at the end for everything below: `results/**`.
- A pattern that matches a folder takes all that is in it. With a `/` at the end it matches folders only.
- `!` before a pattern leaves out what an earlier one took; the last pattern that matches a path, or a folder
  above it, decides.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, Callable, Iterable, Sequence

NOT_TAKEN = -1
# As many as a message can carry comfortably, and a wish that people can still read.
_MAX_LENGTH = 4096


class Patterns:
    """An ordered list of patterns.

    Args:
        texts: as the user wrote them.

    Raises:
        ValueError: one of them can't match anything; the message names it.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._rules = [_Rule(text) for text in texts]

    def decide(self, parts: Sequence[str], is_folder: bool, above: int = NOT_TAKEN) -> int:
        """The number of the pattern that decides on a path.

        Args:
            parts: the names that make the path.
            is_folder: whether it is a real folder.
            above: what was decided for the folder that it is in.
        """
        for number in range(len(self._rules) - 1, above, -1):
            rule = self._rules[number]
            if (is_folder or not rule.folders_only) and rule.matches(parts):
                return number
        return above

    def takes(self, decided: int) -> bool:
        """Whether a path that :meth:`decide` gave this number is asked for.

        Args:
            decided: the number.
        """
        return decided != NOT_TAKEN and not self._rules[decided].negated

    def cover(self, path: str, is_folder: bool = False) -> bool:
        """Whether a path is asked for, by itself or by a folder above it."""
        parts = path.split("/")
        decided = NOT_TAKEN
        for depth in range(1, len(parts) + 1):
            decided = self.decide(parts[:depth], is_folder or depth < len(parts), decided)
        return self.takes(decided)

    def may_match_below(self, parts: Sequence[str]) -> bool:
        """Whether something in this folder may be asked for by a pattern that doesn't match the folder."""
        return any(not rule.negated and rule.may_match_below(parts) for rule in self._rules)


class _Rule:
    def __init__(self, text: str) -> None:
        self.negated = text.startswith("!")
        body = text[self.negated :]
        if body in (".", "./"):
            body = "**"
        while body.startswith("./"):
            body = body[2:]
        self.folders_only = body.endswith("/")
        body = body.rstrip("/")
        parts = body.split("/")
        if not body or "\0" in body or len(body) > _MAX_LENGTH:
            raise ValueError(f"{text[:100]!r} is not a pattern: it is empty, too long, or holds a NUL")
        if ".." in parts or "" in parts[1:]:
            raise ValueError(
                f"the pattern {text!r} can't match: no path in the workspace is written like that"
            )
        if parts[0] == "":
            del parts[0]
        elif len(parts) == 1:
            parts.insert(0, "**")
        self._tests: list[Callable[[str], Any] | None] = []
        for part in parts:
            if part != "**":
                self._tests.append(_name_test(part, text))
            elif not self._tests or self._tests[-1] is not None:
                self._tests.append(None)
        if self._tests[-1] is None:
            self._tests.append(bool)  # everything below, not the folder itself

    def matches(self, parts: Sequence[str]) -> bool:
        """Each name against its test; None takes any number of names, the fewest that will do."""
        tests, at, used = self._tests, 0, 0
        again_at, again_used = -1, 0
        while at < len(parts):
            if used < len(tests) and tests[used] is None:
                again_at, again_used = at, used
                used += 1
                continue
            test = tests[used] if used < len(tests) else None
            if test is not None and test(parts[at]):
                at += 1
                used += 1
            elif again_at >= 0:
                again_at += 1
                at, used = again_at, again_used + 1
            else:
                return False
        return used == len(tests)

    def may_match_below(self, parts: Sequence[str]) -> bool:
        for number, part in enumerate(parts):
            test = self._tests[number] if number < len(self._tests) else bool
            if test is None:
                return True
            if number == len(self._tests) or not test(part):
                return False
        return len(parts) < len(self._tests)


def _name_test(pattern: str, text: str) -> Callable[[str], Any]:
    """A test for one name. Between two stars the first fit is taken, so that no pattern can take long."""
    chunks = _chunks(pattern, text)
    expression = chunks[0]
    for number, chunk in enumerate(chunks[1:-1]):
        # What (?>.*?chunk) would say, which Python 3.8 doesn't know.
        expression += f"(?=(?P<g{number}>.*?{chunk}))(?P=g{number})"
    if len(chunks) > 1:
        expression += ".*" + chunks[-1]
    return re.compile(expression + r"\Z", re.DOTALL).match


def _chunks(pattern: str, text: str) -> list[str]:
    """The regular expressions of what stands between the stars."""
    chunks, at = [""], 0
    while at < len(pattern):
        char = pattern[at]
        if char == "*":
            if len(chunks) == 1 or chunks[-1]:
                chunks.append("")
        elif char == "?":
            chunks[-1] += "."
        elif char == "[":
            at, members = _set(pattern, at, text)
            chunks[-1] += members
        else:
            if char == "\\":
                at += 1
                if at == len(pattern):
                    raise ValueError(f"the pattern {text!r} ends in a backslash")
            chunks[-1] += re.escape(pattern[at])
        at += 1
    return chunks


def _set(pattern: str, start: int, text: str) -> tuple[int, str]:
    """Where a set ends, and the regular expression for it."""
    at = start + 1
    negated = pattern[at : at + 1] in ("!", "^")
    at += negated
    members: list[str] = []
    while pattern[at : at + 1] != "]" or not members:
        if pattern[at : at + 1] == "\\":
            at += 1
        if at >= len(pattern):
            raise ValueError(
                f"the pattern {text!r} has a [ without its ]; a \\ before it makes it a plain one"
            )
        low = high = pattern[at]
        if pattern[at + 1 : at + 2] == "-" and pattern[at + 2 : at + 3] not in ("", "]"):
            high = pattern[at + 2]
            at += 2
        if high < low:
            raise ValueError(f"the pattern {text!r} has a range that is the wrong way round")
        members.append(f"{re.escape(low)}-{re.escape(high)}")
        at += 1
    return at, f"[{'^' if negated else ''}{''.join(members)}]"
