"""A TCP proxy that makes loopback a worse network: delay, a limit of the rate, a freeze, a cut, a dead end.

For tests and benchmarks; nothing about ssh or the project is known here.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType

_PIECE = 1 << 16
# What a link holds on the way before the sender has to wait.
_IN_FLIGHT = 4 << 20


class Proxy:
    """Listens on a port of its own and passes every connection on; a context manager.

    Args:
        port: where the connections go, on loopback.
        delay: seconds that each byte takes in each direction: half a round trip.
        rate: bytes per second in each direction and connection; None for no limit.

    Attributes:
        port: the one to connect to.
        accepted: whether new connections are taken.
        sent, received: bytes passed on towards the server, and back.
    """

    def __init__(self, port: int, delay: float = 0.0, rate: float | None = None) -> None:
        self._target = port
        self.delay = delay
        self.rate = rate
        self.sent = self.received = 0
        self._moving = threading.Event()
        self._moving.set()
        self._closed = False
        self.accepted = True
        self._trip: tuple[int, Callable[[], None]] | None = None
        self._dead: set[socket.socket] = set()
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._start(self._accept)

    def freeze(self) -> None:
        """From now on nothing arrives and nothing ends, as with a laptop that sleeps."""
        self._moving.clear()

    def thaw(self) -> None:
        """What was held back arrives."""
        self._moving.set()

    def strand(self) -> None:
        """Nothing arrives over the connections of now, and nobody is told; new ones are well."""
        with self._lock:
            self._dead |= self._sockets

    def stranded(self, one: socket.socket) -> bool:
        """Whether what is sent to this end gets lost."""
        return one in self._dead

    def trip(self, after: int, action: Callable[[], None]) -> None:
        """Calls `action` when so many more bytes have come back, to the byte; what came with it is lost."""
        with self._lock:
            self._trip = (self.received + after, action)

    def refuse(self) -> None:
        """Ends all connections of now, and every new one at once."""
        self.accepted = False
        self.cut()

    def accept(self) -> None:
        """New connections are taken again."""
        self.accepted = True

    def cut(self) -> None:
        """Ends all connections of now; new ones are taken."""
        with self._lock:
            sockets, self._sockets = self._sockets, set()
            self._dead -= sockets
        for one in sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Ends everything and waits for the threads."""
        self._closed = True
        with contextlib.suppress(OSError):
            # On Linux this wakes the thread in accept(); closing alone would not.
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        self.thaw()
        for thread in self._threads:
            thread.join(10)

    def __enter__(self) -> Proxy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                if not self.accepted:
                    raise ConnectionRefusedError
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                client.close()
                continue
            with self._lock:
                self._sockets |= {client, server}
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._start(self._connect, client, server)

    def _connect(self, client: socket.socket, server: socket.socket) -> None:
        """Owns both sockets until both directions have ended."""
        directions = [_Line(self, client, server, True), _Line(self, server, client, False)]
        for line in directions:
            line.run()
        for line in directions:
            line.join()
        with self._lock:
            self._sockets -= {client, server}
        client.close()
        server.close()

    def wait_moving(self) -> None:
        """Returns when the link is not frozen."""
        self._moving.wait()

    def until_trip(self, size: int) -> tuple[int, Callable[[], None] | None]:
        """How many of the next `size` bytes still come back, and what happens then."""
        with self._lock:
            if self._trip is None or self.received + size < self._trip[0]:
                return size, None
            at, action = self._trip
            self._trip = None
            return max(0, at - self.received), action

    def count(self, size: int, upwards: bool) -> None:
        """So many bytes have been passed on."""
        with self._lock:
            if upwards:
                self.sent += size
            else:
                self.received += size


class _Line:
    """One direction of one connection: a thread that reads, and one that writes when the time has come."""

    def __init__(self, proxy: Proxy, source: socket.socket, sink: socket.socket, upwards: bool) -> None:
        self._proxy, self._source, self._sink, self._upwards = proxy, source, sink, upwards
        # (when it is due, what); b"" is the end.
        self._held: deque[tuple[float, bytes]] = deque()
        self._size = 0
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=one, daemon=True) for one in (self._read, self._write)]

    def run(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _read(self) -> None:
        data = b"-"
        while data:
            try:
                data = self._source.recv(_PIECE)
            except OSError:
                data = b""
            with self._changed:
                self._held.append((time.monotonic() + self._proxy.delay, data))
                self._size += len(data)
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._size < _IN_FLIGHT)

    def _write(self) -> None:
        free = 0.0  # when the line has room for the next byte
        alive = True
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._held))
                due, data = self._held.popleft()
            time.sleep(max(0.0, max(due, free) - time.monotonic()))
            self._proxy.wait_moving()
            if self._proxy.rate is not None:
                free = max(free, time.monotonic()) + len(data) / self._proxy.rate
            with contextlib.suppress(OSError):
                if not data:
                    self._sink.shutdown(socket.SHUT_WR)
            if not data:
                return
            try:
                size, action = (len(data), None) if self._upwards else self._proxy.until_trip(len(data))
                if alive and not self._proxy.stranded(self._sink):
                    self._sink.sendall(data[:size])
                    self._proxy.count(size, self._upwards)
                if action is not None:
                    action()
            except OSError:
                # The reader must not wait for a line that nobody empties.
                alive = False
                with contextlib.suppress(OSError):
                    self._source.shutdown(socket.SHUT_RD)
            with self._changed:
                self._size -= len(data)
                self._changed.notify_all()
