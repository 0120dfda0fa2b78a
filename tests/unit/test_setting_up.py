"""What `setup` makes of what was typed, what it writes, and what plain sh says of a host."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from jupyter_remote import boot, errors
from jupyter_remote.config import Config
from jupyter_remote.config_save import save_entries, save_host
from jupyter_remote.hosts import shell_probe
from jupyter_remote.hosts.examination import explain
from jupyter_remote.hosts.setup import read_target
from jupyter_remote.many import at_once

HOSTS = """\
hosts:
  dgx01:
    hostname: gpu-server-01.example.org   # the new one
    user: me
  other: {hostname: other.example.org, port: 2222}
groups:
  gpus: [dgx01]
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUPYTER_REMOTE_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("JUPYTER_REMOTE_SSH_CONFIG", str(tmp_path / "ssh_config"))
    (tmp_path / "ssh_config").write_text("Host l1\n  HostName login.example.org\n")
    (tmp_path / "hosts.yaml").write_text(HOSTS)
    return tmp_path / "hosts.yaml"


@pytest.mark.parametrize(
    ("text", "name", "wanted", "values"),
    [
        ("me@new.example.org", None, "new", {"hostname": "new.example.org", "user": "me"}),
        ("me@new.example.org:2200", "n", "n", {"hostname": "new.example.org", "user": "me", "port": 2200}),
        ("ssh://me@new.example.org:22/", "n", "n", {"hostname": "new.example.org", "user": "me", "port": 22}),
        ("10.1.2.3", None, "10.1.2.3", {"hostname": "10.1.2.3"}),
        ("me@[fe80::1]:2200", "six", "six", {"hostname": "fe80::1", "user": "me", "port": 2200}),
        ("l1", None, "l1", {}),
        ("l1", "login", "login", {"hostname": "l1"}),
        ("you@l1", None, "l1", {"user": "you"}),
        ("dgx01", None, "dgx01", {}),
        ("gpu-server-01.example.org", None, "dgx01", {}),
        ("me@gpu-server-01.example.org", "dgx01", "dgx01", {"user": "me"}),
        ("me@other.example.org", None, "other.example.org", {"hostname": "other.example.org", "user": "me"}),
    ],
)
def test_what_a_target_means(
    config: Path, text: str, name: str | None, wanted: str, values: dict[str, Any]
) -> None:
    target = read_target(text, Config.load(), name)
    assert (target.name, target.values) == (wanted, values)
    assert target.host.name == wanted


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("me@", errors.UsageError, "no host"),
        ("a b", errors.UsageError, "no host"),
        ("fe80::1", errors.UsageError, "no host"),
        ("me@[fe80::1]", errors.UsageError, "--name"),
        ("-oProxyCommand=x", errors.ConfigError, "hostname"),
        ("me@host:99999", errors.ConfigError, "port"),
    ],
)
def test_what_is_no_target(config: Path, text: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        read_target(text, Config.load(), "n" if error is errors.ConfigError else None)
    with pytest.raises(errors.UsageError, match="no file"):
        read_target("new", Config.load(), ssh_key="~/.ssh/not-there")


def test_a_host_is_saved_and_all_else_stays(config: Path) -> None:
    save_host(
        "dgx01", {"user": "you"}, {"gpu_count": 8, "python_version": "3.10", "containers": ["docker"]}, "gpus"
    )
    save_host("new", {"hostname": "new.example.org"}, {"system": "a: b #c"}, "gpus")
    text = config.read_text()
    assert "# the new one" in text
    found = Config.load()
    assert found.host("dgx01").facts == {"gpu_count": 8, "python_version": "3.10", "containers": ["docker"]}
    assert found.host("dgx01").user == "you"
    assert found.host("new").facts == {"system": "a: b #c"}
    assert found.groups["gpus"] == ("dgx01", "new")
    assert found.host("other").port == 2222

    # What is no longer so goes; what says the same is left as it was typed.
    save_host("dgx01", {}, {"gpu_count": 4}, "gpus")
    assert Config.load().host("dgx01").facts == {"gpu_count": 4}
    before = config.read_text()
    save_host("dgx01", {"user": "you"}, {"gpu_count": 4}, "gpus")
    assert config.read_text() == before
    with pytest.raises(errors.ConfigError):
        save_host("bad name", {}, {})
    assert config.read_text() == before


def test_whole_entries_take_the_place_of_others(config: Path) -> None:
    save_entries(
        {"other": {"hostname": "x", "pbs.queue": "q"}, "empty": {}}, {"lab": {"type": "s3", "bucket": "b"}}
    )
    found = Config.load()
    assert (found.host("other").hostname, found.host("other").port) == ("x", None)
    assert found.host("other").pbs.queue == "q"
    assert found.archives["lab"].bucket == "b"
    assert "empty" in found.names()


def test_a_group_that_names_nobody_says_so(config: Path) -> None:
    config.write_text(HOSTS.replace("[dgx01]", "[dgx01, dgx1]"))
    with pytest.raises(
        errors.ConfigError, match=r"hosts\.yaml:7: groups\.gpus\[1\]: there is no host `dgx1`; did you"
    ):
        Config.load()


def test_sh_finds_pythons_wherever_people_put_them(tmp_path: Path) -> None:
    places = ["bin", "miniforge3/bin", ".pyenv/versions/3.9.1/bin", ".local/share/uv/python/cpython-3.12/bin"]
    for number, place in enumerate(places):
        folder = tmp_path / "a home" / place
        folder.mkdir(parents=True)
        (folder / "python3").write_text(f"#!/bin/sh\necho 3.{8 + number}.1\n")
        (folder / "python3").chmod(0o755)
    broken = tmp_path / "a home" / "bin" / "python3.10"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    env = {"HOME": str(tmp_path / "a home"), "PATH": f"{tmp_path}/a home/bin:/nowhere"}
    done = subprocess.run(
        ["/bin/sh", "-c", shell_probe.FIND_PYTHONS], env=env, capture_output=True, text=True
    )
    home = tmp_path / "a home"
    found = [(version, path) for version, path in shell_probe.parse(done.stdout).pythons if str(home) in path]
    assert found == [(f"3.{8 + n}.1", f"{home}/{places[n]}/python3") for n in (3, 2, 1, 0)]
    assert done.stderr == ""


def test_the_scripts_can_be_handed_on_by_any_login_shell() -> None:
    assert "'" not in shell_probe.FIND_PYTHONS + shell_probe.SEE_PATH


def test_what_sh_says_among_what_others_say() -> None:
    text = "Welcome!\n@@shell 42\n@@program uv /usr/bin/uv\n@@free 12 /home/me\n@@free x /y\n"
    text += "@@unwritable /home/me\n@@python 3.6.9 /p\n@@python 3.12.1 /q\n@@modules /lmod\n@@program\n"
    found = shell_probe.parse(text)
    assert (found.works, found.said, found.free) == (True, "Welcome!", {"/home/me": 12})
    assert found.pythons == [("3.12.1", "/q"), ("3.6.9", "/p")]
    same = ["/usr/bin/python3.11", "/bin/python3", "/usr/bin/python3", "/opt/conda/bin/python3"]
    assert shell_probe.newest_first([("3.11.2", path) for path in same]) == [
        ("3.11.2", "/opt/conda/bin/python3"),
        ("3.11.2", "/usr/bin/python3"),
    ]
    assert (found.modules, found.unwritable, found.programs["uv"]) == ("/lmod", ["/home/me"], "/usr/bin/uv")


def test_the_remedy_for_an_old_python_is_one_that_the_host_has(config: Path) -> None:
    host = Config.load().host("dgx01")

    def hint(**known: Any) -> str:
        return explain(errors.NoPython("x", host="dgx01"), shell_probe.ShellFacts(True, **known), host).hint

    assert "set dgx01 python=/opt/py" in hint(pythons=[("3.12.1", "/opt/py")])
    assert "uv python install" in hint(programs={"uv": "/u"}, pythons=[("3.6.9", "/p")])
    assert "3.6.9 (/p)" in hint(pythons=[("3.6.9", "/p")])
    assert "conda create" in hint(programs={"conda": "/c"})
    assert "module avail" in hint(modules="/lmod")
    assert "needs no root" in hint()


def test_the_python_of_the_settings_is_a_last_resort() -> None:
    assert "/opt/py/bin/python3" in boot.command(None, "/opt/py/bin/python3")
    for setting in ("python3", "/opt/my py", "/opt/$(id)", "env:train", "~you/x"):
        assert boot.command(None, setting) == boot.command(None)


def test_who_may_be_asked_is_asked_in_this_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_remote.transports.prompt.can_ask", lambda: True)
    tried: list[tuple[str, bool]] = []

    def work(host: str) -> str:
        here = threading.current_thread() is threading.main_thread()
        tried.append((host, here))
        if host == "asks" and not here:
            raise errors.AuthenticationError("needs a password", host=host)
        if host == "bad":
            raise errors.PortRefused("no", host=host)
        return host.upper()

    good, asks, bad = at_once(["good", "asks", "bad"], work)
    assert (good, asks, type(bad)) == ("GOOD", "ASKS", errors.PortRefused)
    assert sorted(tried) == [("asks", False), ("asks", True), ("bad", False), ("good", False)]

    # `setup` and `doctor` raise nothing, but tell of the error.
    tried.clear()
    refused = errors.HostKeyError("unknown")
    at_once(["x", "y"], lambda host: tried.append((host, True)), lambda answer: refused)
    assert sorted(tried) == [("x", True)] * 2 + [("y", True)] * 2


def test_many_are_asked_at_the_same_time() -> None:
    meeting = threading.Barrier(20, timeout=30)
    assert at_once(range(20), lambda number: meeting.wait() is not None) == [True] * 20
