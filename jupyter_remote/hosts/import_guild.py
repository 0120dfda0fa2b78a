"""A `config.yml` of Guild AI: `remotes:` by name; `ssh` and `ec2` are hosts, `s3` is an archive."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .imported import Imported, filled, mapping, number, unknown

_TYPES = ("ssh", "ec2", "s3")


def is_it(data: Mapping[str, Any]) -> bool:
    """Whether Guild reads it."""
    remotes = mapping(data.get("remotes"))
    return bool(remotes) and all("type" in mapping(entry) for entry in remotes.values())


def read(data: Mapping[str, Any], _folder: Path) -> Imported:
    """Its remotes."""
    made = Imported(lost=[f"`{key}`: only Guild reads it" for key in data if key != "remotes"])
    for key, entry in mapping(data["remotes"]).items():
        name, kind = str(key), str(entry["type"])
        if kind == "ssh":
            _ssh(made, name, entry)
        elif kind == "ec2":
            _ec2(made, name, entry)
        elif kind == "s3":
            _s3(made, name, entry)
        else:
            made.lost.append(f"{name}: remotes of type `{kind}`; those that can be: {', '.join(_TYPES)}")
    return made


def _ssh(made: Imported, name: str, entry: Mapping[str, Any]) -> None:
    folder = entry.get("venv-path") or entry.get("guild-env")
    made.hosts[name] = filled(
        hostname=entry.get("host"),
        user=entry.get("user"),
        port=number(entry.get("port")),
        ssh_key=entry.get("private-key"),
        connect_timeout=number(entry.get("connect-timeout")),
        python=folder if not (entry.get("venv-activate") or entry.get("conda-env")) else None,
        env_setup=_activation(entry),
    )
    for key, why in (
        ("guild-home", "runs that Guild made stay there"),
        ("init", "what prepares a machine is run by hand once, or stands in `env_setup`"),
        ("use-prerelease", "Guild is not installed there"),
    ):
        if key in entry:
            made.lost.append(f"{name}: `{key}`: {why}")
    known = [
        "type",
        "host",
        "user",
        "port",
        "private-key",
        "connect-timeout",
        "venv-path",
        "guild-env",
        "venv-activate",
        "conda-env",
    ]
    made.lost += unknown(
        name, entry, [*known, "guild-home", "init", "use-prerelease", "password", "description"]
    )


def _activation(entry: Mapping[str, Any]) -> str | None:
    if entry.get("venv-activate"):
        return f"{entry['venv-activate']}\n"
    if entry.get("conda-env"):
        return f"source ~/*conda*/etc/profile.d/conda.sh\nconda activate {_quoted(str(entry['conda-env']))}\n"
    return None


def _quoted(text: str) -> str:
    from shlex import quote

    return quote(text)


def _ec2(made: Imported, name: str, entry: Mapping[str, Any]) -> None:
    connection = mapping(entry.get("connection"))
    made.hosts[name] = filled(
        type="ec2",
        user=connection.get("user"),
        port=number(connection.get("port")),
        ssh_key=connection.get("private-key"),
        ec2__region=entry.get("region"),
    )
    made.lost.append(
        f"{name}: Guild makes a machine each time (`ami`, `instance-type`, `public-key`, "
        "`init`), here one that is there "
        f"is started: jupyter remote set {name} ec2.instance_id=i-…"
    )
    made.lost += unknown(
        name,
        entry,
        ["type", "region", "ami", "instance-type", "public-key", "init", "connection", "description"],
    )
    made.lost += unknown(name, connection, ["user", "port", "private-key", "password", "timeout"])


def _s3(made: Imported, name: str, entry: Mapping[str, Any]) -> None:
    root = str(entry.get("root") or "").strip("/")
    made.archives[name] = filled(
        type="s3", bucket=entry.get("bucket"), prefix=f"{root}/" if root else None, region=entry.get("region")
    )
    if "local-env" in entry:
        made.lost.append(f"{name}: `local-env`: credentials are those of your AWS profile")
    made.lost += unknown(name, entry, ["type", "bucket", "root", "region", "local-env", "description"])
