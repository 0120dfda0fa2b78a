"""A program in a terminal of its own, answered as a user would."""

from __future__ import annotations

import os
import pty
import select
import subprocess
from collections.abc import Mapping, Sequence

from hosts import PATIENCE_S


def talk(
    words: Sequence[str],
    answers: Sequence[tuple[str, str]],
    env: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Run a program to its end.

    Args:
        words: its arguments.
        answers: what it shows, and what is typed then, in this order.
        env: more variables.

    Returns:
        Its exit code, and all that it has shown.
    """
    ours, theirs = pty.openpty()
    shown = b""
    left = list(answers)
    seen = 0
    with subprocess.Popen(
        words,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env={**os.environ, "COLUMNS": "200", "TERM": "xterm", **(env or {})},
    ) as process:
        os.close(theirs)
        while True:
            if not select.select([ours], [], [], PATIENCE_S)[0]:
                process.kill()
                raise AssertionError(f"nothing more comes after: {shown.decode(errors='replace')}")
            try:
                part = os.read(ours, 1 << 16)
            except OSError:
                break  # the end of a terminal
            if not part:
                break
            shown += part
            while left and (at := shown.find(left[0][0].encode(), seen)) >= 0:
                seen = at + len(left[0][0])
                os.write(ours, left.pop(0)[1].encode() + b"\n")
        code = process.wait(PATIENCE_S)
    os.close(ours)
    assert not left, f"never asked {left[0][0]!r}: {shown.decode(errors='replace')}"
    return code, shown.decode(errors="replace")
