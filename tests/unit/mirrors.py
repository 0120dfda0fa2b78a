"""What the tests of a mirror, and the processes that they kill, share: making and applying change sets."""

from __future__ import annotations

import io
import random
from collections.abc import Iterable

from jupyter_remote.agent.entry import Entry, new_digest
from jupyter_remote.agent.pack import Change, pack
from jupyter_remote.agent.tree import Applied, Mirror
from jupyter_remote.sync.plan import plan

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
