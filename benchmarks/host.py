"""The host of the benchmarks: the tests' own sshd on loopback, and the plain ssh that is its peer."""

from __future__ import annotations

import contextlib
import inspect
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.integration.sshd import SshHost, sshd


@dataclass(frozen=True)
class BenchHost:
    """A host without latency: what is measured is the work, not the network.

    Args:
        server: the sshd and the client's files for it.
        scratch: a folder here, for workspaces.
    """

    server: SshHost
    scratch: Path
    name: str = "direct"

    @property
    def ssh_config(self) -> Path:
        return self.server.ssh_config

    def ssh(self, *words: str) -> list[str]:
        """The command line of a cold `ssh HOST WORDS`."""
        return ["ssh", "-F", str(self.ssh_config), self.name, *words]

    @contextlib.contextmanager
    def master(self) -> Iterator[tuple[str, ...]]:
        """A connection that other `ssh` commands share: the options that make them do so."""
        options = (
            "-o",
            "ControlMaster=auto",
            "-o",
            f"ControlPath={self.scratch}/m-%C",
            "-o",
            "ControlPersist=60",
        )
        subprocess.run([*self.ssh()[:3], *options, self.name, "true"], check=True, stderr=subprocess.DEVNULL)
        try:
            yield options
        finally:
            command = [*self.ssh()[:3], *options, "-O", "exit", self.name]
            subprocess.run(command, check=False, stderr=subprocess.DEVNULL)

    def write(self, name: str, text: str) -> None:
        """Put a file into the user's home on the host."""
        subprocess.run(self.ssh(f"cat > {name}"), input=text, text=True, check=True)

    def forget_everything(self) -> None:
        """Leave the host as one that has never seen us."""
        for path in (".cache", ".local", "jupyter-remote"):
            shutil.rmtree(self.server.home / path, ignore_errors=True)


@contextlib.contextmanager
def open_host() -> Iterator[BenchHost]:
    """A running host; this process and its children know it, and nothing of the user's is read or written."""
    with (
        tempfile.TemporaryDirectory(prefix="jr-bench-") as folder,
        # The generator below pytest's fixture; a fixture itself can't be called.
        contextlib.contextmanager(inspect.unwrap(sshd))() as server,
    ):
        own = {name: f"{folder}/{name.lower()}" for name in ("JUPYTER_REMOTE_CONFIG_DIR", "JUPYTER_DATA_DIR")}
        before = dict(os.environ)
        os.environ.update({**own, **server.env})
        # An installed package has its byte code, and output is buffered as it is by default.
        for name in ("SSH_AUTH_SOCK", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"):
            os.environ.pop(name, None)
        try:
            yield BenchHost(server, Path(folder))
        finally:
            os.environ.clear()
            os.environ.update(before)


@contextlib.contextmanager
def echo(host: BenchHost) -> Iterator[Callable[[], None]]:
    """The bare round trip of a channel: a function that sends one byte to `cat` there and waits for it."""
    from jupyter_remote.config import Config
    from jupyter_remote.transports import make_transport

    transport = make_transport(Config.load().host(host.name, {"transport": "paramiko"}), None)
    channel = transport.open("cat")

    def round_trip() -> None:
        channel.write(b"x")
        if channel.read(1) != b"x":
            raise RuntimeError("the channel returned something else")

    try:
        yield round_trip
    finally:
        channel.close()
        transport.close()
