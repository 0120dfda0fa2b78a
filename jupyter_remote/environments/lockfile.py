"""`uv.lock` as requirements: every package that the project needs, pinned, with its hashes and its
conditions.

A lock holds the packages of all platforms and extras. Which are needed where is said by the markers on the
ways from the project to each; a package gets the markers of all ways to it.
"""

from __future__ import annotations

import tomllib
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import UsageError
from .requirements import check_secrets, text_of

# A package, and the extra of it that is meant ("" for itself).
_Node = tuple[str, str, str]
# Ways to a package: of each the markers that must all hold.
_Ways = set[frozenset[str]]

_MOST_WAYS = 64


def read_lock(path: Path, extras: tuple[str, ...] = ()) -> tuple[list[str], str, str]:
    """The lines of requirements, the versions of Python, and the project's name.

    Args:
        extras: of the project that are wanted.

    Raises:
        UsageError: it is no lock of uv, or needs what is on this machine only.
    """
    try:
        lock = tomllib.loads(text_of(path))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: {error}") from None
    packages = {(one["name"], _version(one)): one for one in lock.get("package", ()) if "name" in one}
    roots = [one for one in packages.values() if _is_project(one)]
    if lock.get("version") != 1 or not roots:
        raise UsageError(
            f"{path} is no lock of uv that can be read here (`version = 1`, with a project in it)"
        )
    names = lock.get("manifest", {}).get("members", [one["name"] for one in roots[:1]])
    ways = _ways(packages, [one for one in roots if one["name"] in names], extras, path)
    lines = [
        _line(packages[key], found, path)
        for key, found in sorted(ways.items())
        if not _is_project(packages[key])
    ]
    for line in lines:
        check_secrets(line, str(path))
    if not all(" --hash=" in line for line in lines):
        # pip wants hashes of all or of none, and what comes from git has none.
        lines = [line.partition(" --hash=")[0] for line in lines]
    return lines, str(lock.get("requires-python", "")), str(roots[0]["name"])


def _is_project(package: Mapping[str, Any]) -> bool:
    return any(kind in package.get("source", {}) for kind in ("virtual", "editable"))


def _version(package: Mapping[str, Any]) -> str:
    # A project whose version is computed has none in the lock.
    return str(package.get("version", ""))


def _ways(
    packages: Mapping[tuple[str, str], Mapping[str, Any]],
    roots: list[Mapping[str, Any]],
    extras: tuple[str, ...],
    path: Path,
) -> dict[tuple[str, str], _Ways]:
    versions: dict[str, list[str]] = {}
    for name, version in packages:
        versions.setdefault(name, []).append(version)
    reached: dict[_Node, _Ways] = {}
    todo: deque[tuple[_Node, frozenset[str]]] = deque()
    for root in roots:
        for extra in ("", *extras):
            if extra and extra not in root.get("optional-dependencies", {}):
                known = ", ".join(root.get("optional-dependencies", {})) or "none"
                raise UsageError(f"{path}: {root['name']} has no extra {extra}; it has: {known}")
            todo.append(((root["name"], _version(root), extra), frozenset()))
    while todo:
        node, way = todo.popleft()
        ways = reached.setdefault(node, set())
        if any(known <= way for known in ways):
            continue  # what needs less includes what needs more
        ways -= {known for known in ways if way < known}
        ways.add(frozenset() if len(ways) >= _MOST_WAYS else way)
        for name, version, extra, marker in _needs(packages[node[:2]], node[2]):
            found = [version] if version else versions.get(name, [])
            for one in found:
                if (name, one) not in packages:
                    raise UsageError(f"{path}: {name} {one} is needed and not in the lock; run `uv lock`")
                todo.append(((name, one, extra), way | {marker} if marker else way))
    merged: dict[tuple[str, str], _Ways] = {}
    for (name, version, _), ways in reached.items():
        merged.setdefault((name, version), set()).update(ways)
    return merged


def _needs(package: Mapping[str, Any], extra: str) -> Iterator[tuple[str, str, str, str]]:
    listed = (
        package.get("optional-dependencies", {}).get(extra, ()) if extra else package.get("dependencies", ())
    )
    for need in listed:
        for wanted in ("", *need.get("extra", ())):
            yield need["name"], str(need.get("version", "")), wanted, str(need.get("marker", ""))


def _line(package: Mapping[str, Any], ways: _Ways, path: Path) -> str:
    name, source = package["name"], package.get("source", {})
    if "git" in source:
        address, _, commit = str(source["git"]).partition("#")
        where = f" @ git+{address.partition('?')[0]}" + (f"@{commit}" if commit else "")
    elif "url" in source:
        where = f" @ {source['url']}"
    elif "registry" in source and "://" in str(source["registry"]):
        where = f"=={package['version']}"
    else:
        place = next(iter(source.values()), "nowhere")
        raise UsageError(
            f"{path}: {name} comes from {place}, which is on this machine only",
            hint="Build a wheel of it, name that in a requirements.txt beside the others, and use --offline.",
        )
    marker = ""
    if frozenset() not in ways:
        each = [" and ".join(f"({one})" for one in sorted(way)) for way in ways]
        marker = " ; " + " or ".join(sorted(each))
    files = [*([package["sdist"]] if "sdist" in package else []), *package.get("wheels", ())]
    hashes = sorted({str(one["hash"]) for one in files if "hash" in one})
    return f"{name}{where}{marker}" + "".join(f" --hash={one}" for one in hashes)
