"""`jupyter remote …` as a process: exit codes, stdout and stderr, as far as no host is needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_remote.agent.version import PROTOCOL, VERSION

HOSTS = """\
# kept as it is
defaults: {connect_timeout: 5}
hosts:
  dgx01:
    hostname: gpu-server-01.example.org
    user: me
    port: 2222
    env: {A: "1"}
  build: {type: command, command: [docker, exec, -i, build]}
groups:
  gpus: [dgx01]
archives:
  lab: {type: folder, path: /data/runs}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "hosts.yaml").write_text(HOSTS, encoding="utf-8")
    return folder


def remote(config: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "import sys; from jupyter_remote.cli import main; sys.exit(main())", *words],
        cwd=config.parent,
        env={**os.environ, "JUPYTER_REMOTE_CONFIG_DIR": str(config), "PYTHONIOENCODING": "utf-8", **env},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["lst"], 2, "error: unknown command lst of jupyter remote; did you mean list? Valid: list, test"),
        (["list", "--jsn"], 2, "error: unknown option --jsn of jupyter remote list; did you mean --json?"),
        (["run"], 2, "error: no host named. Valid: dgx01, build, local"),
        (["run", "dgx01"], 2, "error: nothing to run on dgx01"),
        (["run", "dgx01", "--timeout", "soon", "--", "true"], 2, "'soon' is not a duration"),
        (["sync", "dgx01,build"], 2, "this takes one"),
        (["show", "dgx1"], 3, "error: there is no host `dgx1`; did you mean `dgx01`?"),
        (["test", "nowhere"], 3, "error: there is no host `nowhere`"),
        (["set", "dgx01", "port=abc"], 3, "port: found `abc`; valid is a whole number"),
        (["set", "dgx01", "password=x"], 3, "secrets are never stored"),
        (["remove", "nowhere"], 3, "no entry `nowhere`"),
    ],
)
def test_a_wrong_call_has_its_exit_code_and_one_line(
    config: Path, words: list[str], code: int, says: str
) -> None:
    done = remote(config, *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert says in done.stderr
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert (config / "hosts.yaml").read_text(encoding="utf-8") == HOSTS


def test_debugging_shows_the_traceback(config: Path) -> None:
    done = remote(config, "lst", JUPYTER_REMOTE_DEBUG="1")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_a_broken_file_is_a_configuration_error(config: Path) -> None:
    (config / "hosts.yaml").write_text("hosts:\n  dgx01: {prot: 22}\n", encoding="utf-8")
    done = remote(config, "list")
    assert done.returncode == 3
    assert (
        f"error: {config / 'hosts.yaml'}:2: hosts.dgx01.prot: unknown key; did you mean `port`?"
        in done.stderr
    )


def test_the_list_in_both_forms(config: Path) -> None:
    table = remote(config, "list").stdout.splitlines()
    assert table[0].split() == ["HOST", "TYPE", "ADDRESS", "DEFINED", "IN"]
    assert table[1].split() == [
        "dgx01",
        "ssh",
        "me@gpu-server-01.example.org:2222",
        f"{config / 'hosts.yaml'}:4",
    ]
    facts = json.loads(remote(config, "list", "--json").stdout)
    assert [host["name"] for host in facts["hosts"]] == ["dgx01", "build", "local"]
    assert facts["groups"] == {"gpus": ["dgx01"]}
    assert facts["archives"]["lab"]["type"] == "folder"


def test_one_bad_entry_does_not_hide_the_others(config: Path) -> None:
    (config / "hosts.yaml").write_text("hosts:\n  a: {type: command}\n  b: {}\n", encoding="utf-8")
    done = remote(config, "list", "--json")
    first, second, _ = json.loads(done.stdout)["hosts"]
    assert "needs" in first["error"]
    assert second["type"] == "ssh"


def test_a_narrow_terminal_cuts_nothing(config: Path) -> None:
    narrow = remote(config, "show", "dgx01", COLUMNS="20")
    assert "gpu-server-01.example.org" in narrow.stdout
    assert "\x1b" not in narrow.stdout


def test_settings_say_where_they_come_from(config: Path) -> None:
    settings = json.loads(remote(config, "show", "dgx01", "--json").stdout)["settings"]
    assert settings["port"] == {"value": 2222, "source": f"{config / 'hosts.yaml'}:7"}
    assert settings["connect_timeout"] == {"value": 5.0, "source": f"{config / 'hosts.yaml'}:2"}
    assert settings["python"]["source"] == "default"


def test_settings_are_changed_and_removed(config: Path) -> None:
    done = remote(config, "set", "dgx02", "hostname=h2", "slurm.partition=gpu", "env.B=2")
    assert (done.returncode, done.stderr) == (0, "")
    assert "dgx02: hostname, slurm.partition, env.B set in" in done.stdout
    settings = json.loads(remote(config, "show", "dgx02", "--json").stdout)["settings"]
    assert [settings[key]["value"] for key in ("hostname", "slurm.partition", "env.B")] == ["h2", "gpu", "2"]
    done = remote(config, "remove", "dgx01")
    assert done.stdout == f"dgx01: removed from {config / 'hosts.yaml'}, and from @gpus\n"
    assert "# kept as it is" in (config / "hosts.yaml").read_text(encoding="utf-8")


def test_the_version_of_every_part(config: Path) -> None:
    facts = json.loads(remote(config, "version", "--json").stdout)
    assert (facts["jupyter_remote"], facts["protocol"], facts["agent"]) == (VERSION, PROTOCOL, VERSION)
    assert VERSION in remote(config, "version").stdout


def test_help_is_no_error(config: Path) -> None:
    for words in ([], ["--help"], ["run", "--help"]):
        done = remote(config, *words)
        assert (done.returncode, done.stderr) == (0, "")
        assert "Usage: jupyter remote" in done.stdout
    assert remote(config, "--help").stdout.index("list") < remote(config, "--help").stdout.index("test")


def test_a_reader_that_leaves_is_no_traceback(config: Path) -> None:
    code = "import sys; from jupyter_remote.cli import main; sys.exit(main(['list', '--json']))"
    read, write = os.pipe()
    os.close(read)
    env = {**os.environ, "JUPYTER_REMOTE_CONFIG_DIR": str(config)}
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=write, stderr=subprocess.PIPE, env=env, timeout=60
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")
