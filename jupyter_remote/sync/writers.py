"""Which files of a workspace some process has open for writing, or mapped into its memory, on Linux.

A write through a memory map tells no watcher: the file's time changes and nothing else happens, until the
map is closed. So as long as somebody may have one, the file has to be looked at. Processes of other
users don't show what they have open.
"""

from __future__ import annotations

import contextlib
import os


def open_files(root: str) -> set[str]:
    """Paths relative to the workspace.

    Args:
        root: absolute path of the workspace, links resolved.
    """
    prefix = os.fsencode(root) + b"/"
    found: set[bytes] = set()
    for name in os.listdir("/proc"):
        if name.isdigit():
            # The descriptors first: one that is closed in between has left its map behind by then.
            found.update(_descriptors(name, prefix))
            found.update(_maps(name, prefix))
    return {os.fsdecode(path[len(prefix) :]) for path in found}


def _descriptors(process: str, prefix: bytes) -> set[bytes]:
    found = set()
    with contextlib.suppress(OSError):
        for descriptor in os.listdir(f"/proc/{process}/fd"):
            with contextlib.suppress(OSError):
                path = os.fsencode(os.readlink(f"/proc/{process}/fd/{descriptor}"))
                if path.startswith(prefix):
                    found.add(path)
    return found


def _maps(process: str, prefix: bytes) -> set[bytes]:
    found = set()
    with contextlib.suppress(OSError), open(f"/proc/{process}/maps", "rb") as file:
        content = file.read()
        if prefix.replace(b"\n", b"\\012") in content:
            for line in content.splitlines():
                # A shared map that is only read may still be made writable.
                fields = line.split(None, 5)
                if len(fields) == 6 and fields[1].endswith(b"s"):
                    path = fields[5].replace(b"\\012", b"\n")
                    if path.startswith(prefix):
                        found.add(path)
    return found
