"""The agent's side of the connection: one reader, a thread for each request, credit for each stream.

Knows frames and file descriptors; what a request means is in ``handlers``.
"""

from __future__ import annotations

import _thread
import os
import threading
from queue import SimpleQueue

from . import messages as m
from .wire import Decoder, Frame, encode

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Callable

# What either side may send on a stream before the other has said that it took some of it.
WINDOW = 1 << 20
COUNTED = (m.Data, m.Events)

PIECE = 1 << 17


class Cancelled(Exception):
    """The client doesn't read this stream any more."""


class Stream:
    """One request and its answers.

    Args:
        link: where frames are written.
        number: the id that the client gave.
    """

    def __init__(self, link: Link, number: int) -> None:
        self.number = number
        self.cancelled = False
        self._link = link
        self._inbox: SimpleQueue[Frame] = SimpleQueue()
        self._credit = WINDOW
        self._changed = threading.Condition()
        self._taken = 0
        self.held = b""  # frames that go with the next one

    def hold(self, message: m.Message) -> None:
        """Sends an answer with the next one, or by :meth:`flush`: that is a packet less."""
        self.held += encode(self.number, message)

    def flush(self) -> None:
        """Sends what is held."""
        held, self.held = self.held, b""
        if held:
            self._link.write(held)

    def send(self, message: m.Message, payload: bytes = b"") -> None:
        """Sends an answer; Data and Events wait until the client has room for them.

        Raises:
            Cancelled: the client has turned away.
        """
        if isinstance(message, COUNTED):
            with self._changed:
                self._changed.wait_for(lambda: self._credit > 0 or self.cancelled)
                if self.cancelled:
                    raise Cancelled
                self._credit -= len(payload)
        held, self.held = self.held, b""
        self._link.write(held + encode(self.number, message, payload))

    def send_all(self, content: bytes) -> None:
        """Sends an answer in Data frames up to End, as far as the client has room for them.

        Raises:
            Cancelled: the client has turned away.
        """
        for at in range(0, len(content), PIECE):
            self.send(m.Data(), content[at : at + PIECE])
        self.send(m.End())

    def receive(self) -> Frame:
        """The next frame of the client's on this stream.

        Raises:
            Cancelled: the client has turned away.
        """
        frame = self._inbox.get()
        if isinstance(frame.message, m.Cancel):
            raise Cancelled
        return frame

    def reader(self) -> Callable[[int], bytes]:
        """A ``read(n)`` over the Data frames up to End, which gives credit back as it goes."""
        rest = b""
        ended = False

        def read(size: int) -> bytes:
            nonlocal rest, ended
            while not rest and not ended:
                frame = self.receive()
                ended = isinstance(frame.message, m.End)
                rest = frame.payload
            piece, rest = rest[:size], rest[size:]
            self._taken += len(piece)
            if self._taken >= WINDOW // 4:
                self.send(m.Credit(self._taken))
                self._taken = 0
            return piece

        return read

    def at_end(self, do: Callable[[], None]) -> None:
        """Has something done when the client has gone, which a thread that waits for it does not notice."""
        self._link.at_end[self.number] = do

    def deliver(self, frame: Frame) -> None:
        """Called by the reader of the connection."""
        if isinstance(frame.message, m.Credit):
            with self._changed:
                self._credit += frame.message.amount
                self._changed.notify_all()
            return
        if isinstance(frame.message, m.Cancel):
            with self._changed:
                self.cancelled = True
                self._changed.notify_all()
        self._inbox.put(frame)


class Link:
    """The byte stream to the client.

    Args:
        read_fd, write_fd: private descriptors of the agent.
        handle: called in a thread of its own for each request.
    """

    def __init__(self, read_fd: int, write_fd: int, handle: Callable[[Stream, Frame], None]) -> None:
        self._read_fd = read_fd
        self._write_fd = write_fd
        self._handle = handle
        self._lock = threading.Lock()
        self._streams: dict[int, Stream] = {}
        self.at_end: dict[int, Callable[[], None]] = {}

    def write(self, data: bytes) -> None:
        """Writes whole frames, one thread at a time."""
        with self._lock:
            view = memoryview(data)
            while view:
                view = view[os.write(self._write_fd, view) :]

    def serve(self) -> None:
        """Reads until the client is gone.

        Raises:
            WireError: the client doesn't speak this protocol.
        """
        decoder = Decoder()
        while True:
            data = os.read(self._read_fd, 1 << 17)
            if not data:
                return
            for frame in decoder.receive(data):
                self._dispatch(frame)

    def _dispatch(self, frame: Frame) -> None:
        stream = self._streams.get(frame.stream)
        if stream is not None:
            stream.deliver(frame)
        elif not isinstance(frame.message, (m.Data, m.End, m.Credit, m.Cancel)):
            stream = self._streams[frame.stream] = Stream(self, frame.stream)
            # A `threading.Thread` makes the reader wait until it runs, which costs as much as a small answer.
            _thread.start_new_thread(self._serve_stream, (stream, frame))

    def _serve_stream(self, stream: Stream, frame: Frame) -> None:
        try:
            self._handle(stream, frame)
        except Cancelled:
            pass
        finally:
            self._streams.pop(stream.number, None)
            self.at_end.pop(stream.number, None)
