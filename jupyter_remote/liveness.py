"""Whether connections are still alive: a sign of life is asked for while somebody waits and nothing comes.

One thread watches all connections of the process. What a dead one means is not decided here.
"""

from __future__ import annotations

import threading
import time
import weakref
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .config_models import HostConfig
    from .transports import Transport

# Between two signs of life, where the settings say nothing.
KEEPALIVE_S = 30.0
# A link is dead after so many intervals without any byte.
INTERVALS = 3
# After a sleep of this machine a link that does not answer in this time did not survive it.
AFTER_SLEEP_S = 10.0
_LONGEST_PAUSE_S = 5.0
_SHORTEST_PAUSE_S = 0.05
# The clocks of a machine that is awake don't part by more than this between two looks.
_JUMP_S = 5.0


class Peer(Protocol):
    """What is watched."""

    heard: float

    @property
    def alive(self) -> bool:
        """Whether it is worth watching."""
        ...

    @property
    def awaited(self) -> bool:
        """Whether anybody waits for an answer."""
        ...

    def ping(self) -> None:
        """Ask for a sign of life; may block."""
        ...

    def lose(self, why: str) -> None:
        """It is dead; must not block."""
        ...


class Pulse:
    """The judgement on one connection; it reads no clock.

    Args:
        peer: the connection.
        interval: seconds of silence after which a sign of life is asked for.
        now: the time by the monotonic clock.
    """

    def __init__(self, peer: Peer, interval: float, now: float) -> None:
        self.interval = interval
        self._peer = weakref.ref(peer)
        self._since = now
        self._pinged = 0.0
        self._verdict_at: float | None = None
        self._asking: threading.Thread | None = None

    def look(self, now: float, slept: bool) -> bool:
        """Judges; returns whether it is to be looked at again.

        Args:
            now: the time by the monotonic clock.
            slept: this machine, or this process, has stood still since the last look.
        """
        peer = self._peer()
        if peer is None or not peer.alive:
            return False
        if not peer.awaited or slept:
            self._since = now  # silence that nobody listened to proves nothing
        if not peer.awaited:
            return True
        silent = now - max(peer.heard, self._since)
        if slept:
            self._verdict_at = now + min(self.interval, AFTER_SLEEP_S)
            self._ping(peer, now)
        elif self._verdict_at is not None and peer.heard > self._pinged:
            self._verdict_at = None
        late = self._verdict_at is not None and now >= self._verdict_at
        if late or silent >= INTERVALS * self.interval:
            peer.lose(f"it has not answered for {max(1, round(silent))} s")
            return False
        if silent >= self.interval and now - self._pinged >= self.interval:
            self._ping(peer, now)
        return True

    def _ping(self, peer: Peer, now: float) -> None:
        self._pinged = now
        if self._asking is None or not self._asking.is_alive():
            # A link that takes nothing any more would hold whoever writes to it.
            self._asking = threading.Thread(target=peer.ping, name="jupyter-remote ping", daemon=True)
            self._asking.start()


_pulses: list[Pulse] = []
_changed = threading.Condition()
_thread: threading.Thread | None = None


def watch(peer: Peer, interval: float) -> None:
    """Watches a connection until it is no longer alive.

    Args:
        peer: the connection.
        interval: seconds between two signs of life; 0 for not watching it.
    """
    global _thread
    if interval <= 0:
        return
    with _changed:
        _pulses.append(Pulse(peer, interval, time.monotonic()))
        if _thread is None:
            _thread = threading.Thread(target=_look_at_all, name="jupyter-remote liveness", daemon=True)
            _thread.start()
        else:
            _changed.notify_all()


def _look_at_all() -> None:
    global _thread
    last, last_wall = time.monotonic(), time.time()
    while True:
        now, wall = time.monotonic(), time.time()
        # Some monotonic clocks stand still while a machine sleeps, others do not.
        slept = wall - last_wall - (now - last) > _JUMP_S or now - last > _LONGEST_PAUSE_S + _JUMP_S
        last, last_wall = now, wall
        with _changed:
            looked_at = list(_pulses)
        gone = [pulse for pulse in looked_at if not pulse.look(now, slept)]
        with _changed:
            _pulses[:] = [pulse for pulse in _pulses if pulse not in gone]
            if not _pulses:
                _thread = None
                return
            shortest = min(pulse.interval for pulse in _pulses)
            _changed.wait(max(_SHORTEST_PAUSE_S, min(_LONGEST_PAUSE_S, shortest / 4)))


def keepalive(host: HostConfig, transport: Transport) -> float:
    """Seconds between two signs of life, as the ssh configuration has it where there is one; 0 for none."""
    given = host.ssh.keepalive  # before ssh has rounded it to whole seconds
    if given is None:
        given = getattr(getattr(transport, "settings", None), "keepalive", None)
    return KEEPALIVE_S if given is None else float(given)
