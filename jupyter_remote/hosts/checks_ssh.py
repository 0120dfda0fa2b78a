"""Checks of the way to a host: ssh settings, name, port, host key, keys, agent, and what the login says.

Most are decided without the host, so that they explain why it can't be reached.
"""

from __future__ import annotations

import re
import shlex

from .facts import Facts
from .findings import Check, Finding, failed, not_applicable, ok, warning

_NO_SSH = "no ssh leads there"


def _settings(facts: Facts) -> Finding:
    if "error" in facts.local:
        return failed(
            str(facts.local["error"]), "Correct the file that is named; `ssh -G HOST` reads it too."
        )
    if "settings" not in facts.local:
        return not_applicable(_NO_SSH)
    ssh = facts.local["settings"]
    text = f"{ssh['user']}@{ssh['hostname']}:{ssh['port']}"
    if ssh["proxy_jump"]:
        text += f" through {', '.join(ssh['proxy_jump'])}"
    elif ssh["proxy_command"]:
        text += f" through `{ssh['proxy_command']}`"
    text += f", by `{ssh['source']}` of {ssh['file']}"
    if ssh["forward_agent"]:
        return warning(
            f"{text}; your agent is forwarded",
            "Who is root there can use your keys meanwhile. Take `forward_agent` out unless "
            "code there needs it.",
        )
    return ok(text)


def _transport(facts: Facts) -> Finding:
    used = facts.hello.get("transport") or {}
    if not used and not facts.local.get("transport"):
        return not_applicable("not connected")
    if used:
        return ok(f"{used['name']}{': ' + used['reason'] if used.get('reason') else ''}")
    wanted = facts.local["transport"]
    return ok(f"{wanted['wanted']}{': openssh, ' + wanted['reason'] if wanted.get('reason') else ''}")


def _name(facts: Facts) -> Finding:
    if "addresses" not in facts.local:
        return not_applicable(
            "a jump host or a proxy looks the name up" if facts.local.get("settings") else _NO_SSH
        )
    name = facts.local["settings"]["hostname"]
    if facts.local["addresses"]:
        return ok(f"{name} is {', '.join(facts.local['addresses'])}")
    return failed(
        f"{name} has no address: {facts.local.get('dns')}",
        "Check the spelling of `hostname`, the VPN, and the alias in ~/.ssh/config.",
    )


def _port(facts: Facts) -> Finding:
    if not facts.local.get("addresses"):
        return not_applicable("no address to knock at")
    ssh, greeting, port = facts.local["settings"], facts.local.get("greeting"), facts.local.get("port")
    where = f"{ssh['hostname']}:{ssh['port']}"
    if facts.reached:
        return ok(f"an ssh server answers at {where}")
    if greeting and greeting.startswith("SSH-"):
        return ok(f"{where} greets as {greeting}")
    if greeting:
        return failed(
            f"what listens at {where} is no ssh server: it says {greeting!r}", "Check `port` and `hostname`."
        )
    if port == "refused":
        return failed(
            f"nothing listens at {where}", "Check `port`, and that sshd runs there (`systemctl status ssh`)."
        )
    if port == "silent":
        return failed(
            f"{where} does not answer", "Check the VPN and firewalls on the way, and that the machine is up."
        )
    if port:
        return failed(f"{where}: {port}", "Check the network and the VPN.")
    return failed(
        f"{where} takes the connection and says nothing",
        "The server may be too busy (`MaxStartups`), or ban this address (fail2ban); try again in a minute.",
    )


def _host_key(facts: Facts) -> Finding:
    if "known" not in facts.local:
        return not_applicable(_NO_SSH)
    known = facts.local["known"]
    problem = facts.local.get("problem") or {}
    if problem.get("kind") == "HostKeyError":
        return failed(problem["message"], problem["hint"])
    plain = [entry for entry in known if not entry["marker"]]
    if plain:
        return ok(f"known as {plain[0]['kind']} {plain[0]['fingerprint']} ({plain[0]['where']})")
    if any(entry["marker"] == "@cert-authority" for entry in known):
        return ok(f"known by a certificate ({known[0]['where']})")
    destination = facts.host.destination
    if facts.reached:
        return warning(
            "the key of the host is not known, and was not remembered", "Answer `yes` the next time."
        )
    return warning(
        "the key of the host is not known yet",
        f"Connect once (`ssh {shlex.quote(destination)}`), compare the fingerprint, and say yes.",
    )


def _keys(facts: Facts) -> Finding:
    if "keys" not in facts.local:
        return not_applicable(_NO_SSH)
    named = facts.local.get("named_key")
    keys = facts.local["keys"]
    if named and not keys:
        return failed(f"`ssh_key` names {named}, which is not there", "Correct the path, or make the key.")
    for key in keys:
        if not key["readable"]:
            return failed(
                f"{key['path']} can't be read: {key['problem']}", f"chmod 600 {shlex.quote(key['path'])}"
            )
        if key.get("mode") is not None and key["mode"] & 0o077:
            return failed(
                f"others may read {key['path']} (mode {key['mode']:o}), so ssh refuses it",
                f"chmod 600 {shlex.quote(key['path'])}",
            )
        if not key["is_key"]:
            return warning(
                f"{key['path']} is no private key", "Name the private half, the one without `.pub`."
            )
    if keys:
        return ok(", ".join(key["path"] for key in keys))
    if (facts.local["agent"] or {}).get("keys"):
        return ok("no key file; the agent holds keys")
    return warning(
        "there is no key file, and no key in an agent",
        "`ssh-keygen -t ed25519` makes one, `ssh-copy-id` puts it on the host. Until then a "
        "password is asked for.",
    )


def _agent(facts: Facts) -> Finding:
    if "agent" not in facts.local:
        return not_applicable(_NO_SSH)
    agent = facts.local["agent"]
    if not agent["socket"]:
        return not_applicable(f"no agent: {agent['why']}")
    if agent["keys"] is None:
        return warning(
            f"nobody answers at {agent['socket']} ({agent['why']})",
            "The agent is gone: start one (`eval $(ssh-agent)`), or unset SSH_AUTH_SOCK.",
        )
    if agent["keys"] > 5 and not facts.local["settings"]["identities_only"]:
        return warning(
            f"the agent holds {agent['keys']} keys, and servers refuse a login after 6 tries",
            "Name the key: `ssh_key`, or `IdentityFile` with `IdentitiesOnly yes` in the ssh config.",
        )
    return ok(
        f"{agent['keys']} keys at {agent['socket']}" if agent["keys"] else f"no keys at {agent['socket']}"
    )


def _login(facts: Facts) -> Finding:
    problem = facts.local.get("problem")
    if problem:
        return failed(problem["message"], problem["hint"] or "`ssh HOST` by hand may say more.")
    if not facts.reached:
        return not_applicable("not tried")
    return ok(f"agent {facts.hello.get('version')} runs, protocol {facts.hello.get('protocol')}")


def _sessions(facts: Facts) -> Finding:
    text = facts.file("/etc/ssh/sshd_config")
    if not text:
        return not_applicable("sshd's configuration can't be read from here")
    found = re.findall(r"^\s*MaxSessions\s+(\d+)", text, re.MULTILINE | re.IGNORECASE)
    most = int(found[0]) if found else 10
    if most < 2:
        return warning(
            f"sshd allows {most} session for each connection, and a forwarded port needs a second",
            "Ask for `MaxSessions 10` in its sshd_config.",
        )
    return ok(f"{most} sessions for each connection; one is used")


def _noise(facts: Facts) -> Finding:
    said = str(facts.hello.get("noise") or "").strip()
    if not said:
        return ok("the login shell says nothing")
    lines = said.splitlines()
    shown = lines[0][:80] + (" …" if len(lines) > 1 or len(lines[0]) > 80 else "")
    return warning(
        f"the login shell says: {shown}",
        "It is skipped here, but breaks scp and rsync: print only in interactive shells "
        "(`case $- in *i*) … ;; esac` in .bashrc).",
    )


CHECKS = (
    Check("ssh settings", "where ssh leads, through what, and which file says so", _settings, True),
    Check("transport", "what carries the bytes, and why", _transport, True),
    Check("name", "whether the host's name has an address", _name, True),
    Check("port", "whether an ssh server greets there", _port, True),
    Check("host key", "whether the host's key is known, and where from", _host_key, True),
    Check("keys", "whether key files are there, readable, and closed to others", _keys, True),
    Check("ssh agent", "whether an agent answers, and holds not too many keys", _agent, True),
    Check("login", "whether the agent of this package runs there", _login, True),
    Check("sessions limit", "how many sessions sshd allows for each connection", _sessions),
    Check("shell noise", "whether a non-interactive shell prints something", _noise),
)
