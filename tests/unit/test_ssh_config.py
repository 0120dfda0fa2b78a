"""The user's ssh configuration: its names, and what connecting to one takes."""

from __future__ import annotations

import getpass
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_remote.config_models import HostConfig
from jupyter_remote.errors import ConfigError
from jupyter_remote.hosts import names, ssh_config
from jupyter_remote.hosts.ssh_config import resolve

Write = Callable[..., None]

# Both readers of the configuration have to say the same.
READERS = ["ssh -G", "paramiko"]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    monkeypatch.setenv("JUPYTER_REMOTE_SSH_CONFIG", str(tmp_path / "config"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)

    def write(text: str, name: str = "config") -> None:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    write("")
    return write


@pytest.fixture(params=READERS)
def reader(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "paramiko":
        monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    elif shutil.which("ssh") is None:
        pytest.skip("`ssh` is not installed")
    return str(request.param)


def host(**settings: Any) -> HostConfig:
    return HostConfig.model_validate({"name": "h", **settings})


def test_names_of_all_that_can_be_connected_to(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_REMOTE_CONFIG_DIR", str(tmp_path))
    write("hosts: {box: {}, one: {}}\n", "hosts.yaml")
    write("hosts: {ours: {hostname: one}}\n", "project/.jupyter-remote.yaml")
    write("Host one two\n")
    assert names(tmp_path) == ["box", "one", "local", "two"]
    assert names(tmp_path / "project") == ["box", "one", "ours", "local", "two"]


def test_names(write: Write, tmp_path: Path) -> None:
    write(
        f"Host one two\n  Include {tmp_path}/more-*\nHost gpu-* !gpu-9\nHost *\n  User x\n"
        'Host=equal "quo ted"\n\tHost\ttabbed # why\nMatch originalhost m1,m2 user x\nMatch all\n'
    )
    write("Host included\n", "more-a")
    assert ssh_config.aliases() == ["one", "two", "included", "equal", "quo ted", "tabbed", "m1", "m2"]
    for name in ("one", "ONE", "included", "gpu-1", "m2", "tabbed"):
        assert ssh_config.is_alias(name), name
    for name in ("gpu-9", "gpu", "three", "*", ""):
        assert not ssh_config.is_alias(name), name
    write("Host later\n", "more-b")
    assert ssh_config.is_alias("later")


def test_a_missing_file_has_no_names(write: Write, tmp_path: Path) -> None:
    (tmp_path / "config").unlink()
    assert ssh_config.aliases() == []


def test_includes_in_a_circle_end(write: Write, tmp_path: Path) -> None:
    write(f"Host one\nInclude {tmp_path}/config\n")
    assert ssh_config.aliases() == ["one"]


def test_settings(write: Write, tmp_path: Path, reader: str) -> None:
    write(
        f"Host l1\n  Include {tmp_path}/inner\n  User me\n  ProxyJump a,b@c:22\n"
        "Host *\n  IdentitiesOnly yes\n  ServerAliveInterval 7\n  ConnectTimeout 9\n"
    )
    write(
        "HostName real.example\nPort 2222\nIdentityFile /k/one\nIdentityFile /k/%r_%h\nHostKeyAlias alias\n"
        "UserKnownHostsFile /k/h1 /k/h2\nStrictHostKeyChecking accept-new\n"
        "ForwardAgent yes\nCompression yes\n",
        "inner",
    )
    found = resolve("l1")
    assert found.source == reader
    assert (found.hostname, found.user, found.port) == ("real.example", "me", 2222)
    assert found.identity_files == (Path("/k/one"), Path("/k/me_real.example"))
    assert found.identities_only and found.forward_agent and found.compression
    assert found.proxy_jump == ("a", "b@c:22")
    assert found.user_known_hosts == (Path("/k/h1"), Path("/k/h2"))
    assert found.strict_host_key_checking == "accept-new"
    assert found.host_key_alias == "alias"
    assert (found.keepalive, found.connect_timeout) == (7, 9)
    other = resolve("other")
    assert (other.hostname, other.user, other.port) == ("other", getpass.getuser(), 22)
    assert other.proxy_jump == () and other.strict_host_key_checking == "ask"


def test_the_entry_wins(write: Write, reader: str) -> None:
    write("Host h\n  User them\n  Port 1\n  IdentityFile /k/theirs\n  Compression yes\n")
    ssh = {"strict_host_key_checking": False, "compression": False, "keepalive": 0, "cipher": "aes256-ctr"}
    found = resolve("h", host=host(user="me", port=5, ssh_key="/k/mine", connect_timeout=3, ssh=ssh))
    assert (found.user, found.port, found.identity_files[0]) == ("me", 5, Path("/k/mine"))
    assert found.strict_host_key_checking == "accept-new"
    assert not found.compression
    assert (found.keepalive, found.connect_timeout, found.ciphers) == (0, 3, ("aes256-ctr",))


def test_the_default_timeout_gives_way_to_the_configuration(write: Write, reader: str) -> None:
    write("Host h\n  ConnectTimeout 4\n")
    assert resolve("h", host=host()).connect_timeout == 4
    assert resolve("other", host=host()).connect_timeout == 30


def test_a_proxy_command_is_expanded(write: Write, reader: str) -> None:
    write("Host h\n  HostName real\n  ProxyCommand nc -x %% %h %p\nHost n\n  ProxyCommand none\n")
    assert resolve("h").proxy_command == "nc -x % real 22"
    assert resolve("n").proxy_command is None


def test_a_file_of_its_own(write: Write, tmp_path: Path, reader: str) -> None:
    write("Host h\n  User other\n", "own")
    assert resolve("h", host=host(ssh={"config_file": str(tmp_path / "own")})).user == "other"


def test_a_change_is_seen(write: Write) -> None:
    write("Host h\n  User one\n")
    assert resolve("h").user == "one"
    write("Host h\n  User other\n")
    assert resolve("h").user == "other"


@pytest.mark.skipif(shutil.which("ssh") is None, reason="`ssh` is not installed")
def test_a_wrong_configuration_is_named(write: Write, tmp_path: Path) -> None:
    write("Host h\n  NoSuchOption 1\n")
    with pytest.raises(ConfigError, match=f"(?s){tmp_path}/config.*line 2.*nosuchoption"):
        resolve("h")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("IdentityFile {d}/fido", "security key"),
        ("IdentityFile {d}/plain", None),
        ("IdentityFile {d}/plain\nIdentityFile {d}/fido", "security key"),
        ("PKCS11Provider /lib/p11.so", "smart card"),
        ("ControlPath {d}/plain", "ControlPath"),
        ("ControlPath {d}/not-there", None),
        ("ProxyUseFdpass yes", "ProxyUseFdpass"),
        ("GSSAPIAuthentication yes\nIdentityFile {d}/plain", None),
        ("GSSAPIAuthentication yes\nIdentityFile {d}/not-there", "Kerberos"),
    ],
)
def test_what_only_openssh_can_do(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, reason: str | None
) -> None:
    monkeypatch.setenv("KRB5CCNAME", "FILE:/tmp/ticket")
    write("key", "plain")
    write("ssh-ed25519 AAAA", "plain.pub")
    write("key", "fido")
    write("sk-ssh-ed25519@openssh.com AAAA", "fido.pub")
    write("Host h\n" + line.format(d=tmp_path) + "\nHost *\n  IdentityFile /none\n")
    found = resolve("h").needs_openssh
    assert found is None if reason is None else found is not None and reason in found
    assert ssh_config.openssh_reason(host()) == (found if shutil.which("ssh") else None)


def test_a_cipher_that_paramiko_lacks(write: Write) -> None:
    if shutil.which("ssh") is None:
        pytest.skip("`ssh` is not installed")
    reason = ssh_config.openssh_reason(host(ssh={"cipher": "chacha20-poly1305@openssh.com"}))
    assert reason is not None and "chacha20" in reason


def test_paths_with_spaces() -> None:
    text = r"C:\Users\First Last\.ssh\known_hosts C:\Users\First Last\.ssh\known_hosts2"
    assert len(ssh_config._paths(text)) == 2
