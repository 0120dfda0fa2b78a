"""Why pip, uv or conda failed, by what they said; and which versions of Python will do."""

from __future__ import annotations

import re

# What is said, why that is so, and what can be done; the first that is found counts.
REASONS = (
    (r"No space left on device|Disk quota exceeded", "the disk is full, or the quota is used up",
     "Free some space, or set `env_root` of the host to a folder on another disk."),
    (r"Temporary failure in name resolution|Name or service not known|Network is unreachable|No route to host"
     r"|NewConnectionError|ConnectTimeout|Connection refused|[Cc]ould not resolve host|dns error"
     r"|error sending request|CondaHTTPError|ConnectionFailed",
     "the host does not reach the package index", "With --offline everything is downloaded here and sent."),
    (r"(?:do not match|mismatch).*hash|THESE PACKAGES DO NOT MATCH THE HASHES|Hash mismatch",
     "a file of the index is not the one that the lock names",
     "Make the lock again, and find out why it changed."),
    (r"command '?\S*(?:gcc|cc|g\+\+|clang)\S*'? failed|error: linker|Unable to find a? ?(?:C )?compiler"
     r"|No CMAKE_C"
     r"|Microsoft Visual C|[Ff]ailed to build|Failed building wheel|metadata-generation-failed",
     "a package has no wheel for this host, and building it failed",
     "Choose a version with a wheel for this Python, or have a compiler and what it needs installed."),
    (r"No matching distribution found|No solution found|ResolutionImpossible|ResolvePackageNotFound"
     r"|PackagesNotFound|LibMambaUnsatisfiable|requires a different Python|requires-python",
     "no versions fit together and this Python", "Ask for less, or for another Python with --python."),
    (r"(?:401|403) Client Error|Unauthorized|authenticat",
     "the package index wants to know who asks",
     "Give the address with ${NAME} in it, and `--pass-env NAME`."),
)  # fmt: skip


class Failed(Exception):
    """It can't be built; the text is for the user."""


def why(program: str, code: int, said: str) -> str:
    """Why a program failed, and what can be done."""
    for pattern, reason, advice in REASONS:
        match = re.search(pattern, said)
        if match:
            start = said.rfind("\n", 0, match.start()) + 1
            line = said[start : (said + "\n").find("\n", match.end())].strip()
            return f"{reason}: {line[:300]}\n{advice}"
    last = "\n".join(said.strip().splitlines()[-5:])
    how = f"was ended by signal {-code}" if code < 0 else f"failed with exit code {code}"
    return f"{program} {how}; the last it said:\n{last}"


def fits(version: str, wanted: str) -> bool:
    """Whether a version is one of those that a `requires-python` allows.

    Args:
        wanted: the specifiers.
    """
    own = numbers(version)
    for part in filter(None, (one.strip() for one in wanted.split(","))):
        match = re.match(r"(~=|===?|!=|<=|>=|<|>)\s*([\d.]+?)(\.\*)?$", part)
        if match is None:
            continue  # pip will say what it thinks of it
        sign, bound, star = match[1], numbers(match[2]), match[3]
        cut = own[: len(bound)]
        filled = bound + (0,) * (len(own) - len(bound))
        if sign == "~=":
            good = own >= bound and own[: len(bound) - 1] == bound[:-1]
        elif sign in ("==", "===", "!="):
            good = (cut == bound if star else own == filled) != (sign == "!=")
        else:
            good = {"<": own < filled, ">": own > filled, "<=": own <= filled, ">=": own >= filled}[sign]
        if not good:
            return False
    return True


def numbers(version: str) -> tuple[int, ...]:
    """The first three numbers of a version: `3.11.2+local` is 3, 11, 2."""
    return tuple(int(one) for one in re.findall(r"\d+", version.partition("+")[0])[:3])
