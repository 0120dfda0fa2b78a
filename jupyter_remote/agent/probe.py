"""What is found out about this host in one go: everything at the same time, and nothing waited for long.

What is asked, and what an answer means, is decided by the client (``hosts/probing.py`` there). Here commands
are run, folders tried and addresses reached, each in a thread; what takes too long is named and left behind.
"""

from __future__ import annotations

import errno
import glob
import os
import re
import select
import signal
import socket
import subprocess
import tempfile
import threading
import time
from functools import partial

from .launch import environment, python_of
from .paths import expand

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, Callable

# What is read of a command's output, or of a file.
_MOST = 1 << 15
# A killed process that hangs in the kernel is not waited for.
_LAST_WAIT_S = 0.2
# Passwords of proxies stand in their addresses, and are nobody's business here.
_USER_OF_URL = re.compile(r"//[^/@\s]*@")


def probe(state: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Answers what a client asks about the host.

    Args:
        state: state folder of this host.
        asked: ``seconds`` that all may take; ``commands`` (argv by name: ``{python}`` is the interpreter of
            the setting ``python``, ``-{shell}`` the login shell as one), with the variables ``env``;
            ``places`` (folders by name); ``reach`` (host, port); ``files``; ``nodes`` (patterns);
            ``variables`` (names).

    Returns:
        The answers in the same groups; ``leftovers``; ``late``: names of what was not finished.
    """
    seconds = float(asked.get("seconds") or 5)
    end = time.monotonic() + seconds
    env = environment(asked)
    work: dict[tuple[str, str], Callable[[], Any]] = {
        ("leftovers", ""): partial(_leftovers, state),
    }
    for name, argv in (asked.get("commands") or {}).items():
        work["commands", name] = partial(_command, argv, asked, env, end)
    for name, path in (asked.get("places") or {}).items():
        work["places", name] = partial(_place, path)
    for host, port in asked.get("reach") or ():
        work["reach", f"{host}:{port}"] = partial(_reach, host, port, seconds)
    for path in asked.get("files") or ():
        work["files", path] = partial(_content, path)
    names = asked.get("variables") or ()
    found: dict[str, Any] = {"commands": {}, "places": {}, "reach": {}, "files": {}}
    found["nodes"] = [
        [path, os.access(path, os.R_OK | os.W_OK)]
        for pattern in asked.get("nodes") or ()
        for path in sorted(glob.glob(pattern))
    ]
    found["variables"] = {n: _USER_OF_URL.sub("//", os.environ[n]) for n in names if n in os.environ}
    found["late"] = _all_at_once(work, found, end)
    found["time"] = time.time()
    return found


def _all_at_once(
    work: dict[tuple[str, str], Callable[[], Any]], found: dict[str, Any], end: float
) -> list[str]:
    lock = threading.Lock()
    closed = False

    def do(group: str, name: str, task: Callable[[], Any]) -> None:
        try:
            answer = task()
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        with lock:
            if closed:
                return
            if name:
                found[group][name] = answer
            else:
                found[group] = answer

    threads = [
        (f"{group} {name}".strip(), threading.Thread(target=do, args=(group, name, task), daemon=True))
        for (group, name), task in work.items()
    ]
    for _, thread in threads:
        thread.start()
    for _, thread in threads:
        # Commands end themselves at `end`, and what they had said by then is worth the wait.
        thread.join(max(0.0, end + 2 * _LAST_WAIT_S - time.monotonic()))
    with lock:
        closed = True
        return [name for name, thread in threads if thread.is_alive()]


def _command(argv: list[str], asked: dict[str, Any], env: dict[str, str], end: float) -> dict[str, Any]:
    start = time.monotonic()
    shell = os.environ.get("SHELL") or "/bin/sh"
    words = []
    for word in argv:
        try:
            words.append(python_of(asked, keep=False)[0] if word == "{python}" else word)
        except FileNotFoundError as error:
            return {"status": 127, "output": str(error)}
    program = None
    if words[0] == "-{shell}":
        program, words[0] = shell, f"-{os.path.basename(shell)}"
    try:
        process = subprocess.Popen(
            words,
            executable=program,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        return {"status": 127 if error.errno == errno.ENOENT else 126, "output": str(error)}
    output, over = _read(process, end)
    try:
        if over:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(_LAST_WAIT_S if over else max(_LAST_WAIT_S, end - time.monotonic()))
    except (OSError, subprocess.TimeoutExpired):
        over = True
    assert process.stdout is not None
    process.stdout.close()
    return {
        "status": None if over else process.returncode,
        "output": output.decode("utf-8", "replace"),
        "seconds": round(time.monotonic() - start, 2),
    }


def _read(process: subprocess.Popen[bytes], end: float) -> tuple[bytes, bool]:
    """What it prints until it ends, and whether it has to be ended."""
    assert process.stdout is not None
    fd = process.stdout.fileno()
    data = b""
    while len(data) < _MOST:
        left = end - time.monotonic()
        if left <= 0 or not select.select([fd], [], [], left)[0]:
            return data, True
        piece = os.read(fd, _MOST)
        if not piece:
            return data, False
        data += piece
    return data, True


def _place(path: str) -> dict[str, Any]:
    wanted = at = expand(path)
    while not os.path.isdir(at) and at != "/":
        at = os.path.dirname(at)
    facts = os.statvfs(at)
    found: dict[str, Any] = {
        "path": wanted,
        "exists": at == wanted,
        "device": os.stat(at).st_dev,
        "total": facts.f_blocks * facts.f_frsize,
        "free": facts.f_bavail * facts.f_frsize,
        "inodes": facts.f_files,
        "inodes_free": facts.f_favail,
        "noexec": bool(facts.f_flag & getattr(os, "ST_NOEXEC", 8)),
        "problem": "",
    }
    try:
        handle, name = tempfile.mkstemp(prefix=".jupyter-remote-", dir=at)
        try:
            os.write(handle, b"x" * 4096)
        finally:
            os.close(handle)
            os.unlink(name)
    except OSError as error:
        found["problem"] = errno.errorcode.get(error.errno or 0, "") or str(error)
    return found


def _reach(host: str, port: int, seconds: float) -> str:
    try:
        socket.create_connection((host, port), timeout=seconds).close()
    except socket.gaierror:
        return "no address"
    except OSError as error:
        return str(error.strerror or error)
    return ""


def _content(path: str) -> str | None:
    try:
        with open(path, "rb") as file:
            return file.read(_MOST).decode("utf-8", "replace")
    except OSError:
        return None


def _leftovers(state: str) -> dict[str, Any]:
    from . import leftovers, sessions

    live = [{"name": one["name"], "silent": bool(one.get("silent"))} for one in sessions.records(state)]
    return dict(leftovers.clean(state, {"dry_run": 1}), live=live)
