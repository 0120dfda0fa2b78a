"""What sixteen watched hosts cost the kernel, and how long a gauge is behind its host.

The hosts are agents on this machine, each with a stand-in for `nvidia-smi` that has eight cards: what counts
is the kernel, whose processor time is read from outside, and the time from the sample on the host to the
moment when its gauges have been sent to the page.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from .harness import Row, at_most

HOSTS = 16
CARDS = 8
CORE_SHARE_S = 0.05
BEHIND_S = 1.0
FAKE = """#!/bin/sh
one() {
    for card in 0 1 2 3 4 5 6 7; do
        case "$*" in
        *uuid*) echo "$card, GPU-c77db228-1ad5-d63d-1844-886cba1b3f9$card, NVIDIA H100, 580.159.04, \
Disabled, Default, 81559, 3021, 78000, 50, 60, 689.36" ;;
        *) echo "$card, 81559, 3021, 78000, $(($(date +%S) % 10 * 10)), 60, 689.36" ;;
        esac
    done
}
case "$*" in
*--loop-ms*) while :; do one "$@"; sleep 1; done ;;
*--query-gpu*) one "$@" ;;
*) exit 0 ;;
esac
"""
WATCH = """
import time, jupyter_remote
from jupyter_remote.widgets.status import HostStatus
behind, draw = [], HostStatus._draw
def drawn(self, host, paused=''):
    draw(self, host, paused)
    if self._news[host].facts:
        behind.append(time.time() - self._news[host].facts['time'])
HostStatus._draw = drawn
status = HostStatus([f'h{n:02d}' for n in range(HOSTS)])
status.widget
status._audience = None  # no page is there, and it goes on nevertheless
"""


def measure(quick: bool) -> Iterator[Row]:
    from jupyter_client.manager import start_new_kernel

    seconds = 6 if quick else 25
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        environment = _environment(Path(folder))
        manager, client = start_new_kernel(kernel_name="python3", env=environment, cwd=folder)
        try:
            pid = int(_said(client, "import os; print(os.getpid())"))
            _said(client, WATCH.replace("HOSTS", str(HOSTS)))
            ready = "print(all(one.state == 'ready' for one in status._news.values()))"
            while _said(client, ready) != "True":
                time.sleep(0.2)
            time.sleep(2)  # what was loaded for the first of them
            _said(client, "behind.clear()")
            before, since = _ticks(pid), time.monotonic()
            time.sleep(seconds)
            used, passed = _ticks(pid) - before, time.monotonic() - since
            found = json.loads(_said(client, "print(behind)"))
            assert len(found) > HOSTS * seconds / 2, "the hosts were not watched"
        finally:
            client.stop_channels()
            manager.shutdown_kernel()
    share = used / os.sysconf("SC_CLK_TCK") / passed
    yield at_most(f"kernel's time per second, {HOSTS} hosts", share, CORE_SHARE_S, len(found))
    yield at_most("a gauge behind its host, median", median(found), BEHIND_S, len(found))
    yield at_most(
        "a gauge behind its host, 99 of 100", sorted(found)[len(found) * 99 // 100], BEHIND_S, len(found)
    )


def _environment(folder: Path) -> dict[str, str]:
    program = folder / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text(FAKE)
    program.chmod(0o755)
    hosts = {f"h{number:02d}": {"type": "command", "command": ["env"]} for number in range(HOSTS)}
    (folder / "hosts.yaml").write_text(json.dumps({"hosts": hosts}))
    return {
        **os.environ,
        "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
        "JUPYTER_REMOTE_CONFIG_DIR": str(folder),
        "JUPYTER_REMOTE_STATE": str(folder / "state"),
    }


def _said(client: object, code: str) -> str:
    out: list[str] = []

    def hook(message: dict[str, object]) -> None:
        if message["msg_type"] == "stream":
            out.append(message["content"]["text"])  # type: ignore[index]

    reply = client.execute_interactive(code, output_hook=hook, timeout=120)  # type: ignore[attr-defined]
    assert reply["content"]["status"] == "ok", reply["content"]
    return "".join(out).strip()


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
