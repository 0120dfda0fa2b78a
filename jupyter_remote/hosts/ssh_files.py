"""Reading the files of an ssh configuration: which files there are, and which names their `Host` lines have.

Only the outline is read here (`Host`, `Match`, `Include`); what a setting is worth is for `ssh_config`.
"""

from __future__ import annotations

import fnmatch
import itertools
import shlex
from dataclasses import dataclass, field
from pathlib import Path

# ssh itself stops at 16.
_MAX_DEPTH = 16


@dataclass
class Scan:
    """The outline of a configuration.

    Attributes:
        files: every file read or looked for, with (mtime, size, inode), or None for one that is not there.
        patterns: the patterns of each `Host` and `Match host` line, without those that only say `*`.
        text: all files as one text, includes in place.
        runs_programs: whether a `Match exec` decides something.
    """

    files: dict[Path, tuple[int, int, int] | None] = field(default_factory=dict)
    patterns: list[tuple[str, ...]] = field(default_factory=list)
    text: str = ""
    runs_programs: bool = False

    @property
    def stamp(self) -> tuple[object, ...]:
        """Something that changes when one of the files does."""
        return tuple(self.files.items())


_cache: dict[tuple[Path, ...], Scan] = {}


def scan(roots: tuple[Path, ...]) -> Scan:
    """The outline of the files `roots` and of all they include; unchanged files cost a `stat` each."""
    known = _cache.get(roots)
    if known is not None and all(_stamp(path) == stamp for path, stamp in known.files.items()):
        return known
    found = Scan()
    lines: list[str] = []
    for root in roots:
        # `Include` names are relative to ~/.ssh in a user's file and to /etc/ssh in the system's.
        base = Path("/etc/ssh") if root.is_relative_to("/etc/ssh") else Path.home() / ".ssh"
        lines += ["Host *", *_read(root, base, "Host *", 0, found)]
    found.text = "\n".join(lines) + "\n"
    _cache[roots] = found
    return found


def matches(patterns: tuple[str, ...], name: str) -> bool:
    """Whether a `Host` line with these patterns takes `name`: one must match, and no `!pattern` may."""
    lowered = name.lower()
    if any(fnmatch.fnmatchcase(lowered, p[1:].lower()) for p in patterns if p.startswith("!")):
        return False
    return any(
        fnmatch.fnmatchcase(lowered, p.lower()) for p in patterns if p != "*" and not p.startswith("!")
    )


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _read(path: Path, base: Path, block: str, depth: int, found: Scan) -> list[str]:
    found.files[path] = _stamp(path)
    try:
        content = path.read_text(encoding="utf-8", errors="replace") if depth < _MAX_DEPTH else ""
    except OSError:
        return []
    lines: list[str] = []
    for line in content.splitlines():
        key, rest = _words(line)
        if key == "include":
            for word in rest:
                for included in _expand(word, base, found):
                    lines += _read(included, base, block, depth + 1, found)
            lines.append(block)  # What follows belongs to the block around the `Include` again.
            continue
        if key in ("host", "match"):
            block = line
            found.runs_programs |= key == "match" and "exec" in (word.lower() for word in rest)
            patterns = tuple(rest) if key == "host" else _match_hosts(rest)
            if any(pattern != "*" and not pattern.startswith("!") for pattern in patterns):
                found.patterns.append(patterns)
        lines.append(line)
    return lines


def _words(line: str) -> tuple[str, list[str]]:
    stripped = line.strip()
    if not stripped or stripped.startswith("#"):
        return "", []
    key, _, rest = (
        stripped.replace("=", " ", 1).partition(" ") if "=" in stripped.split()[0] else _split(stripped)
    )
    rest = rest.strip()
    try:
        return key.lower(), shlex.split(rest.removeprefix("=").strip(), comments=True, posix=True)
    except ValueError:
        return key.lower(), rest.split()


def _split(line: str) -> tuple[str, str, str]:
    parts = line.split(None, 1)
    return parts[0], " ", parts[1] if len(parts) > 1 else ""


def _match_hosts(words: list[str]) -> tuple[str, ...]:
    """The patterns after `host` or `originalhost` in a `Match` line."""
    for criterion, value in itertools.pairwise(words):
        if criterion.lower() in ("host", "originalhost"):
            return tuple(value.split(","))
    return ()


def _expand(word: str, base: Path, found: Scan) -> list[Path]:
    path = Path(word).expanduser()
    path = path if path.is_absolute() else base / path
    if not any(ch in path.name for ch in "*?["):
        return [path]
    # A file that is added to the folder changes the folder's own stamp.
    found.files[path.parent] = _stamp(path.parent)
    return sorted(path.parent.glob(path.name))
