"""`jupyter remote …`: exit codes, errors on stderr, and the way from words to commands that `%remote` shares.

What the commands do is in `commands/`, what they are called in `options.py`.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import click

from .arriving import announcer, arriving, wanted
from .call import Show, Start, start_or_say, typed
from .commands import HANDLERS
from .display import TerminalSink, show_kept, show_status
from .errors import RemoteError, RunError
from .follow import follow
from .gpu_use import GpuUse
from .link_line import LinkLine
from .live_line import live_line
from .options import LINE
from .parsing import Values, build, invoke
from .pulling import bring_artifacts
from .run_results import gather
from .status_line import StatusLine

if TYPE_CHECKING:
    from .remote import Remote

INTERRUPTED = 130
BROKEN_PIPE = 141


def dispatch(words: Sequence[str], name: str, show: Show) -> int:
    """Run the command that `words` name; return its exit code.

    Args:
        name: what the user typed before the words, for messages.
        show: how a run is shown to its end.

    Raises:
        RemoteError: the words are wrong, or the command failed.
    """
    typed.set(f"{name} {shlex.join(words)}")
    result = invoke(_root(), words, name, obj=show)
    return result if isinstance(result, int) else 0


@cache
def _root() -> click.Command:
    return build(LINE, HANDLERS)


def main(words: Sequence[str] | None = None) -> int:
    """Entry of the console script `jupyter-remote`; returns the exit code."""
    words = sys.argv[1:] if words is None else words
    if asked := os.environ.get("_JUPYTER_REMOTE_COMPLETE"):
        from .shell_completion import answer

        return answer(_root(), asked)
    try:
        code = dispatch(words, "jupyter remote", show_run)
        sys.stdout.flush()
        return code
    except RemoteError as error:
        _print_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Nobody reads any more. Python flushes stdout once more at exit, and must not fail there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE


def show_run(remote: Remote, start: Start, values: Values) -> int:
    """Show a run in the terminal (a `call.Show`); return its exit code.

    Raises:
        RunError: it ended without an exit code.
    """
    run = start_or_say(start, remote.host.name)
    show_kept(run)
    if values.get("detach"):
        run.detach()
        print(f"run {run.id} on {run.host} goes on; `jupyter remote attach {run.id}` shows it")
        return 0
    pull = wanted(run, values["pull"], attached=values.get("attached", False))
    try:
        # To a pipe or a file no such line can be written.
        with StatusLine(run.host, None if values["quiet"] else live_line()) as status:
            run.on_link = LinkLine(before=status.go)
            if not values["quiet"]:
                status.gpus(GpuUse(remote, run))
            sink = status.until_output(shown := TerminalSink())
            run.on_job = status.job
            with arriving(run, pull, announcer(run.host, shown.between_lines, quiet=values["quiet"])):
                follow(run, sink)
    except BrokenPipeError:
        run.interrupt()
        raise
    if not values["quiet"]:
        show_status(run, kernel=False)
    bring_artifacts(remote, run, pull, quiet=values["quiet"])
    gather(run)
    try:
        run.check()
    except RunError as error:
        if run.exit_code is None:
            raise
        # What went wrong stands in the output already.
        return error.exit_code
    return 0


def _print_error(error: RemoteError) -> None:
    if os.environ.get("JUPYTER_REMOTE_DEBUG") == "1":
        raise error
    print(f"error: {error}", file=sys.stderr)
