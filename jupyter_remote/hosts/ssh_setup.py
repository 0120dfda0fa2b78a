"""`ssh-setup`: a key on every target, shown to work without a password, and the hosts saved.

Which targets a text means, what is done on each and in which order, and what is written to hosts.yaml. The
key itself is `keypair`'s, what happens on the host `authorize`'s, who answers is the `Desk`'s.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..config import Config
from ..config_models import HostConfig
from ..errors import (
    AuthenticationError,
    ConnectError,
    ConnectionLost,
    LaunchError,
    PromptCancelled,
    UsageError,
)
from ..transports import Prompter, make_transport
from . import authorize, ssh_config
from .keypair import KeyPair

# Beyond the time that connecting may take: for a script of a few lines on a slow home folder.
_SCRIPT_S = 60.0


@dataclass(frozen=True)
class Target:
    """One place to put the key.

    Attributes:
        name: what the host is called in hosts.yaml.
        settings: what the target's text and `--user` say: `hostname`, `user`, `port`.
        host: its resolved settings.
    """

    name: str
    settings: Mapping[str, Any]
    host: HostConfig

    @property
    def address(self) -> str:
        """`user@hostname:port` as ssh would connect."""
        found = ssh_config.resolve(self.host.destination, host=self.host)
        return f"{found.user}@{found.hostname}:{found.port}"


@dataclass(frozen=True)
class Outcome:
    """What came of one target.

    Attributes:
        already: the key had let us in before anything was done.
        added: the key was put there now.
        warnings: what the user should know.
        entry: what belongs into hosts.yaml, by key.
    """

    already: bool
    added: bool
    warnings: tuple[str, ...] = ()
    entry: Mapping[str, Any] = field(default_factory=dict)


def targets(words: Sequence[str], user: str | None, config: Config) -> list[Target]:
    """The targets that the words mean.

    Args:
        words: each `a,b,c`; one is the name of a host, an alias, or `[user@]host[:port]`.
        user: for those that name none.
        config: knows the hosts.

    Raises:
        UsageError: a word is no target, or two mean the same name.
        ConfigError: a setting is not valid.
    """
    parts = [part.strip() for word in words for part in word.split(",") if part.strip()]
    if not parts:
        raise UsageError("no target named; valid are hosts, aliases of ~/.ssh/config and user@host:port")
    parsed = [(part, *_parse(part)) for part in dict.fromkeys(parts)]
    places = [host for _, _, host, _ in parsed]
    found: dict[str, Target] = {}
    for part, named, place, port in parsed:
        known = config.is_known(place)
        # The same machine at several ports has a name for each.
        name = f"{place}-{port}" if port is not None and places.count(place) > 1 else place
        name = name.replace(":", "-")
        if name in found:
            raise UsageError(f"{part}: `{name}` is named twice")
        settings: dict[str, Any] = {}
        if name != place:
            settings["hostname"] = place
        if owner := named or user:
            settings["user"] = owner
        if port is not None:
            settings["port"] = port
        host = config.host(name, settings, new=not known or name != place)
        if host.type not in ("ssh", "ec2"):
            raise UsageError(f"{part} is reached by `{host.type}`, not by ssh, and needs no key")
        found[name] = Target(name, settings, host)
    return list(found.values())


def _parse(part: str) -> tuple[str | None, str, int | None]:
    match = re.fullmatch(
        r"(?:ssh://)?(?:(?P<user>[^@\s]+)@)?(?:\[(?P<six>[0-9a-fA-F:.%]+)\]|(?P<host>[^@:\s\[\]/]+))(?::(?P<port>\d+))?/?",
        part,
    )
    if match is None or (match["host"] or "").startswith("-"):
        raise UsageError(f"{part} is no target; valid are hosts, aliases of ~/.ssh/config and user@host:port")
    port = int(match["port"]) if match["port"] else None
    if port is not None and not 1 <= port <= 65535:
        raise UsageError(f"{part}: {port} is no port (1 to 65535)")
    return match["user"], match["six"] or match["host"], port


def configure(target: Target, key: KeyPair, ask: Prompter) -> Outcome:
    """Put the key on a target, and show that it lets us in. Runs in a thread of its own.

    Args:
        target: where to.
        key: the user's.
        ask: who answers what the host asks.

    Raises:
        ConnectError: the host can't be reached, or lets us not in with the password either.
        LaunchError: the key can't be put there.
    """
    entry = _entry(target, key)
    error = _lets_in(target, key, ask)
    if error is None or error.partial:
        return Outcome(already=True, added=False, warnings=_more(error), entry=entry)
    done = _install(target, key, ask)
    error = _lets_in(target, key, ask)
    if error is not None and not error.partial:
        raise _not_enough(target, done)
    warnings = (*done.warnings, *_more(error))
    return Outcome(already=False, added=done.added, warnings=warnings, entry=entry)


def _more(error: AuthenticationError | None) -> tuple[str, ...]:
    """What a host wants beside the key, for which somebody has to be there at each connection."""
    if error is None:
        return ()
    question = error.unasked.strip().rpartition("\n")[2].rstrip(": ") or "another factor"
    return (f"beside the key it asks for `{question}` each time",)


class _OnlyTrust:
    """Passes on only questions about host keys, which are not secret."""

    def __init__(self, ask: Prompter) -> None:
        self._ask = ask

    def ask(self, prompt: str, *, secret: bool) -> str | None:
        from ..transports.prompt import TRUST

        return self._ask.ask(prompt, secret=secret) if prompt.endswith(TRUST) else None


def _entry(target: Target, key: KeyPair) -> dict[str, Any]:
    """What hosts.yaml needs beyond what the ssh configuration says."""
    tried = ssh_config.resolve(target.host.destination, host=target.host).identity_files
    entry = dict(target.settings)
    if key.private not in tried:
        entry["ssh_key"] = str(key.private)
    return entry


def _lets_in(target: Target, key: KeyPair, ask: Prompter) -> AuthenticationError | None:
    """None when the key alone lets us in, on a connection of its own; else what the host said."""
    host = target.host.model_copy(update={"ssh_key": str(key.private)})
    try:
        # A password is what is to be got rid of: nobody is asked for one.
        _talk(host, "exec echo in", b"", lambda printed: "\n" in printed, _OnlyTrust(ask))
    except AuthenticationError as error:
        return error
    return None


def _install(target: Target, key: KeyPair, ask: Prompter) -> authorize.Done:
    script = authorize.script(key.public, key.body)
    try:
        printed, stderr = _talk(target.host, authorize.COMMAND, script, authorize.ended, ask)
    except AuthenticationError as error:
        if not error.unasked and not isinstance(error, PromptCancelled):
            error.hint = authorize.by_hand(key.public)
        raise
    return authorize.read(target.name, printed, stderr, key.public)


def _talk(host: HostConfig, command: str, said: bytes, enough: Any, ask: Prompter | None) -> tuple[str, str]:
    """What a command with this on its stdin prints until that is enough, and the end of its stderr."""
    transport = make_transport(host, ask)
    try:
        channel = transport.open(command)
        if said:
            # A forced command may end without having read it; what it printed tells more than that.
            with contextlib.suppress(ConnectionLost):
                channel.write(said)
        printed = ""
        watchdog: threading.Timer | None = None
        try:
            while not enough(printed):
                data = channel.read(1 << 16)
                if watchdog is None:
                    watchdog = threading.Timer(_SCRIPT_S, channel.close)
                    watchdog.daemon = True
                    watchdog.start()
                if not data:
                    break
                printed += data.decode("utf-8", "replace")
                if len(printed) > 1 << 20:
                    raise LaunchError(f"{host.name} prints without end and runs no command", host=host.name)
        finally:
            if watchdog is not None:
                watchdog.cancel()
        if not printed:
            error = transport.explain(channel.exit_status(5), channel.stderr_tail())
            # An end with a status is a command that ended: what it means is told by who reads.
            if isinstance(error, AuthenticationError) or type(error) is not ConnectError:
                raise error
        return printed, channel.stderr_tail()
    finally:
        transport.close()


def _not_enough(target: Target, done: authorize.Done) -> AuthenticationError:
    return AuthenticationError(
        f"the key is on {target.name} now, but a new connection is not let in by it",
        host=target.name,
        hint="\n".join(done.warnings)
        or "Its sshd may read keys elsewhere (`AuthorizedKeysFile`), or take none of this kind; "
        f"`ssh -v {target.host.destination}` tells.",
    )
