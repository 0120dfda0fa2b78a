"""Many small files: the first sync, nothing changed, and one of them changed; beside rsync and SFTP.

The first sync counts a fresh client and a fresh mirror, and a cold `rsync -az` its connection, so both
start from nothing. For the others rsync goes over a ControlMaster, which is the best it can do.
"""

from __future__ import annotations

import gc
import itertools
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .harness import Row, at_most, at_most_times, interleaved, timed
from .host import BenchHost, open_host
from .trees import make_tree

if TYPE_CHECKING:
    from jupyter_remote import Remote

_numbers = itertools.count()


def measure(quick: bool) -> Iterator[Row]:
    files, n = (1000, 2) if quick else (10_000, 3)
    with open_host() as host:
        tree = make_tree(host.scratch / "many", files)
        ours, cold, sftp = interleaved(
            n,
            lambda: _forgetful(lambda: timed(lambda: _first(host, tree))),
            lambda: timed(lambda: _rsync(host, tree, f"cold-{next(_numbers)}")),
            lambda: timed(lambda: _sftp(host, tree, f"sftp-{next(_numbers)}")),
        )
        size = f"{files} files, {files * 9 // 1000} MB"
        yield at_most_times(f"first sync, {size}", "rsync -az, cold", ours, cold, 0.5, n)
        yield at_most_times(f"first sync, {size}", "paramiko SFTP", ours, sftp, 1, n)
        yield from _again(host, tree, files, 5 if quick else 15)
        yield from _hundred_thousand(host, 10_000 if quick else 100_000)


def _again(host: BenchHost, tree: Path, files: int, n: int) -> Iterator[Row]:
    with host.master() as options:
        remote = _connect(host, tree)
        try:
            _rsync(host, tree, "warm", options)
            _cell_sync(remote)
            numbers = itertools.count()
            peer_name = "rsync -az --delete over ControlMaster"
            ours, peer = interleaved(
                n,
                lambda: timed(lambda: _cell_sync(remote)),
                lambda: timed(lambda: _rsync(host, tree, "warm", options)),
            )
            yield at_most_times(f"nothing changed, {files} files", peer_name, ours, peer, 0.25, n)
            one = next(tree.rglob("module*.py"))

            def changed(action: Callable[[], object]) -> float:
                one.write_text(f"VALUE = {next(numbers)}\n" * 50, encoding="ascii")
                return timed(action)

            ours, peer = interleaved(
                n,
                lambda: changed(lambda: _cell_sync(remote)),
                lambda: changed(lambda: _rsync(host, tree, "warm", options)),
            )
            yield at_most_times(f"one small file changed of {files}", peer_name, ours, peer, 0.25, n)
        finally:
            remote.close()


def _hundred_thousand(host: BenchHost, files: int) -> Iterator[Row]:
    from jupyter_remote.sync.remembered import index_file
    from jupyter_remote.sync.scan import Scanner

    tree = make_tree(host.scratch / "large", files, 500)
    index = index_file(str(tree))
    Scanner(tree, index=index).scan()

    def fresh() -> float:
        return timed(Scanner(tree, index=index).scan)

    scanner = Scanner(tree, index=index)
    scanner.scan(), scanner.scan()
    one = next(tree.rglob("module*.py"))
    numbers = itertools.count()

    def changed() -> float:
        one.write_text(f"VALUE = {next(numbers)}\n", encoding="ascii")
        return timed(scanner.scan)

    again, warm, watched, edited = interleaved(
        5, fresh, lambda: timed(lambda: scanner.scan(thorough=True)), lambda: timed(scanner.scan), changed
    )
    yield at_most(f"scan of a new process, {files} files, nothing changed", again, 2.0, 5)
    yield at_most(f"scan of every file, {files} files, nothing changed", warm, 2.0, 5)
    yield at_most(f"scan with a watcher, {files} files, nothing changed", watched, 0.1, 5)
    yield at_most(f"scan with a watcher, {files} files, one changed", edited, 0.1, 5)
    yield from _one_of_a_hundred_thousand(host, tree, files)


def _one_of_a_hundred_thousand(host: BenchHost, tree: Path, files: int) -> Iterator[Row]:
    n = 5
    with _connect(host, tree, "large-mirror") as remote:
        _cell_sync(remote)
        one = next(tree.rglob("module*.py"))
        numbers = itertools.count()

        def changed() -> float:
            one.write_text(f"VALUE = {next(numbers)}\n" * 5, encoding="ascii")
            return timed(lambda: _cell_sync(remote))

        unchanged, ours = interleaved(n, lambda: timed(lambda: _cell_sync(remote)), changed)
        yield at_most(f"nothing changed of {files}, warm", unchanged, 0.1, n)
        yield at_most(f"one small file changed of {files}, warm", ours, 2.0, n)
        (asked,) = interleaved(3, lambda: timed(lambda: remote._sync.inventory(remote.connection())))
        yield at_most(f"the host's list of {files} files", asked, 2.0, 3)


def _connect(host: BenchHost, tree: Path, name: str = "warm-mirror") -> Remote:
    from jupyter_remote.config import Config
    from jupyter_remote.remote import Remote

    return Remote(Config.load(tree).host(host.name, {"workspace": f"~/{name}"}), tree)


def _forgetful(action: Callable[[], float]) -> float:
    """Without the digests that an earlier round has left on this disk, or in a scanner still known."""
    gc.collect()
    shutil.rmtree(Path(os.environ["JUPYTER_DATA_DIR"]) / "remote" / "index", ignore_errors=True)
    return action()


def _first(host: BenchHost, tree: Path) -> None:
    with _connect(host, tree, f"first-{next(_numbers)}") as remote:
        remote.sync()


def _cell_sync(remote: Remote) -> None:
    """What a cell does before it runs. Not `Remote.sync`, which asks the host for all it has."""
    remote._sync.push(remote.connection()).finish()


def _rsync(host: BenchHost, tree: Path, target: str, options: tuple[str, ...] = ()) -> None:
    ssh = " ".join(["ssh", "-F", str(host.ssh_config), *options])
    command = ["rsync", "-az", "--delete", "-e", ssh, f"{tree}/", f"{host.name}:{target}/"]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def _sftp(host: BenchHost, tree: Path, target: str) -> None:
    import paramiko

    from jupyter_remote.config import Config
    from jupyter_remote.transports import make_transport

    transport = make_transport(Config.load().host(host.name, {"transport": "paramiko"}), None)
    channel = transport.open("true")
    try:
        session = transport._link.transport.open_session()  # type: ignore[attr-defined]
        # The tests' sshd names no subsystems.
        session.exec_command("PATH=$PATH:/usr/lib/openssh:/usr/libexec/openssh exec sftp-server")
        client = paramiko.SFTPClient(session)
        client.mkdir(target)
        for path in sorted(tree.rglob("*")):
            there = f"{target}/{path.relative_to(tree)}"
            if path.is_dir():
                client.mkdir(there)
            else:
                client.put(str(path), there, confirm=False)
    finally:
        channel.close()
        transport.close()
