"""Transports that can't get there: what fails, and as which error; what is asked on the way."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import threading
from pathlib import Path

import pytest
from sshd import HOST, SshHost, keygen
from test_transports import SSH, Answers, Open, failure, read_all, transport

from jupyter_remote.errors import (
    AuthenticationError,
    ConnectError,
    HostKeyError,
    HostUnreachable,
    NameNotResolved,
    PortRefused,
)
from jupyter_remote.transports import ssh_keys

# What fails, and as what. Each over both ssh transports, and through the jump host where that differs.


@pytest.mark.parametrize("kind", SSH)
@pytest.mark.parametrize("jump", ["none", "jump"])
def test_wrong_key(ssh_host: SshHost, transport: Open, tmp_path: Path, kind: str, jump: str) -> None:
    key = keygen(tmp_path / "other")
    ssh_host.alias("wrong", HostName=HOST, Port=ssh_host.port, ProxyJump=jump, IdentityFile=key)
    error = failure(transport("wrong", transport=kind))
    assert type(error) is AuthenticationError
    assert error.exit_code == 5
    for part in ("wrong", ssh_host.user, str(key), "publickey"):
        assert part in str(error)


@pytest.mark.parametrize("kind", SSH)
def test_refused_port(ssh_host: SshHost, transport: Open, kind: str) -> None:
    with socket.socket() as taken:
        # Bound but not listening: nobody else gets the port, and who connects is refused.
        taken.bind((HOST, 0))
        ssh_host.alias("shut", HostName=HOST, Port=taken.getsockname()[1])
        error = failure(transport("shut", transport=kind))
    assert type(error) is PortRefused
    assert error.exit_code == 4


@pytest.mark.parametrize("kind", SSH)
def test_refused_behind_the_jump_host(ssh_host: SshHost, transport: Open, kind: str) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        ssh_host.alias("shut", HostName=HOST, Port=taken.getsockname()[1], ProxyJump="jump")
        error = failure(transport("shut", transport=kind))
    assert isinstance(error, HostUnreachable)


@pytest.mark.parametrize("kind", SSH)
def test_refused_jump_host(ssh_host: SshHost, transport: Open, kind: str) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        ssh_host.alias("shut", HostName=HOST, Port=taken.getsockname()[1])
        ssh_host.alias("behind", HostName=HOST, Port=ssh_host.port, ProxyJump="shut")
        error = failure(transport("behind", transport=kind))
    assert type(error) is PortRefused


@pytest.mark.parametrize("kind", SSH)
def test_name_that_does_not_resolve(ssh_host: SshHost, transport: Open, kind: str) -> None:
    ssh_host.alias("nowhere", HostName="no-such-host.invalid")
    error = failure(transport("nowhere", transport=kind))
    assert type(error) is NameNotResolved
    assert "no-such-host.invalid" in str(error)


@pytest.mark.parametrize("kind", SSH)
def test_silence_is_unreachable(ssh_host: SshHost, transport: Open, kind: str) -> None:
    with socket.socket() as silent:
        silent.bind((HOST, 0))
        silent.listen()
        ssh_host.alias("mute", HostName=HOST, Port=silent.getsockname()[1])
        error = failure(transport("mute", transport=kind, connect_timeout=1))
    assert type(error) is HostUnreachable


@pytest.mark.parametrize("kind", SSH)
@pytest.mark.parametrize("jump", ["none", "jump"])
def test_unknown_host_key(ssh_host: SshHost, transport: Open, kind: str, jump: str) -> None:
    server = ssh_host.start(known=False)
    ssh_host.alias("new", HostName=HOST, Port=server.port, ProxyJump=jump)
    error = failure(transport("new", transport=kind))
    assert type(error) is HostKeyError
    assert error.exit_code == 5
    assert "ssh new" in str(error)


@pytest.mark.parametrize("kind", SSH)
@pytest.mark.parametrize("jump", ["none", "jump"])
def test_changed_host_key(ssh_host: SshHost, transport: Open, kind: str, jump: str) -> None:
    server = ssh_host.start(known=False)
    ssh_host.alias("changed", HostName=HOST, Port=server.port, ProxyJump=jump)
    line = len(ssh_host.known_hosts.read_text().splitlines()) + 1
    with ssh_host.known_hosts.open("a") as stream:
        # Another server's key under this one's name.
        stream.write(f"[{HOST}]:{server.port} {ssh_host.servers[0].public_keys[0]}\n")
    before = ssh_host.known_hosts.read_bytes()
    # Whatever the settings say, a changed key is refused, and nobody is asked.
    ask = Answers("yes", "yes")
    settings = {"ssh": {"strict_host_key_checking": False}} if kind == "paramiko" else {}
    error = failure(transport("changed", ask, transport=kind, **settings))
    assert type(error) is HostKeyError
    assert f"{ssh_host.known_hosts}:{line}" in str(error)
    assert f'ssh-keygen -f "{ssh_host.known_hosts}" -R "[{HOST}]:{server.port}"' in str(error)
    assert ask.asked == []
    assert ssh_host.known_hosts.read_bytes() == before


@pytest.mark.parametrize("answer", ["yes", "once", "no"])
def test_unknown_host_key_is_asked_about(ssh_host: SshHost, transport: Open, answer: str) -> None:
    server = ssh_host.start(known=False)
    ssh_host.alias("new", HostName=HOST, Port=server.port)
    before = ssh_host.known_hosts.read_text()
    ask = Answers("what?", answer)
    made = transport("new", ask, transport="paramiko")
    if answer == "no":
        assert type(failure(made)) is HostKeyError
    else:
        assert made.open("echo in").read(10) == b"in\n"
    assert "SHA256:" in ask.asked[0][0] and not ask.asked[0][1]
    added = ssh_host.known_hosts.read_text().removeprefix(before)
    assert added == (f"[{HOST}]:{server.port} {server.public_keys[0]}\n" if answer == "yes" else "")
    if answer == "yes":
        # OpenSSH agrees with what was written.
        assert transport("new", transport="openssh").open("echo in").read(10) == b"in\n"


@pytest.mark.parametrize("kind", SSH)
def test_accept_new(ssh_host: SshHost, transport: Open, kind: str) -> None:
    server = ssh_host.start(known=False)
    ssh_host.alias("new", HostName=HOST, Port=server.port)
    made = transport("new", transport=kind, ssh={"strict_host_key_checking": False})
    assert made.open("echo in").read(10) == b"in\n"
    assert f":{server.port}" in ssh_host.known_hosts.read_text()


def test_the_known_type_of_key_is_asked_for(ssh_host: SshHost, transport: Open) -> None:
    server = ssh_host.start(known=False)
    ssh_host.alias("typed", HostName=HOST, Port=server.port)
    with ssh_host.known_hosts.open("a") as stream:
        stream.write(f"[{HOST}]:{server.port} {server.public_keys[1]}\n")
    assert transport("typed", transport="paramiko").open("echo in").read(10) == b"in\n"


def test_revoked_host_key(ssh_host: SshHost, transport: Open) -> None:
    server = ssh_host.start()
    ssh_host.alias("revoked", HostName=HOST, Port=server.port)
    with ssh_host.known_hosts.open("a") as stream:
        # Both: ssh goes on with the other key where only one is revoked.
        stream.writelines(f"@revoked * {key}\n" for key in server.public_keys)
    for kind in SSH:
        error = failure(transport("revoked", transport=kind))
        assert type(error) is HostKeyError and "revoked" in str(error)


def test_passphrase_is_asked_for(ssh_host: SshHost, transport: Open, tmp_path: Path) -> None:
    key = keygen(tmp_path / "locked", passphrase="open sesame")
    authorized = ssh_host.folder / "authorized_keys"
    before = authorized.read_text()
    authorized.write_text(before + (tmp_path / "locked.pub").read_text())
    try:
        ask = Answers("wrong", "open sesame")
        ssh_host.alias("locked", HostName=HOST, Port=ssh_host.port, IdentityFile=key)
        made = transport("locked", ask, transport="paramiko")
        assert made.open("echo in").read(10) == b"in\n"
        assert [secret for _, secret in ask.asked] == [True, True]
        ssh_keys.forget()
        error = failure(transport("locked", transport="paramiko"))
        assert type(error) is AuthenticationError and "passphrase" in str(error)
    finally:
        ssh_keys.forget()
        authorized.write_text(before)


@pytest.mark.skipif(os.getuid() != 0, reason="needs root: it gives the test's user a password")
@pytest.mark.parametrize("method", ["PasswordAuthentication", "both"])
def test_password_is_asked_for(ssh_host: SshHost, transport: Open, tmp_path: Path, method: str) -> None:
    lines = ["PasswordAuthentication yes"]
    if method == "both":
        lines.append("AuthenticationMethods publickey,password")
    server = ssh_host.start(lines)
    key = ssh_host.key if method == "both" else keygen(tmp_path / "other")
    ssh_host.alias("asks", HostName=HOST, Port=server.port, IdentityFile=key)
    subprocess.run(["chpasswd"], input=f"{ssh_host.user}:pa55 w0rd\n", text=True, check=True)
    try:
        ask = Answers("wrong", "pa55 w0rd")
        made = transport("asks", ask, transport="paramiko")
        assert made.open("echo in").read(10) == b"in\n"
        assert all(secret for _, secret in ask.asked)
        error = failure(transport("asks", Answers("wrong"), transport="paramiko"))
        assert type(error) is AuthenticationError
        assert "wrong" not in str(error) and "password" in str(error)
    finally:
        subprocess.run(["usermod", "-p", "*", ssh_host.user], check=True)


def test_proxy_command(ssh_host: SshHost, transport: Open) -> None:
    ssh_host.alias(
        "proxied",
        HostName=HOST,
        Port=ssh_host.port,
        ProxyCommand=f"ssh -F {ssh_host.ssh_config} -W %h:%p jump",
    )
    for kind in SSH:
        assert transport("proxied", transport=kind).open("echo in").read(10) == b"in\n"
    ssh_host.alias("broken", HostName=HOST, ProxyCommand="sh -c 'echo no way through >&2; exit 3'")
    error = failure(transport("broken", transport="paramiko"))
    assert type(error) is HostUnreachable and "no way through" in str(error)


def test_jump_hosts_in_a_circle(ssh_host: SshHost, transport: Open) -> None:
    ssh_host.alias("ring1", HostName=HOST, Port=ssh_host.port, ProxyJump="ring2")
    ssh_host.alias("ring2", HostName=HOST, Port=ssh_host.port, ProxyJump="ring1")
    error = failure(transport("ring1", transport="paramiko"))
    assert isinstance(error, HostUnreachable) and "circle" in str(error)


def test_auto_says_why(ssh_host: SshHost, transport: Open, tmp_path: Path) -> None:
    made = transport("direct")
    assert made.name == "paramiko"
    key = keygen(tmp_path / "id")
    (tmp_path / "id.pub").write_text("sk-ssh-ed25519@openssh.com AAAA test\n")
    made = transport("direct", ssh_key=str(key))
    assert made.name == "openssh" and "security key" in made.reason


@pytest.mark.parametrize("kind", SSH)
def test_a_setting_of_the_entry_wins(ssh_host: SshHost, transport: Open, kind: str) -> None:
    ssh_host.alias("astray", HostName=HOST, Port=1, User="nobody-at-all")
    settings = {
        "port": ssh_host.port,
        "user": ssh_host.user,
        "ssh.cipher": "aes256-ctr",
        "ssh.compression": True,
    }
    assert (
        transport("astray", transport=kind, **settings).open("whoami").read(100).decode().strip()
        == ssh_host.user
    )


def test_new_keys_in_the_middle_of_a_stream(ssh_host: SshHost, transport: Open) -> None:
    server = ssh_host.start(["LogLevel DEBUG1", "RekeyLimit 1M"])
    ssh_host.alias("rekeying", HostName=HOST, Port=server.port, User=ssh_host.user)
    sent = random.Random(1).randbytes(6 << 20)
    command = f"head -c {len(sent)} > copy; cat copy; rm copy"
    channel = transport("rekeying", transport="paramiko").open(command)
    writer = threading.Thread(target=channel.write, args=(sent,))
    writer.start()
    got = read_all(channel)
    writer.join()
    assert got == sent
    assert server.log.count("aes128-gcm@openssh.com MAC: <implicit>") > 4


def test_chatty_shell_is_left_to_the_reader(ssh_host: SshHost, transport: Open) -> None:
    with ssh_host.bashrc("echo banner\n"):
        for kind in SSH:
            assert read_all(transport("direct", transport=kind).open("echo in")) == b"banner\nin\n"


def test_a_program_that_is_not_there(transport: Open) -> None:
    with pytest.raises(ConnectError, match="no-such-program"):
        transport("local", type="command", command=["no-such-program"]).open("true")


__all__ = ["transport"]
