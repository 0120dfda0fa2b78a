"""Checks of what surrounds the runs: network, clock, locale, load, schedulers, containers, leftovers."""

from __future__ import annotations

import re

from ..call import format_size
from ..durations import format_duration
from .facts import Facts, scheduler
from .findings import Check, Finding, failed, not_applicable, ok, warning

_SKEW_S = 5.0
# Beyond that, certificates and Kerberos tickets are refused.
_MUCH_SKEW_S = 300.0
_FEW_BYTES = 1 << 30
_PROXIES = ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")


def _proxy(facts: Facts) -> str | None:
    return next((name for name in _PROXIES if facts.variable(name)), None)


def _network(facts: Facts) -> Finding:
    reach = facts.reach
    if not reach:
        return not_applicable("`reach` names no address")
    good = [address for address, why in reach.items() if not why]
    bad = [f"{address} ({why})" for address, why in reach.items() if why]
    if good:
        return ok(f"reaches {', '.join(good)}" + (f"; not {', '.join(bad)}" if bad else ""))
    proxy = _proxy(facts)
    if proxy:
        return ok(f"no direct way out ({bad[0]}), but {proxy} names a proxy")
    if facts.default_route is False:
        why = "nothing leads out of its own networks (no default route)"
    elif all(why == "no address" for why in reach.values()):
        why = "no name has an address (no DNS)"
    else:
        why = ", ".join(bad)
    return warning(
        f"no way out to the internet: {why}",
        f"Packages come from here then: jupyter remote env create {facts.host.name} -r "
        "requirements.txt --offline",
    )


def _dns(facts: Facts) -> Finding:
    reach = facts.reach
    if not reach:
        return not_applicable("`reach` names no address")
    servers = re.findall(r"^nameserver\s+(\S+)", facts.file("/etc/resolv.conf"), re.MULTILINE)
    named = f" (asks {', '.join(servers)})" if servers else ""
    if all(why == "no address" for why in reach.values()):
        remedy = "Names of other machines can't be used there; check /etc/resolv.conf, or use a proxy."
        return (
            ok(f"no name has an address{named}; the proxy looks them up")
            if _proxy(facts)
            else warning(f"no name has an address{named}", remedy)
        )
    return ok(f"names have addresses{named}")


def _proxies(facts: Facts) -> Finding:
    found = {name: facts.variable(name) for name in _PROXIES if facts.variable(name)}
    if not found:
        return not_applicable("no proxy is set")
    shown = ", ".join(f"{name}={value}" for name, value in found.items())
    if any("http" in name.lower() for name in found) and not any("https" in name.lower() for name in found):
        return warning(
            f"{shown}, but no https_proxy",
            f"Most addresses are https: jupyter remote set {facts.host.name} "
            f"env.https_proxy={next(iter(found.values()))}",
        )
    return ok(shown)


def _clock(facts: Facts) -> Finding:
    skew = float(facts.hello.get("skew") or 0.0)
    text = f"{format_duration(abs(skew))} {'ahead of' if skew > 0 else 'behind'} this machine's"
    if abs(skew) > _MUCH_SKEW_S:
        return failed(
            f"its clock is {text}",
            "Certificates and tickets are refused by that: set it there (`timedatectl "
            "set-ntp true`), or here.",
        )
    if abs(skew) > _SKEW_S:
        return warning(
            f"its clock is {text}", "Times of runs are the host's: `timedatectl set-ntp true` there."
        )
    return ok("as this machine's, within 5 s")


def _locale(facts: Facts) -> Finding:
    encoding = str(facts.interpreter.get("encoding") or "")
    charmap = facts.command("charmap").first_line if facts.command("charmap").well else ""
    said = encoding or charmap
    if not said:
        return not_applicable("it did not say")
    name = next(
        (facts.variable(key) for key in ("LC_ALL", "LC_CTYPE", "LANG") if facts.variable(key)), "none set"
    )
    if charmap and not re.fullmatch(r"utf-?8", charmap, re.IGNORECASE):
        return warning(
            f"the locale ({name}) is {charmap}, not UTF-8: names and output with other letters break",
            f"jupyter remote set {facts.host.name} env.LC_ALL=C.UTF-8",
        )
    return ok(f"UTF-8 ({name})" if charmap else said)


def _load(facts: Facts) -> Finding:
    cpus, load = facts.cpus, facts.load
    if not cpus or load is None:
        return not_applicable("it did not say")
    text = f"load {load:.1f} on {cpus} CPUs"
    if load > 2 * cpus:
        return warning(
            f"{text}: busy", "Others work there too; `status` shows when it is quieter, or use another host."
        )
    return ok(text)


def _memory(facts: Facts) -> Finding:
    memory = facts.memory
    if not memory:
        return not_applicable("it did not say")
    free = memory["available"]
    text = f"{format_size(free)} of {format_size(memory['total'])} free"
    if free < _FEW_BYTES and free < 0.1 * memory["total"]:
        return warning(
            text, "A run may be killed for want of memory; `sessions list` shows what of it is yours."
        )
    return ok(text)


def _slurm(facts: Facts) -> Finding:
    answer, ping = facts.command("slurm"), facts.command("slurm_ping")
    if not answer.there:
        hint = "; a login shell has it, see PATH" if "sbatch" in facts.login_programs else ""
        return not_applicable(f"no Slurm{hint}")
    if answer.hangs or ping.hangs:
        return _bad(facts, "slurm", "Slurm's commands hang", "Its controller does not answer: ask its admin.")
    if scheduler(facts) == "slurm":
        return ok(f"{answer.first_line}, its controller is up")
    return _bad(
        facts,
        "slurm",
        f"Slurm's controller does not answer: {ping.last_line or answer.last_line}",
        "Are you on a login node? `scontrol ping` by hand; ask who runs the cluster.",
    )


def _pbs(facts: Facts) -> Finding:
    answer = facts.command("pbs")
    if not answer.there:
        hint = "; a login shell has it, see PATH" if "qsub" in facts.login_programs else ""
        return not_applicable(f"no PBS{hint}")
    if answer.well:
        return ok(f"PBS answers: {answer.last_line[:60]}")
    return _bad(
        facts,
        "pbs",
        "PBS hangs" if answer.hangs else f"PBS does not answer: {answer.last_line}",
        "Are you on a login node? `qstat -B` by hand; ask who runs the cluster.",
    )


def _containers(facts: Facts) -> Finding:
    found = facts.containers
    usable = [name for name, why in found.items() if not why]
    refused = {name: why for name, why in found.items() if why}
    if usable:
        others = "".join(f"; {name} is there and can't be used: {why[:80]}" for name, why in refused.items())
        return ok(f"{', '.join(usable)} can be used{others}")
    if not refused:
        return not_applicable("neither docker, podman nor apptainer is there")
    name, why = next(iter(refused.items()))
    remedy = f"Run `{name} info` there by hand."
    if "permission denied" in why.lower():
        remedy = (
            "Ask to be put into the group `docker` (which is as good as root), or for "
            "rootless podman or apptainer."
        )
    elif name == "podman" and ("newuidmap" in why or "/etc/sub" in why):
        remedy = "Ask who runs the machine to prepare it for rootless podman (uidmap, subuid and subgid)."
    elif "daemon" in why.lower():
        remedy = (
            "Its daemon does not run: `systemctl start docker` as root, or `systemctl --user start docker`."
        )
    return _bad(facts, "container", f"{name} can't be used: {why}", remedy)


def _bad(facts: Facts, launcher: str, text: str, remedy: str) -> Finding:
    """Failed where the host's runs need it, else worth a word."""
    return failed(text, remedy) if facts.host.launcher == launcher else warning(text, remedy)


def _leftovers(facts: Facts) -> Finding:
    found, host = facts.leftovers, facts.host.name
    if not found or "error" in found:
        return not_applicable("it did not say")
    live = found.get("live") or []
    silent = [str(one["name"]) for one in live if one.get("silent")]
    if silent:
        return warning(
            f"a session does not answer: {', '.join(silent)}",
            f"jupyter remote sessions stop {host} {silent[0]}",
        )
    dead, agents = found.get("sessions") or [], found.get("agents") or []
    processes = found.get("processes") or []
    if processes or dead:
        return warning(
            f"{len(dead)} dead sessions and {len(processes)} processes of theirs are left",
            f"jupyter remote clean {host}",
        )
    old = f", {len(agents)} old agents" if agents else ""
    if len(agents) > 10:
        return warning(f"{len(agents)} old agents take room", f"jupyter remote clean {host}")
    return ok(f"{len(live)} live sessions{old}")


CHECKS = (
    Check("network", "whether the host reaches the internet, directly or by a proxy", _network),
    Check("DNS", "whether names of other machines have addresses there", _dns),
    Check("proxy", "which proxies the login sets", _proxies),
    Check("clock", "whether its clock is right", _clock),
    Check("locale", "whether text is UTF-8 there", _locale),
    Check("load", "whether its processors are busy", _load),
    Check("memory", "whether there is memory left", _memory),
    Check("Slurm", "whether Slurm's controller answers", _slurm),
    Check("PBS", "whether PBS answers", _pbs),
    Check("containers", "whether a container engine can be used by your user there", _containers),
    Check("leftovers", "live, silent and dead sessions, old agents", _leftovers),
)
