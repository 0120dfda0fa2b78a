"""Files of pip's requirements: what is in one, with all that it includes, as lines that mean the same on any
host.

Nothing is resolved here, and nothing is asked of an index.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import UsageError

_COMMENT = re.compile(r"(^|\s)#.*$")
_INCLUDE = re.compile(r"(?:(-r|--requirement)|(-c|--constraint))(?:\s+|=\s*|(?<=-[rc]))(.+)")
_FOLDER = re.compile(r"(?:-f|--find-links)(?:\s+|=\s*|(?<=-f))(.+)")
_EDITABLE = re.compile(r"(-e|--editable)\b")
_INDEX = re.compile(r"-i\b|-f\b|--(index-url|extra-index-url|no-index|find-links|trusted-host)\b")
_USER = re.compile(r"(\w[\w+.-]*)://([^/\s@]*)@")
_VARIABLE = re.compile(r"\$\{[A-Z0-9_]+\}")
_WHEEL = re.compile(r"([A-Za-z0-9_.]+)-([^-]+)(?:-\d[^-]*)?-[^-]+-[^-]+-[^-]+\.whl")
_PROJECT = (".whl", ".tar.gz", ".zip", ".tar.bz2")
_HINT = "Modules of the workspace can be imported there as it is; of another project, build a wheel."


@dataclass
class Requirements:
    """What files of requirements say.

    Attributes:
        lines: requirements and options, as they stand there.
        constraints: the same of the files named by `-c`.
        wheels: files here that are named as requirements.
        folders: folders here with wheels, named by `--find-links`.
    """

    lines: list[str] = field(default_factory=list)
    constraints: list[str] = field(default_factory=list)
    wheels: list[Path] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)

    @property
    def local(self) -> list[Path]:
        """What can be had on this machine only."""
        return [*self.wheels, *self.folders]

    def digest_of_local(self) -> list[str]:
        """What the files here are, for a digest: the content of wheels, names and sizes in folders."""
        marks = [hashlib.sha256(path.read_bytes()).hexdigest() for path in self.wheels]
        for folder in self.folders:
            marks += sorted(f"{p.name} {p.stat().st_size}" for p in folder.iterdir() if p.suffix == ".whl")
        return marks


def read_requirements(path: Path) -> Requirements:
    """Reads a file and all that it includes.

    Raises:
        UsageError: one is not there, or says what can't be done on a host; file and line are named.
    """
    found = Requirements()
    _read(path, found, found.lines, ())
    return found


def add_lines(found: Requirements, lines: list[str], path: Path) -> None:
    """Adds requirements that stand in a file of another kind.

    Raises:
        UsageError: as :func:`read_requirements`.
    """
    for number, line in enumerate(lines, 1):
        _take(line, f"{path}: requirement {number}", path.parent, found, found.lines, (path,))


def is_index_option(line: str) -> bool:
    """Whether a line says where packages are to be had."""
    return _INDEX.match(line) is not None


def text_of(path: Path) -> str:
    """The text of a file.

    Raises:
        UsageError: it can't be read.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"cannot read {path}: {reason}") from None


def _read(path: Path, found: Requirements, into: list[str], above: tuple[Path, ...]) -> None:
    if path in above:
        raise UsageError(f"{above[-1]} includes {path.name}, which includes it")
    for number, line in _logical(text_of(path)):
        _take(line, f"{path}:{number}", path.parent, found, into, (*above, path))


def _logical(text: str) -> Iterator[tuple[int, str]]:
    """Lines without comments, continued ones joined, with the number of their first."""
    whole, first = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        first = first or number
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            whole += line[:-1].strip() + " "
            continue
        whole = _COMMENT.sub("", whole + line.strip()).strip()
        if whole:
            yield first, " ".join(whole.split())
        whole, first = "", 0
    if whole.strip():
        yield first, " ".join(_COMMENT.sub("", whole).split())


def _take(
    line: str, where: str, folder: Path, found: Requirements, into: list[str], above: tuple[Path, ...]
) -> None:
    check_secrets(line, where)
    if include := _INCLUDE.match(line):
        name = include[3].strip().strip("\"'")
        if "://" in name:
            raise UsageError(
                f"{where}: {name} is not here, so nobody knows what is in it: save it, and name the file"
            )
        target = into if include[1] else found.constraints
        _read(_path(name, folder), found, target, above)
    elif _EDITABLE.match(line):
        raise UsageError(
            f"{where}: {line}: a folder of this machine can't be installed on a host", hint=_HINT
        )
    elif named := _FOLDER.match(line):
        place = named[1].strip().strip("\"'")
        if "://" in place:
            into.append(line)
            return
        path = _path(place, folder)
        if not path.is_dir():
            raise UsageError(f"{where}: --find-links: there is no folder {path}")
        found.folders.append(path)
    elif not line.startswith("-") and (path_here := _local(line, folder)) is not None:
        wheel = _WHEEL.fullmatch(path_here.name)
        if wheel is None or into is not found.lines:
            raise UsageError(f"{where}: {line}: of files here only wheels can be installed", hint=_HINT)
        if not path_here.is_file():
            raise UsageError(f"{where}: there is no file {path_here}")
        found.wheels.append(path_here)
    else:
        into.append(line)


def _local(line: str, folder: Path) -> Path | None:
    word = line.partition(";")[0].strip()
    _, at, address = word.partition(" @ ")
    word = address.strip() if at else word
    if word.startswith("file:"):
        return _path(word.removeprefix("file:").removeprefix("//"), folder)
    if "://" in word:
        return None
    looks = (
        word.startswith((".", "/", "~", "\\")) or word.endswith(_PROJECT) or re.match(r"[A-Za-z]:[\\/]", word)
    )
    return _path(word, folder) if looks else None


def _path(name: str, folder: Path) -> Path:
    return (folder / Path(name).expanduser()).resolve()


def check_secrets(line: str, where: str) -> None:
    """Raises when an address has a password or a token in it.

    Args:
        where: the file, for the error.

    Raises:
        UsageError: it has; it is not repeated in the message.
    """
    for scheme, user in _USER.findall(line):
        left = _VARIABLE.sub("", user)
        name, _, password = left.partition(":")
        if password or ("http" in scheme and ":" not in user and name):
            raise UsageError(
                f"{where}: the address holds a password, and the host keeps what an environment is made of",
                hint="Write ${NAME} in its place, and give that variable along with `--pass-env NAME`.",
            )
