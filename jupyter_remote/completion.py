"""Tab in a `%%remote` cell: a matcher of IPython's completer, which a notebook and a terminal both use.

The words of the magic lines come from `magic_words.py`, the cell's body is the host's to complete. Where
neither knows anything, IPython's own matchers go on as if this one were not there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .magic_words import complete

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult
    from IPython.core.interactiveshell import InteractiveShell

IDENTIFIER = "jupyter_remote"


def install(shell: InteractiveShell) -> None:
    """Adds the matcher to the shell's completer."""
    from IPython.core.completer import context_matcher

    uninstall(shell)
    completer: Any = shell.Completer

    # Before all others: an answer of the host means that theirs, of the wrong namespace, aren't even sought.
    @context_matcher(identifier=IDENTIFIER, priority=1000)  # type: ignore[untyped-decorator]
    def matcher(context: CompletionContext) -> SimpleMatcherResult:
        return match(shell, context)

    completer.custom_matchers.append(matcher)


def uninstall(shell: InteractiveShell) -> None:
    """Takes the matcher away again."""
    matchers: list[Any] = shell.Completer.custom_matchers
    matchers[:] = [one for one in matchers if getattr(one, "matcher_identifier", "") != IDENTIFIER]


def match(shell: InteractiveShell, context: CompletionContext) -> SimpleMatcherResult:
    """The completions at the cursor, in IPython's form."""
    lines = context.full_text.split("\n")
    before = lines[context.cursor_line][: context.cursor_position]
    if context.cursor_line == 0 or before.lstrip().startswith("%remote"):
        words = complete(before)
        return _result(words.fragment, [(word, "") for word in words.words]) if words else _result("", [])
    if not lines[0].startswith("%%remote"):
        return _result("", [])
    offset = sum(len(line) + 1 for line in lines[: context.cursor_line]) + context.cursor_position
    return _of_host(shell, context.full_text, offset)


def _of_host(shell: InteractiveShell, text: str, offset: int) -> SimpleMatcherResult:
    from .consulting import cell_of, consult

    cell = cell_of(text)
    cursor = offset - cell.offset if cell else 0
    facts = consult(cell, shell.user_ns, "complete", cursor) if cell else None
    matches = (facts or {}).get("matches") or []
    try:
        # All of one answer begin at the same place, and what is behind the cursor stays.
        start = int(matches[0][2]) if matches else cursor
        here = [(str(match[0]), str(match[1])) for match in matches if match[2:] == [start, cursor]]
    except (TypeError, ValueError, LookupError):
        return _result("", [])  # a host that talks nonsense: nothing is known
    if not cell or not 0 <= start <= cursor:
        return _result("", [])
    return _result(cell.body[start:cursor], here)


def _result(fragment: str, found: list[tuple[str, str]]) -> SimpleMatcherResult:
    from IPython.core.completer import SimpleCompletion, SimpleMatcherResult

    completions = [SimpleCompletion(text, type=kind or None) for text, kind in found]
    if not completions:
        return SimpleMatcherResult(completions=[], suppress=False)
    return SimpleMatcherResult(
        completions=completions, matched_fragment=fragment, suppress=True, ordered=True
    )
