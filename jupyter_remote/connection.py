"""One live agent: handshake, the reader thread, and failures as our own errors.

One request and its answers are in ``stream.py``; what requests mean is in ``remote.py`` and ``sync/``;
how bytes reach the host is the transport's business.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from . import boot, liveness
from .agent import messages as m
from .agent.version import PROTOCOL, VERSION
from .agent.wire import MAGIC, Decoder, Frame, WireError, encode
from .config_models import HostConfig
from .errors import ConnectionLost, ProtocolError
from .failed import Changed, Missing, Stale, error_of
from .stream import Stream
from .transports import Channel, Prompter, Transport, make_transport
from .watchdog import Watchdog

__all__ = ["Changed", "Connection", "Missing", "Stale", "Stream"]


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
            ProtocolError: what answers there is no agent of ours.
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

        Args:
            message: the request.
            payload: bytes that belong to it.

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
        """Sends a request, `message`, whose answer nobody waits for.

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

        Args:
            message: the request.
            payload: bytes that belong to it.

        Raises:
            RemoteError: the request failed, or the link did.
            ProtocolError: the agent answered with something else.
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
        """Sends whole frames, `data` as `encode` made them.

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
        """Does nothing while the link is there.

        Raises:
            ConnectionLost: it is gone.
            ProtocolError: it is, for the agent sent a broken frame.
        """
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
