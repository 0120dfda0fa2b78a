"""Samples of this host at an interval: one long-lived ``nvidia-smi`` per viewer, instead of a start for each.

Only the newest sample is ever on its way: the next one goes when the viewer has asked for it (`Next`).
"""

from __future__ import annotations

import os
import select
import subprocess
import threading
import time

from . import gpus, stats
from . import messages as m

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, Callable, Iterator

    from .streams import Stream

# Who uses the GPUs is asked for so seldom, because that does need a program to start.
WHO_EVERY = 10.0
# rocm-smi can't go on by itself, and takes a fifth of a second of a processor each time.
AMD_EVERY = 5.0
# How long after a failure the driver is asked again.
AGAIN = 10.0
# A disk fills slowly, and a home on a network is not to be asked each second.
DISK_EVERY = 30.0
_FIELDS = ["index", *gpus.LIVE]


class Sampler:
    """Looks at this host again and again.

    Args:
        interval: seconds between two samples.
        note: notes with each GPU who has leased it; None when it needn't be told who uses them.
    """

    def __init__(self, interval: float, note: Callable[[list[dict[str, Any]]], None] | None) -> None:
        self._interval = interval
        self._note = note
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._rest, self._said = b"", ""
        self._busy = stats.processor_time()
        self._known: dict[str, Any] = {}
        self._asked = 0.0
        self._disk: dict[str, int] = {}
        self._weighed = 0.0

    def close(self) -> None:
        """Ends it, and its program, from whichever thread."""
        self._closed.set()
        self._end()

    def samples(self) -> Iterator[dict[str, Any]]:
        """The samples, the first one at once; the same object is changed and comes again."""
        while not self._closed.is_set():
            self._look()
            yield self._sample()
            try:
                if self._known["gpus"] and self._known["gpus"][0]["vendor"] == "nvidia":
                    yield from self._follow()
                else:
                    again = AMD_EVERY if self._known["gpus"] else AGAIN
                    yield from self._wait(again)
            except gpus.SmiError as error:
                self._end()
                self._known = {"gpus": [], "gpu_error": str(error)}
                yield self._sample()
                yield from self._wait(AGAIN)

    def _look(self) -> None:
        self._known = gpus.look(self._note is not None)
        self._note_holders()

    def _note_holders(self) -> None:
        self._asked = time.monotonic()
        if self._note is not None:
            self._note(self._known["gpus"])

    def _wait(self, seconds: float) -> Iterator[dict[str, Any]]:
        # Without cards there is nothing to be asked again; what has failed is.
        forever = not self._known["gpus"] and not self._known["gpu_error"]
        until = time.monotonic() + seconds
        while (forever or time.monotonic() < until) and not self._closed.wait(self._interval):
            yield self._sample()

    def _follow(self) -> Iterator[dict[str, Any]]:
        cards = [gpu for gpu in self._known["gpus"] if gpu["vendor"] == "nvidia"]
        path = gpus.program("nvidia-smi")
        if path is None:
            raise gpus.SmiError("nvidia-smi has gone")
        self._start([path, *gpus.query(_FIELDS), f"--loop-ms={int(self._interval * 1000)}"])
        by_index = {gpu["index"]: gpu for gpu in cards}
        seen: set[int] = set()
        for line in self._lines():
            row = gpus.read_row(_FIELDS, line)
            if row is None or row["index"] not in by_index:
                # A warning (of a corrupt infoROM), or the reason why it ends now.
                self._said = line.strip()[:300] or self._said
                continue
            # One that is lost meanwhile is in no round any more.
            whole = row["index"] in seen or len(seen) + 1 == len(by_index)
            seen = set() if row["index"] in seen else seen
            by_index[row["index"]].update(row)
            seen.add(row["index"])
            if whole:
                seen = set() if len(seen) == len(by_index) else seen
                if self._note is not None and time.monotonic() - self._asked > WHO_EVERY:
                    gpus.note_processes(path, cards)
                    self._note_holders()
                yield self._sample()

    def _start(self, argv: list[str]) -> None:
        with self._lock:
            if self._closed.is_set():
                return
            self._rest, self._said = b"", ""
            try:
                self._process = subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                raise gpus.SmiError(f"nvidia-smi can't be started: {error.strerror}") from None

    def _lines(self) -> Iterator[str]:
        patience = gpus.PATIENCE + 2 * self._interval
        process = self._process
        while process is not None and process.stdout is not None and not self._closed.is_set():
            try:
                if not select.select([process.stdout], [], [], patience)[0]:
                    raise gpus.SmiError(f"nvidia-smi has said nothing for {patience:g} s: the driver hangs")
                data = os.read(process.stdout.fileno(), 1 << 16)
            except (OSError, ValueError):
                data = b""  # it was closed
            if not data:
                if self._closed.is_set():
                    return
                raise gpus.SmiError(f"nvidia-smi ended: {self._said or 'it said nothing'}")
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                yield line.decode("utf-8", "replace")

    def _end(self) -> None:
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            gpus.put_away(process)

    def _sample(self) -> dict[str, Any]:
        before, self._busy = self._busy, stats.processor_time()
        share = None
        if before and self._busy and self._busy[1] > before[1]:
            share = round(100 * (self._busy[0] - before[0]) / (self._busy[1] - before[1]), 1)
        now = time.monotonic()
        if not self._weighed or now - self._weighed > DISK_EVERY:
            self._weighed = now
            try:
                self._disk = stats.disk(os.path.expanduser("~"))
            except OSError:
                self._disk = {}  # a home that is not there now
        told = {"time": time.time(), "cpu_count": os.cpu_count(), "cpu": share, "disk": {"home": self._disk}}
        return {**told, **stats.load(), **self._known}


def send_samples(stream: Stream, sampler: Sampler) -> None:
    """Sends samples until the viewer has gone.

    Raises:
        Cancelled: it has.
    """
    wanted = threading.Event()
    wanted.set()

    def work() -> None:
        try:
            for facts in sampler.samples():
                if wanted.is_set():
                    wanted.clear()
                    stream.send(m.Facts(facts))
        except OSError:
            pass  # the link is gone
        except Exception as error:  # a fault of ours: who waits must not wait for ever
            stream.send(m.Failure("agent", f"{type(error).__name__}: {error}"))

    stream.at_end(sampler.close)
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            stream.receive()
            wanted.set()
    finally:
        sampler.close()
