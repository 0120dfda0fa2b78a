"""What many runs have in common, kept once by its digest: manifests, lists of packages, diffs.

Beside ``<state>/<kind>/<digest>.json.gz`` stand in ``<digest>.runs`` the ids of the runs that name it: the
last of them to be purged takes it along.
"""

from __future__ import annotations

import json
import os

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any

MANIFESTS, ENVIRONMENTS, DIFFS = "manifests", "environments", "diffs"
# The format of gzip(1), without the 3 ms of importing the module of that name.
GZIP = 31
# With the key in a run's record.
KINDS = ((MANIFESTS, "manifest"), (ENVIRONMENTS, "environment"), (DIFFS, "diff"))


def put(state: str, kind: str, value: Any) -> str:
    """Keeps a value and returns its digest, which the same value has on every host."""
    import zlib
    from hashlib import blake2b

    text = json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")
    digest = blake2b(text, digest_size=20).hexdigest()
    path = _path(state, kind, digest)
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        staged = f"{path}.{os.getpid()}.tmp"
        with open(staged, "wb") as file:
            packer = zlib.compressobj(5, zlib.DEFLATED, GZIP)
            file.write(packer.compress(text) + packer.flush())
        os.replace(staged, path)
    return digest


def has(state: str, kind: str, digest: str) -> bool:
    """Whether the value is here."""
    return digest.isalnum() and os.path.exists(_path(state, kind, digest))


def refer(state: str, kind: str, digest: str, run_id: str) -> None:
    """Notes that the run names the value."""
    fd = os.open(_path(state, kind, digest, ".runs"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(fd, run_id.encode("ascii") + b"\n")
    finally:
        os.close(fd)


def get(state: str, kind: str, digest: str) -> Any:
    """The value; None when it isn't there."""
    import zlib

    try:
        with open(_path(state, kind, digest), "rb") as file:
            return json.loads(zlib.decompress(file.read(), GZIP))
    except (OSError, ValueError, zlib.error):
        return None


def release(state: str, kind: str, digest: str) -> None:
    """Removes the value when no run that names it is left, also not in the trash."""
    try:
        with open(_path(state, kind, digest, ".runs"), encoding="ascii") as file:
            ids = file.read().split()
    except OSError:
        return
    if not any(os.path.exists(os.path.join(state, place, i)) for i in ids for place in ("runs", "trash")):
        for suffix in (".json.gz", ".runs"):
            try:
                os.unlink(_path(state, kind, digest, suffix))
            except OSError:
                pass


def _path(state: str, kind: str, digest: str, suffix: str = ".json.gz") -> str:
    if not digest.isalnum():
        raise ValueError(f"{digest!r} is not a digest")
    return os.path.join(state, kind, digest + suffix)
