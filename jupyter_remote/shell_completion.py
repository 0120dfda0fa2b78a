"""Tab in bash, zsh and fish: click's scripts, with the words that a magic line is completed by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .magic_words import complete

if TYPE_CHECKING:
    import click

PROGRAM = "jupyter-remote"
VARIABLE = "_JUPYTER_REMOTE_COMPLETE"


def answer(command: click.Command, instruction: str) -> int:
    """Prints what the shell asks for; returns the exit code.

    Args:
        command: the root of all commands.
        instruction: of click's scripts: `bash_source` for the script itself, `bash_complete` for the words at
            the cursor; likewise `zsh` and `fish`.
    """
    from click.shell_completion import CompletionItem, get_completion_class

    shell, _, what = instruction.partition("_")
    clicks = get_completion_class(shell)
    if clicks is None:
        return 1

    class Ours(clicks):  # type: ignore[valid-type,misc]
        def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
            found = complete(" ".join(["%remote", *args, incomplete]))
            if found is None:
                return [CompletionItem(incomplete, type="file")]
            return [CompletionItem(word) for word in found.words]

    asked = Ours(command, {}, PROGRAM, VARIABLE)
    print(asked.source() if what == "source" else asked.complete())
    return 0
