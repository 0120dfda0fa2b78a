"""The socket on which agents of the same user reach a supervisor: requests in, answers out, watches.

What a request does is the supervisor's business; here are only connections and who waits for what.
"""

from __future__ import annotations

import os
import resource
import selectors
import signal
import socket

from . import messages as m
from .wire import Decoder, WireError, encode

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, Callable


def listen(folder: str) -> tuple[socket.socket, str]:
    """A listening Unix socket of mode 0600, in the folder where that is possible, and its path."""
    listener = socket.socket(socket.AF_UNIX)
    path = os.path.join(folder, "control.sock")
    mask = os.umask(0o177)
    try:
        listener.bind(path)
    except OSError:  # too long for sun_path, or a file system without sockets
        import tempfile

        os.umask(mask)
        path = os.path.join(tempfile.mkdtemp(prefix="jupyter-remote-"), "control.sock")
        os.umask(0o177)
        listener.bind(path)
    finally:
        os.umask(mask)
    listener.listen(64)
    listener.setblocking(False)
    return listener, path


def wake_on_signals(selector: selectors.BaseSelector) -> None:
    """Makes signals wake the selector, and none of them end the process."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGCHLD):
        # Not SIG_IGN: that would be inherited, and no program of the user's could be interrupted.
        signal.signal(number, lambda *_: None)
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end)
    selector.register(read_end, selectors.EVENT_READ, "wakeup")


class Control:
    """The connections of agents.

    Args:
        selector: the supervisor's.
        handle: answers a request.
        newest: number of a run's newest event, None when the run is over.
    """

    def __init__(
        self,
        selector: selectors.BaseSelector,
        handle: Callable[[m.Message, bytes], m.Message],
        newest: Callable[[str], int | None],
    ) -> None:
        self._selector = selector
        self._handle = handle
        self._newest = newest
        self.consult: Callable[[Any, int, m.Consult, bytes], None] | None = None  # answered later
        self.mail: Callable[[str, m.Message], None] = lambda name, message: None
        self._agents: dict[socket.socket, Decoder] = {}
        self._watches: dict[socket.socket, tuple[int, m.Watch]] = {}

    def accept(self, listener: socket.socket) -> None:
        """Takes a new connection, unless there are too many already."""
        try:
            agent, _ = listener.accept()
        except OSError:
            return  # it has gone again
        # Descriptors are left for a child's pipes, a log, and whatever else.
        if len(self._agents) >= resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2:
            agent.close()  # who watches a run comes back, see follow
            return
        agent.setblocking(False)
        self._agents[agent] = Decoder()
        self._selector.register(agent, selectors.EVENT_READ, "agent")

    def read(self, agent: Any) -> None:
        """Reads what an agent sent and answers it."""
        if agent not in self._agents:
            return
        try:
            data = agent.recv(1 << 17)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(agent)
            return
        try:
            for frame in self._agents[agent].receive(data):
                if isinstance(frame.message, m.Watch):
                    self._watches[agent] = (frame.stream, frame.message)
                elif isinstance(frame.message, m.Consult) and self.consult is not None:
                    self.consult(agent, frame.stream, frame.message, frame.payload)
                else:
                    self.answer(agent, frame.stream, self._handle(frame.message, frame.payload))
        except (WireError, KeyError):  # KeyError: it was dropped between two of its requests
            self._drop(agent)

    def notify(self) -> None:
        """Tells those who watch a run that its log has grown."""
        for agent, (stream, watch) in list(self._watches.items()):
            newest = self._newest(watch.run_id)
            if newest is None or newest > watch.seq:
                del self._watches[agent]
                self.answer(agent, stream, m.Grew(-1 if newest is None else newest))

    def posted(self, name: str, message: m.Message, payload: bytes) -> None:
        """Takes a request that came as a file; its name stands for who asks."""
        if isinstance(message, m.Consult) and self.consult is not None:
            self.consult(name, 1, message, payload)
            return
        answer = self._handle(message, payload)
        if not isinstance(message, m.Execute):  # who posted a run looks at its log
            self.answer(name, 1, answer)

    def answer(self, agent: Any, stream: int, message: m.Message) -> None:
        """Sends an answer."""
        if isinstance(agent, str):
            self.mail(agent, message)
            return
        # Answers are small and few; an agent that doesn't take them is not waited for.
        try:
            agent.sendall(encode(stream, message))
        except OSError:
            self._drop(agent)

    def _drop(self, agent: socket.socket) -> None:
        if self._agents.pop(agent, None) is not None:
            self._watches.pop(agent, None)
            self._selector.unregister(agent)
            agent.close()
