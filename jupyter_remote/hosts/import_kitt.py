"""A `hosts.yaml` of KITT: `hosts:` by name, with ssh settings and what KITT's own setup had found."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .imported import Imported, filled, mapping, number, unknown

_OWN = ("kitt_path", "storage_path", "gpu_info", "gpu_count", "python_version", "notes")
_PLAIN = {"name", "hostname", "user", "ssh_key", "port"}


def is_it(data: Mapping[str, Any]) -> bool:
    """Whether KITT wrote it: `hosts` alone, each with a `hostname`, and keys that only KITT has."""
    hosts = mapping(data.get("hosts"))
    entries = [mapping(entry) for entry in hosts.values()]
    only = {*_PLAIN, *_OWN, "password"}
    return (
        set(data) == {"hosts"}
        and bool(entries)
        and all("hostname" in entry and set(entry) <= only for entry in entries)
    )


def read(data: Mapping[str, Any], _folder: Path) -> Imported:
    """Its hosts."""
    made = Imported()
    for name, entry in mapping(data["hosts"]).items():
        port = number(entry.get("port"))
        version = re.search(r"\d+(?:\.\d+)+", str(entry.get("python_version") or ""))
        made.hosts[str(name)] = filled(
            hostname=entry.get("hostname"),
            user=entry.get("user"),
            port=None if port == 22 else port,
            ssh_key=entry.get("ssh_key"),
            facts__gpu_info=entry.get("gpu_info"),
            facts__gpu_count=number(entry.get("gpu_count")) or None,
            facts__python_version=version[0] if version else None,
        )
        if entry.get("kitt_path"):
            made.lost.append(f"{name}: `kitt_path`: nothing has to be installed on the host")
        if entry.get("storage_path"):
            made.lost.append(
                f"{name}: `storage_path`: results of KITT stay in {entry['storage_path']}; of "
                "a run here, `pull` "
                "brings them"
            )
        if entry.get("notes"):
            made.lost.append(f"{name}: `notes` ({entry['notes']}): write it as a comment into hosts.yaml")
        made.lost += unknown(str(name), entry, {*_PLAIN, *_OWN, "password"})
    return made
