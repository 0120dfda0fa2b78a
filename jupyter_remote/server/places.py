"""Paths that pages name: below the server's folder, or refused. Where a page may reach is decided here."""

from __future__ import annotations

from pathlib import Path

from .problems import Invalid

_LONGEST_NAME = 255


def below(root: Path, path: str) -> Path:
    """The path of a file or folder below `root`; it needs not be there.

    Args:
        root: the folder.
        path: relative, with `/`; empty for the folder itself.

    Raises:
        Invalid: it leads out, by itself or by a link.
    """
    if "\0" in path or "\\" in path or ":" in path.partition("/")[0] or path.startswith("/"):
        raise Invalid(f"{path[:200]!r} is not a path below the server's folder")
    if ".." in path.split("/"):
        raise Invalid(f"{path[:200]!r} leads out of the server's folder")
    if any(len(part) > _LONGEST_NAME for part in path.split("/")):
        raise Invalid(f"{path[:200]!r} has a name that is too long")
    try:
        base = root.resolve()
        found = (base / path).resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise Invalid(f"{path[:200]!r} can't be used: {error}") from None
    if not found.is_relative_to(base):
        raise Invalid(f"{path[:200]!r} leads out of the server's folder")
    return found


def shown_below(root: Path, folder: Path) -> dict[str, str]:
    """The folder as a page names it, if it is below the server's."""
    base, there = root.resolve(), folder.resolve()
    return {"folder": there.relative_to(base).as_posix()} if there.is_relative_to(base) else {}
