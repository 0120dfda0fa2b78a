"""The process that gets GPUs for a run, and waits for them: beside the supervisor, which must not wait.

It takes the locks and hands their descriptors over; from then on they are the supervisor's, and it ends. It
ends too when the supervisor does. Only who is first in line starts ``nvidia-smi``, and only when enough GPUs
are not leased.
"""

from __future__ import annotations

import array
import json
import os
import select
import signal
import socket
import sys
import time

from . import choosing
from .gpus import look
from .leases import LeaseError, Leases, who_am_i, write

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from .choosing import Unit

# How often it is looked whether a lease is free, and how often the driver is asked.
LOOK, ASK = 0.5, 2.0
FOREVER = -1


class Seeker:
    """One request.

    Args:
        order: ``folder`` and ``shared`` (see Leases), ``request`` (count, ids, min_free, wait: seconds,
            -1 for ever, None not at all), ``supervisor`` (its pid), ``lease`` (what to write into the
            files), ``visible``.
        channel: to the supervisor.
    """

    def __init__(self, order: dict[str, Any], channel: socket.socket) -> None:
        self._request: dict[str, Any] = order["request"]
        self._ours: int = order["supervisor"]
        self._visible: str | None = order.get("visible")
        self._lease = dict(who_am_i(self._ours), **order["lease"])
        self._channel = channel
        self._leases = Leases(order["folder"], bool(order["shared"]))
        self._said = ""
        self._asked = 0.0
        self._fresh = False
        self._before: list[dict[str, Any]] = []
        self._busy: dict[str, str] = {}
        self._held: dict[str, dict[str, Any]] = {}
        self._taken: dict[str, int] = {}

    def close(self) -> None:
        """Waits no longer."""
        self._leases.close()

    def seek(self) -> None:
        """Gets the GPUs and hands them over.

        Raises:
            LeaseError: there are none, or not in time.
        """
        wait = self._request.get("wait")
        until = None if wait == FOREVER else time.monotonic() + (wait or 0)
        found = self._look()
        while True:
            pause = LOOK
            try:
                chosen = self._once(found)
                if chosen is not None and self._fresh:
                    return self._hand_over(chosen)
                if chosen is not None or (self._said and self._may_ask(found)):
                    found = self._look()
                    continue
                words = self._words(found)
            except LeaseError as error:
                # Who is in line stays there: a driver that fails may come back, as may who holds the queue.
                if not self._said:
                    raise
                words, pause = str(error), ASK
            if not wait:
                raise LeaseError(
                    f"{self._wanted()} not free: {words}",
                    "`--wait` waits for that; `jupyter remote status HOST` shows who uses them.",
                )
            place = f" ({len(self._before)} before it)" if self._before else ""
            self._tell(f"waiting for {self._wanted(short=True)}{place}: {words}")
            left = pause if until is None else until - time.monotonic()
            if left <= 0:
                raise LeaseError(
                    f"{self._wanted()} not free within {wait:g} s: {words}",
                    "Wait longer, or `jupyter remote status HOST` shows who uses them.",
                )
            # Whatever comes from there is the end: nobody wants them any more.
            if select.select([self._channel], [], [], min(left, pause))[0]:
                return

    def _once(self, found: list[Unit]) -> list[Unit] | None:
        """What it can have now, with the locks when what is known is fresh; else it gets in line."""
        with self._leases.alone():
            self._before = self._leases.tickets()
            chosen = self._choose(found)
            # What is known of the processes must be no older than the leases of those before.
            self._fresh = time.monotonic() - self._asked <= LOOK
            if chosen is None or not self._fresh:
                for fd in self._taken.values():
                    os.close(fd)
                self._taken = {}
            if chosen is None and self._request.get("wait") and not self._said:
                told = {"ids": self._request.get("ids"), "min_free": self._request.get("min_free")}
                self._leases.queue({**self._lease, **told})
            return chosen

    def _wanted(self, short: bool = False) -> str:
        count, ids = self._request["count"], self._request.get("ids")
        what = f"GPU {','.join(ids)}" if ids else f"{count} GPU{'' if count == 1 else 's'}"
        return what if short else f"{what} {'is' if count == 1 else 'are'}"

    def _look(self) -> list[Unit]:
        told = look()
        self._asked = time.monotonic()
        if not told["gpus"]:
            why = told["gpu_error"] or "neither nvidia-smi nor rocm-smi is there"
            raise LeaseError(f"no GPU is known on this host: {why}", "Another host, or no --gpus.")
        found, why = choosing.eligible(choosing.units(told["gpus"], self._visible), self._request)
        if why:
            limit = f" (CUDA_VISIBLE_DEVICES is {self._visible} there)" if self._visible else ""
            raise LeaseError(f"{why}{limit}", "`jupyter remote status HOST` shows what there is.")
        if told["gpu_error"]:
            raise LeaseError(f"it can't be told who uses the GPUs: {told['gpu_error']}")
        self._busy = {one["uuid"]: choosing.why_busy(one, self._request, self._ours) for one in found}
        return found

    def _open(self, found: list[Unit]) -> list[Unit]:
        return [one for one in found if not choosing.reserved(one, self._before)]

    def _may_ask(self, found: list[Unit]) -> bool:
        # Those who are not first, and those who wait for leases, can do without.
        free = [one for one in self._open(found) if one["uuid"] not in self._held]
        return time.monotonic() - self._asked >= ASK and len(free) >= int(self._request["count"])

    def _choose(self, found: list[Unit]) -> list[Unit] | None:
        """Takes the locks; the units that this run gets, None when there are not enough."""
        # These very ones, without a wait: whoever uses them.
        anyhow = bool(self._request.get("ids")) and not self._request.get("wait")
        least = self._request.get("min_free") or 0
        chosen: list[Unit] = []
        for one in choosing.most_free(found if anyhow else self._open(found)):
            fits = (one["memory_free"] or 0) >= least if anyhow else not self._busy[one["uuid"]]
            if fits and len(chosen) < self._request["count"]:
                fd = self._leases.take(one["uuid"])
                if fd is not None:
                    self._taken[one["uuid"]] = fd
                if fd is not None or anyhow:
                    chosen.append(one)
        self._held = self._leases.holders([one["uuid"] for one in found if one["uuid"] not in self._taken])
        if len(chosen) < self._request["count"]:
            return None
        # In the order in which they were named, or as the cards are numbered.
        return [one for one in found if one in chosen]

    def _words(self, found: list[Unit]) -> str:
        """Who has what, in words."""
        said = []
        for one in found:
            if one["uuid"] in self._held:
                words = choosing.holder_words(self._held[one["uuid"]])
            elif self._busy[one["uuid"]]:
                words = self._busy[one["uuid"]]
            else:
                words = "promised to who came before" if choosing.reserved(one, self._before) else "free"
            said.append(f"GPU {one['index']}: {words}")
        return "; ".join(said[:8]) + ("; …" if len(said) > 8 else "")

    def _tell(self, text: str) -> None:
        if text != self._said:
            self._said = text
            self._send({"waits": text})

    def _hand_over(self, chosen: list[Unit]) -> None:
        warnings = []
        for one in chosen:
            held = self._held.get(one["uuid"])
            words = choosing.holder_words(held) if held else self._busy[one["uuid"]]
            if words:
                warnings.append(f"GPU {one['index']} is busy, and was asked for by name: {words}")
        for fd in self._taken.values():
            write(fd, self._lease)
        self._leases.drop_ticket()
        leased = [{key: one[key] for key in ("index", "uuid", "name")} for one in chosen]
        told = {"leased": leased, "visible": choosing.visible(chosen), "warnings": warnings}
        self._send(told, list(self._taken.values()))

    def _send(self, told: dict[str, Any], fds: list[int] | None = None) -> None:
        line = json.dumps(told).encode("ascii") + b"\n"
        ancillary = []
        if fds:
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds).tobytes())]
        sent = self._channel.sendmsg([line], ancillary)
        self._channel.sendall(line[sent:])


def refuse(channel: socket.socket, why: str, hint: str = "") -> None:
    """Says that there will be none.

    Args:
        channel: to who asked.
        hint: what can be done.
    """
    channel.sendall(json.dumps({"refused": why, "hint": hint}).encode("ascii") + b"\n")


def main() -> None:
    """Entry point; the argument is the descriptor of the socket to the supervisor, which sends the order."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.set_inheritable(False)

    def leave(*_: object) -> NoReturn:
        sys.exit(0)

    signal.signal(signal.SIGTERM, leave)
    with channel.makefile("r", encoding="ascii") as file:
        order = json.loads(file.readline())
    seeker = None
    try:
        seeker = Seeker(order, channel)
        seeker.seek()
    except LeaseError as error:
        refuse(channel, str(error), error.hint)
    except BrokenPipeError:
        pass  # the supervisor is gone
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if seeker is not None:
            seeker.close()
