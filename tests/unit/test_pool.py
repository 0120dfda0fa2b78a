"""The remotes of a process: the same one for the same settings, and another when these have changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import jupyter_remote
from jupyter_remote import pool
from jupyter_remote.errors import UnknownHost


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """`hosts.yaml` with the hosts a and b."""
    monkeypatch.setenv("JUPYTER_REMOTE_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("JUPYTER_REMOTE_SSH_CONFIG", str(tmp_path / "ssh_config"))
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "hosts.yaml"
    file.write_text("hosts:\n  a: {type: local}\n  b: {type: local}\n")
    yield file


def test_one_or_all_at_once_are_the_same_remotes(hosts: Path) -> None:
    both = pool.connect_all(["b", "a"])
    assert [remote.host.name for remote in both] == ["b", "a"]
    assert [jupyter_remote.connect("b"), jupyter_remote.connect("a")] == both
    assert pool.connect_all(["a"]) == both[1:]


def test_changed_settings_make_another_remote_and_old_ones_the_old_one(hosts: Path) -> None:
    before = hosts.read_text()
    old = jupyter_remote.connect("a")
    hosts.write_text(before.replace("a: {type: local}", "a: {type: local, python: python3.12}"))
    new = jupyter_remote.connect("a")
    assert new is not old
    assert (new.host.python, jupyter_remote.connect("a")) == ("python3.12", new)
    hosts.write_text(before)
    assert jupyter_remote.connect("a") is old


def test_one_that_was_closed_is_not_given_out_again(hosts: Path) -> None:
    first = jupyter_remote.connect("a")
    assert jupyter_remote.connect("a", python="python3.12") is not first
    first.close()
    assert pool.connect_all(["a"]) != [first]


def test_an_alias_that_is_gone_is_not_known_any_more(hosts: Path) -> None:
    ssh = hosts.with_name("ssh_config")
    ssh.write_text("Host lab\n  HostName 127.0.0.1\n")
    assert pool.connect_all(["lab"])[0].host.name == "lab"
    ssh.write_text("Host other\n  HostName 127.0.0.1\n")
    with pytest.raises(UnknownHost):
        pool.connect_all(["lab"])


def test_so_is_one_of_a_file_that_only_our_settings_name(hosts: Path) -> None:
    own = hosts.with_name("own_config")
    hosts.write_text(f"defaults: {{ssh: {{config_file: {own}}}}}\n")
    own.write_text("Host lab\n  HostName 127.0.0.1\n")
    assert pool.connect_all(["lab"])[0].host.name == "lab"
    own.write_text("Host other\n  HostName 127.0.0.1\n")
    with pytest.raises(UnknownHost):
        pool.connect_all(["lab"])
