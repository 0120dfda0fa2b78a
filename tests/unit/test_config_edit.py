"""`set` and `remove`: the value changes, everything else in the file stays byte for byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jupyter_remote.config import Config
from jupyter_remote.config_edit import remove_host, set_host
from jupyter_remote.config_file import parse
from jupyter_remote.errors import ConfigError, UnknownHost

FILE = """\
# top comment
defaults: {connect_timeout: 30}   # d

hosts:
  # the first
  a:
    hostname: x.y   # trailing
    env_setup: |
      one
      two

    # before user
    user: bob
    sync:
      pull:
        - "r/**"
        - b
  # about b
  b: {type: ssh, user: x}
  c:
  # tail comment

groups:
  g: [a, b]   # gg
  h:
    - a
archives: {}
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUPYTER_REMOTE_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("JUPYTER_REMOTE_SSH_CONFIG", str(tmp_path / "no_ssh_config"))
    path = tmp_path / "hosts.yaml"
    path.write_text(FILE)
    return path


def changed(before: str, after: str) -> tuple[list[str], list[str]]:
    """Lines that went and lines that came."""
    old, new = before.splitlines(), after.splitlines()
    return [line for line in old if line not in new], [line for line in new if line not in old]


@pytest.mark.parametrize(
    ("name", "values", "gone", "come"),
    [
        ("a", {"hostname": "zz"}, ["    hostname: x.y   # trailing"], ["    hostname: zz   # trailing"]),
        ("a", {"port": "22"}, [], ["    port: 22"]),
        ("a", {"env_setup": "new"}, ["    env_setup: |", "      one", "      two"], ["    env_setup: new"]),
        ("a", {"sync.pull": "[x]"}, ["      pull:", '        - "r/**"', "        - b"], ["      pull: [x]"]),
        ("a", {"sync.exclude": '["data/"]'}, [], ["      exclude: [data/]"]),
        ("a", {"ssh.compression": "yes"}, [], ["    ssh:", "      compression: true"]),
        ("a", {"env.A": "1, b: #c"}, [], ["    env:", '      A: "1, b: #c"']),
        ("a", {"user": None}, ["    user: bob"], []),
        (
            "a",
            {"sync.pull": None},
            ["    sync:", "      pull:", '        - "r/**"', "        - b"],
            ["    sync: {}"],
        ),
        ("b", {"user": "y"}, ["  b: {type: ssh, user: x}"], ["  b: {type: ssh, user: y}"]),
        ("b", {"type": None}, ["  b: {type: ssh, user: x}"], ["  b: {user: x}"]),
        (
            "b",
            {"ssh.keepalive": "10"},
            ["  b: {type: ssh, user: x}"],
            ["  b: {type: ssh, user: x, ssh: {keepalive: 10}}"],
        ),
        ("c", {"user": "q"}, [], ["    user: q"]),
        ("d", {"user": "q"}, [], ["  d:", "    user: q"]),
        ("d", {}, [], ["  d: {}"]),
        ("d", {"env_setup": "one\ntwo\n"}, [], ["  d:"]),
    ],
)
def test_only_the_value_changes(
    file: Path, name: str, values: dict[str, Any], gone: list[str], come: list[str]
) -> None:
    set_host(name, values)
    # `env_setup` of a new host repeats lines that are there already.
    assert changed(FILE, file.read_text()) == (gone, come)
    Config.load().host(name)


def test_values_are_what_was_set(file: Path) -> None:
    set_host(
        "n", {"port": "2200", "user": "1e3", "env.X": "null", "env_setup": "a: b # c\nd\n", "python": "~/py"}
    )
    host = Config.load().host("n")
    assert (host.port, host.user, host.env["X"], host.env_setup) == (2200, "1e3", "null", "a: b # c\nd\n")
    assert host.python == "~/py"
    set_host("n", {"facts": {"gpu": "NVIDIA, GH 200", "n": 1}, "connect_timeout": 5})
    assert Config.load().host("n").facts == {"gpu": "NVIDIA, GH 200", "n": 1}


def test_a_new_file_is_for_its_owner_only(file: Path) -> None:
    file.unlink()
    set_host("a", {"user": "me"})
    assert file.read_text() == "hosts:\n  a:\n    user: me\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["hosts.yaml"]


def test_mode_link_newlines_and_bom_stay(file: Path, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.yaml"
    real.write_bytes(b"\xef\xbb\xbfhosts:\r\n  a:\r\n    user: x # me\r\n")
    real.chmod(0o640)
    file.unlink()
    file.symlink_to(real)
    set_host("a", {"user": "y", "port": "1"})
    assert real.read_bytes() == b"\xef\xbb\xbfhosts:\r\n  a:\r\n    user: y # me\r\n    port: 1\r\n"
    assert real.stat().st_mode & 0o777 == 0o640
    assert file.is_symlink()


@pytest.mark.parametrize(
    "text", ["", "# only this\n", "hosts:\n", "hosts: {}\n", "groups: {}", "hosts: {x: {}}\n", "{}"]
)
def test_a_host_can_be_added_to_any_layout(file: Path, text: str) -> None:
    file.write_text(text)
    set_host("new", {"user": "me"})
    assert Config.load().host("new").user == "me"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"prot": "1"}, "prot: unknown key; did you mean `port`?"),
        ({"ssh.chiper": "x"}, "ssh.chiper: unknown key; did you mean `cipher`?"),
        ({"port": "abc"}, "port: found `abc`; valid is a whole number"),
        ({"port": "[1"}, "port: found `[1`, which is no valid YAML"),
        ({"password": "x"}, "never stored"),
        ({"prot": None}, "prot: unknown key"),
        ({"name": "x"}, "name: unknown key"),
    ],
)
def test_what_is_not_valid_changes_nothing(file: Path, values: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        set_host("a", values)
    assert expected in str(caught.value)
    assert file.read_text() == FILE


def test_a_file_that_is_wrong_already_is_not_touched(file: Path) -> None:
    file.write_text("hosts: {a: {prot: 1}}\n")
    with pytest.raises(ConfigError, match="prot"):
        set_host("a", {"user": "x"})
    assert file.read_text() == "hosts: {a: {prot: 1}}\n"


def test_remove_takes_the_entry_and_the_memberships(file: Path) -> None:
    assert remove_host("a") == ["g", "h"]
    text = file.read_text()
    assert "x.y" not in text
    for comment in ("# top comment", "# d", "# the first", "# about b", "# tail comment", "# gg"):
        assert comment in text
    assert Config.load().groups == {"g": ("b",), "h": ()}
    assert remove_host("b") == ["g"]
    remove_host("c")
    assert Config.load().names() == ["local"]
    assert "# about b" in file.read_text()


def test_remove_of_an_unknown_host(file: Path) -> None:
    with pytest.raises(UnknownHost, match="has no entry `zz` under `hosts:`; it has: a, b, c"):
        remove_host("zz")
    assert file.read_text() == FILE


TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n\t #:,[]{}'\"&*!|>%@`")
)


@settings(deadline=None, max_examples=50)
@example(value="-", other="")
@example(value="", other="\n")
@given(value=TEXTS, other=TEXTS)
def test_any_text_survives(tmp_path_factory: pytest.TempPathFactory, value: str, other: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(FILE)
    for name in ("a", "b", "c", "new"):
        set_host(name, {"env.X": value, "env_setup": other}, path=path)
        set_host(name, {"env.Y": other, "env_setup": value}, path=path)
        entry = parse(path.read_text(), path).data["hosts"][name]
        assert entry["env"] == {"X": value, "Y": other}
        assert entry["env_setup"] == value
