"""What an environment is made of: a file of the user's, read and told by a digest. No host is asked."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..errors import UsageError
from .lockfile import read_lock
from .requirements import Requirements, add_lines, check_secrets, read_requirements, text_of

# To be raised when the same file would have to give another environment.
_FORMAT = 1
_KINDS = "requirements.txt (any .txt or .in), pyproject.toml, environment.yml or uv.lock"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{12}")

Kind = Literal["pip", "lock", "conda"]


@dataclass(frozen=True)
class Source:
    """The content of a file.

    Attributes:
        path: of the file.
        kind: `pip` (requirements), `lock` (pinned ones) or `conda`.
        name: what an environment of it is called when nobody says otherwise.
        requirements: what pip or uv is to install.
        conda: the text of an environment.yml.
        requires_python: the versions of Python that will do, as in a pyproject.toml.
    """

    path: Path
    kind: Kind
    name: str
    requirements: Requirements = field(default_factory=Requirements)
    conda: str = ""
    requires_python: str = ""

    def digest(self, python: str, builder: str) -> str:
        """The key: equal exactly when the same environment would come of it.

        Args:
            python: the version that was asked for, or the interpreter it is made with.
            builder: which one was asked for; "" when any will do.
        """
        found = self.requirements
        parts = (_FORMAT, found.lines, found.constraints, found.digest_of_local(), self.conda)
        text = json.dumps((*parts, self.requires_python, python, builder))
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def read_source(spec: str) -> Source:
    """The file that `spec` names; `pyproject.toml[extra]` and `uv.lock[extra]` with those extras.

    Raises:
        UsageError: it can't be read, or holds what can't be made on a host.
    """
    match = re.fullmatch(r"(.*\.(?:toml|lock))\[([\w., -]*)\]", spec)
    extras = tuple(filter(None, re.split(r"[, ]+", match[2]))) if match else ()
    path = Path(match[1] if match else spec).expanduser().absolute()
    if not path.is_file():
        raise UsageError(f"there is no file {path}; an environment is made of {_KINDS}")
    folder = _as_name(path.parent.name) or "env"
    if path.name == "uv.lock":
        lines, versions, name = read_lock(path, extras)
        return Source(path, "lock", _as_name(name) or folder, Requirements(lines), requires_python=versions)
    if path.suffix == ".toml":
        return _pyproject(path, extras, folder)
    if path.suffix in (".yml", ".yaml"):
        return _conda(path, folder)
    if path.suffix in (".txt", ".in"):
        return Source(path, "pip", folder, read_requirements(path))
    raise UsageError(f"{path.name}: an environment is made of {_KINDS}")


def check_name(name: str) -> str:
    """The same name.

    Raises:
        UsageError: it can't be one.
    """
    if not _NAME.fullmatch(name) or _DIGEST.fullmatch(name):
        raise UsageError(
            f"{name!r} can't be the name of an environment: letters, digits, `.`, `_` and `-`, at most 64, "
            "and not a digest's 12 hexadecimal digits"
        )
    return name


def _as_name(text: str) -> str:
    word = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:64]
    return "" if _DIGEST.fullmatch(word) else word


def _pyproject(path: Path, extras: tuple[str, ...], folder: str) -> Source:
    try:
        data = tomllib.loads(text_of(path))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: {error}") from None
    project: dict[str, Any] = data.get("project", {})
    for key in ("dependencies", *(("optional-dependencies",) if extras else ())):
        if key in project.get("dynamic", ()):
            raise UsageError(
                f"{path}: project.{key} is computed when it is built (`dynamic`), so it is not in the file",
                hint="Write them to a requirements.txt (`uv pip compile`, `pip-compile`), and give that.",
            )
    if not project:
        raise UsageError(
            f"{path} has no [project], so it names no dependencies in the standard way",
            hint="Of a Poetry project, `poetry export -o requirements.txt` makes a file that will do.",
        )
    lines = list(map(str, project.get("dependencies", ())))
    optional = project.get("optional-dependencies", {})
    for extra in extras:
        if extra not in optional:
            raise UsageError(f"{path} has no extra {extra}; it has: {', '.join(optional) or 'none'}")
        lines += map(str, optional[extra])
    found = Requirements()
    add_lines(found, [" ".join(line.split()) for line in lines], path)
    name = _as_name(str(project.get("name", ""))) or folder
    return Source(path, "pip", name, found, requires_python=str(project.get("requires-python", "")))


def _conda(path: Path, folder: str) -> Source:
    import yaml

    try:
        data = yaml.safe_load(text_of(path))
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: {error}") from None
    if not isinstance(data, dict) or not isinstance(data.get("dependencies"), list):
        raise UsageError(f"{path} is no environment of conda: it has no list `dependencies`")
    found = Requirements()
    for entry in data["dependencies"]:
        if isinstance(entry, dict):
            lines = list(map(str, entry.get("pip") or ()))
            add_lines(found, lines, path)
            entry["pip"] = found.lines
    if found.local or found.constraints:
        named = f"the file {found.local[0]}" if found.local else "a file of constraints (`-c`)"
        raise UsageError(f"{path}: conda is given this file only; it can't have {named} of this machine too")
    name = _as_name(str(data.get("name") or "")) or folder
    kept = {key: value for key, value in data.items() if key not in ("name", "prefix")}
    check_secrets(json.dumps(data), str(path))
    if any(re.search(r"/t/[^/]+/", str(channel)) for channel in data.get("channels") or ()):
        raise UsageError(
            f"{path}: a channel has a token in it; put that channel into the host's own .condarc"
        )
    # JSON is YAML too, and the same content gives the same text.
    return Source(path, "conda", name, Requirements(), json.dumps(kept, indent=1))
