"""The pattern language of gitignore, as git's own `dir.c` and `wildmatch.c` read it: bytes, not characters.

Only patterns and rule files. What a rule means for a whole tree (a folder left out takes all of its content
with it, the deepest rule file decides) is said in `rules.py`. `pathspec` is not used because it is not
exact: its 1.1 takes `[[:digit:]]` for a set of letters followed by `]`, and a `?` for one character where git
takes it for one byte.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_SPECIAL = re.compile(rb"[*?\[\\]")
_NEVER = rb"(?!)"
# From here on it pays to compile all rules of a file into one pattern.
_ASKED_OFTEN = 100

_CLASSES = {
    b"alnum": string.ascii_letters + string.digits,
    b"alpha": string.ascii_letters,
    b"blank": " \t",
    b"cntrl": "".join(map(chr, range(32))) + "\x7f",
    b"digit": string.digits,
    b"graph": "".join(map(chr, range(33, 127))),
    b"lower": string.ascii_lowercase,
    b"print": "".join(map(chr, range(32, 127))),
    b"punct": string.punctuation,
    b"space": " \t\n\r",
    b"upper": string.ascii_uppercase,
    b"xdigit": string.hexdigits,
}


@dataclass(frozen=True)
class Rule:
    """One line of a rule file.

    Args:
        text: the line as it was written.
        source: where it was written, for the user: `data/.gitignore:3`.
        negated: it brings back (`!`) instead of leaving out.
        folders_only: it ended in a slash.
        lead: the literal folders that the paths it matches begin with; None when it matches at any depth.
        pattern: for the path relative to the rule file's folder, or for the last name of it.
        by_name: which of the two.
    """

    text: str
    source: str
    negated: bool
    folders_only: bool
    lead: tuple[bytes, ...] | None
    pattern: re.Pattern[bytes]
    by_name: bool

    def could_match_below(self, folder: bytes) -> bool:
        """Whether something in this folder, at any depth, may match."""
        return self.lead is None or all(a == b for a, b in zip(self.lead, folder.split(b"/"), strict=False))


class Rules:
    """Rules in the order of their file, the stronger one last.

    Args:
        rules: all with the same idea of case.
    """

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._rules = tuple(rules)
        self._reversed = self._rules[::-1]
        self._asked = 0
        self._names: re.Pattern[bytes] | None = None
        self._paths: re.Pattern[bytes] | None = None

    def __len__(self) -> int:
        return len(self._rules)

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._rules)

    def deciding(self, path: bytes, is_folder: bool) -> Rule | None:
        """The rule that decides on a path: the last one that matches it.

        Args:
            is_folder: some rules are for those only.
        """
        name = path[path.rfind(b"/") + 1 :]
        if self._asked < _ASKED_OFTEN:
            self._asked += 1
            if self._asked == _ASKED_OFTEN:
                self._names = _any_of(rule.pattern for rule in self._rules if rule.by_name)
                self._paths = _any_of(rule.pattern for rule in self._rules if not rule.by_name)
        elif not ((self._names and self._names.match(name)) or (self._paths and self._paths.match(path))):
            return None
        for rule in self._reversed:
            if (is_folder or not rule.folders_only) and rule.pattern.match(name if rule.by_name else path):
                return rule
        return None


def parse(content: bytes, source: str, *, folds_case: bool = False) -> Rules:
    """The rules of a file, in its order.

    Args:
        content: the bytes of the file.
        source: name of the file for the user.
        folds_case: git's `core.ignorecase`.
    """
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    rules = (_rule(line.removesuffix(b"\r"), f"{source}:{n}", folds_case) for n, line in enumerate(lines, 1))
    return Rules(rule for rule in rules if rule is not None)


def parse_patterns(patterns: Iterable[str], source: str) -> Rules:
    """The rules of a list of patterns, each as a line of a gitignore file."""
    rules = (_rule(pattern.encode("utf-8", "surrogateescape"), source, False) for pattern in patterns)
    return Rules(rule for rule in rules if rule is not None)


def _any_of(patterns: Iterable[re.Pattern[bytes]]) -> re.Pattern[bytes] | None:
    """One pattern for all: most paths match no rule at all, and learn so in one go."""
    known = list(patterns)
    if not known:
        return None
    return re.compile(b"|".join(b"(?:%b)" % pattern.pattern for pattern in known), known[0].flags)


def _rule(line: bytes, source: str, folds_case: bool) -> Rule | None:
    if not line or line.startswith(b"#"):
        return None
    pattern = _without_trailing_spaces(line.split(b"\0")[0])
    text = pattern.decode("utf-8", "surrogateescape")
    negated = pattern.startswith(b"!")
    pattern = pattern[negated:]
    folders_only = pattern.endswith(b"/")
    pattern = pattern[: len(pattern) - folders_only]
    flags = re.DOTALL | (re.IGNORECASE if folds_case else 0)
    if b"/" not in pattern:
        names = re.compile(_translate(pattern, False, folds_case) + rb"\Z", flags)
        return Rule(text, source, negated, folders_only, None, names, True)
    pattern = pattern.removeprefix(b"/")
    special = _SPECIAL.search(pattern)
    literal = pattern[: special.start()] if special else pattern
    # Git compares the literal part first and then starts afresh, so that `a**/b` is `a` and then `**/b`.
    rest = _translate(pattern[len(literal) :], True, folds_case)
    paths = re.compile(re.escape(literal) + rest + rb"\Z", flags)
    lead = tuple(literal.split(b"/")[:-1]) if not folds_case else ()
    return Rule(text, source, negated, folders_only, lead, paths, False)


def _without_trailing_spaces(line: bytes) -> bytes:
    end = at = 0
    while at < len(line):
        step = 2 if line[at : at + 1] == b"\\" else 1
        if line[at : at + 1] != b" ":
            end = at + step
        at += step
    return line[:end]


def _translate(pattern: bytes, stops_at_slash: bool, folds_case: bool) -> bytes:
    """A wildmatch pattern as a regular expression."""
    any_one, any_many = (rb"[^/]", rb"[^/]*") if stops_at_slash else (rb".", rb".*")
    out, at = [], 0
    while at < len(pattern):
        char = pattern[at : at + 1]
        if char == b"*":
            after = at
            while pattern[after : after + 1] == b"*":
                after += 1
            alone = (at == 0 or pattern[at - 1 : at] == b"/") and (
                after == len(pattern) or pattern.startswith((b"/", b"\\/"), after)
            )
            if after - at > 1 and alone and stops_at_slash:
                if pattern.startswith(b"/", after):
                    out.append(rb"(?:.*/)?")
                    after += 1
                else:
                    out.append(rb".*")
            else:
                out.append(any_many)
            at = after
            continue
        if char == b"?":
            out.append(any_one)
        elif char == b"[":
            found = _bracket(pattern, at + 1, folds_case)
            if found is None:
                return _NEVER
            members, at = found
            if stops_at_slash:
                members.discard(ord("/"))
            escaped = b"".join(b"\\x%02x" % member for member in sorted(members))
            out.append(b"(?-i:[%b])" % escaped if members else _NEVER)
        elif char == b"\\":
            at += 1
            if at == len(pattern):
                return _NEVER
            out.append(re.escape(pattern[at : at + 1]))
        else:
            out.append(re.escape(char))
        at += 1
    return b"".join(out)


def _bracket(pattern: bytes, at: int, folds_case: bool) -> tuple[set[int], int] | None:
    """The bytes that a bracket expression takes, and where its `]` is; None when it is malformed."""
    negated = pattern[at : at + 1] in (b"!", b"^")
    at += negated
    start, members, previous = at, set[int](), 0
    while at == start or pattern[at : at + 1] != b"]":
        if at >= len(pattern):
            return None
        char = pattern[at]
        if char == ord("-") and previous and at + 1 < len(pattern) and pattern[at + 1] != ord("]"):
            at += 1
            if pattern[at] == ord("\\"):
                at += 1
                if at >= len(pattern):
                    return None
            range_ = set(range(previous, pattern[at] + 1))
            members |= range_
            if folds_case:
                members |= set(bytes(range_).lower())
            previous = 0
        elif char == ord("[") and pattern[at + 1 : at + 2] == b":":
            end = pattern.find(b"]", at + 2)
            if end < 0:
                return None
            if end < at + 3 or pattern[end - 1] != ord(":"):
                members.add(char)
                previous = char
            else:
                names = _CLASSES.get(pattern[at + 2 : end - 1])
                if names is None:
                    return None
                members |= set(names.encode("ascii"))
                if folds_case and pattern[at + 2 : end - 1] == b"upper":
                    members |= set(string.ascii_lowercase.encode("ascii"))
                at, previous = end, 0
        else:
            if char == ord("\\"):
                at += 1
                if at >= len(pattern):
                    return None
                char = pattern[at]
            members.add(char)
            previous = char
        at += 1
    if folds_case:
        members = {byte for byte in range(256) if bytes([byte]).lower()[0] in members}
    return (set(range(1, 256)) - members if negated else members), at
