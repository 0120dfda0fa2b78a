"""A password and a one-time code, asked by real PAM of a real sshd: both ssh transports, every front."""

from __future__ import annotations

import base64
import hmac
import json
import os
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sshd import HOST, SshHost
from terminal import talk
from test_fronts_local import MAIN, kernel, workspace
from test_input import Asked, front

import jupyter_remote
from jupyter_remote.errors import AuthenticationError, PromptCancelled

SSH = ("paramiko", "openssh")
PASSWORD = "c4n4ry-pa55 w0rd"
SEED = b"0123456789"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.getuid() != 0, reason="needs root: it makes a PAM service"),
]


def code(seed: bytes = SEED) -> str:
    """What a phone would show now."""
    digest = hmac.new(seed, struct.pack(">Q", int(time.time()) // 30), "sha1").digest()
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at : at + 4])[0] & 0x7FFFFFFF) % 10**6:06}"


class Answers:
    """A prompter with its answers ready; an exception is raised, None means that nobody can answer."""

    def __init__(self, *answers: str | BaseException | type[BaseException] | None) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, bool]] = []

    def ask(self, prompt: str, *, secret: bool) -> str | None:
        self.asked.append((prompt, secret))
        answer = self.answers.pop(0) if self.answers else None
        if answer is None or isinstance(answer, str):
            return answer
        raise answer


@pytest.fixture
def two(ssh_host: SshHost) -> Iterator[SshHost]:
    """`two` wants a password and a code, `key-and-two` the key before them."""
    seed = ssh_host.folder / "seed"
    seed.write_text(base64.b32encode(SEED).decode().rstrip("=") + '\n" TOTP_AUTH\n" WINDOW_SIZE 5\n')
    seed.chmod(0o400)
    pam = [
        "auth required pam_unix.so nodelay",
        f"auth required pam_google_authenticator.so secret={seed} user=root no_strict_owner",
        "account required pam_permit.so",
        "session required pam_permit.so",
    ]
    ssh_host.pam = pam
    for name, methods in (("two", "keyboard-interactive"), ("key-and-two", "publickey,keyboard-interactive")):
        lines = ["KbdInteractiveAuthentication yes", f"AuthenticationMethods {methods}", "MaxAuthTries 3"]
        server = ssh_host.start(lines, pam=pam)
        ssh_host.alias(name, HostName=HOST, Port=server.port)
    subprocess.run(["chpasswd"], input=f"{ssh_host.user}:{PASSWORD}\n", text=True, check=True)
    yield ssh_host
    subprocess.run(["usermod", "-p", "*", ssh_host.user], check=True)
    seed.unlink()


def connect(name: str, kind: str, ask: Answers) -> str:
    """Connect and run something; returns what it printed."""
    remote = jupyter_remote.connect(name, ask=ask, transport=kind)
    try:
        return str(remote.connection().hello["python"])
    finally:
        remote.close()


@pytest.mark.parametrize("kind", SSH)
@pytest.mark.parametrize("name", ["two", "key-and-two"])
def test_two_questions(two: SshHost, kind: str, name: str) -> None:
    ask = Answers(PASSWORD, code())
    assert connect(name, kind, ask).startswith("3.")
    (first, hidden), (second, hidden_too) = ask.asked
    assert "Password" in first and "Verification code" in second and hidden and hidden_too
    assert two.user in first and HOST in first


@pytest.mark.parametrize("kind", SSH)
def test_a_wrong_code_is_asked_again(two: SshHost, kind: str) -> None:
    ask = Answers(PASSWORD, "000000", PASSWORD, code())
    assert connect("two", kind, ask).startswith("3.")


@pytest.mark.parametrize("kind", SSH)
def test_the_hosts_limit_ends_it(two: SshHost, kind: str) -> None:
    ask = Answers(*[PASSWORD, "000000"] * 9)
    with pytest.raises(AuthenticationError) as caught:
        connect("two", kind, ask)
    assert not isinstance(caught.value, PromptCancelled)
    assert 2 <= len(ask.asked) // 2 <= 4
    assert "000000" not in str(caught.value) and PASSWORD not in str(caught.value)


@pytest.mark.parametrize("kind", SSH)
@pytest.mark.parametrize("answers", [(), (PASSWORD,)])
def test_a_cancelled_prompt_ends_it_at_once(two: SshHost, kind: str, answers: tuple[str, ...]) -> None:
    ask = Answers(*answers, PromptCancelled("Code: "), "more", "more")
    with pytest.raises(PromptCancelled) as caught:
        connect("two", kind, ask)
    assert "cancelled" in str(caught.value) and caught.value.exit_code == 5
    assert len(ask.asked) == len(answers) + 1
    assert "Failed" not in two.servers[-2].log  # nothing was sent


@pytest.mark.parametrize("kind", SSH)
def test_nobody_to_ask_is_told_what_was_asked(two: SshHost, kind: str) -> None:
    ask = Answers(PASSWORD, None)
    with pytest.raises(AuthenticationError) as caught:
        connect("two", kind, ask)
    assert "Verification code" in str(caught.value)
    assert "nobody can be asked" in str(caught.value) and len(ask.asked) == 2


@pytest.mark.parametrize("kind", SSH)
def test_an_interrupt_leaves_nothing(two: SshHost, kind: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        connect("two", kind, Answers(PASSWORD, KeyboardInterrupt))


@pytest.mark.parametrize("kind", SSH)
def test_a_code_is_not_used_again_when_the_link_comes_back(two: SshHost, kind: str) -> None:
    ask = Answers(PASSWORD, code())
    remote = jupyter_remote.connect("two", ask=ask, transport=kind)
    try:
        remote.connection()
        known = vars(remote.link._ask)["_known"]
        assert list(known.values()) == [PASSWORD]
        with pytest.raises(AuthenticationError, match=r"(?s)Verification code.*nobody can be asked"):
            replayed = remote.link._ask.replay()
            remote.link._open(replayed, lambda: None)
    finally:
        remote.close()


@pytest.mark.parametrize("kind", SSH)
def test_in_a_terminal(two: SshHost, workspace: Path, kind: str) -> None:
    config = Path(os.environ["JUPYTER_REMOTE_CONFIG_DIR"])
    config.mkdir(exist_ok=True)
    (config / "hosts.yaml").write_text(f"hosts:\n  two: {{transport: {kind}}}\n")
    try:
        answers = [("Password: ", PASSWORD), ("Verification code: ", code())]
        argv = [sys.executable, "-c", MAIN, "run", "two", "--", "echo", "got", "in"]
        status, shown = talk(argv, answers)
        assert status == 0 and "got in" in shown and PASSWORD not in shown
    finally:
        (config / "hosts.yaml").unlink()


def test_in_a_notebook(two: SshHost, front: Asked) -> None:
    cell = "%%remote two --quiet\nprint(6 * 7)"
    answer, asked = front.ask(cell, PASSWORD, code())
    assert front.text(answer, "stdout") == "42\n"
    assert [one["password"] for one in asked] == [True, True]
    # The same link, and nobody is asked again.
    answer, asked = front.ask(cell)
    assert (front.text(answer, "stdout"), asked) == ("42\n", [])
    assert front.run("%remote sessions stop two")["status"] == "ok"


def test_ssh_setup_of_a_host_that_wants_a_code_too(two: SshHost, tmp_path: Path) -> None:
    home = two.new_home()
    lines = ["KbdInteractiveAuthentication yes", f"AuthorizedKeysFile {home}/.ssh/authorized_keys"]
    lines.append("AuthenticationMethods publickey,keyboard-interactive keyboard-interactive")
    server = two.start(lines, home=home, pam=two.pam)
    two.alias("both", HostName=HOST, Port=server.port)
    env = {"HOME": str(tmp_path), "JUPYTER_REMOTE_CONFIG_DIR": str(tmp_path)}
    argv = [sys.executable, "-c", MAIN, "ssh-setup", "both"]
    status, shown = talk(argv, [("Password: ", PASSWORD), ("code: ", code())], env)
    assert status == 0 and "1/1 configured" in shown, shown
    assert "beside the key it asks for" in shown and "Password" in shown
    # The key is known now, and nobody is asked.
    status, shown = talk(argv, [], env)
    assert status == 0 and "let us in already" in shown


def test_two_hosts_in_one_cell(two: SshHost, front: Asked) -> None:
    number = code()
    cell = "%%remote two,key-and-two --quiet\nprint(6 * 7)"
    answer, asked = front.ask(cell, PASSWORD, number, PASSWORD, number)
    assert answer["status"] == "ok" and len(asked) == 4
    # Many hosts asked one question do so too; here the links are there.
    answer, asked = front.ask("%remote sessions list two key-and-two")
    assert (answer["status"], asked) == ("ok", [])
    answer, asked = front.ask("%remote sessions stop two\n%remote sessions stop key-and-two")
    assert (answer["status"], asked) == ("ok", [])


def test_a_cancelled_host_of_two_is_told(two: SshHost, front: Asked) -> None:
    answer, asked = front.ask("%remote sessions list two key-and-two", "\x04", PASSWORD, code())
    assert len(asked) == 3
    assert "cancelled at the question" in front.text(answer, "stdout")


def test_a_notebook_that_nobody_answers(two: SshHost, front: Asked) -> None:
    answer, asked = front.ask("%%remote two\n1", allow=False)
    assert (answer["status"], answer["ename"], asked) == ("error", "AuthenticationError", [])
    text = json.dumps(answer["traceback"])
    assert "Password" in text and "ssh-setup two" in text and "terminal" in text


__all__ = ["front", "kernel", "workspace"]
