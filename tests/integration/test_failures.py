"""What goes wrong on the way to a host: each its own class, its advice, its exit code; nothing stays."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hosts import Place, await_true
from sshd import SshHost, keygen

from jupyter_remote import errors
from jupyter_remote.agent.wire import MAGIC
from jupyter_remote.config import Config
from jupyter_remote.events import Event
from jupyter_remote.remote import Remote

MAIN = "import sys; from jupyter_remote.cli import main; sys.exit(main())"
SSH = pytest.mark.parametrize("transport", ["paramiko", "openssh"])
# A Python that says it is too old, whatever it really is: first on PATH, and it runs what it is given.
OLD_PYTHON = """#!/bin/sh
exec {python} -I -S -c 'import sys; sys.version_info = (3, 6, 9, "final", 0); code = sys.argv[4]
sys.argv[1:] = sys.argv[5:]; exec(code)' "$@"
"""


@contextlib.contextmanager
def open_remote(name: str, folder: Path, **options: object) -> Iterator[Remote]:
    """A client of its own; its workspace is empty unless the test fills it."""
    folder.mkdir(exist_ok=True)
    with Remote(Config.load(folder).host(name, options), folder) as remote:
        yield remote


def tool(*words: str) -> subprocess.CompletedProcess[str]:
    """The command line, with nobody to answer questions."""
    return subprocess.run(
        [sys.executable, "-c", MAIN, *words],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=90,
    )


def expect(
    ssh_host: SshHost, workspace: Path, name: str, cls: type[errors.RemoteError], **options: object
) -> str:
    """A cell fails with that class and leaves no process on the host; returns what the user reads."""
    with open_remote(name, workspace, **options) as remote, pytest.raises(cls) as caught:
        remote.run_cell("1")
    assert type(caught.value) is cls
    assert caught.value.hint
    await_true(lambda: not ssh_host.processes())
    return str(caught.value)


@SSH
def test_a_chatty_login_shell_does_no_harm(ssh_host: SshHost, tmp_path: Path, transport: str) -> None:
    noise = (
        "echo Welcome to the cluster; echo warning >&2; printf '%s' 'jupyter-remote no newline'; sleep 0.05\n"
    )
    with ssh_host.bashrc(noise), open_remote("direct", tmp_path / "w", transport=transport) as remote:
        seen: list[Event] = []
        remote.run_cell("print(2)", fresh=True).wait(seen.append).check()
        assert "".join(event.text for event in seen) == "2\n"


@SSH
def test_a_shell_that_ends_at_once_shows_what_it_said(
    ssh_host: SshHost, tmp_path: Path, transport: str
) -> None:
    with ssh_host.bashrc("echo Your account has expired; exit 1\n"):
        said = expect(ssh_host, tmp_path / "w", "direct", errors.ConnectError, transport=transport)
    assert "Your account has expired" in said


def path_with(ssh_host: SshHost, **programs: str) -> Path:
    """A folder for PATH: what a login needs, and these."""
    folder = ssh_host.new_home()
    for name in ("sh", "bash", "env"):
        (folder / name).symlink_to(shutil.which(name) or f"/bin/{name}")
    for name, text in programs.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


@SSH
@pytest.mark.parametrize("python", ["none", "old"])
def test_no_python_that_is_new_enough(ssh_host: SshHost, tmp_path: Path, transport: str, python: str) -> None:
    old = {"python3": OLD_PYTHON.format(python="/usr/bin/python3")} if python == "old" else {}
    server = ssh_host.start(env={"PATH": str(path_with(ssh_host, **old))})
    ssh_host.alias("bare", HostName=ssh_host.host, Port=server.port)
    said = expect(ssh_host, tmp_path / "w", "bare", errors.NoPython, transport=transport)
    assert "3.8" in said and ("3.6" in said or python == "none")
    done = tool("test", "bare")
    assert (done.returncode, "Traceback" in done.stderr) == (7, False)


def test_a_newer_python_beside_the_old_one_is_used(ssh_host: SshHost, tmp_path: Path) -> None:
    folder = path_with(ssh_host, python3=OLD_PYTHON.format(python="/usr/bin/python3"))
    (folder / "python3.11").symlink_to("/usr/bin/python3")
    server = ssh_host.start(env={"PATH": str(folder)})
    ssh_host.alias("mixed", HostName=ssh_host.host, Port=server.port)
    with open_remote("mixed", tmp_path / "w", python="/usr/bin/python3") as remote:
        assert remote.run_cell("1 + 1", fresh=True).wait().check().result == {"text/plain": "2"}


@SSH
def test_what_is_wrong_with_the_login(ssh_host: SshHost, tmp_path: Path, transport: str) -> None:
    with socket.socket() as closed:
        closed.bind((ssh_host.host, 0))
        ssh_host.alias("refused", HostName=ssh_host.host, Port=closed.getsockname()[1])
        ssh_host.alias("nowhere", HostName="no-such-machine.invalid")
        ssh_host.alias(
            "stranger", HostName=ssh_host.host, Port=ssh_host.port, IdentityFile=keygen(tmp_path / "id")
        )
        other = ssh_host.start(known=False)
        ssh_host.alias("changed", HostName=ssh_host.host, Port=other.port)
        key = ssh_host.servers[0].public_keys[0]
        with ssh_host.known_hosts.open("a") as file:
            file.write(f"[{ssh_host.host}]:{other.port} {key}\n")
        # ssh tries every IdentityFile of the configuration, and the good one comes from `Host *`.
        wrong = {"ssh_key": str(tmp_path / "id")} if transport == "paramiko" else {}
        cases: list[tuple[str, type[errors.RemoteError], int, dict[str, str]]] = [
            ("refused", errors.PortRefused, 4, {}),
            ("nowhere", errors.NameNotResolved, 4, {}),
            ("changed", errors.HostKeyError, 5, {}),
        ]
        if wrong:
            cases.append(("stranger", errors.AuthenticationError, 5, wrong))
        for name, cls, code, options in cases:
            expect(ssh_host, tmp_path / "w", name, cls, transport=transport, **options)
            if not options:
                done = tool("run", name, "--", "true")
                assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of that size; only root can make one."""
    if os.getuid() != 0:
        pytest.skip("only root can mount a small disk")
    owner = folder.stat().st_uid
    options = f"size={size},uid={owner},mode=755"
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True
    )
    if made.returncode:
        pytest.skip(f"no small disk can be mounted here: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@SSH
def test_a_full_disk_where_the_agent_goes(ssh_host: SshHost, tmp_path: Path, transport: str) -> None:
    with small_disk(ssh_host.new_home(), "64k") as home:
        server = ssh_host.start(env={"XDG_CACHE_HOME": str(home)})
        ssh_host.alias("full", HostName=ssh_host.host, Port=server.port)
        said = expect(ssh_host, tmp_path / "w", "full", errors.DiskFull, transport=transport)
        assert "No space left" in said or "no space" in said
        assert tool("test", "full").returncode == 6
        assert not [path for path in home.rglob("*") if path.is_file()]


def test_a_full_disk_where_the_workspace_goes(ssh_host: SshHost, tmp_path: Path) -> None:
    with (
        small_disk(ssh_host.new_home(), "1m") as disk,
        open_remote("direct", tmp_path, workspace=str(disk)) as remote,
    ):
        (tmp_path / "small.txt").write_text("small")
        remote.run_cell("1", fresh=True).wait().check()
        (tmp_path / "big.bin").write_bytes(os.urandom(2 << 20))
        with pytest.raises(errors.DiskFull, match=r"big\.bin"):
            remote.run_cell("1", fresh=True)
        assert (disk / "small.txt").read_text() == "small"
        (tmp_path / "big.bin").unlink()
        remote.run_cell("1", fresh=True).wait().check()
    await_true(lambda: not ssh_host.processes())


def test_a_disk_that_fills_while_a_cell_prints(ssh_host: SshHost, tmp_path: Path) -> None:
    with small_disk(ssh_host.new_home(), "2m") as disk:
        server = ssh_host.start(env={"JUPYTER_REMOTE_STATE": str(disk / "state")})
        ssh_host.alias("small", HostName=ssh_host.host, Port=server.port)
        with open_remote("small", tmp_path / "w") as remote:
            remote.run_cell("x = 1").wait().check()
            seen: list[Event] = []
            run = remote.run_cell("while True: print('x' * 99)").wait(seen.append)
            assert (run.state, "No space left" in (run.reason or "")) == ("stopped", True)
            missing = re.search(r"; (\d+) bytes of its output are missing$", run.reason or "")
            assert missing and int(missing[1]) > 0
            assert len("".join(event.text for event in seen)) > 1 << 20
            assert seen[-1].kind == "end"
            log = disk / "state" / "runs" / run.id / "output.log"
            assert "".join(event.text for event in seen) == log.read_text()
            log.unlink()
            assert remote.run_cell("2").wait().check().result == {"text/plain": "2"}
            remote.stop_sessions()
    await_true(lambda: not ssh_host.processes())


def test_a_log_without_room_for_its_end_keeps_nobody_waiting(ssh_host: SshHost, tmp_path: Path) -> None:
    with small_disk(ssh_host.new_home(), "2m") as disk:
        server = ssh_host.start(env={"JUPYTER_REMOTE_STATE": str(disk / "state")})
        ssh_host.alias("hogged", HostName=ssh_host.host, Port=server.port)
        with open_remote("hogged", tmp_path / "w") as remote:
            # What the supervisor gives back for the end of the log is taken at once by somebody else.
            hog = f"while :; do cat /dev/zero >> {disk}/hog; done 2>/dev/null"
            code = f"import subprocess\nsubprocess.Popen(['sh', '-c', {hog!r}])\nwhile True: print('x' * 99)"
            run = remote.run_cell(code).wait()
            assert run.state in ("stopped", "lost")
            (disk / "hog").unlink()
            assert remote.run_cell("2").wait().check().result == {"text/plain": "2"}
            remote.stop_sessions()
    await_true(lambda: not ssh_host.processes())


def test_another_version_is_named(local: Place, tmp_path: Path) -> None:
    agent = (
        "import sys; sys.path.insert(0, {root!r}); from jupyter_remote.agent import messages as m, wire;"
        "sys.stdout.buffer.write({magic!r} + wire.encode(0, m.Hello(99, '7.7')))"
    )
    root = str(Path(errors.__file__).parent.parent)
    code = agent.format(root=root, magic=MAGIC)
    options = {"type": "command", "command": [sys.executable, "-c", code, "--"], "hostname": None}
    says = pytest.raises(errors.ProtocolError, match=r"protocol 99 \(version 7\.7\)")
    with open_remote("local", tmp_path / "w", **options) as remote, says as caught:
        remote.run_cell("1")
    assert caught.value.exit_code == 4


def test_an_agent_that_talks_nonsense_is_a_protocol_error(tmp_path: Path) -> None:
    nonsense = f"import sys; sys.stdout.buffer.write({MAGIC!r} + b'x' * 100)"
    options = {"type": "command", "command": [sys.executable, "-c", nonsense, "--"]}
    with open_remote("local", tmp_path / "w", **options) as remote, pytest.raises(errors.ProtocolError):
        remote.run_cell("1")


def test_real_old_pythons(tmp_path: Path) -> None:
    """Where a real Python 3.6 or 3.7 is installed, it is turned away in its own words."""
    shim = shutil.which("python3")
    roots = [Path(shim).parent.parent / "versions"] if shim else []
    found = [path for root in roots for path in root.glob("3.[67].*/bin/python3")]
    for python in found:
        folder = tmp_path / python.parent.parent.name
        folder.mkdir()
        (folder / "python3").symlink_to(python)
        (folder / "sh").symlink_to("/bin/sh")
        options = {"type": "command", "command": ["/usr/bin/env", "-i", f"PATH={folder}"]}
        says = pytest.raises(errors.NoPython, match=f"found only Python {python.parent.parent.name[:3]}")
        with open_remote("local", tmp_path / "w", **options) as remote, says:
            remote.run_cell("1")
