"""A real OpenSSH server on loopback, with its own keys, its own configuration and, for root, its own user.

Fixtures only; what is tested over it is in the test modules. Nothing of the machine's own sshd, ssh
configuration or known_hosts is read or written.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import pwd
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

HOST = "127.0.0.1"
START_S = 15.0
# tests/conftest.py finds by it what left our process tree; sshd would not pass it on by itself.
PASSED_ON = "JUPYTER_REMOTE_TEST_RUN"
OWN_MARK = "JUPYTER_REMOTE_TEST_SSHD"


@dataclass
class Server:
    """One running `sshd`."""

    port: int
    process: subprocess.Popen[bytes]
    folder: Path
    public_keys: list[str]
    address: str = HOST
    service: str = ""

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def known_hosts_lines(self) -> str:
        return "".join(f"[{self.address}]:{self.port} {key}\n" for key in self.public_keys)

    def stop(self) -> None:
        with contextlib.suppress(psutil.Error):
            # Sessions that are still open are processes of their own.
            for child in psutil.Process(self.process.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    child.kill()
        self.process.terminate()
        self.process.wait(10)
        if self.service:
            Path("/etc/pam.d", self.service).unlink()


@dataclass
class SshHost:
    """What a test needs to know about the servers, the user on them and the client's own files.

    Attributes:
        port: of the host that `l1` (through `jump`) and `direct` lead to.
        home: the user's home on "the host".
        key: the client's private key; its public half is authorized.
        pam: the lines of a PAM service that a test has made, for another server.
        ssh_config: has `l1`, `direct` and `jump`; more by `alias`.
        env: variables that make the code under test use these files.
    """

    host: str
    user: str
    uid: int
    folder: Path
    home: Path
    key: Path
    ssh_config: Path
    known_hosts: Path
    servers: list[Server] = field(default_factory=list)
    pam: Sequence[str] = ()
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def port(self) -> int:
        return self.servers[0].port

    @property
    def env(self) -> dict[str, str]:
        return {"JUPYTER_REMOTE_SSH_CONFIG": str(self.ssh_config)}

    def log(self) -> str:
        """What all servers have logged."""
        return "\n".join(f"== sshd at {server.port}\n{server.log}" for server in self.servers)

    def processes(self) -> list[tuple[int, str]]:
        """Processes of the user on the host, without sshd's own."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                # Without a user of its own, the mark that sshd gives every session tells them apart.
                ours = (
                    process.uids().real == self.uid
                    if os.getuid() == 0
                    else process.environ().get(OWN_MARK) == self.mark
                )
                line = " ".join(process.cmdline())
                if ours and process.status() != psutil.STATUS_ZOMBIE and not line.startswith("sshd:"):
                    found.append((process.pid, line))
        return found

    def start(
        self,
        lines: Sequence[str] = (),
        *,
        env: Mapping[str, str] | None = None,
        home: Path | None = None,
        known: bool = True,
        address: str = HOST,
        through: Sequence[str] = (),
        pam: Sequence[str] = (),
    ) -> Server:
        """Another sshd.

        Args:
            lines: more lines of its sshd_config; the first value of a key counts, so these go first.
            env: variables of its sessions, for example `PATH`.
            home: another home for the user.
            known: whether its keys go into the client's known_hosts.
            address: where it listens.
            through: the command that starts it elsewhere, for example `ip netns exec NAME`.
            pam: the lines of a PAM service of its own, which only it uses.
        """
        folder = Path(tempfile.mkdtemp(dir=self.folder, prefix="sshd-"))
        folder.chmod(0o755)
        keys = []
        for kind in ("ed25519", "ecdsa"):
            keygen(folder / f"host_{kind}", kind)
            keys.append(" ".join((folder / f"host_{kind}.pub").read_text().split()[:2]))
        session = {OWN_MARK: self.mark, **(env or {})}
        if PASSED_ON in os.environ:
            session[PASSED_ON] = os.environ[PASSED_ON]
        home = home or self.home
        if str(home) != pwd.getpwuid(self.uid).pw_dir:
            session["HOME"] = str(home)
        service = f"jr{uuid.uuid4().hex[:12]}" if pam else ""
        if pam:
            Path("/etc/pam.d", service).write_text("\n".join(pam) + "\n")
            lines = [*lines, "UsePAM yes"]
        config = [
            *lines,
            f"ListenAddress {address}",
            *(f"HostKey {folder}/host_{kind}" for kind in ("ed25519", "ecdsa")),
            "PidFile none",
            "UsePAM no",
            # The files are below /tmp, which everybody may write to.
            "StrictModes no",
            f"AuthorizedKeysFile {self.folder}/authorized_keys",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "MaxStartups 200:30:400",
            "LogLevel VERBOSE",
            "SetEnv " + " ".join(f'"{name}={value}"' for name, value in session.items()),
        ]
        (folder / "sshd_config").write_text("\n".join(config) + "\n")
        server = _launch(folder, keys, address, through, service)
        self.servers.append(server)
        if known:
            with self.known_hosts.open("a") as stream:
                stream.write(server.known_hosts_lines())
        return server

    def start_own(self, name: str) -> Server:
        """Another sshd and an alias for it, whose sessions can run the interpreter of the tests.

        Nobody else may be able to read that, so the account is that of the tests; the home is not.
        """
        home = self.new_home()
        server = self.start(["PermitRootLogin prohibit-password"], env={"HOME": str(home)})
        self.alias(name, HostName=HOST, Port=server.port, User=getpass.getuser())
        return server

    def stop(self, server: Server) -> None:
        self.servers.remove(server)
        server.stop()

    def stop_all(self) -> None:
        while self.servers:
            self.servers.pop().stop()

    def new_home(self) -> Path:
        """An empty folder of the user's, reachable for them."""
        home = Path(tempfile.mkdtemp(dir=self.folder, prefix="home-"))
        os.chown(home, self.uid, -1)
        home.chmod(0o755)
        return home

    def alias(self, name: str, **settings: object) -> None:
        """Add an alias to the client's ssh configuration, with the authorized key unless another is given."""
        settings = {"IdentityFile": self.key, "IdentitiesOnly": "yes", **settings}
        lines = [f"Host {name}", *(f"  {key} {value}" for key, value in settings.items())]
        (self.folder / "conf.d" / f"{name}.conf").write_text("\n".join(lines) + "\n")

    @contextlib.contextmanager
    def bashrc(self, text: str) -> Iterator[None]:
        """The user's .bashrc, which bash reads for every command that comes over ssh."""
        path = self.home / ".bashrc"
        before = path.read_bytes() if path.exists() else None
        path.write_text(text)
        path.chmod(0o644)
        try:
            yield
        finally:
            path.unlink() if before is None else path.write_bytes(before)


def keygen(path: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    """A new key pair; the private half is `path`."""
    argv = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "test", "-f", str(path)]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
    return path


@pytest.fixture(scope="session")
def sshd() -> Iterator[SshHost]:
    """The servers, for the whole test session."""
    for program in ("sshd", "ssh", "ssh-keygen"):
        if _which(program) is None:
            reason = f"`{program}` is not installed (package openssh-server, openssh-client)"
            if os.environ.get("CI"):
                pytest.fail(reason)
            pytest.skip(reason)
    with contextlib.ExitStack() as ends:
        # pytest's own folders are closed to the other user.
        folder = Path(tempfile.mkdtemp(prefix="jr-sshd-", dir="/tmp"))
        ends.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o755)
        home = folder / "home"
        home.mkdir(mode=0o755)
        user = ends.enter_context(_user(home)) if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
        host = _client_files(folder, home, user)
        ends.callback(host.stop_all)
        main, jump = host.start(), host.start()
        host.alias("l1", HostName=HOST, Port=main.port, ProxyJump="jump")
        host.alias("direct", HostName=HOST, Port=main.port)
        host.alias("jump", HostName=HOST, Port=jump.port)
        yield host


@pytest.fixture
def ssh_host(sshd: SshHost, monkeypatch: pytest.MonkeyPatch) -> Iterator[SshHost]:
    """The servers, with the code under test set to the client's files; what a test adds is taken back."""
    for name, value in sshd.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    servers, aliases = list(sshd.servers), set((sshd.folder / "conf.d").iterdir())
    known = sshd.known_hosts.read_bytes()
    yield sshd
    for server in [server for server in sshd.servers if server not in servers]:
        sshd.stop(server)
    for path in set((sshd.folder / "conf.d").iterdir()) - aliases:
        path.unlink()
    sshd.known_hosts.write_bytes(known)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport | None, pytest.TestReport | None]:
    """A failed test shows what the servers said."""
    report = yield
    host = getattr(item, "funcargs", {}).get("sshd")
    if report is not None and report.failed and isinstance(host, SshHost):
        report.sections.append(("sshd", host.log()[-8000:]))
    return report


def _client_files(folder: Path, home: Path, user: str) -> SshHost:
    key = keygen(folder / "id_client")
    shutil.copy(f"{key}.pub", folder / "authorized_keys")
    (folder / "authorized_keys").chmod(0o644)
    known_hosts = folder / "known_hosts"
    known_hosts.touch()
    (folder / "conf.d").mkdir()
    config = folder / "ssh_config"
    config.write_text(
        f"Include {folder}/conf.d/*.conf\n"
        "Host *\n"
        f"  User {user}\n"
        f"  UserKnownHostsFile {known_hosts}\n"
        "  GlobalKnownHostsFile /dev/null\n"
    )
    return SshHost(HOST, user, pwd.getpwnam(user).pw_uid, folder, home, key, config, known_hosts)


@contextlib.contextmanager
def _user(home: Path) -> Iterator[str]:
    name = f"jr{uuid.uuid4().hex[:8]}"
    subprocess.run(["useradd", "-M", "-d", str(home), "-s", "/bin/bash", name], check=True)
    uid = pwd.getpwnam(name).pw_uid
    try:
        # A new account is locked, and sshd lets nobody into a locked one: `*` only means "no password".
        subprocess.run(["usermod", "-p", "*", name], check=True)
        os.chown(home, uid, -1)
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        yield name
    finally:
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.uids().real == uid:
                    process.kill()
        subprocess.run(["userdel", "-f", name], check=False, stderr=subprocess.DEVNULL)


def _launch(folder: Path, keys: list[str], address: str, through: Sequence[str], service: str = "") -> Server:
    binary = _which("sshd")
    assert binary is not None
    if service:
        # sshd calls its PAM service by the name it was started with; the machine's own stays as it is.
        (folder / service).symlink_to(Path(binary).resolve())
        binary = str(folder / service)
    config = shlex.quote(str(folder / "sshd_config"))
    for _ in range(5):
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port = probe.getsockname()[1]
        process = subprocess.Popen(
            [
                *through,
                binary,
                "-D",
                "-f",
                str(folder / "sshd_config"),
                "-p",
                str(port),
                "-E",
                str(folder / "log"),
            ],
            stdin=subprocess.DEVNULL,
        )
        server = Server(port, process, folder, keys, address, service)
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and process.poll() is None:
            with (
                contextlib.suppress(OSError),
                socket.create_connection((address, port), timeout=2) as greeting,
            ):
                if greeting.recv(4) == b"SSH-":
                    return server
            time.sleep(0.01)
        # Somebody else may have taken the port in between: another one, then.
        process.kill()
        process.wait()
    raise RuntimeError(f"sshd does not start with {config}:\n{(folder / 'log').read_text()}")


def _which(program: str) -> str | None:
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
