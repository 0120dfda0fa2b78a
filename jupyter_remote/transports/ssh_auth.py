"""Logging in over a paramiko transport: the agent's keys, key files, then what the user can answer.

Secrets pass through here from the prompter to paramiko and are neither kept nor put into a message.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from pathlib import Path
from typing import Any

import paramiko
from paramiko.auth_handler import AuthHandler

from ..errors import AuthenticationError, HostUnreachable, PromptCancelled
from ..hosts.ssh_config import SshSettings
from . import Prompter
from .prompt import Secret, unanswered
from .ssh_keys import Unanswered, certify, load, open_agent, public_blob, unlock

# A host ends the attempt when it has had enough of wrong answers; this is for one that never does.
_TRIES = 20
# How long the host may think about one answer (a push to a phone counts as thinking).
_ANSWER_S = 120.0

Prompts = list[tuple[str, bool]]


class Login:
    """One attempt to log in.

    Args:
        transport: connected, with its host key checked.
        settings: the host.
        host: the name of the host, for messages.
        ask: who answers; None for nobody.
    """

    def __init__(
        self, transport: paramiko.Transport, settings: SshSettings, host: str, ask: Prompter | None
    ) -> None:
        self._transport = transport
        self._settings = settings
        self._host = host
        self._ask = ask
        self._tried: list[str] = []
        self._blobs: set[bytes] = set()
        self._allowed: list[str] = []
        self._answered = False
        self._unasked = ""
        self._partial = False

    def run(self) -> None:
        """Log in.

        Raises:
            AuthenticationError: every key and answer was refused; says which keys, and what the host allows.
            PromptCancelled: the user did not want to answer.
            HostUnreachable: the connection broke meanwhile.
        """
        try:
            with contextlib.closing(open_agent(self._settings)) as agent:
                if self._keys(agent) or self._answers():
                    return
        except (paramiko.SSHException, OSError, EOFError) as error:
            if self._transport.is_active():
                raise self._refused(str(error)) from None
            if self._answered:
                raise self._refused("no answer was right, and the host takes no more") from None
            if isinstance(error, paramiko.AuthenticationException) and len(self._blobs) > 1:
                hint = (
                    "Name the key: `ssh_key`, or `IdentityFile` with `IdentitiesOnly yes` in the ssh config."
                )
                raise self._refused("it takes no more keys", hint) from None
            if isinstance(error, paramiko.AuthenticationException):
                raise self._refused(str(error)) from None
            raise HostUnreachable(
                f"{self._host}: the connection broke while logging in: {error}", host=self._host
            ) from None
        raise self._refused("")

    def _keys(self, agent: Any) -> bool:
        own = [path for path in self._settings.identity_files if path.is_file()]
        wanted = {blob for path in self._settings.identity_files if (blob := public_blob(path))}
        offered = list(agent.get_keys())
        first = [key for key in offered if key.asbytes() in wanted]
        others = [] if self._settings.identities_only else [key for key in offered if key not in first]
        for key in (*first, *others):
            if self._try_key(key, f"{key.get_name()} of the agent"):
                return True
        locked: list[Path] = []
        for path in own:
            if public_blob(path) in self._blobs:
                continue
            try:
                key = load(path)
            except TypeError:
                locked.append(path)
                continue
            if key is not None and self._try_key(key, str(path)):
                return True
        return any(self._unlock(path) for path in locked)

    def _unlock(self, path: Path) -> bool:
        try:
            key = unlock(path, self._ask)
        except Unanswered:
            self._unasked = f"Passphrase of {path}"
            self._tried.append(f"{path} (needs its passphrase, and nobody can be asked)")
            return False
        if key is None:
            self._tried.append(f"{path} (needs its passphrase)")
            return False
        return self._try_key(key, str(path))

    def _try_key(self, key: paramiko.PKey, label: str) -> bool:
        self._tried.append(label + certify(key, self._settings.certificate_files))
        self._blobs.add(key.asbytes())
        try:
            return self._accepted(self._transport.auth_publickey(self._settings.user, key))
        except paramiko.BadAuthenticationType as error:
            self._allowed = list(error.allowed_types)
        except paramiko.AuthenticationException:
            if not self._transport.is_active():
                raise
        except paramiko.SSHException:
            # An agent that refuses to sign, or a kind of key that neither side knows: the next one may do.
            if not self._transport.is_active():
                raise
        return False

    def _accepted(self, more: list[str]) -> bool:
        """Whether that was all the host wants; a second factor may be left."""
        if not more:
            return True
        self._partial = True
        self._allowed = list(more)
        return self._answers()

    def _answers(self) -> bool:
        if not self._allowed:
            try:
                self._transport.auth_none(self._settings.user)
                return True
            except paramiko.BadAuthenticationType as error:
                self._allowed = list(error.allowed_types)
        if "keyboard-interactive" in self._allowed:
            return self._interactive() or ("password" in self._allowed and self._password())
        return "password" in self._allowed and self._password()

    def _question(self, prompt: str, *, secret: bool) -> Secret | None:
        answer = self._ask.ask(prompt, secret=secret) if self._ask is not None else None
        if answer is None:
            self._unasked = prompt
            return None
        self._answered = True
        return Secret(answer)

    def _password(self) -> bool:
        prompt = f"Password of {self._settings.user}@{self._settings.hostname}: "
        for _ in range(_TRIES):
            answer = self._question(prompt, secret=True)
            if answer is None:
                return False
            if not answer:
                raise PromptCancelled(prompt, host=self._host)
            try:
                more = self._transport.auth_password(self._settings.user, answer, fallback=False)
            except paramiko.AuthenticationException:
                if not self._transport.is_active():
                    raise
                continue
            return self._accepted(more)
        return False

    def _interactive(self) -> bool:
        """Keyboard-interactive, with the questions asked in this thread.

        paramiko calls its handler in the transport's own thread, from which neither a terminal nor a
        notebook may be asked; so the handler hands the questions over and waits.
        """
        for _ in range(_TRIES):
            questions: queue.Queue[tuple[str, str, Prompts]] = queue.Queue()
            answers: queue.Queue[list[Secret]] = queue.Queue()

            def handler(
                title: str, text: str, prompts: Prompts, q: Any = questions, a: Any = answers
            ) -> list[Secret]:
                if not prompts:
                    return []
                q.put((title, text, prompts))
                found: list[Secret] = a.get()
                return found

            done = threading.Event()
            auth: Any = AuthHandler(self._transport)
            self._transport.auth_handler = auth
            auth.auth_interactive(self._settings.user, handler, done)
            try:
                while self._transport.is_active() and not done.is_set():
                    try:
                        asked = questions.get(timeout=0.02)
                    except queue.Empty:
                        continue
                    found = self._answer(*asked)
                    if found is None:
                        raise self._refused("")
                    answers.put(found)
            except BaseException:
                # Before the transport's thread is let go: an empty answer would count as a wrong one.
                self._transport.close()
                raise
            finally:
                answers.put([])
            try:
                return self._accepted(auth.wait_for_response(done))
            except paramiko.AuthenticationException:
                if not self._transport.is_active():
                    raise
        return False

    def _answer(self, title: str, text: str, prompts: Prompts) -> list[Secret] | None:
        head = "\n".join(part for part in (title.strip(), text.strip()) if part)
        found: list[Secret] = []
        for prompt, shown in prompts:
            where = f"{self._settings.user}@{self._settings.hostname}: {prompt}"
            answer = self._question(f"{head}\n{where}" if head and not found else where, secret=not shown)
            if answer is None:
                return None
            found.append(answer)
        return found

    def _refused(self, why: str, hint: str | None = None) -> AuthenticationError:
        settings = self._settings
        tried = f"; keys tried: {', '.join(self._tried)}" if self._tried else "; there was no key to try"
        allowed = f"; the host allows: {', '.join(self._allowed)}" if self._allowed else ""
        where = f"{settings.hostname}:{settings.port}"
        said = f" ({why.rstrip('.')})" if why and "uthentication failed" not in why else ""
        if self._unasked:
            asked, hint = unanswered(self._unasked, self._host)
            said += asked
        error = AuthenticationError(
            f"{self._host} refused the user `{settings.user}` at {where}{said}{tried}{allowed}",
            host=self._host,
            hint=hint,
        )
        error.unasked, error.partial = self._unasked, self._partial
        return error
