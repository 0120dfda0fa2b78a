"""Ways to a host: chains of hops, `Match`, certificates, keys of agents and files, by both transports."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sshd import HOST, Server, SshHost, keygen
from test_transports import Answers, Open, failure, transport

import jupyter_remote
from jupyter_remote.errors import AuthenticationError, HostKeyError, HostUnreachable
from jupyter_remote.remote import Remote
from jupyter_remote.transports import ssh_keys

SSH = ("paramiko", "openssh")


@pytest.fixture(autouse=True)
def no_passphrases() -> Iterator[None]:
    ssh_keys.forget()
    yield
    ssh_keys.forget()


def works(open_: Open, name: str, kind: str, ask: Answers | None = None, **settings: object) -> bool:
    made = open_(name, ask, transport=kind, **settings)
    return made.open("echo in").read(10) == b"in\n"


@contextlib.contextmanager
def agent(host: SshHost, *keys: Path) -> Iterator[Path]:
    """An agent with these keys; its socket."""
    path = host.folder / f"agent-{os.urandom(4).hex()}"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        for key in keys:
            env = {**os.environ, "SSH_AUTH_SOCK": str(path)}
            subprocess.run(["ssh-add", "-q", str(key)], env=env, check=True)
        try:
            yield path
        finally:
            process.terminate()


@contextlib.contextmanager
def authorized(host: SshHost, *keys: Path) -> Iterator[None]:
    file = host.folder / "authorized_keys"
    before = file.read_text()
    file.write_text(before + "".join(key.with_name(key.name + ".pub").read_text() for key in keys))
    try:
        yield
    finally:
        file.write_text(before)


# Chains.


@pytest.fixture
def hops(ssh_host: SshHost, tmp_path: Path) -> Iterator[list[Server]]:
    """Three hosts and the far one behind them: by name, by port of the URL, with an encrypted key."""
    key = keygen(tmp_path / "locked", passphrase="open sesame")
    servers = [ssh_host.start() for _ in range(4)]
    ssh_host.alias("hop1", HostName=HOST, Port=servers[0].port)
    ssh_host.alias("hop2", HostName=HOST, Port=1)
    ssh_host.alias("hop3", HostName=HOST, Port=servers[2].port, IdentityFile=key)
    jumps = f"hop1,{ssh_host.user}@hop2:{servers[1].port},hop3"
    ssh_host.alias("far", HostName=HOST, Port=servers[3].port, ProxyJump=jumps)
    # The same way, each hop with its own line.
    ssh_host.alias("step2", HostName=HOST, Port=servers[1].port, ProxyJump="hop1")
    ssh_host.alias("step3", HostName=HOST, Port=servers[2].port, ProxyJump="step2", IdentityFile=key)
    ssh_host.alias("stepped", HostName=HOST, Port=servers[3].port, ProxyJump="step3")
    with authorized(ssh_host, key):
        yield servers


@pytest.mark.slow
@pytest.mark.parametrize("kind", SSH)
@pytest.mark.parametrize("name", ["far", "stepped"])
def test_three_hops(hops: list[Server], transport: Open, kind: str, name: str) -> None:
    ask = Answers("open sesame")
    assert works(transport, name, kind, ask)
    assert ["Accepted publickey" in server.log for server in hops] == [True] * 4
    assert len(ask.asked) == 1 and "locked" in ask.asked[0][0]


@pytest.mark.slow
@pytest.mark.parametrize("kind", SSH)
def test_the_hop_that_fails_is_named(
    hops: list[Server], ssh_host: SshHost, transport: Open, tmp_path: Path, kind: str
) -> None:
    key = keygen(tmp_path / "other")
    ssh_host.alias("hop3", HostName=HOST, Port=hops[2].port, IdentityFile=key)
    error = failure(transport("far", transport=kind))
    if kind == "paramiko":
        assert type(error) is AuthenticationError and "hop3" in str(error) and str(key) in str(error)
    ssh_host.stop(hops[3])
    ssh_host.alias("hop3", HostName=HOST, Port=hops[2].port)
    error = failure(transport("far", transport=kind))
    assert isinstance(error, HostUnreachable)
    if kind == "paramiko":
        assert "the jump host hop3 can't reach far" in str(error)


@pytest.mark.slow
def test_a_hop_that_forbids_forwarding_is_told_as_such(ssh_host: SshHost, transport: Open) -> None:
    gate = ssh_host.start(["AllowTcpForwarding no"])
    ssh_host.alias("gate", HostName=HOST, Port=gate.port)
    ssh_host.alias("behind", HostName=HOST, Port=ssh_host.port, ProxyJump="gate")
    error = failure(transport("behind", transport="paramiko"))
    assert "the jump host gate can't reach behind" in str(error)
    assert "): Administratively prohibited" in str(error)
    assert "gate forbids forwarding" in str(error) and "nc %h %p" in str(error)


@pytest.mark.slow
@pytest.mark.parametrize("kind", SSH)
def test_match_and_a_program_that_decides(
    ssh_host: SshHost, transport: Open, tmp_path: Path, kind: str
) -> None:
    (ssh_host.folder / "conf.d" / "match.conf").write_text(
        f'Match originalhost matched exec "test -e {tmp_path}/vpn"\n'
        f"  HostName {HOST}\n  Port {ssh_host.port}\n"
        f"Match originalhost matched\n  HostName no-such-host.invalid\n  IdentityFile {ssh_host.key}\n"
    )
    assert isinstance(failure(transport("matched", transport=kind)), HostUnreachable)
    (tmp_path / "vpn").touch()
    assert works(transport, "matched", kind)


# Certificates.


@pytest.fixture
def certified(ssh_host: SshHost, tmp_path: Path) -> Path:
    """A key that only its certificate lets in at `cert`."""
    authority = keygen(ssh_host.folder / f"ca-{os.urandom(4).hex()}")
    server = ssh_host.start([f"TrustedUserCAKeys {authority}.pub", "AuthorizedKeysFile none"])
    key = keygen(tmp_path / "id")
    ssh_host.alias("cert", HostName=HOST, Port=server.port, IdentityFile=key)
    sign(ssh_host, authority, key, "+1h")
    (tmp_path / "authority").symlink_to(authority)
    return key


def sign(host: SshHost, authority: Path, key: Path, until: str) -> None:
    argv = ["ssh-keygen", "-q", "-s", str(authority), "-I", "me", "-n", host.user, "-V", until, f"{key}.pub"]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["auto", "openssh"])
@pytest.mark.parametrize("place", ["beside", "elsewhere", "agent", "agent and file"])
def test_a_certificate(
    ssh_host: SshHost,
    transport: Open,
    certified: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    place: str,
) -> None:
    beside = certified.with_name("id-cert.pub")
    port = ssh_host.servers[-1].port
    with contextlib.ExitStack() as ends:
        if place != "beside":
            elsewhere = beside.rename(beside.with_name("given-cert.pub"))
            assert type(failure(transport("cert", transport=kind))) is AuthenticationError
            ssh_host.alias(
                "cert", HostName=HOST, Port=port, IdentityFile=certified, CertificateFile=elsewhere
            )
        if place.startswith("agent"):
            if place == "agent":
                elsewhere = elsewhere.rename(beside)  # ssh-add takes both
                ssh_host.alias("cert", HostName=HOST, Port=port, IdentitiesOnly="no", IdentityFile="none")
            monkeypatch.setenv("SSH_AUTH_SOCK", str(ends.enter_context(agent(ssh_host, certified))))
            certified.unlink()
        made = transport("cert", transport=kind)
        assert made.name == ("paramiko" if kind == "auto" else kind)
        assert made.open("echo in").read(10) == b"in\n"


def test_a_certificate_that_is_over_is_told(ssh_host: SshHost, transport: Open, certified: Path) -> None:
    sign(ssh_host, certified.with_name("authority"), certified, "20200101:20200102")
    error = failure(transport("cert", transport="paramiko"))
    assert type(error) is AuthenticationError and "which ended at 2020-01-0" in str(error)


# Keys.


@pytest.mark.slow
@pytest.mark.parametrize("kinds", [("paramiko", "paramiko"), ("openssh", "openssh"), ("paramiko", "openssh")])
def test_a_passphrase_is_asked_for_once_in_a_process(
    ssh_host: SshHost, transport: Open, tmp_path: Path, kinds: tuple[str, str]
) -> None:
    key = keygen(tmp_path / "locked", passphrase="open sesame")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    ssh_host.alias("locked1", HostName=HOST, Port=ssh_host.port, IdentityFile=key)
    ssh_host.alias("locked2", HostName=HOST, Port=ssh_host.port, IdentityFile=key)
    with authorized(ssh_host, key):
        ask = Answers("wrong", "open sesame")
        assert works(transport, "locked1", kinds[0], ask)
        assert works(transport, "locked2", kinds[1], ask)  # another host
        assert works(transport, "locked1", kinds[1], ask)  # and again
        assert len(ask.asked) == 2
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_connections_at_the_same_time_ask_once(ssh_host: SshHost, transport: Open, tmp_path: Path) -> None:
    key = keygen(tmp_path / "locked", passphrase="open sesame")
    ssh_host.alias("locked", HostName=HOST, Port=ssh_host.port, IdentityFile=key)
    with authorized(ssh_host, key):
        ask = Answers("open sesame")
        made = [transport("locked", ask, transport="paramiko") for _ in range(4)]
        got: list[bytes] = []
        threads = [
            threading.Thread(target=lambda one=one: got.append(one.open("echo in").read(10))) for one in made
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert got == [b"in\n"] * 4 and len(ask.asked) == 1


@pytest.mark.parametrize("kind", SSH)
def test_nobody_to_unlock_a_key_is_told_how(
    ssh_host: SshHost, transport: Open, tmp_path: Path, kind: str
) -> None:
    key = keygen(tmp_path / "locked", passphrase="open sesame")
    ssh_host.alias("locked", HostName=HOST, Port=ssh_host.port, IdentityFile=key)
    with authorized(ssh_host, key):
        error = failure(transport("locked", Answers(), transport=kind))
    assert type(error) is AuthenticationError
    assert str(key) in str(error) and "nobody can be asked" in str(error) and "ssh-add" in str(error)


@pytest.mark.slow
@pytest.mark.parametrize("kind", SSH)
def test_identities_only_keeps_an_agents_keys_out(
    ssh_host: SshHost, transport: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    others = [keygen(tmp_path / f"other{number}") for number in range(4)]
    server = ssh_host.start(["MaxAuthTries 3"])
    with agent(ssh_host, *others) as path:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        ssh_host.alias("strict", HostName=HOST, Port=server.port, IdentitiesOnly="yes")
        assert works(transport, "strict", kind)
        ssh_host.alias("loose", HostName=HOST, Port=server.port, IdentitiesOnly="no", IdentityFile="none")
        error = failure(transport("loose", transport=kind))
        assert type(error) is AuthenticationError
        if kind == "paramiko":
            assert "IdentitiesOnly" in str(error)


@pytest.mark.slow
@pytest.mark.parametrize("kind", SSH)
def test_runs_use_a_forwarded_agent_while_a_link_brings_it(
    ssh_host: SshHost, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    def keys(remote: Remote) -> str:
        said: list[str] = []
        code = "import subprocess; print(subprocess.run(['ssh-add', '-l'], capture_output=True, text=True))"
        run = remote.run_cell(code, session="forwarded")
        run.wait(lambda event: said.append(event.text) if event.kind == "stdout" else None).check()
        return "".join(said)

    with agent(ssh_host, ssh_host.key) as path:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        ssh = {"forward_agent": True}
        remote = jupyter_remote.connect("direct", workspace=tmp_path, transport=kind, ssh=ssh)
        plain = jupyter_remote.connect("direct", workspace=tmp_path, transport=kind)
        try:
            assert "ED25519" in keys(remote)
            remote.close()
            # The session has outlived the link, the agent has not; the next link brings it again.
            assert "returncode=2" in keys(plain)
            assert "ED25519" in keys(remote)
            remote.stop_session("forwarded")
            remote.close()
            assert "returncode=2" in keys(plain)
        finally:
            plain.stop_sessions()
            plain.close()
            remote.close()


# Host keys, as ssh's own questions have it.


@pytest.mark.slow
@pytest.mark.parametrize("answer", ["yes", "once", "no", None])
@pytest.mark.parametrize("jump", ["none", "jump"])
def test_ssh_asks_about_a_host_key_here(
    ssh_host: SshHost, transport: Open, answer: str | None, jump: str
) -> None:
    server = ssh_host.start(known=False)
    ssh_host.alias("new", HostName=HOST, Port=server.port, ProxyJump=jump)
    before = ssh_host.known_hosts.read_bytes()
    ask = Answers(*([answer] if answer else []))
    made = transport("new", ask, transport="openssh")
    if answer in ("yes", "once"):
        channel = made.open("echo in")
        assert channel.read(10) == b"in\n"
        channel.close()
    else:
        error = failure(made)
        assert type(error) is HostKeyError
        assert ("was not accepted" if answer else "nobody can be asked") in str(error)
    ((prompt, secret),) = ask.asked
    assert "ED25519 SHA256:" in prompt and not secret
    after = ssh_host.known_hosts.read_bytes()
    assert (after != before) == (answer == "yes") and after.startswith(before)


@pytest.mark.parametrize("kind", SSH)
def test_strict_checking_asks_nobody(ssh_host: SshHost, transport: Open, kind: str) -> None:
    server = ssh_host.start(known=False)
    ssh_host.alias("new", HostName=HOST, Port=server.port)
    ask = Answers("yes")
    settings = {"ssh": {"strict_host_key_checking": "yes"}}
    assert type(failure(transport("new", ask, transport=kind, **settings))) is HostKeyError
    assert ask.asked == []


@pytest.mark.parametrize("kind", SSH)
def test_no_checking_still_refuses_a_changed_key(ssh_host: SshHost, transport: Open, kind: str) -> None:
    server = ssh_host.start(known=False)
    ssh_host.alias("changed", HostName=HOST, Port=server.port, StrictHostKeyChecking="no")
    with ssh_host.known_hosts.open("a") as stream:
        stream.write(f"[{HOST}]:{server.port} {ssh_host.servers[0].public_keys[0]}\n")
    error = failure(transport("changed", transport=kind))
    assert type(error) is HostKeyError and "ssh-keygen" in str(error)


__all__ = ["transport"]
