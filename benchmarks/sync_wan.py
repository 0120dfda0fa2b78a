"""Sync before a cell over a network of 30 ms round trip: its bar is counted in round trips.

The network is the tests' own proxy in front of the sshd; a bare round trip through it is the peer.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from tests.integration.proxy import Proxy

from .harness import Row, at_most_above, interleaved, timed
from .host import BenchHost, echo, open_host
from .sync_many import _cell_sync, _connect
from .trees import make_tree

ROUND_TRIP_S = 0.030


def measure(quick: bool) -> Iterator[Row]:
    files, n = (1000, 3) if quick else (10_000, 11)
    with open_host() as host, Proxy(host.server.port, delay=ROUND_TRIP_S / 2) as proxy:
        host.server.alias(
            "wan", HostName="127.0.0.1", Port=proxy.port, HostKeyAlias=f"[127.0.0.1]:{host.server.port}"
        )
        far = BenchHost(host.server, host.scratch, "wan")
        tree = make_tree(far.scratch / "wan", files)
        with echo(far) as round_trip, _connect(far, tree, "wan-mirror") as remote:
            remote.sync()
            _cell_sync(remote)
            scan = remote._sync._scanner.scan
            numbers = itertools.count()
            one = next(tree.rglob("module*.py"))

            def changed() -> float:
                one.write_text(f"VALUE = {next(numbers)}\n" * 50, encoding="ascii")
                return timed(lambda: _cell_sync(remote))

            def cell() -> float:
                return timed(lambda: remote.run_cell("pass").wait())

            cell(), round_trip()
            # A cell is one round trip in any case; what its sync adds to that is the scan.
            ours, floor, scanned = interleaved(n, cell, lambda: timed(round_trip), lambda: timed(scan))
            peer = "1 round trip + the scan"
            yield at_most_above(
                f"WAN: no-op cell, {files} files, nothing changed", peer, ours, floor + scanned, 0.010, n
            )
            ours, floor, scanned = interleaved(n, changed, lambda: timed(round_trip), lambda: timed(scan))
            yield at_most_above(
                f"WAN: one small file changed of {files}", peer, ours, floor + scanned, ROUND_TRIP_S, n
            )
            remote.stop_sessions()
