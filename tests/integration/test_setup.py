"""`setup` and `doctor` on hosts as people have them: good ones, and each kind of bad one with its remedy."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hosts import await_true
from recorded_hosts import A10, A100_MIG, BROKEN, H100
from sshd import SshHost, keygen
from test_failures import OLD_PYTHON, path_with, small_disk, tool

from jupyter_remote import errors
from jupyter_remote.config import Config, config_dir
from jupyter_remote.hosts import checks
from jupyter_remote.hosts.examination import Examination, examine
from jupyter_remote.hosts.findings import Finding
from jupyter_remote.hosts.setup import prepare, read_target, save

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def nothing_left(ssh_host: SshHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A project and a configuration of its own; no process stays on the host, and no file of a probe."""
    monkeypatch.setenv("JUPYTER_REMOTE_CONFIG_DIR", str(tmp_path / "config"))
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "hosts.yaml").write_text("# mine\ndefaults: {reach: []}\n")
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    yield
    await_true(lambda: not ssh_host.processes())
    assert not list(ssh_host.home.glob(".jupyter-remote-*"))


def look(name: str, **options: Any) -> Examination:
    """What comes of looking at a host, with the given settings."""
    host = Config.load(Path.cwd()).host(name, options)
    return examine(host, "~/jupyter-remote/project", patience=10)


def findings(found: Examination) -> dict[str, Finding]:
    return {check.name: finding for check, finding in checks.examine(found.facts)}


def server(ssh_host: SshHost, name: str, *lines: str, home: Path | None = None, **env: str) -> None:
    """An alias of a server of its own."""
    started = ssh_host.start(lines, env=env, home=home)
    ssh_host.alias(name, HostName=ssh_host.host, Port=started.port)


def problem(name: str, **options: Any) -> errors.RemoteError:
    found = look(name, **options)
    assert found.problem is not None
    assert found.problem.hint
    return found.problem


def test_from_an_address_to_a_host_that_runs_a_cell(ssh_host: SshHost) -> None:
    target = f"{ssh_host.user}@{ssh_host.host}:{ssh_host.port}"
    done = tool("setup", target, "--name", "dgx01", "--ssh-key", str(ssh_host.key), "--group", "gpus")
    assert done.returncode == 0, done.stderr
    assert "Saved in" in done.stdout and "%%remote dgx01" in done.stdout
    text = (config_dir() / "hosts.yaml").read_text()
    assert text.startswith("# mine\n")
    host = Config.load(Path.cwd()).host("dgx01")
    assert (host.hostname, host.user, host.port) == (ssh_host.host, ssh_host.user, ssh_host.port)
    assert host.facts["cpu_count"] == os.cpu_count()
    assert Config.load(Path.cwd()).groups["gpus"] == ("dgx01",)
    run = tool("run", "@gpus", "--quiet", "--no-sync", "--", "echo", "works")
    assert (run.returncode, "works" in run.stdout) == (0, True)

    # Set up again it is the same entry; what changes is its facts.
    again = tool("setup", "@gpus", "--json", "--group", "gpus")
    (document,) = json.loads(again.stdout)
    assert (document["host"], document["ok"], again.returncode) == ("dgx01", True, 0)
    assert (config_dir() / "hosts.yaml").read_text() == text


def test_an_alias_is_saved_with_its_facts_alone(ssh_host: SshHost) -> None:
    here = Path.cwd()
    target = read_target("l1", Config.load(here))
    assert (target.name, target.values) == ("l1", {})
    save(prepare(target, here), None)
    entry = (config_dir() / "hosts.yaml").read_text()
    assert "l1:\n    facts:\n" in entry and "hostname" not in entry


def test_many_hosts_and_one_of_them_bad(ssh_host: SshHost, tmp_path: Path) -> None:
    ssh_host.alias("stranger", HostName=ssh_host.host, Port=ssh_host.port, User="nobody-of-that-name")
    done = tool("setup", "direct", "stranger", "l1")
    assert done.returncode == 5
    assert "stranger was not saved" in done.stderr
    known = Config.load(Path.cwd())
    assert "direct" in known.where("direct") or known.where("direct").endswith(".yaml:4")
    assert known.where("stranger") == "ssh config"
    assert {line.split()[0] for line in done.stdout.splitlines() if line.strip()} >= {"HOST", "direct", "l1"}


def test_a_fresh_user_with_nothing(ssh_host: SshHost) -> None:
    server(ssh_host, "fresh", home=ssh_host.new_home())
    found = look("fresh")
    assert found.problem is None
    seen = findings(found)
    assert {name for name, finding in seen.items() if finding.state == "failed"} <= {"Slurm", "PBS"}
    assert seen["leftovers"].text.startswith("0 live sessions")
    assert seen["workspace"].text.endswith("(made with the first sync)")


@pytest.mark.parametrize("why", ["no permission to write", "it is read-only"])
def test_a_home_that_cannot_be_written(ssh_host: SshHost, why: str) -> None:
    with contextlib.ExitStack() as ends:
        home = ssh_host.new_home()
        if why == "it is read-only":
            ends.enter_context(small_disk(home, "4m"))
            subprocess.run(["mount", "-o", "remount,ro", home], check=True)
        else:
            home.chmod(0o555)
        server(ssh_host, "closed", home=home, TMPDIR=str(ssh_host.new_home()))
        found = look("closed")
    assert found.problem is None
    seen = findings(found)
    assert (seen["home"].state, seen["workspace"].state, seen["state"].state) == (
        "failed",
        "failed",
        "warning",
    )
    assert why in seen["home"].text and why in seen["workspace"].text
    assert "JUPYTER_REMOTE_STATE" in seen["home"].remedy
    assert "jupyter remote set closed workspace=" in seen["workspace"].remedy


def old_python(ssh_host: SshHost, name: str, home: Path | None = None) -> Path:
    folder = path_with(ssh_host, python3=OLD_PYTHON.format(python="/usr/bin/python3"))
    for program in ("df", "tail", "dirname"):
        (folder / program).symlink_to(shutil.which(program) or program)
    server(ssh_host, name, home=home, PATH=str(folder))
    return folder


def test_python_3_6_only(ssh_host: SshHost) -> None:
    folder = old_python(ssh_host, "old")
    # What a real 3.6 says of itself, without being one: the script asks with -c alone.
    (folder / "python3").write_text(
        '#!/bin/sh\n[ "$1$2" = -S-c ] && { echo 3.6.9; exit; }\n' + (folder / "python3").read_text()
    )
    error = problem("old")
    assert isinstance(error, errors.NoPython)
    assert "3.6.9" in error.hint and "uv" in error.hint


@pytest.mark.parametrize("on_path", ["old", "none"])
def test_a_python_outside_the_path_is_taken_and_saved(ssh_host: SshHost, on_path: str) -> None:
    home = ssh_host.new_home()
    (home / "miniforge3" / "bin").mkdir(parents=True)
    (home / "miniforge3" / "bin" / "python3").symlink_to("/usr/bin/python3")
    folder = old_python(ssh_host, "conda", home=home)
    if on_path == "none":
        (folder / "python3").unlink()
    here = Path.cwd()
    prepared = prepare(read_target("conda", Config.load(here)), here)
    assert prepared.examination.problem is None
    save(prepared, None)
    assert Config.load(here).host("conda").python == f"{home}/miniforge3/bin/python3"
    run = tool("run", "conda", "--quiet", "--no-sync", "--", "sh", "-c", "echo works")
    assert (run.returncode, run.stdout) == (0, "works\n"), run.stderr


def test_a_restricted_shell(ssh_host: SshHost) -> None:
    server(ssh_host, "restricted", 'ForceCommand exec /bin/bash -r -c "$SSH_ORIGINAL_COMMAND"')
    error = problem("restricted")
    assert isinstance(error, errors.LaunchError)
    assert "restricted" in error.message


def test_an_account_for_files_only(ssh_host: SshHost) -> None:
    server(ssh_host, "files", "ForceCommand internal-sftp")
    host = Config.load(Path.cwd()).host("files")
    found = examine(host, "~/x", patience=1.0)
    assert isinstance(found.problem, errors.LaunchError)
    assert "file transfer only" in found.problem.message and "internal-sftp" in found.problem.hint


def test_a_login_file_that_waits_for_ever(ssh_host: SshHost) -> None:
    with ssh_host.bashrc("read -r answer\n"):
        found = examine(Config.load(Path.cwd()).host("direct"), "~/x", patience=0.5)
    assert isinstance(found.problem, errors.LaunchError)
    assert "login file" in found.problem.hint


@pytest.mark.parametrize("transport", ["paramiko", "openssh"])
def test_an_account_that_is_closed(ssh_host: SshHost, transport: str) -> None:
    server(ssh_host, "closed", "ForceCommand /usr/sbin/nologin")
    error = problem("closed", transport=transport)
    assert isinstance(error, errors.LaunchError)
    assert "not available" in error.message and "login shell" in error.hint


def test_a_chatty_bashrc(ssh_host: SshHost) -> None:
    with ssh_host.bashrc("echo Welcome to the cluster; echo warning: quota >&2\n"):
        seen = findings(look("direct"))
    assert seen["shell noise"].state == "warning"
    assert "Welcome to the cluster" in seen["shell noise"].text
    assert ".bashrc" in seen["shell noise"].remedy


def test_tmp_noexec(ssh_host: SshHost) -> None:
    with small_disk(ssh_host.new_home(), "4m") as disk:
        subprocess.run(["mount", "-o", "remount,noexec", disk], check=True)
        server(ssh_host, "noexec", TMPDIR=str(disk))
        seen = findings(look("noexec"))
    assert seen["tmp"].state == "warning"
    assert "noexec" in seen["tmp"].text and "env.TMPDIR=" in seen["tmp"].remedy


def test_a_full_disk(ssh_host: SshHost) -> None:
    with small_disk(ssh_host.new_home(), "64k") as home:
        (home / "hog").write_bytes(bytes(60 << 10))
        server(ssh_host, "full", XDG_CACHE_HOME=str(home))
        error = problem("full")
    assert isinstance(error, errors.DiskFull)
    assert "KiB free" in error.hint


def test_a_hung_driver_hangs_nobody_else(ssh_host: SshHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_remote.hosts.probing.SECONDS", 1.5)
    folder = ssh_host.new_home()
    # It takes no notice of being asked to end, and leaves a child that holds its output.
    (folder / "nvidia-smi").write_text("#!/bin/sh\ntrap '' TERM INT\nsleep 600 & wait\n")
    (folder / "quota").write_text("#!/bin/sh\nexec sleep 600\n")
    for program in folder.iterdir():
        program.chmod(0o755)
    server(ssh_host, "hung", PATH=f"{folder}:/usr/bin:/bin")
    seen = findings(look("hung"))
    assert (seen["GPU"].state, seen["GPU"].text) == ("failed", "nvidia-smi hangs")
    assert seen["quota"].state == "warning"
    assert seen["home"].state in ("ok", "warning")


@pytest.mark.parametrize(
    ("card", "text"),
    [
        (A10, "1 × NVIDIA A10, 22.5 GiB"),
        (A100_MIG, "1 × NVIDIA A100-SXM4-80GB, 80.0 GiB"),
        (H100, "8 × NVIDIA H100 80GB HBM3, 79.6 GiB each"),
        (BROKEN, "no NVIDIA driver runs"),
    ],
    ids=["A10", "A100 MIG", "H100", "no driver"],
)
def test_programs_on_the_path_that_answer_as_cards_do(
    ssh_host: SshHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, card: dict[str, Any], text: str
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, answer in card.items():
        (folder / name).write_text(answer["output"])
    status = card["nvidia"]["status"]
    (folder / "nvidia-smi").write_text(
        '#!/bin/sh\ncase "$1" in --query*) n=nvidia_query;; -L) n=nvidia_list;; *) n=nvidia;; esac\n'
        f'cat "{folder}/$n"; exit {status}\n'
    )
    (folder / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    seen = findings(look("local"))
    assert text in seen["GPU"].text
    assert ("3g.40gb" in seen["MIG"].text) == (card is A100_MIG)


def test_doctor_explains_what_cannot_be_reached(ssh_host: SshHost, tmp_path: Path) -> None:
    key = keygen(tmp_path / "id_open")
    key.chmod(0o644)
    ssh_host.alias("refused", HostName=ssh_host.host, Port=1, IdentityFile=key)
    done = tool("doctor", "refused", "--json")
    (document,) = json.loads(done.stdout)
    assert (done.returncode, document["ok"], document["error"]["kind"]) == (4, False, "PortRefused")
    seen = {one["check"]: one for one in document["checks"]}
    assert seen["port"]["state"] == "failed" and "nothing listens" in seen["port"]["found"]
    assert seen["keys"]["state"] == "failed" and f"chmod 600 {key}" in seen["keys"]["remedy"]
    assert seen["name"]["state"] == "ok"
    assert seen["home"]["state"] == "not applicable"


def test_doctor_of_a_good_host_and_a_changed_key(ssh_host: SshHost) -> None:
    other = ssh_host.start(known=False)
    ssh_host.alias("changed", HostName=ssh_host.host, Port=other.port)
    key = ssh_host.servers[0].public_keys[0]
    with ssh_host.known_hosts.open("a") as file:
        file.write(f"[{ssh_host.host}]:{other.port} {key}\n")
    done = tool("doctor", "direct", "changed")
    assert done.returncode in (1, 5)
    assert "ssh-keygen -f" in done.stdout
    assert "✓ host key" in done.stdout and "✗ host key" in done.stdout
    assert "Traceback" not in done.stderr


def test_proxies_lose_their_passwords_on_the_host(ssh_host: SshHost) -> None:
    server(ssh_host, "proxied", https_proxy="http://me:hunter2@proxy:3128", CUDA_VISIBLE_DEVICES="")
    found = look("proxied")
    assert findings(found)["proxy"].text == "https_proxy=http://proxy:3128"
    assert "hunter2" not in json.dumps(dict(found.facts.answer))
