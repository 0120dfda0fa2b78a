"""Names of a host's files that a client's system can't have, or would take for one another. Pure.

What is done about them is said in `pull.py`. Names that lead out of the target are `agent/entry.py`'s
business.
"""

from __future__ import annotations

import unicodedata

_DEVICES = frozenset(
    [
        *("con", "prn", "aux", "nul", "conin$", "conout$"),
        *(f"{name}{number}" for name in ("com", "lpt") for number in "123456789\u00b9\u00b2\u00b3"),
    ]
)
_MAX_WINDOWS_NAME = 255


class Names:
    """The paths of one list, as a system would take them.

    Args:
        platform: as `sys.platform` has it.
    """

    def __init__(self, platform: str) -> None:
        self._platform = platform
        self._folds = platform in ("win32", "darwin")
        # Hashes only, because the list may be long: should two be equal by chance, a file is refused by name.
        self._taken: set[int] = set()

    def refuse(self, path: str) -> str | None:
        """Why a path can't be made here beside those that came before it, None when it can."""
        if self._folds:
            name = hash(folded(path, self._platform))
            if name in self._taken:
                return "here it has the same name as another path that matches"
            self._taken.add(name)
        return impossible_name(path, self._platform)


def impossible_name(path: str, platform: str) -> str | None:
    """Why a path can't be made on a system.

    Args:
        path: relative, with `/`.
        platform: as `sys.platform` has it.

    Returns:
        A sentence that names the part of the path, or None when nothing is in the way.
    """
    for part in path.split("/"):
        if platform == "win32" and _windows_refuses(part):
            return f"Windows can't have the name {part!r}"
        if platform == "darwin" and _is_no_text(part):
            return f"macOS can't have the name {part!r}"
    return None


def folded(path: str, platform: str) -> str:
    """What a system takes a path for: two paths that give the same text are one file there.

    Args:
        platform: the system's name, as of `sys.platform`.
    """
    if platform not in ("win32", "darwin"):
        return path
    if platform == "darwin":
        path = unicodedata.normalize("NFC", path)
    return path.casefold()


def _windows_refuses(part: str) -> bool:
    if any(c in '<>:"|?*\\' or ord(c) < 32 for c in part) or _is_no_text(part):
        return True
    # A device stays one with any extension, and with spaces before it.
    stem = part.partition(".")[0].rstrip(" ").lower()
    too_long = len(part.encode("utf-16-le")) > 2 * _MAX_WINDOWS_NAME
    return part != part.rstrip(" .") or stem in _DEVICES or too_long


def _is_no_text(part: str) -> bool:
    return any(0xD800 <= ord(c) < 0xE000 for c in part)
