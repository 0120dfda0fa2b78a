"""A sync whose client, agent or link dies at a random moment: nothing is torn, and the next one converges.

`SYNC_KILLS` says how many times in all; `make kills` makes it 300.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from hosts import await_true, files_of
from proxy import Proxy
from sshd import SshHost

from jupyter_remote.config import Config
from jupyter_remote.config_models import HostConfig
from jupyter_remote.errors import RemoteError
from jupyter_remote.remote import Remote

KILLS = int(os.environ.get("SYNC_KILLS", "45"))
EACH = max(KILLS // 3, 1)

# A new Python for each client would take most of the time. This one has all imported, and forks.
CLIENTS = """
import os, sys
from pathlib import Path
from jupyter_remote.config import Config
from jupyter_remote.remote import Remote
import jupyter_remote.sync.session, jupyter_remote.transports.process
workspace, mirror = map(Path, sys.argv[1:])
print("ready", flush=True)
for _ in sys.stdin:
    pid = os.fork()
    if pid == 0:
        remote = Remote(Config.load(workspace).host("local", {"workspace": str(mirror)}), workspace)
        remote.connection()
        os.write(1, b"%d\\n" % os.getpid())
        remote.sync()
        os.write(1, b"done\\n")
        os._exit(0)
    os.waitpid(pid, 0)
    os.write(1, b"ended\\n")
"""


class Aim:
    """When to strike: earlier after a miss, later after a hit, as a sync takes longer on a busy machine."""

    def __init__(self, chance: random.Random, longest: float) -> None:
        self._chance = chance
        self._longest = longest
        self.missed = 0

    def delay(self) -> float:
        return self._chance.uniform(0, self._longest)

    def learn(self, *, hit: bool) -> None:
        self.missed += not hit
        self._longest = min(self._longest * 1.1, 1.0) if hit else self._longest * 0.7


class Trial:
    """One workspace, changed before every strike, and its mirror."""

    def __init__(self, workspace: Path, mirror: Path, chance: random.Random) -> None:
        self.workspace = workspace
        self.mirror = mirror
        self._chance = chance
        self._versions: list[set[bytes]] = []

    def change(self) -> None:
        """Large files grow, shrink, move and are copied; each is made of equal blocks of eight digits."""
        chance, workspace = self._chance, self.workspace
        for name in ("a", "b", "c", "d/e"):
            place = workspace / name
            place.parent.mkdir(exist_ok=True)
            content = b"".join(b"%08d" % chance.randrange(10**8) * 8192 for _ in range(20))
            what = chance.randrange(5)
            if what == 0 or not place.exists():
                place.write_bytes(content)
            elif what == 1:
                place.write_bytes(place.read_bytes() + content[: 65536 * 3])
            elif what == 2:
                old = place.read_bytes()
                place.write_bytes(old[:131072] + content[:65536] + old[131072:])
            elif what == 3:
                place.rename(workspace / chance.choice("fgh"))
            else:
                (workspace / chance.choice("fgh")).write_bytes(place.read_bytes())
        for number in range(20):
            (workspace / f"small{number}").write_bytes(b"%08d" % chance.randrange(10**8) * 100)
        self._versions = [*self._versions[-2:], set(files_of(workspace).values())]

    def assert_whole(self) -> None:
        for path, content in files_of(self.mirror).items():
            assert any(content in version for version in self._versions), f"{path} is torn"

    def assert_converges(self, host: HostConfig) -> None:
        with Remote(host, self.workspace) as remote:
            # Nothing but what we put there ourselves may be in the way.
            report = remote.sync()
            assert report.kept == []
            assert remote.sync().sent == []
        assert files_of(self.mirror) == files_of(self.workspace)
        state = self.mirror / ".jupyter-remote"
        assert list((state / "staging").iterdir()) == []
        # An agent that was killed after its last rename leaves what it had received for a day, or until
        # something is sent.
        leftovers = {"kept", "journal.json"} | ({"received"} if report.sent else set())
        assert not leftovers & {path.name for path in state.iterdir()}


@contextlib.contextmanager
def clients(workspace: Path, mirror: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that starts a client for each line that it gets."""
    program = [sys.executable, "-c", CLIENTS, str(workspace), str(mirror)]
    with subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("victim", ["client", "agent"])
def test_a_killed_process_tears_nothing(tmp_path: Path, victim: str) -> None:
    workspace, mirror = tmp_path / "workspace", tmp_path / "mirror"
    workspace.mkdir()
    mirror.mkdir()
    host = Config.load(workspace).host("local", {"workspace": str(mirror)})
    chance = random.Random(11)
    trial, aim = Trial(workspace, mirror, chance), Aim(chance, 0.25)
    with clients(workspace, mirror) as process:
        assert process.stdin is not None and process.stdout is not None
        for number in range(EACH):
            trial.change()
            process.stdin.write(b"\n")
            process.stdin.flush()
            client = psutil.Process(int(process.stdout.readline()))
            [agent] = client.children()
            killed = client if victim == "client" else agent
            with strike(aim.delay(), lambda pid=killed.pid: os.kill(pid, signal.SIGKILL)):  # type: ignore[misc]
                said = process.stdout.readline()
            aim.learn(hit=said != b"done\n")
            if said == b"done\n":
                said = process.stdout.readline()
            assert said == b"ended\n"
            psutil.wait_procs([agent])
            trial.assert_whole()
            if number % 3 != 2:  # else killed again before anything could be mended
                trial.assert_converges(host)
    assert aim.missed < max(EACH * 2 // 3, 2), "most were not killed in time"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_cut_link_tears_nothing(ssh_host: SshHost, tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    mirror = ssh_host.home / f"kills-{tmp_path.name}"
    chance = random.Random(12)
    trial, aim = Trial(workspace, mirror, chance), Aim(chance, 0.25)
    # Slow enough that the link is what a sync waits for.
    with Proxy(ssh_host.port, delay=0.002, rate=40e6) as proxy:
        ssh_host.alias(
            "cut", HostName="127.0.0.1", Port=proxy.port, HostKeyAlias=f"[127.0.0.1]:{ssh_host.port}"
        )
        for number in range(EACH):
            options = {"workspace": f"~/{mirror.name}", "transport": ("paramiko", "openssh")[number % 2]}
            host = Config.load(workspace).host("cut", options)
            trial.change()
            with Remote(host, workspace) as remote:
                remote.connection()
                with strike(aim.delay(), proxy.cut):
                    hit = True
                    with contextlib.suppress(RemoteError):
                        remote.sync()
                        hit = False
                aim.learn(hit=hit)
            await_true(
                lambda: not any("stage0" in line or "agent-" in line for _, line in ssh_host.processes())
            )
            trial.assert_whole()
            if number % 3 != 2:
                trial.assert_converges(host)
    assert aim.missed < max(EACH * 2 // 3, 2), "most were not cut in time"


@contextlib.contextmanager
def strike(delay: float, blow: Callable[[], None]) -> Iterator[None]:
    """Strikes after `delay` seconds unless the block has ended by then."""

    def safely() -> None:
        with contextlib.suppress(ProcessLookupError):
            blow()

    timer = threading.Timer(delay, safely)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
