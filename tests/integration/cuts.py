"""The promise put to the test: a run prints while its link is cut again and again, and nothing is lost.

`make cuts` runs this module with its 500 cuts; `test_cuts.py` does the same with a few. A cut is one of: the
connection is dropped at a random byte; nothing passes any more and nobody is told; the agent is killed; the
client is killed and another one attaches.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import inspect
import json
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from proxy import Proxy
from sshd import HOST, SshHost, sshd

from jupyter_remote.config import Config
from jupyter_remote.events import Event
from jupyter_remote.remote import Remote
from jupyter_remote.run import Run

KINDS = ("drop", "strand", "agent", "client")
NAME = "cut"
LINES = 100_000
KEEPALIVE_S = 0.2
_HEAD = struct.Struct("!QB I")
_NUMBERS = {"stdout": 1, "stderr": 2, "display": 3}
_PATIENCE_S = 300.0

CODE = """
import sys
if "get_ipython" in globals(): from IPython.display import display
for i in range({lines}):
    print(f"out {{i:06}}")
    print(f"err {{i:06}} \\u20ac", file=sys.stderr)
    if i % {every} == 0:
        display(i)
"""

Piece = tuple[str, bytes]


@dataclass
class Tally:
    """What one run of the test has seen."""

    transport: str
    cuts: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    doubled: int = 0
    equal: bool = False
    seconds: float = 0.0


def joined(pieces: Iterable[Piece]) -> list[Piece]:
    """The same output however it was cut: what follows on itself is one piece."""
    found: list[tuple[str, list[bytes]]] = []
    for kind, raw in pieces:
        if found and found[-1][0] == kind and kind != "display":
            found[-1][1].append(raw)
        elif raw or kind == "display":
            found.append((kind, [raw]))
    return [(kind, b"".join(parts)) for kind, parts in found]


def piece_of(event: Event) -> Piece | None:
    """What counts of an event."""
    if event.kind == "display":
        return "display", event.data["data"]["text/plain"].encode()
    return (event.kind, event.raw) if event.kind in ("stdout", "stderr") else None


def written(folder: Path) -> list[Piece]:
    """What the host has written down, read without any of the code that shows it."""
    log = (folder / "output.log").read_bytes()
    found: list[Piece] = []
    for line in (folder / "events.jsonl").read_text().splitlines():
        event = json.loads(line)
        if event["kind"] in ("stdout", "stderr"):
            found.append((event["kind"], log[event["at"] : event["at"] + event["n"]]))
        elif event["kind"] == "display":
            found.append(("display", event["data"]["text/plain"].encode()))
    return joined(found)


def compare(seen: list[Piece], folder: Path, tally: Tally, lines: int) -> None:
    """Counts what is missing and what came twice, stream by stream, and compares the whole order."""
    seen, truth = joined(seen), written(folder)
    for kind in _NUMBERS:
        ours = [unit for name, raw in seen if name == kind for unit in _units(kind, raw)]
        theirs = [unit for name, raw in truth if name == kind for unit in _units(kind, raw)]
        tally.lost += (Counter(theirs) - Counter(ours)).total()
        tally.doubled += (Counter(ours) - Counter(theirs)).total()
        if kind != "display" and len(theirs) != lines:
            tally.lost += abs(lines - len(theirs))
    tally.equal = digest(seen) == digest(truth)


def _units(kind: str, raw: bytes) -> list[bytes]:
    return [raw] if kind == "display" else raw.splitlines(keepends=True)


def digest(pieces: list[Piece]) -> str:
    """sha256 of all of it, in its order."""
    total = hashlib.sha256()
    for kind, raw in pieces:
        total.update(f"{kind} {len(raw)} ".encode() + raw)
    return total.hexdigest()


class Saboteur:
    """Cuts a run's link, again and again, at random bytes.

    Args:
        proxy: on the way to the host.
        kinds: of the cuts: drop, strand, agent.
        cuts: how many.
        about: bytes between two cuts, on average.
    """

    def __init__(
        self, proxy: Proxy, remote: Remote, kinds: list[str], cuts: int, about: int, dice: random.Random
    ) -> None:
        self.done: Counter[str] = Counter()
        self._proxy, self._remote = proxy, remote
        self._plan = [kinds[n % len(kinds)] for n in range(cuts)]
        self._dice, self._about = dice, about
        self._dice.shuffle(self._plan)

    def arm(self) -> None:
        """The next cut is made when some more bytes have come."""
        if self._plan:
            self._proxy.trip(self._dice.randrange(1, 2 * self._about), self._cut)

    def _cut(self) -> None:
        kind = self._plan.pop()
        live = self._remote.link.live
        if live is None:
            # While it logs in there is no agent yet, and a login that is stranded waits for its time-out.
            kind = "drop"
        if kind == "agent" and live is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(live.hello["pid"], signal.SIGKILL)
        if kind == "drop":
            self._proxy.cut()
        elif kind == "strand":
            self._proxy.strand()
        self.done[kind] += 1
        self.arm()


@contextlib.contextmanager
def way_to(host: SshHost) -> Iterator[Proxy]:
    """A proxy to the host, and its alias."""
    with Proxy(host.port) as proxy:
        host.alias(NAME, HostName=HOST, Port=proxy.port)
        with host.known_hosts.open("a") as file:
            file.writelines(f"[{HOST}]:{proxy.port} {key}\n" for key in host.servers[0].public_keys)
        yield proxy


def open_remote(transport: str, workspace: Path) -> Remote:
    """A client of the host behind the proxy."""
    options = {"transport": transport, "ssh.keepalive": KEEPALIVE_S}
    return Remote(Config.load(workspace).host(NAME, options), workspace)


def cut_links(
    host: SshHost, workspace: Path, transport: str, kinds: list[str], cuts: int, lines: int, seed: int
) -> Tally:
    """One run, one client, many cuts of the link between."""
    tally = Tally(transport)
    start = time.monotonic()
    with way_to(host) as proxy, open_remote(transport, workspace) as remote:
        remote.run_cell("pass").wait().check()
        size = 10 * lines
        saboteur = Saboteur(proxy, remote, kinds, cuts, max(1, size // (cuts + 1)), random.Random(seed))
        seen: list[Piece] = []
        run = remote.run_cell(CODE.format(lines=lines, every=max(1, lines // 100)))
        saboteur.arm()
        for event in run.events():
            piece = piece_of(event)
            if piece is not None:
                seen.append(piece)
        run.check()
        compare(seen, Path(remote.info["state"]) / "runs" / run.id, tally, lines)
        tally.cuts = saboteur.done
        remote.stop_sessions()
    tally.seconds = time.monotonic() - start
    return tally


def kill_clients(host: SshHost, workspace: Path, transport: str, cuts: int, lines: int, seed: int) -> Tally:
    """One run, and clients that are killed while they write down what they see."""
    tally = Tally(transport)
    start = time.monotonic()
    dice = random.Random(seed)
    with way_to(host), open_remote(transport, workspace) as remote:
        run = remote.run_cell(CODE.format(lines=lines, every=max(1, lines // 100)))
        notes = workspace.parent / f"{run.id}.seen"
        notes.touch()
        size = 26 * lines
        for _ in range(cuts):
            goal = notes.stat().st_size + dice.randrange(1, max(2, 2 * size // (cuts + 1)))
            client = _client(transport, workspace, run, notes)
            deadline = time.monotonic() + _PATIENCE_S
            while client.poll() is None and notes.stat().st_size < goal and time.monotonic() < deadline:
                time.sleep(0.001)
            if client.poll() is None:
                client.kill()
                tally.cuts["client"] += 1
            client.wait()
        _client(transport, workspace, run, notes).wait(_PATIENCE_S)
        with notes.open("rb") as file:
            seen = [(kind, raw) for _, kind, raw in records(file)]
        compare(seen, Path(remote.info["state"]) / "runs" / run.id, tally, lines)
        remote.stop_sessions()
    tally.seconds = time.monotonic() - start
    return tally


def _client(transport: str, workspace: Path, run: Run, notes: Path) -> subprocess.Popen[bytes]:
    words = [sys.executable, __file__, "--client", transport, str(workspace), run.id, str(notes)]
    return subprocess.Popen(words, stdin=subprocess.DEVNULL)


def be_client(transport: str, workspace: str, run_id: str, notes: str) -> None:
    """Attaches after the last event that is written down whole, and writes down the others."""
    with Path(notes).open("r+b") as file, open_remote(transport, Path(workspace)) as remote:
        seq = end = 0
        for number, _, _ in records(file):
            seq, end = number, file.tell()
        file.seek(end)
        file.truncate()
        for event in remote.attach(run_id, seq).events():
            piece = piece_of(event)
            if piece is not None:
                kind, raw = piece
                file.write(_HEAD.pack(event.seq, _NUMBERS[kind], len(raw)) + raw)
                file.flush()


def records(file: BinaryIO) -> Iterator[tuple[int, str, bytes]]:
    """What a client has written down, without a half last record."""
    names = {number: kind for kind, number in _NUMBERS.items()}
    while len(head := file.read(_HEAD.size)) == _HEAD.size:
        seq, number, size = _HEAD.unpack(head)
        if len(raw := file.read(size)) < size:
            return
        yield seq, names[number], raw


def main() -> int:
    """Makes the cuts, half of them over each transport, and prints a table; 1 when anything differs."""
    parser = argparse.ArgumentParser(prog="make cuts", description=main.__doc__)
    parser.add_argument("--cuts", type=int, default=500)
    parser.add_argument("--per-run", type=int, default=25, help="cuts of one run, at most")
    parser.add_argument("--lines", type=int, default=LINES, help="on each of the two streams")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args()
    print(f"seed {given.seed}, {given.lines} lines on each stream of every run")
    tallies: list[Tally] = []
    with tempfile.TemporaryDirectory(prefix="jr-cuts-") as folder, _server(folder) as host:
        workspace = Path(folder) / "w"
        workspace.mkdir()
        for transport in ("paramiko", "openssh"):
            # A run may end before it was cut as often as planned: then there is another one.
            for way, wanted in ((_links, given.cuts // 2 - given.cuts // 8), (kill_clients, given.cuts // 8)):
                while wanted > 0:
                    tally = way(
                        host,
                        workspace,
                        transport,
                        min(wanted, given.per_run),
                        given.lines,
                        given.seed + len(tallies),
                    )
                    wanted -= tally.cuts.total()
                    tallies.append(tally)
                    print(_line(tally), flush=True)
    total = Tally("all", sum((one.cuts for one in tallies), Counter()))
    for one in tallies:
        total.lost, total.doubled = total.lost + one.lost, total.doubled + one.doubled
        total.seconds += one.seconds
    total.equal = all(one.equal for one in tallies)
    print(_line(total))
    return 0 if total.equal and not total.lost and not total.doubled else 1


def _links(host: SshHost, workspace: Path, transport: str, cuts: int, lines: int, seed: int) -> Tally:
    return cut_links(host, workspace, transport, ["drop", "strand", "agent"], cuts, lines, seed)


def _line(tally: Tally) -> str:
    cuts = " ".join(f"{kind} {tally.cuts[kind]:3}" for kind in KINDS)
    verdict = "sha256 equal" if tally.equal else "DIFFERENT"
    return (
        f"{tally.transport:9} cuts {tally.cuts.total():3} ({cuts})  "
        f"lost {tally.lost}  doubled {tally.doubled}  {verdict}  {tally.seconds:.0f} s"
    )


@contextlib.contextmanager
def _server(folder: str) -> Iterator[SshHost]:
    # The generator below pytest's fixture; a fixture itself can't be called.
    with contextlib.contextmanager(inspect.unwrap(sshd))() as host:
        own = ("JUPYTER_REMOTE_CONFIG_DIR", "JUPYTER_DATA_DIR")
        os.environ.update({**{name: f"{folder}/{name.lower()}" for name in own}, **host.env})
        os.environ.pop("SSH_AUTH_SOCK", None)
        yield host


if __name__ == "__main__":
    if sys.argv[1:2] == ["--client"]:
        be_client(*sys.argv[2:])
    else:
        sys.exit(main())
