"""A large folder that is pushed and pulled over a link that is cut in the middle: nothing is sent twice.

`MUCH_MB=5000 pytest -s tests/integration/test_much.py` moves 5 GB, and prints times and bytes.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from proxy import Proxy
from sshd import HOST, SshHost

from jupyter_remote.agent.entry import new_digest
from jupyter_remote.config import Config
from jupyter_remote.errors import ConnectionLost
from jupyter_remote.remote import Remote

MB = 1 << 20
TOTAL = int(os.environ.get("MUCH_MB", "90")) * MB
SMALL = 3 * MB
# Half of it is one file; the frames, and what was on its way when the link was cut.
OVERHEAD = TOTAL // 50 + 6 * MB


def make(folder: Path) -> None:
    folder.mkdir()
    write(folder / "large.bin", TOTAL // 2)
    for number in range(TOTAL // 2 // SMALL):
        write(folder / f"small{number:04}.bin", SMALL)


def write(path: Path, size: int) -> None:
    with path.open("wb") as file:
        for at in range(0, size, MB):
            file.write(os.urandom(min(MB, size - at)))


def digests(folder: Path) -> dict[str, str]:
    found = {}
    for path in folder.iterdir():
        digest = new_digest()
        with path.open("rb") as file:
            while block := file.read(MB):
                digest.update(block)
        found[path.name] = digest.hexdigest()
    return found


@contextmanager
def cut_at(proxy: Proxy, count: Callable[[], int], limit: int) -> Iterator[None]:
    """Cuts the link when so much has gone over it."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.002):
            if count() >= limit:
                proxy.cut()
                return

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("share", [0.3, 0.75], ids=["in the large file", "in the small ones"])
def test_a_cut_costs_what_was_on_its_way(
    ssh_host: SshHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    workspace = tmp_path / "project"
    workspace.mkdir()
    make(workspace / "much")
    wanted = digests(workspace / "much")
    with Proxy(ssh_host.port) as proxy:
        key_alias = f"[{HOST}]:{ssh_host.port}"
        ssh_host.alias("cut", HostName=HOST, Port=proxy.port, HostKeyAlias=key_alias)
        settings = {"transport": "paramiko", "workspace": f"~/{tmp_path.name}"}
        with Remote(Config.load(workspace).host("cut", settings), workspace) as remote:
            remote.connection()

            def twice(what: str, count: Callable[[], int], move: Callable[[], object]) -> None:
                before = count()
                started = time.monotonic()
                with cut_at(proxy, count, before + int(TOTAL * share)), pytest.raises(ConnectionLost):
                    move()
                first = count() - before
                between = time.monotonic()
                move()
                rest = count() - before - first
                ended = time.monotonic()
                print(
                    f"\n{what} {TOTAL / MB:.0f} MB, cut at {share:.0%}: {first / MB:.1f} MB in "
                    f"{between - started:.1f} s, then {rest / MB:.1f} MB in {ended - between:.1f} s"
                )
                assert first + rest < TOTAL + OVERHEAD
                assert rest < TOTAL * (1 - share) + OVERHEAD

            twice("push", lambda: proxy.sent, lambda: remote.push(["much"]))
            mirror = ssh_host.home / tmp_path.name / "much"
            assert digests(mirror) == wanted
            into = tmp_path / "into"
            twice("pull", lambda: proxy.received, lambda: remote.pull(["much/"], output=into))
            assert digests(into / "much") == wanted
