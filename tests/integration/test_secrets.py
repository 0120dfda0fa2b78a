"""No password, code, passphrase or `--pass-env` value anywhere: each is a canary that is looked for."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from sshd import HOST, SshHost, keygen
from test_fronts_local import kernel, workspace
from test_input import Asked, front
from test_second_factor import PASSWORD, SSH, Answers, code, two

import jupyter_remote
from jupyter_remote.errors import RemoteError
from jupyter_remote.transports import ssh_keys

PASSPHRASE = "c4n4ry-open-sesame"
VALUE = "c4n4ry-value-of-a-variable"
# Where this test itself keeps them.
OWN = ("test_secrets.py", "test_second_factor.py", ".pyc")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.getuid() != 0, reason="needs root: it makes a PAM service"),
]


def places(host: SshHost, *more: Path) -> Iterator[Path]:
    """Every file that we, a host or a library may have written."""
    roots = [
        host.folder,
        *more,
        Path(os.environ["HOME"]).parent,
        *Path(tempfile.gettempdir()).glob("jr-ask-*"),
    ]
    for root in roots:
        for path in [root, *root.rglob("*")] if root.is_dir() else [root]:
            if path.is_file() and not path.is_symlink() and not path.name.endswith(OWN):
                yield path


def found_in_files(canaries: list[str], files: Iterator[Path]) -> list[str]:
    found = []
    for path in files:
        with contextlib.suppress(OSError):
            content = path.read_bytes()
            found += [f"{canary!r} in {path}" for canary in canaries if canary.encode() in content]
    return found


def found_in_processes(canaries: list[str], *, of_ours: set[int]) -> list[str]:
    """What `ps` shows of every process, and the variables of those that were not given one on purpose."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            shown = " ".join(process.cmdline())
            if process.pid not in of_ours:
                shown += json.dumps(process.environ())
            found += [f"{canary!r} in {process.pid}: {shown[:200]}" for canary in canaries if canary in shown]
    return found


@pytest.mark.parametrize("kind", SSH)
def test_nothing_is_left_of_what_was_typed(
    two: SshHost, front: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    key = keygen(tmp_path / "locked", passphrase=PASSPHRASE)
    authorized = two.folder / "authorized_keys"
    before = authorized.read_text()
    authorized.write_text(before + (tmp_path / "locked.pub").read_text())
    port = two.servers[-1].port  # wants the key, then the password and the code
    two.alias("secret", HostName=HOST, Port=port, IdentityFile=key)
    log, book = tmp_path / "paramiko.log", tmp_path / "book.json"
    front.run(
        f"import logging, os; logging.basicConfig(filename={str(log)!r}, level='DEBUG'); "
        f"os.environ['TOKEN'] = ''.join(reversed({VALUE[::-1]!r}))"
    )
    number = code()
    cell = (
        "%%remote secret --pass-env TOKEN --label canary\n"
        "import os, time\nprint(len(os.environ['TOKEN']), os.getpid(), os.getppid(), flush=True)"
    )
    config = Path(os.environ["JUPYTER_REMOTE_CONFIG_DIR"])
    (config / "hosts.yaml").write_text(f"hosts:\n  secret: {{transport: {kind}}}\n")
    try:
        answer, asked = front.ask(cell, PASSPHRASE, PASSWORD, number)
        assert [one["password"] for one in asked] == [True, True, True], answer
        size, *pids = front.text(answer, "stdout").split()
        assert int(size) == len(VALUE)
        # A failure in verbose mode, which shows the values of variables.
        front.run("%xmode Verbose")
        failed, _ = front.ask("%%remote two\n1", PASSWORD, "000000", "\x04")
        tb = front.run("%tb")
        outputs = [
            answer,
            failed,
            tb,
            # Not answered: hosts of runs before may ask, too.
            *(front.ask(f"%remote {word}", allow=False)[0] for word in ("history", "runs", "show secret")),
        ]
        book.write_text(json.dumps(outputs, default=str))
        canaries = [PASSPHRASE, PASSWORD, VALUE]
        # A code is six digits, which may stand in any file by chance: here it would stand with a quote.
        assert f'"{number}"' not in book.read_text() and f"'{number}'" not in book.read_text()
        assert found_in_files(canaries, places(two, tmp_path)) == []
        kernels = {child.pid for child in psutil.Process().children(recursive=True)}
        assert found_in_processes(canaries, of_ours={os.getpid(), *kernels, *map(int, pids)}) == []
        assert log.stat().st_size > (1000 if kind == "paramiko" else 0)
    finally:
        front.run("%remote sessions stop secret")
        (config / "hosts.yaml").unlink()
        authorized.write_text(before)


@pytest.mark.parametrize("kind", SSH)
@pytest.mark.parametrize("last", [KeyboardInterrupt, None])
def test_no_traceback_shows_an_answer(
    two: SshHost, tmp_path: Path, kind: str, last: type[BaseException] | None
) -> None:
    ask = Answers(PASSWORD, last)
    remote = jupyter_remote.connect("two", ask=ask, transport=kind)
    try:
        remote.connection()
    except (KeyboardInterrupt, RemoteError) as error:
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
        shown = "".join(told.format())
    finally:
        remote.close()
    ours = [line for line in shown.splitlines() if PASSWORD in line and "answers = " not in line]
    # What the test's own prompter holds is not ours.
    assert [line for line in ours if "Answers(" not in line and "ask = " not in line] == []


def test_no_traceback_shows_a_passphrase(ssh_host: SshHost, tmp_path: Path) -> None:
    key = keygen(tmp_path / "locked", passphrase=PASSPHRASE)
    ask = Answers(PASSPHRASE + "-wrong", KeyboardInterrupt)
    try:
        ssh_keys.unlock(key, ask)
    except KeyboardInterrupt as error:
        shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert "unlock" in shown
    assert [line for line in shown.splitlines() if PASSPHRASE in line and "ask" not in line] == []


__all__ = ["front", "kernel", "two", "workspace"]
