"""A stand-in for the program `ray` (`ray_cluster.py`): `ray job submit`, `list` and `stop` as 2.60 answers.

`ray_program.py FOLDER job WORDS...`; the entrypoint runs as a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from pbs_programs import alive, signal_all

FAILED = "Job entrypoint command failed with exit code {}, last available logs (truncated to 20,000 chars):\n"
PENDING = (
    "Job has not started yet. It may be waiting for resources (CPUs, GPUs, memory, custom resources) to "
    "become available."
)


def main(folder: Path, argv: list[str]) -> int:
    """One call; returns its exit code."""
    with (folder / "calls").open("a") as log:
        log.write(" ".join(argv) + "\n")
    if (folder / "down").exists():
        print("Traceback (most recent call last):", file=sys.stderr)
        print("ConnectionError: Failed to connect to Ray at address: http://127.0.0.1:8265.", file=sys.stderr)
        return 1
    verb, rest = argv[1], argv[2:]
    say(42, "\x1b[37mJob submission server address\x1b[39m: \x1b[1mhttp://127.0.0.1:8265\x1b[22m")
    return {"submit": submit, "list": listing, "stop": stop, "begin": begin}[verb](folder, rest)


def say(line: int, text: str) -> None:
    """As it logs, to its output."""
    print(f"{time.strftime('%Y-%m-%d %H:%M:%S')},000\tINFO cli.py:{line} -- {text}")


def submit(folder: Path, argv: list[str]) -> int:
    """Takes a job, and starts it unless it has to wait."""
    at = argv.index("--")
    options, words = argv[:at], argv[at + 1 :]
    name = options[options.index("--submission-id") + 1]
    place = folder / "jobs" / name
    try:
        place.mkdir(parents=True)
    except FileExistsError:
        print(f"ValueError: Job with submission_id {name} already exists.\n.\n.", file=sys.stderr)
        return 1
    (place / "entrypoint").write_text(json.dumps(words))
    gpus = [float(word.partition("=")[2]) for word in options if word.startswith("--entrypoint-num-gpus=")]
    if sum(gpus) <= 1:
        run(place, words)
    say(67, f"\x1b[32mJob '{name}' submitted successfully\x1b[39m")
    return 0


def begin(folder: Path, argv: list[str]) -> int:
    """A job that waits has what it needs; a test says so."""
    place = folder / "jobs" / argv[-1]
    run(place, json.loads((place / "entrypoint").read_text()))
    return 0


def run(place: Path, words: list[str]) -> None:
    """Starts an entrypoint in a session of its own, which keeps its exit code."""
    keep = 'trap : TERM; "$@"; code=$?; echo $code >"$0/.exit"; mv "$0/.exit" "$0/exit"'
    with Path(os.devnull).open("r+b") as nothing, (place / "log").open("wb") as log:
        child = subprocess.Popen(
            ["sh", "-c", keep, str(place), *words],
            stdin=nothing,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    (place / "pid").write_text(str(child.pid))


def listing(folder: Path, argv: list[str]) -> int:
    """All jobs, as Python shows objects."""
    found = [shown(place) for place in sorted((folder / "jobs").glob("*"))]
    say(600, "[" + ",\n ".join(found) + "]")
    return 0


def shown(place: Path) -> str:
    """One of them."""
    status, message, code = state(place)
    entrypoint = " ".join(json.loads((place / "entrypoint").read_text()))
    return (
        f"JobDetails(type=<JobType.SUBMISSION: 'SUBMISSION'>, job_id=None, submission_id={place.name!r}, "
        f"driver_info=None, status=<JobStatus.{status}: {status!r}>, entrypoint={entrypoint!r}, "
        f"message={message!r}, error_type=None, start_time=1795732284483, end_time=None, metadata={{}}, "
        f"runtime_env={{}}, driver_agent_http_address=None, driver_node_id=None, driver_exit_code={code})"
    )


def state(place: Path) -> tuple[str, str, Any]:
    """Its status, what it says of that, and the exit code."""
    if (place / "stopped").exists():
        return "STOPPED", "Job was intentionally stopped.", None
    if not (place / "pid").exists():
        return "PENDING", PENDING, None
    if not (place / "exit").exists():
        return "RUNNING", "Job is currently running.", None
    code = int((place / "exit").read_text())
    if code == 0:
        return "SUCCEEDED", "Job finished successfully.", 0
    return "FAILED", FAILED.format(code) + (place / "log").read_text(), code


def stop(folder: Path, argv: list[str]) -> int:
    """TERM, and KILL after a while; one that waits goes on to wait, as there."""
    name = argv[-1]
    place = folder / "jobs" / name
    if not place.exists():
        print(
            f"RuntimeError: Request failed with status code 404: Job {name} does not exist.", file=sys.stderr
        )
        return 1
    if (place / "pid").exists() and not (place / "exit").exists():
        end(place)
        (place / "stopped").touch()
    return 0


def end(place: Path) -> None:
    """Ends the processes of a job."""
    pid = int((place / "pid").read_text())
    with suppress(ProcessLookupError):
        signal_all(pid, 15)
        deadline = time.monotonic() + 2
        while alive(pid) and time.monotonic() < deadline:
            time.sleep(0.02)
        signal_all(pid, 9)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
