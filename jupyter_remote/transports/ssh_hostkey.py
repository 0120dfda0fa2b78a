"""Whether the key that a host shows is the host's: the one place where that is decided for paramiko."""

from __future__ import annotations

import os

from ..errors import HostKeyError
from ..hosts.ssh_config import SshSettings
from . import Prompter, known_hosts
from .known_hosts import Entry, fingerprint, host_label
from .openssh import host_key_changed, host_key_unknown
from .prompt import TRUST

_TRIES = 3


class HostKeyCheck:
    """What is known about the key of one host.

    Args:
        settings: the host.
        host: the name of the host, for messages.
        ask: who may confirm an unknown key.
    """

    def __init__(self, settings: SshSettings, host: str, ask: Prompter | None) -> None:
        self._settings = settings
        self._host = host
        self._ask = ask
        self._address = f"{settings.hostname}:{settings.port}"
        self._label = settings.host_key_alias or host_label(settings.hostname, settings.port)
        self._files = (*settings.user_known_hosts, *settings.global_known_hosts)
        self._known = known_hosts.lookup(self._files, self._label)

    @property
    def kinds(self) -> list[str]:
        """Key types to ask the host for first: those it is known by."""
        return list(dict.fromkeys(entry.kind for entry in self._known if not entry.marker))

    def verify(self, kind: str, blob: bytes) -> None:
        """Accept the host's key, or refuse.

        Args:
            kind: the type of the key.
            blob: the public key, as it is on the wire.

        Raises:
            HostKeyError: it is revoked, another one than the known one, or unknown and not confirmed.
        """
        for entry in self._known:
            if entry.marker == "@revoked" and entry.blob == blob:
                raise HostKeyError(
                    f"the key of {self._host} ({self._address}) is revoked in {entry.file}:{entry.line}",
                    host=self._host,
                    hint="Do not connect. Ask who runs the machine.",
                )
        plain = [entry for entry in self._known if not entry.marker]
        if any(entry.blob == blob for entry in plain):
            return
        if changed := next((entry for entry in plain if entry.kind == kind), None):
            raise self._changed(changed)
        if not plain and self._known_without_port(blob):
            return
        if any(entry.marker == "@cert-authority" for entry in self._known):
            raise HostKeyError(
                f"{self._host} ({self._address}) is known by a certificate, which paramiko can't check",
                host=self._host,
                hint=f"Set `transport: openssh` (`jupyter remote set {self._host} transport=openssh`).",
            )
        self._unknown(kind, blob, plain)

    def _known_without_port(self, blob: bytes) -> bool:
        # ssh does this too: a machine known at port 22 is the same machine at another port.
        if self._settings.host_key_alias or self._settings.port == 22:
            return False
        bare = known_hosts.lookup(self._files, self._settings.hostname.lower())
        return any(entry.blob == blob and not entry.marker for entry in bare)

    def _changed(self, entry: Entry) -> HostKeyError:
        remove = f'ssh-keygen -f "{entry.file}" -R "{self._label}"'
        return host_key_changed(self._host, self._address, f"{entry.file}:{entry.line}", remove)

    def _unknown(self, kind: str, blob: bytes, others: list[Entry]) -> None:
        policy = self._settings.strict_host_key_checking
        # A key of another type for a host that is known may be somebody else's: nobody but the user can tell.
        if policy in ("no", "accept-new") and not others:
            self._remember(kind, blob)
            return
        shown = f"{kind} {fingerprint(blob)}"
        if policy != "yes" and self._ask is not None:
            note = (
                f"It is known by other keys ({others[0].file}:{others[0].line}), but not by this one.\n"
                if others
                else ""
            )
            word = ask_about(self._ask, self._host, self._address, shown, note, self._settings.alias)
            if word == "yes":
                self._remember(kind, blob)
            return
        raise host_key_unknown(self._host, self._address, self._settings.alias, shown)

    def _remember(self, kind: str, blob: bytes) -> None:
        file = next((file for file in self._settings.user_known_hosts), None)
        if file is None or str(file) == os.devnull:
            return
        try:
            known_hosts.add(file, self._label, kind, blob)
        except OSError as error:
            raise HostKeyError(
                f"the key of {self._host} can't be written to {file}: {error.strerror}", host=self._host
            ) from None


def ask_about(ask: Prompter, host: str, address: str, shown: str, note: str, destination: str = "") -> str:
    """Let the user decide about a key that is not known.

    Args:
        ask: who is asked.
        host: the name of the host.
        address: where it is.
        shown: the kind of the key and its fingerprint.
        note: what else is known, a line or "".
        destination: what `ssh` by hand would be given; the host's name when "".

    Returns:
        `yes` (remember it) or `once`.

    Raises:
        HostKeyError: it was refused, or nobody could be asked.
        PromptCancelled: the user doesn't want to answer.
    """
    prompt = f"The host {host} ({address}) shows a key that is not known:\n  {shown}\n{note}"
    for _ in range(_TRIES):
        answer = ask.ask(prompt + TRUST, secret=False)
        word = (answer or "").strip().lower()
        if answer is None:
            break
        if word in ("yes", "y"):
            return "yes"
        if word == "once":
            return word
        if word in ("no", "n", ""):
            raise HostKeyError(
                f"the key of {host} ({address}) was not accepted",
                host=host,
                hint="Ask who runs the machine for its fingerprint, and connect again.",
            )
        prompt = ""
    raise host_key_unknown(host, address, destination or host, shown)
