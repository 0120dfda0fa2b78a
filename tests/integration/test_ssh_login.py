"""Logging in by what OpenSSH's server on loopback can't be made to ask, and by the agent."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import paramiko
import pytest
from sshd import HOST, SshHost

from jupyter_remote.config import Config
from jupyter_remote.errors import AuthenticationError
from jupyter_remote.transports import make_transport


@dataclass
class Answers:
    """A prompter with its answers ready; it keeps what it was asked, and in which thread."""

    answers: list[str]
    asked: list[tuple[str, bool]] = field(default_factory=list)
    threads: set[threading.Thread] = field(default_factory=set)

    def ask(self, prompt: str, *, secret: bool) -> str | None:
        self.asked.append((prompt, secret))
        self.threads.add(threading.current_thread())
        return self.answers.pop(0) if self.answers else None


class SecondFactor(paramiko.ServerInterface):
    """A host that asks two questions, as PAM with a one-time password does, and then runs `echo`."""

    def get_allowed_auths(self, username: str) -> str:
        return "keyboard-interactive"

    def check_auth_interactive(self, username: str, submethods: str) -> paramiko.InteractiveQuery:
        return paramiko.InteractiveQuery(
            "Two steps", "Have your token ready.", ("Name of your cat: ", True), ("Code: ", False)
        )

    def check_auth_interactive_response(self, responses: list[str]) -> int:
        return paramiko.AUTH_SUCCESSFUL if responses == ["Tom", "123456"] else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(target=self._run, args=(channel, command)).start()
        return True

    @staticmethod
    def _run(channel: paramiko.Channel, command: bytes) -> None:
        channel.recv(1)  # The client writes once it knows that the command runs.
        channel.sendall(command)
        # The client may have what it wanted and be gone.
        with contextlib.suppress(EOFError, OSError):
            channel.send_exit_status(0)
            channel.close()


@pytest.fixture
def asking(ssh_host: SshHost) -> Iterator[str]:
    """The alias of a host that asks."""
    key = paramiko.ECDSAKey.generate()
    transports: list[paramiko.Transport] = []
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                server = paramiko.Transport(connection)
                server.add_server_key(key)
                transports.append(server)
                server.start_server(event=threading.Event(), server=SecondFactor())

        thread = threading.Thread(target=serve)
        thread.start()
        ssh_host.alias("asking", HostName=HOST, Port=port)
        with ssh_host.known_hosts.open("a") as stream:
            stream.write(f"[{HOST}]:{port} {key.get_name()} {key.get_base64()}\n")
        try:
            yield "asking"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for server in transports:
                server.close()
                server.join(10)


def test_questions_of_the_host_are_asked_here(asking: str) -> None:
    ask = Answers(["Tom", "0", "Tom", "123456"])
    transport = make_transport(Config.load().host(asking), ask)
    try:
        channel = transport.open("what was sent")
        channel.write(b".")
        assert channel.read(100) == b"what was sent"
    finally:
        transport.close()
    assert [secret for _, secret in ask.asked] == [False, True, False, True]
    assert "Have your token ready." in ask.asked[0][0]
    # A terminal or a notebook can only be asked from the thread that connects.
    assert ask.threads == {threading.current_thread()}


@pytest.mark.parametrize("answers", [[], ["Tom"], ["Tom", "0"] * 3])
def test_wrong_and_missing_answers_end_the_attempt(asking: str, answers: list[str]) -> None:
    transport = make_transport(Config.load().host(asking), Answers(answers))
    with pytest.raises(AuthenticationError) as caught:
        transport.open("true")
    transport.close()
    assert "keyboard-interactive" in str(caught.value)
    assert "Tom" not in str(caught.value)


def test_an_interrupt_at_the_question_leaves_nothing(asking: str) -> None:
    class Interrupting(Answers):
        def ask(self, prompt: str, *, secret: bool) -> str | None:
            raise KeyboardInterrupt

    before = set(threading.enumerate())
    transport = make_transport(Config.load().host(asking), Interrupting([]))
    with pytest.raises(KeyboardInterrupt):
        transport.open("true")
    transport.close()
    ours = [
        t
        for t in set(threading.enumerate()) - before
        if isinstance(t, paramiko.Transport) and not t.server_mode
    ]
    assert ours == []


@pytest.mark.parametrize("by", ["SSH_AUTH_SOCK", "IdentityAgent"])
def test_keys_of_the_agent(
    ssh_host: SshHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    # The path of a Unix socket must be short.
    path = ssh_host.folder / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.PIPE)
    try:
        assert agent.stdout is not None
        agent.stdout.readline()
        env = {"SSH_AUTH_SOCK": str(path)}
        subprocess.run(["ssh-add", "-q", str(ssh_host.key)], env=env, check=True)
        settings = {"IdentitiesOnly": "no", "IdentityFile": tmp_path / "none"}
        if by == "IdentityAgent":
            settings["IdentityAgent"] = path
        else:
            monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        ssh_host.alias("agented", HostName=HOST, Port=ssh_host.port, **settings)
        # paramiko forwards only the agent of SSH_AUTH_SOCK, which `auto` knows.
        for kind in ("paramiko" if by == "SSH_AUTH_SOCK" else "auto", "openssh"):
            for forward in (False, True):
                host = Config.load().host("agented", {"transport": kind, "ssh": {"forward_agent": forward}})
                transport = make_transport(host, None)
                try:
                    # With the agent forwarded, the command can use it too.
                    command = "ssh-add -l >/dev/null 2>&1 && echo agent || echo none"
                    assert transport.open(command).read(10) == (b"agent\n" if forward else b"none\n")
                finally:
                    transport.close()
    finally:
        agent.terminate()
        agent.wait()
        if agent.stdout is not None:
            agent.stdout.close()
