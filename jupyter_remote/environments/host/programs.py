"""A program that builds: its output goes to the user and into a log at once."""

from __future__ import annotations

import os
import subprocess
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

TAIL = 1 << 16


def run_program(argv: list[str], folder: str, log: BinaryIO, lock: int) -> tuple[int, str]:
    """Runs it to its end, which comes with ours.

    Args:
        argv: the program and its words.
        folder: where it runs.
        log: gets what it prints, as the user does.
        lock: a descriptor that it keeps open: what it builds is being built as long as it lives.

    Returns:
        Its exit code, and the last 64 KiB that it printed.
    """
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
    env.update(PIP_NO_INPUT="1", PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_USER="0", PIP_RETRIES="2")
    env.update(PYTHONUNBUFFERED="1", CONDA_YES="1", CONDA_ALWAYS_YES="1")
    env["NO_COLOR"] = "1"  # the log is read too
    for name in ("PIP_TARGET", "PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV", "FORCE_COLOR", "CLICOLOR_FORCE"):
        env.pop(name, None)
    process = subprocess.Popen(
        argv,
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=[lock],
    )
    assert process.stdout is not None
    tail = b""
    try:
        while True:
            data = os.read(process.stdout.fileno(), 1 << 16)
            if not data:
                break
            sys.stdout.buffer.write(data)
            sys.stdout.flush()
            log.write(data)
            log.flush()
            tail = (tail + data)[-TAIL:]
        code = process.wait()
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        process.stdout.close()
    return code, tail.decode("utf-8", "replace")
