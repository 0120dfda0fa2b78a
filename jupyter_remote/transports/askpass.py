"""What `ssh` asks, brought to the user by a program of ours that ssh runs in place of a terminal.

The program (`SSH_ASKPASS`) hands the question to this process through a socket in a folder that only this
user can enter, and prints the answer into ssh's pipe. No answer is in an argument, a variable or a file.
Whoever reads from the channel answers meanwhile (`openssh`); what a question means is decided here.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import selectors
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from ..errors import AuthenticationError, HostKeyError, RemoteError
from . import Prompter
from .prompt import Secret, passphrases, unanswered

# A path of a Unix socket must fit into 108 bytes.
_LONGEST_PATH = 90
_LONGEST_QUESTION = 1 << 16
_TALK_S = 10.0

_PROGRAM = """\
#!/bin/sh
exec "$JUPYTER_REMOTE_PYTHON" -I -S -c '
import json, os, socket, sys
talk = socket.socket(socket.AF_UNIX)
talk.connect(os.environ["JUPYTER_REMOTE_ASKPASS"])
talk.sendall(json.dumps([" ".join(sys.argv[1:]), os.environ.get("SSH_ASKPASS_PROMPT", "")]).encode())
talk.shutdown(socket.SHUT_WR)
answer = b""
while True:
    part = talk.recv(65536)
    if not part:
        break
    answer += part
if not answer:
    sys.exit(1)
sys.stdout.buffer.write(answer[1:] + b"\\n")
' "$@"
"""

_KEY = re.compile(r"passphrase for (?:key )?'?(.+?)'?: *$", re.IGNORECASE)
_FINGERPRINT = re.compile(r"(\S+) key fingerprint is:? *(SHA256:\S+?)\.?$", re.MULTILINE)

# What stands in the way of a fresh known_hosts line, for "only this once".
_Files = dict[Path, int]


def available() -> bool:
    """Whether ssh can ask through this process."""
    return os.name == "posix" and hasattr(socket, "AF_UNIX")


class AskPass:
    """The place where the questions of one `ssh` arrive, and those of the hops that it starts.

    Args:
        host: the name of the host, for messages.
        ask: who answers.
        known_hosts: the files that ssh may write an accepted key to.

    Raises:
        OSError: no folder can be made for it.
    """

    def __init__(self, host: str, ask: Prompter, known_hosts: tuple[Path, ...]) -> None:
        self._host = host
        self._ask = ask
        self._sizes: _Files = {file: _size(file) for file in known_hosts}
        self._once: list[str] = []
        self._asked: dict[str, int] = {}
        self.unasked = ""
        self._talks: list[socket.socket] = []
        self._folder = _folder()
        try:
            program = self._folder / "askpass"
            program.write_text(_PROGRAM)
            program.chmod(0o700)
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(str(self._folder / "s"))
            (self._folder / "s").chmod(0o600)
            self._listener.listen(4)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    @property
    def variables(self) -> dict[str, str]:
        """What makes `ssh` ask here."""
        return {
            "SSH_ASKPASS": str(self._folder / "askpass"),
            "SSH_ASKPASS_REQUIRE": "force",
            # OpenSSH before 8.4 asks a program only where there is a display (and no terminal).
            "DISPLAY": os.environ.get("DISPLAY") or ":",
            "JUPYTER_REMOTE_ASKPASS": str(self._folder / "s"),
            "JUPYTER_REMOTE_PYTHON": sys.executable,
        }

    def serve(self, stdout: int, closed: Callable[[], bool], tick: float = 0.5) -> None:
        """Answer questions until ssh prints something, or ends.

        Args:
            stdout: the descriptor of ssh's output.
            closed: whether nobody waits any more.
            tick: how often that is looked at, in seconds.

        Raises:
            AuthenticationError: nobody could answer, or nobody wanted to.
            HostKeyError: the host's key is not known, and was not accepted.
        """
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            selector.register(self._listener, selectors.EVENT_READ)
            while not closed():
                ready = [key.fd for key, _ in selector.select(tick)]
                if stdout in ready:
                    return
                if ready:
                    self._take()

    def _take(self) -> None:
        talk, _ = self._listener.accept()
        talk.settimeout(_TALK_S)
        # When no answer is wanted, the program must not end before ssh does: that would send an empty
        # answer, which counts as a wrong one.
        self._talks.append(talk)
        with contextlib.suppress(OSError):
            self._one(talk)
        self._talks.remove(talk)
        talk.close()

    def close(self) -> None:
        """Take the program away, and what "only this once" has left. Never raises."""
        for one in (self._listener, *self._talks):
            with contextlib.suppress(OSError):
                one.close()
        self._talks.clear()
        shutil.rmtree(self._folder, ignore_errors=True)
        for fingerprint in self._once:
            for file, size in self._sizes.items():
                with contextlib.suppress(OSError):
                    _take_back(file, size, fingerprint)
        self._once.clear()

    def _one(self, talk: socket.socket) -> None:
        said = b""
        while len(said) < _LONGEST_QUESTION and (part := talk.recv(4096)):
            said += part
        try:
            prompt, kind = (str(word) for word in json.loads(said))
        except (ValueError, TypeError):
            return
        if kind == "none":
            # "Touch your security key": the program is ended by ssh when that was done.
            print(prompt, file=sys.stderr, flush=True)
            self._talks.append(talk.dup())
            return
        answer = self._answer(prompt)
        if answer is not None:
            talk.sendall(b"=" + answer.encode())

    def _answer(self, prompt: str) -> Secret | None:
        """None for "no answer", by which ssh goes on without."""
        if re.search(r"\(yes/no(/\[fingerprint\])?\)|Please type 'yes'", prompt):
            return Secret(self._host_key(prompt))
        times = self._asked[prompt] = self._asked.get(prompt, 0) + 1
        key = _KEY.search(prompt)
        if key is not None and times == 1 and key[1] in passphrases:
            return passphrases[key[1]]
        answer = self._ask.ask(prompt, secret=True)
        if key is not None:
            if answer:
                passphrases[key[1]] = Secret(answer)
            else:
                self.unasked = self.unasked or (prompt if answer is None else "")
            return None if not answer else Secret(answer)
        if answer is None:
            # ssh itself would now send an empty password, three times; the host counts them.
            said, hint = unanswered(prompt, self._host)
            error = AuthenticationError(f"{self._host} did not let us in{said}", host=self._host, hint=hint)
            error.unasked = prompt
            raise error
        return Secret(answer)

    def _host_key(self, prompt: str) -> str:
        from .ssh_hostkey import ask_about

        shown = _FINGERPRINT.search(prompt)
        if shown is None:
            # "Please type 'yes', 'no' or the fingerprint": we never answer anything else.
            raise HostKeyError(f"the key of {self._host} was not accepted", host=self._host)
        about = re.search(r"authenticity of host '(.+?)' can't be", prompt)
        address = about[1].split(" (")[0] if about else ""
        word = ask_about(self._ask, self._host, address, f"{shown[1]} {shown[2]}", "")
        if word == "once":
            self._once.append(shown[2])
        return "yes"


def error_at_end(asked: AskPass | None, error: RemoteError) -> RemoteError:
    """`error`, which says what was asked when that is why the host refused."""
    if asked is not None and asked.unasked and type(error) is AuthenticationError:
        said, hint = unanswered(asked.unasked, error.host or "")
        error.message += said
        error.hint = hint
    return error


def _folder() -> Path:
    from jupyter_core.paths import jupyter_runtime_dir

    for parent in (tempfile.gettempdir(), jupyter_runtime_dir(), "/tmp"):
        with contextlib.suppress(OSError):
            flags = os.statvfs(parent).f_flag
            if len(parent) < _LONGEST_PATH - 20 and not flags & getattr(os, "ST_NOEXEC", 8):
                return Path(tempfile.mkdtemp(prefix="jr-ask-", dir=parent))
    raise OSError("no folder that programs can be run from")


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _take_back(file: Path, size: int, fingerprint: str) -> None:
    """Cut off what ssh has appended since the file had that size, when it is that key and nothing else."""
    from .known_hosts import fingerprint_of_line

    with file.open("r+b") as stream:
        stream.seek(size)
        lines = [line for line in stream.read().splitlines() if line.strip()]
        if lines and all(fingerprint_of_line(line) == fingerprint for line in lines):
            stream.truncate(size)
