"""A port of a host, reached through a port of this machine: the listener, and the connections of now.

Each connection is a stream of the host's link (`agent/forwarding.py` is its other end). What other processes
know of a forward is in `forward_records.py`, how it is shown in `commands/forwarding.py`.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from . import forward_records
from .agent import messages as m
from .agent.wire import Frame
from .errors import ConnectionLost, ForwardError, ProtocolError, RemoteError, UsageError

if TYPE_CHECKING:
    from .connection import Stream
    from .hostlink import HostLink
    from .linkstate import LinkState

# How long a new connection waits for a link that broke; a browser waits longer.
PATIENCE_S = 30.0
# How often it is looked whether another process has ended the forward.
LOOK_S = 1.0
# What connections may take to end when the forward does; one that is being made has an answer to wait for.
END_S = 5.0
# More connections than this wait until others have ended.
MOST = 256
PIECE = 1 << 17
LARGEST_PORT = 65535
_IPV4, _IPV6 = "127.0.0.1", "::1"
# How long a write waits for a reader before it is looked whether the forward has ended: a timeval.
_TICK = struct.pack("ll", 0, 500_000)
_RESET = struct.pack("ii", 1, 0) if os.name != "nt" else struct.pack("hh", 1, 0)


class Forward:
    """One forwarded port; it listens from the start until :meth:`close` or the end of this process.

    Args:
        link: to the host.
        port: of the host, or of the machine ``to``.
        to: another machine that the host reaches; None for the host's own loopback.
        local_port: the one wanted here; another free one is taken when it isn't to be had, 0 for any.
        ipv6: listen on ``::1`` too.

    Attributes:
        local_port: the one it is.
        error: why the last connection could not be made; empty when it was.
        ended: set when it has ended.
        heard: called, in other threads, with `error` when that has changed.

    Raises:
        UsageError: a port is none.
        ForwardError: no port can be opened here.
    """

    def __init__(
        self, link: HostLink, port: int, to: str | None = None, local_port: int | None = None, *, ipv6: bool
    ) -> None:
        wanted = port if local_port is None else local_port
        if not 0 < port <= LARGEST_PORT or not 0 <= wanted <= LARGEST_PORT:
            wrong = wanted if 0 < port <= LARGEST_PORT else port
            raise UsageError(f"{wrong} is not a port; these go from 1 to {LARGEST_PORT}")
        self.host = link.host.name
        self.port = port
        self.to = to
        self.error = ""
        self.ended = threading.Event()
        self.heard: Callable[[str], None] = lambda error: None
        self._link = link
        self._lock = threading.Lock()
        self._room = threading.BoundedSemaphore(MOST)
        self._connections: set[_Connection] = set()
        self._listeners = _listen(wanted, ipv6)
        self.local_port: int = self._listeners[0].getsockname()[1]
        self.since = time.time()
        self._record = forward_records.keep(self.facts)
        name = f"jupyter-remote forward {self.local_port}"
        self._thread = threading.Thread(target=self._accept, name=name, daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"<Forward {self.url} to {self.target}>"

    def __enter__(self) -> Forward:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Where a browser on this machine finds it."""
        return f"http://{_IPV4}:{self.local_port}/"

    @property
    def target(self) -> str:
        """What it leads to, for a reader."""
        return f"port {self.port} of {self.to} through {self.host}" if self.to else f"{self.host}:{self.port}"

    @property
    def connections(self) -> int:
        """How many are open now."""
        return len(self._connections)

    @property
    def facts(self) -> forward_records.Facts:
        """What is told of it."""
        return {
            "host": self.host,
            "port": self.port,
            "to": self.to,
            "local_port": self.local_port,
            "url": self.url,
            "since": self.since,
        }

    def close(self) -> None:
        """Ends the listener and all connections."""
        self.ended.set()
        for one in self._listeners:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)  # on Linux this wakes who waits for a connection
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _accept(self) -> None:
        try:
            with selectors.DefaultSelector() as ready:
                for one in self._listeners:
                    ready.register(one, selectors.EVENT_READ)
                while not self.ended.is_set() and self._record.exists():
                    for key, _ in ready.select(LOOK_S):
                        self._take(key.fileobj)  # type: ignore[arg-type]
        finally:
            self.ended.set()
            for one in self._listeners:
                one.close()
            forward_records.forget(self._record)
            with self._lock:
                open_now = list(self._connections)
            for connection in open_now:
                connection.abort()
            for connection in open_now:
                connection.thread.join(END_S)

    def _take(self, listener: socket.socket) -> None:
        if not self._room.acquire(timeout=LOOK_S):
            return  # it waits in the listener's queue
        try:
            near, _ = listener.accept()
        except OSError:
            self._room.release()
            return  # it has gone again, or the listener has
        near.setblocking(True)
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if sys.platform != "win32":
            near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TICK)
        connection = _Connection(near, self._open, self._over)
        with self._lock:
            self._connections.add(connection)
        connection.thread.start()

    def _over(self, connection: _Connection, error: str | None) -> None:
        with self._lock:
            self._connections.discard(connection)
        self._room.release()
        if error is not None and error != self.error and not self.ended.is_set():
            self.error = error
            with contextlib.suppress(OSError):
                forward_records.tell(self._record, error)
            self.heard(error)

    def _open(self) -> Stream:
        """A stream to the port, after waiting for the link if need be; nobody is asked anything."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            left = max(0.0, deadline - time.monotonic())
            try:
                connection = self._link.live or self._link.restore(self._check, left)
                stream = connection.request(m.Forward(self.to or "", self.port))
                try:
                    answer = stream.receive().message
                    if isinstance(answer, m.Facts):
                        self._link.works()
                        return stream
                except BaseException:
                    stream.close()
                    raise
                stream.close()
                raise ProtocolError("the host does not say whether the port answers", host=self.host)
            except ConnectionLost:
                # It broke just now: whatever that is, it is not the port's fault.
                if self._link.closed or time.monotonic() >= deadline:
                    raise

    def _check(self, _state: LinkState) -> None:
        if self.ended.is_set():
            raise ForwardError("the forward has ended", host=self.host)


class _Connection:
    """One connection: a thread for each direction, so that neither waits for the other.

    Args:
        near: the socket here.
        open_far: gives the stream to the port.
        over: called at the end, with what was wrong: empty for nothing, None when that is not known.
    """

    def __init__(
        self,
        near: socket.socket,
        open_far: Callable[[], Stream],
        over: Callable[[_Connection, str | None], None],
    ) -> None:
        self._near = near
        self._open_far = open_far
        self._over = over
        self._far: Stream | None = None
        self._aborted = False
        self._lock = threading.Lock()
        self._arrived = False
        self.thread = threading.Thread(target=self._run, name="jupyter-remote forwarded", daemon=True)

    def abort(self) -> None:
        """Ends both directions; bytes that are on their way are lost."""
        with self._lock:
            self._aborted = True
            if self._far is not None:
                closed = m.Failure("forward", "closed here")
                self._far.deliver(Frame(self._far.number, closed, b""))
        with contextlib.suppress(OSError):
            # Wakes the thread that reads. The other end shall see a reset, and no end before it.
            self._near.shutdown(socket.SHUT_RDWR if sys.platform == "win32" else socket.SHUT_RD)

    def _run(self) -> None:
        error: str | None = None
        sent = False
        try:
            far = self._open_far()
            error = ""
            with self._lock:
                self._far = far
            if self._aborted:
                return
            back = threading.Thread(
                target=self._carry_back, args=(far,), name="jupyter-remote forwarded back", daemon=True
            )
            back.start()
            try:
                sent = self._carry(far)
                if not sent:
                    self.abort()
            finally:
                back.join()
        except RemoteError as failure:
            error = failure.message
        finally:
            self._end(sent and self._arrived)
            self._over(self, error)

    def _carry(self, far: Stream) -> bool:
        """What is said here goes there; returns whether all of it went."""
        try:
            while data := self._near.recv(PIECE):
                far.send(m.Data(), data)
            if self._aborted:
                return False
            far.send(m.End())
            return True
        except (OSError, RemoteError):
            return False

    def _carry_back(self, far: Stream) -> None:
        try:
            while not isinstance((frame := far.receive()).message, m.End):
                self._write(memoryview(frame.payload))
            self._arrived = True
            self._near.shutdown(socket.SHUT_WR)
        except (OSError, RemoteError):
            self.abort()

    def _write(self, rest: memoryview) -> None:
        while rest:
            try:
                rest = rest[self._near.send(rest) :]
            except BlockingIOError:
                if self._aborted:
                    raise

    def _end(self, whole: bool) -> None:
        if self._far is not None:
            self._far.close()
        if not whole:
            # A reset, so that who reads here knows that bytes are missing.
            with contextlib.suppress(OSError):
                self._near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._near.close()


def _listen(wanted: int, ipv6: bool) -> list[socket.socket]:
    """Listeners on one port of the loopback addresses."""
    for port in (wanted, 0) if wanted else (0,):
        try:
            first = _bind(socket.AF_INET, _IPV4, port)
        except OSError as error:
            last = error
            continue
        if not ipv6:
            return [first]
        try:
            return [first, _bind(socket.AF_INET6, _IPV6, first.getsockname()[1])]
        except OSError as error:
            first.close()
            last = error
    where = f"{_IPV4} and {_IPV6}" if ipv6 else _IPV4
    raise ForwardError(f"no port can be opened on {where} here: {last.strerror}")


def _bind(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    # What another program listens on is never shared: on Windows that has to be asked for.
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(MOST)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener
