"""`ssh-setup` without a host: what its targets mean, the key pair, what the answers of the script mean."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from jupyter_remote.config import Config
from jupyter_remote.errors import ConfigError, LaunchError, UsageError
from jupyter_remote.hosts import authorize, keypair
from jupyter_remote.hosts.ssh_setup import Target, targets


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, with one alias, one host and one that isn't reached by ssh."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("JUPYTER_REMOTE_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("JUPYTER_REMOTE_SSH_CONFIG", str(tmp_path / "ssh_config"))
    (tmp_path / "ssh_config").write_text("Host l1\n  HostName real.example\n  User me\n  Port 2222\n")
    (tmp_path / "config").mkdir()
    hosts = {
        "dgx01": {"hostname": "gpu-server-01", "user": "them"},
        "pod": {"type": "command", "command": ["x"]},
    }
    (tmp_path / "config" / "hosts.yaml").write_text(json.dumps({"hosts": hosts}))
    return tmp_path


def found(*words: str, user: str | None = None) -> list[Target]:
    return targets(words, user, Config.load())


@pytest.mark.parametrize(
    ("text", "name", "address", "settings"),
    [
        ("l1", "l1", "me@real.example:2222", {}),
        ("you@l1:22", "l1", "you@real.example:22", {"user": "you", "port": 22}),
        ("dgx01", "dgx01", "them@gpu-server-01:22", {}),
        ("me@new.example", "new.example", "me@new.example:22", {"user": "me"}),
        ("me@10.0.0.5:2200", "10.0.0.5", "me@10.0.0.5:2200", {"user": "me", "port": 2200}),
        ("ssh://me@new.example:2200/", "new.example", "me@new.example:2200", {"user": "me", "port": 2200}),
        (
            "me@[fe80::1]:2200",
            "fe80--1",
            "me@fe80::1:2200",
            {"hostname": "fe80::1", "user": "me", "port": 2200},
        ),
    ],
)
def test_one_target(text: str, name: str, address: str, settings: dict[str, object]) -> None:
    (target,) = found(text)
    assert (target.name, target.address, dict(target.settings)) == (name, address, settings)


def test_several_targets() -> None:
    names = [target.name for target in found("l1, dgx01", "dgx01", "me@h:1,me@h:2")]
    assert names == ["l1", "dgx01", "h-1", "h-2"]
    (first, *_, last) = found("l1,h:1,h:2", user="all")
    assert first.address == "all@real.example:2222" and last.address == "all@h:2"
    assert last.settings["hostname"] == "h"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([""], "no target named"),
        (["me@"], "is no target"),
        (["-oProxyCommand=x"], "is no target"),
        (["h:99999"], "is no port"),
        (["a b"], "is no target"),
        (["me@h,you@h"], "named twice"),
        (["pod"], "not by ssh"),
        (["local"], "not by ssh"),
    ],
)
def test_what_is_no_target(words: list[str], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        found(*words)


# The key pair.


def keygen(path: Path, passphrase: str = "") -> None:
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "me", "-f", str(path)]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)


def test_a_key_that_is_made(own: Path) -> None:
    assert keypair.find(None) is None
    path = keypair.where_new(None)
    assert path == own / ".ssh" / "id_ed25519"
    before = os.umask(0)
    try:
        made = keypair.make(path)
    finally:
        os.umask(before)
    assert made.made and made.public.startswith("ssh-ed25519 AAAA")
    modes = [one.stat().st_mode & 0o777 for one in (path.parent, path, path.with_name("id_ed25519.pub"))]
    assert modes == [0o700, 0o600, 0o644]
    again = keypair.find(None)
    assert again is not None and (again.public, again.made) == (made.public, False)
    # ssh-keygen reads it, and says the same.
    argv = ["ssh-keygen", "-y", "-f", str(path)]
    derived = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    assert " ".join(derived.split()[:2]) == made.body
    with pytest.raises(ConfigError, match="File exists"):
        keypair.make(path)


def test_the_public_half_may_be_named_or_be_missing(own: Path) -> None:
    keygen(own / "mine")
    public = (own / "mine.pub").read_text().strip()
    pair = keypair.find(str(own / "mine.pub"))
    assert pair is not None and (pair.private, pair.public) == (own / "mine", public)
    (own / "mine.pub").unlink()
    pair = keypair.find(str(own / "mine"))
    assert pair is not None and pair.body == " ".join(public.split()[:2])


def test_keys_that_can_not_be_used(own: Path) -> None:
    keygen(own / "locked", "open sesame")
    (own / "locked.pub").unlink()
    with pytest.raises(ConfigError, match="needs its passphrase"):
        keypair.find(str(own / "locked"))
    (own / "text").write_text("no key\n")
    with pytest.raises(ConfigError, match="no private key"):
        keypair.find(str(own / "text"))
    (own / "text.pub").write_text("no key\n")
    with pytest.raises(ConfigError, match="no public key"):
        keypair.find(str(own / "text"))
    (own / "file").touch()
    with pytest.raises(ConfigError, match="can't be written"):
        keypair.make(own / "file" / "id")


# What the script says.


@pytest.mark.parametrize(
    ("printed", "told"),
    [
        ("", "runs no command"),
        ("Welcome\nThis account is for git only.\n", "it said: Welcome"),
        ("jr-ssh-setup begin\n", "stopped in the middle: gone"),
        ("jr-ssh-setup begin\njr-ssh-setup fail folder mkdir: x: Read-only file system\n", "read-only"),
        ("jr-ssh-setup begin\njr-ssh-setup fail write sh: x: No space left on device\n", "no space left"),
        ("jr-ssh-setup begin\njr-ssh-setup fail write cat: Disk quota exceeded\n", "no space left"),
        ("jr-ssh-setup begin\njr-ssh-setup fail folder Permission denied\n", "may not write"),
        ("jr-ssh-setup begin\njr-ssh-setup fail home there is no home folder /x\n", "there is no home"),
    ],
)
def test_what_went_wrong(printed: str, told: str) -> None:
    with pytest.raises(LaunchError, match=told) as caught:
        authorize.read("h", printed, "gone\n", "ssh-ed25519 AAAA me")
    assert caught.value.exit_code == 7


def test_what_went_well() -> None:
    printed = (
        "noise\njr-ssh-setup begin\njr-ssh-setup warn others can write\nnoise\njr-ssh-setup done added\n"
    )
    assert authorize.ended(printed) and not authorize.ended(printed[:-8])
    done = authorize.read("h", printed, "", "")
    assert done.added and done.warnings == ("others can write\nnoise",)


def test_the_script_is_plain_sh(own: Path) -> None:
    """Run by each shell that is here, twice: the second time the key is there."""
    for shell in ("sh", "bash", "dash"):
        home = own / shell
        home.mkdir()
        line = "ssh-ed25519 AAAA+/= it's me"
        for expected in ("added", "present"):
            done = subprocess.run(
                [shell, "-s"],
                input=authorize.script(line, "ssh-ed25519 AAAA+/="),
                env={"HOME": str(home), "PATH": os.environ["PATH"]},
                capture_output=True,
                check=True,
            )
            assert f"done {expected}" in done.stdout.decode() and done.stderr == b""
        assert (home / ".ssh" / "authorized_keys").read_text() == line + "\n"
