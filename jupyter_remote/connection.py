"""One live agent: handshake, the reader thread, streams with credit, and failures as our own errors.

What requests mean is in ``remote.py`` and ``sync/``; how bytes reach the host is the transport's business.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

from . import boot, liveness
from .agent import messages as m
from .agent.streams import COUNTED, WINDOW
from .agent.version import PROTOCOL, VERSION
from .agent.wire import MAGIC, MAX_PAYLOAD, Decoder, Frame, WireError, encode
from .config_models import HostConfig
from .errors import ConnectionLost, ProtocolError
from .failed import Changed, Missing, Stale, error_of
from .transports import Channel, Prompter, Transport, make_transport
from .watchdog import Watchdog

__all__ = ["Changed", "Connection", "Missing", "Stale", "Stream"]

# A lock that is waited for without a time-out can't be interrupted on Windows.
_TICK = 0.5
# An agent sends as long as it has any credit, so the last frame may go beyond the window.
_FRAME = 256
_MORE = MAX_PAYLOAD + (1 << 20)


class Stream:
    """One request and its answers.

    Attributes:
        over: set by who knows that the last answer has come, so that the agent needn't be told of a `close`.
    """

    def __init__(self, connection: Connection, number: int, *, shows_run: bool = False) -> None:
        self.number = number
        self.over = False
        self._shows_run = shows_run
        self._connection = connection
        self._inbox: SimpleQueue[Frame | None] = SimpleQueue()
        self._room = WINDOW
        self._window = WINDOW
        self._changed = threading.Condition()
        self._taken = 0
        self._failed: m.Failure | None = None
        self._waiting = 0

    def send(self, message: m.Message, payload: bytes = b"") -> None:
        """Sends a frame; Data waits for the agent's credit.

        Raises:
            ConnectionLost: the link is gone.
            RemoteError: the request has failed already, so there is no use in sending more.
        """
        if isinstance(message, COUNTED):
            with self._changed:
                while self._room <= 0 or self._failed is not None:
                    if self._failed is not None:
                        raise self._connection.failure(self._failed)
                    self._connection.check()
                    self._changed.wait(_TICK)
                self._room -= len(payload)
        self._connection.write(encode(self.number, message, payload))

    def widen(self, amount: int) -> None:
        """Lets the agent send so many bytes more before it has to wait for what was taken here.

        Raises:
            ConnectionLost: the link is gone.
        """
        self._window += amount
        self.send(m.Credit(amount))

    def receive(self) -> Frame:
        """The next answer.

        Raises:
            ConnectionLost: the link is gone.
            Stale: the workspace on the host has changed.
            RemoteError: the request failed there.
        """
        while True:
            try:
                frame = self._inbox.get(timeout=_TICK)
                break
            except Empty:
                continue
        if frame is None:
            self._inbox.put(None)
            self._connection.check()
            raise ConnectionLost(self._connection.lost_text(), host=self._connection.host.name)
        with self._changed:
            self._waiting -= self._weight(frame)
        if isinstance(frame.message, m.Failure):
            raise self._connection.failure(frame.message)
        if isinstance(frame.message, COUNTED):
            self._taken += len(frame.payload)
            if self._taken >= self._window // 4:
                self.send(m.Credit(self._taken))
                self._taken = 0
        return frame

    def deliver(self, frame: Frame | None) -> None:
        """Called by the reader thread; None means the end of the connection.

        Raises:
            WireError: the agent sends more than it was given room for.
        """
        if frame is not None and isinstance(frame.message, m.Credit):
            with self._changed:
                self._room += frame.message.amount
                self._changed.notify_all()
            return
        if frame is not None and isinstance(frame.message, m.Failure):
            with self._changed:
                self._failed = frame.message
                self._changed.notify_all()
        if frame is not None:
            with self._changed:
                self._waiting += self._weight(frame)
                if self._waiting > self._window + _MORE:
                    raise WireError("the agent sends more than it was given room for")
        self._inbox.put(frame)

    def _weight(self, frame: Frame) -> int:
        """What a frame that nobody has taken yet counts for."""
        if self._shows_run:
            return len(frame.payload) if isinstance(frame.message, COUNTED) else 0
        # Objects made of JSON take some twenty times the room of their text.
        return frame.size + _FRAME

    def close(self) -> None:
        """No more interest in answers."""
        self._connection.forget(self)


class Connection:
    """A connected agent. Use :meth:`open`.

    Args:
        host: the resolved settings.
        transport: what leads there.
        channel: an open channel on which the agent has said its magic bytes.
        seen: what was read so far; what was said before the agent's first word is kept as `noise`.
    """

    def __init__(self, host: HostConfig, transport: Transport, channel: Channel, seen: bytes) -> None:
        self.host = host
        self.transport = transport
        self._channel = channel
        self._decoder = Decoder(magic=True)
        self._streams: dict[int, Stream] = {}
        self._next = 1
        self._lock = threading.RLock()  # see `forget`
        self._write_lock = threading.Lock()
        self._writer = 0
        self._closed = False
        self._why: Exception | None = None
        self._silence = ""
        self.heard = time.monotonic()
        early = list(self._decoder.receive(seen))
        while not early:
            data = channel.read(1 << 16)
            if not data:
                raise ProtocolError("the agent said hello and no more", host=host.name)
            early = list(self._decoder.receive(data))
        self.hello = self._check_hello(early[0])
        self.noise = boot.printable(seen.partition(MAGIC)[0] + channel.stderr_tail().encode())[-2000:]
        self._reader = threading.Thread(target=self._read, name=f"jupyter-remote {host.name}", daemon=True)
        self._reader.start()
        liveness.watch(self, liveness.keepalive(host, transport))

    @classmethod
    def open(
        cls,
        host: HostConfig,
        ask: Prompter | None = None,
        meanwhile: Callable[[], None] = lambda: None,
        patience: float | None = None,
    ) -> Connection:
        """Connects to the host and starts the agent there.

        Args:
            host: the resolved settings.
            ask: who answers questions (passwords, unknown host keys); None for nobody.
            meanwhile: called while the host's Python starts: there is time then.
            patience: seconds that the agent may take to answer, once there is a link.

        Raises:
            ConnectError, LaunchError, DiskFull: each with its advice.
        """
        watchdog = Watchdog(patience or host.connect_timeout + 30)
        transport = make_transport(host, watchdog.patient(ask))
        try:
            # The built-in host is this very machine, so its Python is known: our own.
            own = sys.executable if host.type == "local" else None
            channel = transport.open(boot.command(own, host.python))
            meanwhile()
            watchdog.start(channel.close)
            try:
                started, seen = boot.handshake(channel.read, channel.write)
                if not started:
                    raise boot.early_end(host.name, transport, channel, seen)
                return cls(host, transport, channel, seen)
            except ConnectionLost:
                raise boot.early_end(host.name, transport, channel, b"") from None
            except WireError as error:
                raise ProtocolError(f"the agent's hello is broken: {error}", host=host.name) from None
            finally:
                watchdog.cancel()
        except BaseException:
            transport.close()
            raise

    def _check_hello(self, frame: Frame) -> dict[str, Any]:
        hello = frame.message
        if not isinstance(hello, m.Hello):
            raise ProtocolError("the agent did not say hello", host=self.host.name)
        if hello.protocol != PROTOCOL:
            raise ProtocolError(
                f"the agent speaks protocol {hello.protocol} (version {hello.version}), "
                f"this side speaks {PROTOCOL} (version {VERSION})",
                host=self.host.name,
            )
        facts = dict(hello.facts or {}, version=hello.version, protocol=hello.protocol)
        moment = facts.pop("time", None)
        # For people only: nothing is computed from the clocks of two machines.
        facts["skew"] = round(moment - time.time(), 1) if isinstance(moment, (int, float)) else 0.0
        return facts

    # Requests.

    def request(self, message: m.Message, payload: bytes = b"") -> Stream:
        """Opens a stream with a request.

        Raises:
            ConnectionLost: the link is gone.
        """
        with self._lock:
            stream = Stream(self, self._next, shows_run=isinstance(message, (m.Execute, m.Attach)))
            self._next += 1
            self._streams[stream.number] = stream
        self.check()
        self.write(encode(stream.number, message, payload))
        return stream

    def tell(self, message: m.Message) -> None:
        """Sends a request whose answer nobody waits for.

        Raises:
            ConnectionLost: the link is gone.
        """
        self.write(encode(self._number(), message))

    def _number(self) -> int:
        with self._lock:
            number, self._next = self._next, self._next + 1
        return number

    def ask(self, message: m.Message, payload: bytes = b"") -> dict[str, Any]:
        """Sends a request whose answer is one object.

        Raises:
            RemoteError: the request failed, or the link did.
        """
        stream = self.request(message, payload)
        try:
            answer = stream.receive().message
            stream.over = True
        finally:
            stream.close()
        if not isinstance(answer, m.Facts):
            raise ProtocolError(f"a {type(answer).__name__} came instead of an answer", host=self.host.name)
        return answer.data or {}

    def failure(self, failed: m.Failure) -> Exception:
        """The error that stands for a failed request."""
        return error_of(failed, self.host.name)

    # The link.

    def write(self, data: bytes) -> None:
        """Sends whole frames.

        Raises:
            ConnectionLost: the link is gone.
        """
        with self._write_lock:
            self._writer = threading.get_ident()
            try:
                self._channel.write(data)
            except ConnectionLost:
                # The reader will see it too, but who asks next must not be sent to a dead link meanwhile.
                self._closed = True
                raise
            except KeyboardInterrupt:
                # Half a frame is out, and whatever follows would be read as its rest: a new link is needed.
                self._closed = True
                self._channel.close()
                raise
            finally:
                self._writer = 0

    def forget(self, stream: Stream) -> None:
        """Drops a stream; when answers may still come, the agent is told that nobody reads them.

        The garbage collector calls this too, in any thread: in one that opens a stream, or in mid-frame.
        """
        with self._lock:
            known = self._streams.pop(stream.number, None)
        if known is None or stream.over or self._closed:
            return
        if self._writer != threading.get_ident():
            self._cancel(stream)
        else:
            threading.Thread(target=self._cancel, args=(stream,), daemon=True).start()

    def _cancel(self, stream: Stream) -> None:
        with contextlib.suppress(ConnectionLost):
            self.write(encode(stream.number, m.Cancel()))

    @property
    def alive(self) -> bool:
        """Whether the agent can still be asked."""
        return not self._closed

    @property
    def awaited(self) -> bool:
        """Whether an answer is waited for."""
        return bool(self._streams)

    def ping(self) -> None:
        """Asks for a sign of life, unless somebody is writing just now. The answer belongs to no stream."""
        if self._closed or not self._write_lock.acquire(blocking=False):
            return
        self._writer = threading.get_ident()
        try:
            self._channel.write(encode(self._number(), m.Ping()))
        except ConnectionLost:
            self._closed = True
        finally:
            self._writer = 0
            self._write_lock.release()

    def lose(self, why: str) -> None:
        """Gives the link up: it is silent, and may stay so for hours before anybody is told.

        Args:
            why: what is wrong with it, for the message.
        """
        self._silence = why
        self._end()
        # Half-dead processes and sockets take their time, and who waits shall not.
        threading.Thread(target=self.close, name="jupyter-remote close", daemon=True).start()

    def check(self) -> None:
        """Raises ConnectionLost (or ProtocolError) when the link is gone."""
        if isinstance(self._why, WireError):
            raise ProtocolError(f"{self.host.name} sent a broken frame: {self._why}", host=self.host.name)
        if self._closed:
            raise ConnectionLost(self.lost_text(), host=self.host.name)

    def lost_text(self) -> str:
        """What to say when the link is gone."""
        said = self._silence or self._channel.stderr_tail().strip()
        return f"the connection to {self.host.name} was lost" + (f": {said[-300:]}" if said else "")

    def _read(self) -> None:
        try:
            while data := self._channel.read(1 << 17):
                self.heard = time.monotonic()
                for frame in self._decoder.receive(data):
                    if (stream := self._streams.get(frame.stream)) is not None:
                        stream.deliver(frame)
        except (WireError, ConnectionLost) as error:
            self._why = error
        self._end()

    def _end(self) -> None:
        self._closed = True
        with self._lock:
            waiting = list(self._streams.values())
        for stream in waiting:
            stream.deliver(None)

    def close(self) -> None:
        """Ends the connection; sessions and runs on the host go on."""
        self._closed = True
        self._channel.close()
        self.transport.close()
        if threading.current_thread() is not self._reader:
            self._reader.join(5)
