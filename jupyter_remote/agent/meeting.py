"""Where processes of several hosts can meet on this one: a port that is free, an address that others reach.

Nothing listens here: the user's own code does, a moment later.
"""

from __future__ import annotations

import random
import socket

# Below the ports that systems give to outgoing connections (32768 and up on Linux), so that none of these
# takes it before the user's code listens there.
FIRST, LAST = 20000, 32000
_TRIES = 100


def free_port() -> int:
    """A TCP port that nothing listens on now.

    Raises:
        OSError: none was found.
    """
    for _ in range(_TRIES):
        port = random.randint(FIRST, LAST)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
            return port
    raise OSError(f"no free port between {FIRST} and {LAST}")


def address() -> str:
    """The address of this machine on its way out, its name where it has none."""
    for family, far in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                # Connecting a datagram socket sends nothing: it only chooses the way.
                probe.connect((far, 9))
                found = str(probe.getsockname()[0])
        except OSError:
            continue
        if not found.startswith("127.") and found not in ("::1", "::", "0.0.0.0"):
            return found
    return socket.getfqdn()
