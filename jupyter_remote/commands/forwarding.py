"""`forward`: a port of a host here, in words. How bytes get there is `forward.py`'s business."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import jupyter_remote

from .. import forward_records
from ..call import Show, count, one_host, typed
from ..display import show_link
from ..durations import format_duration
from ..errors import ForwardError, UsageError
from ..parsing import Values
from ..tables import print_json, print_table

if TYPE_CHECKING:
    from ..forward import Forward
    from ..forward_records import Facts
    from ..remote import Remote

_NAMED = 10
# A wait without an end can't be interrupted on Windows.
_TICK = 0.5


def forward(values: Values, show: Show) -> int:
    """`forward HOST PORT`, `--list`, `--stop [HOST [PORT]]`; in a terminal it lasts until interrupted."""
    if values["list"]:
        return _list(_chosen(values), values["json"])
    if values["stop"]:
        return _stop(_chosen(values), values["json"])
    host = one_host(values["host"])
    to, port = _target(values["to"], values["port"])
    if port is None:
        raise UsageError(
            f"no port of {host} named: forward {host} PORT", hint=_known_ports(jupyter_remote.connect(host))
        )
    remote = jupyter_remote.connect(host)
    if to is None:
        _warn(remote, port)
    wanted = values["local_port"] if values["local_port"] is not None else values["port"]
    made = remote.forward(port, local_port=wanted, to=to, ipv6=values["ipv6"])
    _tell(made, wanted or made.local_port, values["json"])
    if not (typed.get() or "").startswith("%"):
        _wait(made)
    return 0


def _target(to: str | None, port: int | None) -> tuple[str | None, int | None]:
    """The machine and its port: `node17`, `node17:80`, `[::1]:80`."""
    if to is None:
        return None, port
    name, colon, digits = to.rpartition(":")
    if not colon or to.endswith("]"):
        name, digits = to, ""
    name = name.removeprefix("[").removesuffix("]")
    if not name or (colon and digits and not digits.isdecimal()) or (":" in name and "[" not in to):
        raise UsageError(f"--to {to}: HOST, HOST:PORT or [IPV6]:PORT is meant")
    return name, int(digits) if digits else port


def _warn(remote: Remote, port: int) -> None:
    """Say so when nothing listens on the port yet."""
    listening = remote.listening()
    if listening is None or port in listening:
        return
    host = remote.host.name
    print(
        f"{host}: nothing listens on port {port} yet; connections work as soon as something does."
        f"{_others(listening)}",
        file=sys.stderr,
        flush=True,
    )


def _known_ports(remote: Remote) -> str:
    return _others(remote.listening() or {}).strip()


def _others(listening: dict[int, str]) -> str:
    mine = [f"{port} ({command[:60]})" for port, command in listening.items() if command]
    more = f" and {len(mine) - _NAMED} more" if len(mine) > _NAMED else ""
    return f" Of mine there listen: {', '.join(mine[:_NAMED])}{more}" if mine else ""


def _tell(made: Forward, wanted: int, as_json: bool) -> None:
    if as_json:
        print_json(made.facts)
        sys.stdout.flush()
        return
    taken = f" (port {wanted} is taken here)" if made.local_port != wanted else ""
    show_link(made.url, f"{made.url} leads to {made.target}{taken}")


def _wait(made: Forward) -> None:
    made.heard = _say
    try:
        while not made.ended.wait(_TICK):
            pass
        print("ended by another process", file=sys.stderr)
    except KeyboardInterrupt:
        pass
    finally:
        made.close()


def _say(error: str) -> None:
    if error:
        print(error, file=sys.stderr, flush=True)


def _chosen(values: Values) -> list[tuple[Path, Facts]]:
    host, port = values["host"], values["port"]
    return [
        (path, facts)
        for path, facts in forward_records.running()
        if host in (None, facts.get("host")) and port in (None, facts.get("port"), facts.get("local_port"))
    ]


def _list(found: list[tuple[Path, Facts]], as_json: bool) -> int:
    documents = [facts for _, facts in found]
    if as_json:
        print_json({"forwards": documents})
    elif not documents:
        print("nothing is forwarded")
    else:
        print_table(("URL", "HOST", "PORT", "TO", "FOR", "PROCESS", "LAST ERROR"), map(_row, documents))
    return 0


def _row(facts: Facts) -> tuple[object, ...]:
    age = format_duration(max(0.0, time.time() - facts["since"]))
    process = (facts.get("process") or {}).get("pid")
    return (facts["url"], facts["host"], facts["port"], facts["to"], age, process, facts.get("error"))


def _stop(found: list[tuple[Path, Facts]], as_json: bool) -> int:
    ended = [facts for path, facts in found if forward_records.end(path, facts)]
    if as_json:
        print_json({"ended": ended})
    else:
        for facts in ended:
            print(f"{facts['url']} ended")
        if not found:
            print("nothing of that kind is forwarded")
    if len(ended) < len(found):
        rest = [facts for _, facts in found if facts not in ended]
        pids = ", ".join(str((facts.get("process") or {}).get("pid")) for facts in rest)
        raise ForwardError(f"{count(rest, 'forward')} did not end; the processes are {pids}")
    return 0
