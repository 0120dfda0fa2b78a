"""`ssh-setup` over real sshds that want a password: what is on the hosts, here and on the screen then."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from hosts import PATIENCE_S
from sshd import HOST, SshHost, keygen
from terminal import talk
from test_fronts_local import MAIN, Kernel, kernel, workspace
from test_input import Asked

from jupyter_remote.config import Config

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.getuid() != 0, reason="needs root: it gives the test's user a password"),
]

PASSWORD = "c4n4ry-pa55 w0rd"


@dataclass
class Setting:
    """Hosts that take a password, and a user here who has no key yet."""

    ssh: SshHost
    home: Path
    env: dict[str, str]
    homes: dict[str, Path] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)

    def host(self, name: str, *lines: str) -> Path:
        """Another host; returns the user's home there."""
        home = self.ssh.new_home()
        server = self.ssh.start(
            [
                *lines,
                "PasswordAuthentication yes",
                f"AuthorizedKeysFile {home}/.ssh/authorized_keys",
            ],
            home=home,
        )
        self.ssh.alias(name, HostName=HOST, Port=server.port, IdentityFile="~/.ssh/id_ed25519")
        self.homes[name], self.ports[name] = home, server.port
        return home

    def run(self, *words: str, answers: list[tuple[str, str]] | None = None) -> tuple[int, str]:
        argv = [sys.executable, "-c", MAIN, "ssh-setup", *words]
        return talk(argv, answers or [], self.env)

    def key(self, name: str) -> list[str]:
        return (self.homes[name] / ".ssh" / "authorized_keys").read_text().splitlines()


@pytest.fixture
def setting(ssh_host: SshHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Setting]:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("JUPYTER_REMOTE_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.chdir(home)
    subprocess.run(["chpasswd"], input=f"{ssh_host.user}:{PASSWORD}\n", text=True, check=True)
    yield Setting(ssh_host, home, {"HOME": str(home)})
    subprocess.run(["usermod", "-p", "*", ssh_host.user], check=True)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_three_hosts_one_password_one_prompt(setting: Setting, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        setting.host(name)
    (setting.homes["b"] / ".ssh").mkdir(mode=0o777)
    (setting.homes["b"] / ".ssh").chmod(0o777)
    before = setting.homes["b"] / ".ssh" / "authorized_keys"
    before.write_text("# mine\nssh-ed25519 AAAA an older one")  # without an end of line
    before.chmod(0o644)
    for path in (before, before.parent):
        os.chown(path, setting.ssh.uid, -1)
    asked = [("a, b, c take the same password? It is sent to each of them. yes / no: ", "yes")]
    asked.append(("Password of all 3 hosts: ", PASSWORD))
    code, shown = setting.run("a,b,c", answers=asked)
    assert code == 0 and "3/3 configured" in shown
    assert PASSWORD not in shown
    private = setting.home / ".ssh" / "id_ed25519"
    assert (mode(private.parent), mode(private)) == (0o700, 0o600)
    public = private.with_name("id_ed25519.pub").read_text().strip()
    assert setting.key("a") == setting.key("c") == [public]
    assert setting.key("b") == ["# mine", "ssh-ed25519 AAAA an older one", public]
    for home in setting.homes.values():
        assert (mode(home / ".ssh"), mode(home / ".ssh" / "authorized_keys")) == (0o700, 0o600)
        assert (home / ".ssh" / "authorized_keys").stat().st_uid == setting.ssh.uid
        assert [path.name for path in (home / ".ssh").iterdir()] == ["authorized_keys"]
    # Saved, and used from now on without a word.
    assert set(Config.load().names()) >= {"a", "b", "c"}
    code, shown = setting.run("a,b", "c", "--json")
    facts = json.loads(shown)
    assert (code, facts["configured"], facts["total"]) == (0, 3, 3)
    assert [host["already"] for host in facts["hosts"]] == [True] * 3
    assert len(setting.key("a")) == 1


def test_different_passwords_are_asked_for_each(setting: Setting) -> None:
    setting.host("a")
    setting.host("b")
    answers = [("yes / no: ", "no"), ("Password of ", "wrong"), ("Password of ", PASSWORD)]
    # One of the two is asked again: which of them comes first is not known.
    answers += [("Password of ", PASSWORD)]
    code, shown = setting.run("a,b", answers=answers)
    assert code == 0 and "2/2 configured" in shown


def test_a_host_that_fails_stops_no_other(setting: Setting) -> None:
    setting.host("a")
    setting.host("shut", "PasswordAuthentication no")
    setting.ssh.alias("gone", HostName="no-such-host.invalid")
    code, shown = setting.run("a,shut,gone", answers=[("yes / no: ", "yes"), ("hosts: ", PASSWORD)])
    assert code == 5  # the first failure's
    assert "1/3 configured" in shown
    assert "the host allows: publickey" in shown and "Add this line to ~/.ssh/authorized_keys" in shown
    assert "no-such-host.invalid" in shown
    assert set(Config.load().names()) == {"a", "local"}


def test_a_wrong_password_is_asked_again_and_a_cancelled_one_is_told(setting: Setting) -> None:
    setting.host("a")
    code, shown = setting.run("a", answers=[("Password of ", "wrong"), ("Password of ", "\x04")])
    assert code == 5 and "cancelled at the question" in shown and "0/1 configured" in shown
    assert not (setting.homes["a"] / ".ssh").exists()


def test_user_port_and_key_of_ones_own(setting: Setting) -> None:
    setting.host("a")
    port = setting.ports["a"]
    key = setting.home / "keys" / "mine"
    words = [f"{HOST}:{port}", "--user", setting.ssh.user, "--ssh-key", str(key)]
    code, shown = setting.run(*words, answers=[("Password of ", PASSWORD)])
    assert code == 0, shown
    assert mode(key) == 0o600 and mode(key.parent) == 0o700
    host = Config.load().host(HOST)
    assert (host.user, host.port, host.ssh_key) == (setting.ssh.user, port, str(key))
    assert f"ssh_key: {key}" in shown


def test_in_a_notebook(setting: Setting, kernel: Kernel) -> None:
    setting.host("a")
    front = Asked(kernel)
    front.run(f"import os; os.environ['HOME'] = {str(setting.home)!r}")
    answer, asked = front.ask("%remote ssh-setup a", PASSWORD)
    assert [one["password"] for one in asked] == [True]
    assert "1/1 configured" in front.text(answer, "stdout")


def test_nobody_to_ask_is_told_what_to_do(setting: Setting, kernel: Kernel) -> None:
    setting.host("a")
    front = Asked(kernel)
    front.run(f"import os; os.environ['HOME'] = {str(setting.home)!r}")
    answer, _ = front.ask("%remote ssh-setup a", allow=False)
    said = front.text(answer, "stdout")
    assert "0/1 configured" in said and "Password of" in said and "nobody can be asked" in said


def test_an_encrypted_key_is_unlocked_once(setting: Setting) -> None:
    setting.host("a")
    key = keygen(setting.home / "locked", passphrase="open sesame")
    answers = [(f"Passphrase of {key}: ", "open sesame"), ("Password of ", PASSWORD)]
    code, shown = setting.run("a", "--ssh-key", str(key), answers=answers)
    assert code == 0, shown
    assert shown.count("Passphrase") == 1


def test_dry_run_connects_to_nobody_and_writes_nothing(setting: Setting) -> None:
    setting.ssh.alias("gone", HostName="no-such-host.invalid")
    code, shown = setting.run("me@gone:2222", "--dry-run")
    assert code == 0
    assert "would make the key" in shown and "me@no-such-host.invalid:2222" in shown
    assert list(setting.home.iterdir()) == []


def read_only(home: Path, uid: int) -> None:
    home.chmod(0o555)
    os.chown(home, 0, -1)


def foreign(home: Path, uid: int) -> None:
    (home / ".ssh").mkdir(mode=0o755)


def a_folder(home: Path, uid: int) -> None:
    (home / ".ssh" / "authorized_keys").mkdir(parents=True)
    for path in (home / ".ssh", home / ".ssh" / "authorized_keys"):
        os.chown(path, uid, -1)


@pytest.mark.parametrize(
    ("make", "lines", "told"),
    [
        (read_only, [], "may not write there"),
        (foreign, [], "belongs to root, not to this user"),
        (a_folder, [], "is no file"),
        (None, ["ForceCommand echo This account only shows the weather."], "only shows the weather"),
        (None, ["ForceCommand /usr/sbin/nologin"], "runs no command for this user"),
    ],
)
def test_what_can_not_be_done_is_explained(
    setting: Setting, make: Callable[[Path, int], None] | None, lines: list[str], told: str
) -> None:
    home = setting.host("a", *lines)
    if make is not None:
        make(home, setting.ssh.uid)
    code, shown = setting.run("a", answers=[("Password of ", PASSWORD)])
    assert code == 7 and told in " ".join(shown.split())
    assert "authorized_keys there" in " ".join(shown.split())


def test_a_full_disk_leaves_the_old_file_whole(setting: Setting) -> None:
    home = setting.host("a")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k,mode=755", "tmpfs", str(home)], check=True)
    try:
        folder = home / ".ssh"
        folder.mkdir()
        (folder / "authorized_keys").write_text("ssh-ed25519 AAAA older\n")
        with (folder / "filler").open("wb", buffering=0) as stream, contextlib.suppress(OSError):
            while True:
                stream.write(b"x" * 4096)
        for path in (home, folder, folder / "authorized_keys"):
            os.chown(path, setting.ssh.uid, -1)
        code, shown = setting.run("a", answers=[("Password of ", PASSWORD)])
        assert code == 7 and "no space left" in " ".join(shown.split())
        assert setting.key("a") == ["ssh-ed25519 AAAA older"]
        assert {path.name for path in folder.iterdir()} == {"authorized_keys", "filler"}
    finally:
        subprocess.run(["umount", str(home)], check=True)


def test_a_home_that_others_can_write_to_is_told(setting: Setting) -> None:
    home = setting.host("a", "StrictModes yes")
    home.chmod(0o775)
    code, shown = setting.run("a", answers=[("Password of ", PASSWORD)])
    assert code == 5
    assert "not let in by it" in " ".join(shown.split()) and f"chmod go-w {home}" in shown


def test_a_chatty_shell_and_a_linked_file(setting: Setting) -> None:
    home = setting.host("a")
    (home / ".bashrc").write_text("echo welcome\n")
    (home / "dot").mkdir()
    (home / "dot" / "keys").write_text("ssh-ed25519 AAAA older\n")
    (home / ".ssh").mkdir()
    (home / ".ssh" / "authorized_keys").symlink_to("../dot/keys")
    for path in (home / "dot", home / "dot" / "keys", home / ".ssh"):
        os.chown(path, setting.ssh.uid, -1)
    code, shown = setting.run("a", answers=[("Password of ", PASSWORD)])
    assert code == 0, shown
    assert (home / ".ssh" / "authorized_keys").is_symlink() and len(setting.key("a")) == 2


def test_no_password_in_arguments_or_environments(setting: Setting) -> None:
    """Looked at while the host is held back, when the answer has been given."""
    home = setting.host("a")
    go = home / "go"
    (home / ".bashrc").write_text(f"touch {home}/waits; while [ ! -e {go} ]; do sleep 0.02; done\n")
    seen: list[str] = []

    def look() -> None:
        for process in psutil.process_iter():
            try:
                seen.append(" ".join(process.cmdline()))
                seen.append(str(process.environ()) if process.pid != os.getpid() else "")
            except psutil.Error:
                continue
        go.touch()

    def wait() -> None:
        while not (home / "waits").exists():
            threading.Event().wait(0.02)
        look()

    watcher = threading.Thread(target=wait)
    watcher.start()
    code, shown = setting.run("a", answers=[("Password of ", PASSWORD)])
    watcher.join(PATIENCE_S)
    assert code == 0, shown
    assert seen and not any(PASSWORD in text for text in seen)


__all__ = ["kernel", "workspace"]
