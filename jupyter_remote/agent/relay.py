"""A way to a supervisor's socket on another node: through a program that the scheduler starts beside it.

``main`` runs there and knows nothing but the socket; :class:`Relay` is the agent's end. Both exchange lines,
since a launcher such as srun hands its output on line by line: the number of a connection and, in base64,
what it carries; a number alone is the end of one.

srun carries 1,024 bytes at most in one message. The rest of a longer line would lie at the sender until the
kernel of the other side acknowledges the first part (Nagle's algorithm), which that puts off by 40 ms as long
as nothing goes back. So lines are shorter, and who takes one that is full sends an empty word back at once.
"""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import threading
from binascii import a2b_base64, b2a_base64

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import IO, Callable

READY = b"ready\n"
# With the number before it and a third more for base64, a piece is a line of less than 1,024 bytes.
PIECE = 720
FULL = 900
MORE = b"+\n"


class _Lines:
    """The connections on one stream of lines.

    Args:
        out: where lines go.
        connect: makes the socket of a connection that the other side begins; None when none does.
    """

    def __init__(self, out: IO[bytes], connect: Callable[[], socket.socket] | None = None) -> None:
        self._out = out
        self._connect = connect
        self._lock = threading.Lock()
        self._sockets: dict[int, socket.socket] = {}

    def add(self, number: int, sock: socket.socket) -> None:
        """Carries what comes from a socket, in a thread of its own."""
        self._sockets[number] = sock
        threading.Thread(target=self._pump, args=(number, sock), daemon=True).start()

    def take(self, line: bytes) -> None:
        """Hands on what a line carries."""
        word, _, data = line.strip().partition(b" ")
        if len(line) > FULL:
            self._more()
        number = int(word)
        sock = self._sockets.get(number)
        if not data:
            if sock is not None:
                self._close(number)
            return
        try:
            if sock is None:
                if self._connect is None:
                    return  # it was closed here
                sock = self._connect()
                self.add(number, sock)
            sock.sendall(a2b_base64(data))
        except OSError:
            self._close(number)
            self._send(number, b"")

    def close(self) -> None:
        """Ends all connections."""
        for number in list(self._sockets):
            self._close(number)

    def _close(self, number: int) -> None:
        sock = self._sockets.pop(number, None)
        if sock is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _pump(self, number: int, sock: socket.socket) -> None:
        with sock:
            while True:
                try:
                    data = sock.recv(PIECE)
                except OSError:
                    data = b""
                self._send(number, data)
                if not data:
                    self._sockets.pop(number, None)
                    return

    def _send(self, number: int, data: bytes) -> None:
        self._write(str(number).encode() + (b" " + b2a_base64(data, newline=False) if data else b"") + b"\n")

    def _more(self) -> None:
        # Never waited for, as both ends might do that: where something else is on its way, that will do.
        if not self._lock.acquire(False):
            return
        try:
            if select.select([], [self._out], [], 0)[1]:
                self._out.write(MORE)
                self._out.flush()
        except (OSError, ValueError):
            pass
        finally:
            self._lock.release()

    def _write(self, line: bytes) -> None:
        with self._lock:
            try:
                self._out.write(line)
                self._out.flush()
            except (OSError, ValueError):
                pass  # the other end is gone, which its reader tells


class Relay:
    """The agent's end: starts the program and opens connections through it.

    Args:
        argv: what starts it.

    Raises:
        OSError: it could not be started.
    """

    def __init__(self, argv: list[str]) -> None:
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._lines = _Lines(self._process.stdin)
        self._from: IO[bytes] = self._process.stdout
        self._number = 0
        self.ready = False
        self.over = False
        threading.Thread(target=self._read, daemon=True).start()

    def open(self) -> socket.socket:
        """A connection to the supervisor."""
        ours, theirs = socket.socketpair()
        self._number += 1
        self._lines.add(self._number, theirs)
        return ours

    def close(self) -> None:
        """Ends the program."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
        except OSError:
            pass
        self._process.terminate()

    def _read(self) -> None:
        with self._from:
            for line in self._from:
                if line == READY:
                    self.ready = True
                elif line[:1].isdigit():
                    self._lines.take(line)
        self.over = True
        self._lines.close()
        self._process.wait()


def main() -> None:
    """Entry point on the node; the argument is the path of the supervisor's socket."""
    path = sys.argv[1]

    def connect() -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(path)
        return sock

    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    connect().close()  # says by its end that this is not the supervisor's node
    out.write(READY)
    out.flush()
    lines = _Lines(out, connect)
    for line in sys.stdin.buffer:
        if line != MORE:
            lines.take(line)
    os._exit(0)
