"""`ssh-setup`: a key on every target. What is done there is in `hosts/ssh_setup.py`."""

from __future__ import annotations

from typing import Any

from ..call import Show, configuration
from ..config import HOSTS_FILE, config_dir
from ..config_edit import set_host
from ..errors import ConfigError, PromptCancelled, RemoteError
from ..parsing import Values
from ..tables import print_json, print_table


def ssh_setup(values: Values, show: Show) -> int:
    """`ssh-setup TARGETS`; the exit code is the first failure's."""
    from ..desk import Desk
    from ..hosts import keypair
    from ..hosts.ssh_setup import Outcome, configure, targets
    from ..transports.prompt import FrontPrompter

    wanted = targets(values["targets"], values["user"], configuration())
    key = keypair.find(values["ssh_key"])
    if values["dry_run"]:
        _dry_run(values, wanted, key)
        return 0
    if key is None:
        key = keypair.make(keypair.where_new(values["ssh_key"]))
        if not values["json"]:
            print(
                f"made the key {key.private}, without a passphrase, so that a lost connection can come back "
                f"by itself;\n`ssh-keygen -p -f {key.private}` gives it one"
            )
    keypair.unlock(key, FrontPrompter())
    by_name = {target.name: target for target in wanted}
    made = key

    def work(name: str, ask: Any) -> Outcome:
        return configure(by_name[name], made, ask)

    outcomes = Desk(FrontPrompter()).run(list(by_name), work)
    for name, outcome in outcomes.items():
        if isinstance(outcome, Outcome):
            try:
                set_host(name, outcome.entry)
            except ConfigError as error:
                outcomes[name] = error
    _report(values, list(by_name.values()), outcomes, key)
    return next((one.exit_code for one in outcomes.values() if isinstance(one, RemoteError)), 0)


def _report(values: Values, wanted: list[Any], outcomes: dict[str, Any], key: Any) -> None:
    file = config_dir() / HOSTS_FILE
    good = sum(not isinstance(one, RemoteError) for one in outcomes.values())
    if values["json"]:
        print_json(
            {
                "configured": good,
                "total": len(outcomes),
                "key": {"private": str(key.private), "public": key.public, "made": key.made},
                "config": str(file),
                "hosts": [_json_of(target, outcomes[target.name]) for target in wanted],
            }
        )
        return
    rows = []
    for target in wanted:
        one = outcomes[target.name]
        if isinstance(one, RemoteError):
            what = "cancelled" if isinstance(one, PromptCancelled) else "failed"
            rows.append((target.name, _address(target), what, f"{type(one).__name__}, see below"))
            continue
        told = "the key let us in already" if one.already else "key added" if one.added else "key was there"
        if not one.already and not one.warnings:
            told += "; it lets us in without a password"
        rows.append((target.name, _address(target), "ok", "; ".join((told, *one.warnings))))
    print_table(("HOST", "ADDRESS", "RESULT", "DETAILS"), rows)
    print(f"{good}/{len(outcomes)} configured")
    for name, one in outcomes.items():
        if isinstance(one, RemoteError):
            # Not in the table: a line to copy must not be folded.
            print(f"\n{name}: {one}")
    if good:
        print(f"\nwritten to {file}:")
        for target in wanted:
            one = outcomes[target.name]
            if not isinstance(one, RemoteError):
                print(
                    "\n".join(
                        [
                            f"  {target.name}:{'' if one.entry else ' {}'}",
                            *(f"    {k}: {v}" for k, v in one.entry.items()),
                        ]
                    )
                )


def _dry_run(values: Values, wanted: list[Any], key: Any) -> None:
    from ..hosts import keypair

    path = key.private if key is not None else keypair.where_new(values["ssh_key"])
    if values["json"]:
        hosts = [
            {"host": one.name, "address": _address(one), "settings": dict(one.settings)} for one in wanted
        ]
        print_json({"dry_run": True, "key": {"private": str(path), "made": key is None}, "hosts": hosts})
        return
    print(f"would {'use' if key is not None else 'make'} the key {path}")
    for one in wanted:
        print(f"would put it on {one.name} ({_address(one)}), and save that in {config_dir() / HOSTS_FILE}")


def _address(target: Any) -> str:
    try:
        return str(target.address)
    except RemoteError:
        return str(target.host.destination)


def _json_of(target: Any, outcome: Any) -> dict[str, Any]:
    about = {"host": target.name, "address": _address(target)}
    if isinstance(outcome, RemoteError):
        error = {"kind": type(outcome).__name__, "message": outcome.message, "hint": outcome.hint}
        return {**about, "ok": False, "exit_code": outcome.exit_code, "error": error}
    return {
        **about,
        "ok": True,
        "already": outcome.already,
        "added": outcome.added,
        "warnings": list(outcome.warnings),
        "written": dict(outcome.entry),
    }
