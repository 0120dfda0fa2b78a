"""How the agent gets to a host and starts there: the command line, the zip, and what an early end means.

The command holds stage 0 (``stage0.py``, packed into one word); stage 0 runs the agent from the host's
cache, or asks for it over the very same stream. One round trip when the agent is there.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import re
import shlex
import threading
import zipfile
import zlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from .agent.wire import MAGIC
from .errors import DiskFull, LaunchError, NoPython, ProtocolError, RemoteError

if TYPE_CHECKING:
    from .transports import Channel, Transport

# The host says how it can unpack it: bz2 makes it a fifth smaller than zlib, and some Pythons lack it.
_NEEDS_AGENT = re.compile(rb"\x00\xf5jupyter-remote-needs-agent(-bz2)?\xf5\n")
PACKAGE = "jupyter_remote_agent"

_UNPACK = "import sys,zlib,base64;exec(zlib.decompress(base64.b64decode(sys.argv[1])))"
# In one line and without single quotes, so that every login shell hands it on to sh as it is. A pyenv shim
# costs 0.2 s at each start, so the system's own Python is preferred to one.
_FIND_PYTHON = (
    "p=`command -v python3 2>/dev/null`; "
    'case "$p" in */shims/*) if [ -x /usr/bin/python3 ]; then p=/usr/bin/python3; fi;; esac; '
    'if [ -z "$p" ]; then for n in 13 12 11 10 9 8 14 15; do '
    "p=`command -v python3.$n 2>/dev/null` && break; done; fi; "
    'if [ -z "$p" ]; then p="$JUPYTER_REMOTE_PYTHON"; fi; if [ -z "$p" ]; then exit 97; fi; '
)
RESORT = "JUPYTER_REMOTE_PYTHON"
# Whatever else a path may be made of, it would have to be quoted for two shells.
_PLAIN_PATH = re.compile(r"(?:~|)(?:/[\w.+-]+)+")


CHECK_SIZE = 16
_zipping = threading.Lock()


@lru_cache(maxsize=1)
def _sources() -> tuple[tuple[str, bytes], ...]:
    folder = Path(__file__).with_name("agent")
    return tuple((path.name, path.read_bytes()) for path in sorted(folder.glob("*.py")))


@lru_cache(maxsize=1)
def agent_digest() -> str:
    """What names the agent in a host's cache: a digest of all its sources."""
    digest = hashlib.blake2b(digest_size=CHECK_SIZE)
    for name, content in _sources():
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def agent_zip(by_bz2: bool = True) -> bytes:
    """What ships: a zip, compressed as a whole because its files are much alike.

    Args:
        by_bz2: whether the host's Python has bz2; zlib otherwise, and where our own has none.
    """
    # Many hosts ask at once. It is made once, also because `ast` of Python 3.11 fails in several threads.
    with _zipping:
        return _zipped(by_bz2)


@lru_cache(maxsize=2)
def _zipped(by_bz2: bool) -> bytes:
    from .lean import lean  # only the first contact with a host needs it

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in _sources():
            archive.writestr(f"{PACKAGE}/{name}", lean(content))
    if by_bz2:
        with contextlib.suppress(ImportError):
            import bz2

            return bz2.compress(buffer.getvalue())
    return zlib.compress(buffer.getvalue(), 9)


@lru_cache(maxsize=1)
def _packed_stage0() -> str:
    return base64.b64encode(zlib.compress(Path(__file__).with_name("stage0.py").read_bytes(), 9)).decode(
        "ascii"
    )


def command(python: str | None = None, setting: str = "") -> str:
    """The line for the host's login shell that starts the agent.

    Args:
        python: a Python (3.8 or newer) known to be there; None looks for one on the host.
        setting: the interpreter of the runs: a last resort where no other is new enough.
    """
    find = _resort(setting) + _FIND_PYTHON if python is None else ""
    program = '"$p"' if python is None else shlex.quote(python)
    script = f'{find}exec {program} -I -S -c "{_UNPACK}" {_packed_stage0()} {agent_digest()}'
    return f"exec sh -c {shlex.quote(script)}"


def _resort(setting: str) -> str:
    """The part of the line that names the host's `python` setting to those who look for one."""
    if not _PLAIN_PATH.fullmatch(setting):
        return ""
    path = '"$HOME"' + setting[1:] if setting.startswith("~") else setting
    return (
        f'q={path}; if [ -d "$q" ]; then q="$q/bin/python"; fi; '
        f'if [ -x "$q" ]; then {RESORT}="$q"; export {RESORT}; fi; '
    )


def handshake(read: Callable[[int], bytes], write: Callable[[bytes], None]) -> tuple[bool, bytes]:
    """Sees the agent up to its magic bytes, sending it when the host doesn't have it.

    Returns:
        Whether the magic bytes came, and every byte read (the banner, the magic bytes, what follows).

    Raises:
        ProtocolError: the host sends something else without end.
        ConnectionLost: from ``write``.
    """
    seen = b""
    sent = False
    while MAGIC not in seen:
        data = read(1 << 16)
        if not data:
            return False, seen
        seen += data
        if not sent and (asked := _NEEDS_AGENT.search(seen)):
            seen = seen[: asked.start()] + seen[asked.end() :]
            content = agent_zip(bool(asked[1]))
            check = hashlib.blake2b(content, digest_size=CHECK_SIZE).digest()
            write(len(content).to_bytes(8, "big") + check + content)
            sent = True
        if len(seen) > 1 << 18:
            raise ProtocolError(f"no agent answered, only other output: {printable(seen[:200])}")
    return True, seen


def explain(status: int | None, stderr: str, host: str) -> RemoteError | None:
    """What an end before the handshake means, or None when the exit code is not one of ours.

    Args:
        status: exit code of the command on the host.
        stderr: the end of what it wrote there.
        host: name of the host.
    """
    said = stderr.strip().rpartition("jupyter_remote: ")[2].splitlines()
    detail = f": {said[0]}" if said else ""
    if status in (97, 127):
        return NoPython(f"{host} has no Python 3.8 or newer{detail}", host=host)
    if status == 94:
        return DiskFull(f"{host} has no space left for the agent{detail}", host=host)
    if status == 98:
        hint = "It needs a folder it can write to: ~/.cache, $XDG_CACHE_HOME or $TMPDIR."
        return LaunchError(f"the agent could not be stored on {host}{detail}", host=host, hint=hint)
    if status == 99:
        return ProtocolError(f"the agent could not be sent to {host}{detail}", host=host)
    return None


def early_end(host: str, transport: Transport, channel: Channel, seen: bytes) -> RemoteError:
    """What it means that the command of the agent ended before the handshake; closes the channel.

    Args:
        seen: what it has printed on stdout.
    """
    status = channel.exit_status(5)
    stderr = channel.stderr_tail()
    error = explain(status, stderr, host) or transport.explain(status, stderr)
    banner = printable(seen)[-500:]
    if banner:
        error.hint = f"{error.hint}\nThe host said: {banner}".strip()
    channel.close()
    return error


def printable(data: bytes) -> str:
    """The text of a banner, fit for an error message."""
    text = data.decode("utf-8", "replace").strip()
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)
