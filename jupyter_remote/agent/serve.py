"""The agent: answers a client over its stdin and stdout, as long as the connection lives."""

from __future__ import annotations

import os
import socket
import sys
import time

from . import messages as m
from .handlers import Handlers
from .paths import keep_ssh_agent, state_folder
from .processes import boot_id
from .streams import Link
from .version import PROTOCOL, VERSION
from .wire import MAGIC, WireError, encode

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any


def facts(state: str) -> dict[str, Any]:
    """What the client should know of this host before it asks anything."""
    return {
        "hostname": socket.gethostname(),
        "python": sys.version.split()[0],
        "executable": sys.executable,
        "platform": sys.platform,
        "machine": os.uname().machine,
        "home": os.path.expanduser("~"),
        "state": state,
        "boot": boot_id(),
        "pid": os.getpid(),
        "time": time.time(),
    }


def main() -> None:
    """Takes descriptors 0 and 1 for itself, says hello, and serves until the client is gone."""
    read_fd, write_fd = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)  # a stray print must not come between two frames
    os.close(null)
    state = state_folder()
    keep_ssh_agent(state)
    handlers = Handlers(state)
    link = Link(read_fd, write_fd, handlers)
    try:
        link.write(MAGIC + encode(0, m.Hello(PROTOCOL, VERSION, facts(state))))
        link.serve()
    except WireError as error:
        print(f"jupyter_remote agent: {error}", file=sys.stderr)
    except OSError:
        pass  # the connection broke: runs go on without us
    finally:
        for do in list(link.at_end.values()):
            do()
        handlers.capsule.finish()
        os._exit(0)  # requests that still wait for something must not hold the process
