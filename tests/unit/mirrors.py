"""What the tests of a mirror, and the processes they kill, share: change sets, and looking at the outcome."""

from __future__ import annotations

import io
import os
import random
import stat
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from jupyter_remote.agent.entry import Entry, Stale, new_digest
from jupyter_remote.agent.pack import Change, pack
from jupyter_remote.agent.tree import Applied, Mirror
from jupyter_remote.sync.plan import Plan, plan
from jupyter_remote.sync.scan import Scanner

Contents = dict[str, bytes]


def entry_of(content: bytes, mode: int = 0o644) -> Entry:
    digest = new_digest()
    digest.update(content)
    return Entry("file", mode, len(content), digest.hexdigest())


def packed(changes: Iterable[Change], contents: Contents) -> bytes:
    return b"".join(pack(changes, lambda path: io.BytesIO(contents[path])))


def apply(
    mirror: Mirror, changes: Iterable[Change], contents: Contents, owner: str = "me", base: int | None = None
) -> Applied:
    base = mirror.generation() if base is None else base
    return mirror.apply(base, owner, io.BytesIO(packed(changes, contents)).read)


def put(mirror: Mirror, contents: Contents, owner: str = "me") -> Applied:
    changes = [Change("put", path, entry_of(content)) for path, content in contents.items()]
    return apply(mirror, changes, contents, owner)


def apply_tree(mirror: Mirror, tree: dict[str, bytes | None], owner: str = "me") -> Applied:
    """Brings a mirror to hold a tree (None stands for a folder), the way a client does it."""
    generation, inventory = mirror.inventory()
    contents = {path: content for path, content in tree.items() if content is not None}
    local = {path: Entry("dir", 0o755) if c is None else entry_of(c) for path, c in tree.items()}
    changes = plan(local, inventory, owner).changes
    return mirror.apply(generation, owner, io.BytesIO(packed(changes, contents)).read)


def random_tree(chance: random.Random) -> dict[str, bytes | None]:
    """Files whose content tells whether it is whole, in folders that are files in other trees."""
    tree: dict[str, bytes | None] = {}
    for n in range(8):
        if chance.random() < 0.5:
            tree[f"d{n}"] = whole(chance)
            continue
        tree[f"d{n}"] = None
        for m in range(chance.randrange(6)):
            tree[f"d{n}/{m}"] = whole(chance)
    return tree


def whole(chance: random.Random) -> bytes:
    return b"%08d" % chance.randrange(10**8) * chance.choice([1, 100, 20_000])


def states(mirror: Mirror) -> dict[str, str]:
    """Of every path of the index; what a mirror has in memory has to be what its file says."""
    generation, inventory = mirror.inventory()
    assert Mirror(os.fsdecode(mirror._root)).inventory() == (generation, inventory)
    return {path: state for path, (_, _, state) in inventory.items()}


def sync(scanner: Scanner, mirror: Mirror, owner: str = "me") -> tuple[Plan, Applied | None]:
    """What a client does, without a connection in between."""
    while True:
        generation, inventory = mirror.inventory()
        made = plan(scanner.scan().manifest, inventory, owner)
        if not made.changes:
            return made, None
        stream = io.BytesIO(b"".join(pack(made.changes, scanner.open)))
        with suppress(Stale):
            return made, mirror.apply(generation, owner, stream.read)


def content_of(root: Path) -> dict[str, tuple[Any, ...]]:
    """Everything below a folder but our own: kind, mode, and content or target."""
    found: dict[str, tuple[Any, ...]] = {}
    for place in root.rglob("*"):
        path = str(place.relative_to(root))
        if path.split("/")[0] == ".jupyter-remote":
            continue
        mode = stat.S_IMODE(place.lstat().st_mode)
        if place.is_symlink():
            found[path] = ("link", str(place.readlink()))
        elif place.is_dir():
            found[path] = ("dir", mode)
        else:
            found[path] = ("file", mode, place.read_bytes())
    return found


def assert_no_leftovers(root: Path) -> None:
    state = root / ".jupyter-remote"
    staging = state / "staging"
    assert not staging.exists() or not list(staging.iterdir())
    assert {path.name for path in state.iterdir()} <= {"index", "lock", "staging", "kept", "old"}


def python(program: str, *args: str) -> subprocess.Popen[bytes]:
    """A process that can import `mirrors` and the package."""
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": f"{here}:{here.parents[1]}"}
    return subprocess.Popen([sys.executable, "-c", program, *args], env=environment, stdout=subprocess.PIPE)
