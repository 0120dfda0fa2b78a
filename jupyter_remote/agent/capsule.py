"""What surrounds a run and is not told by the client: its workspace's manifest, the host's GPUs.

What is known goes into the run's first record; the rest is found out beside the run and noted afterwards.
"""

from __future__ import annotations

import os
import threading

from . import shared
from .paths import read_json, write_json
from .processes import boot_id
from .rundir import RunDir

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any

    from .tree import Mirror

# How long an agent whose client has gone still looks.
LAST_WORDS = 3.0


class Capsule:
    """What one agent knows of its host's circumstances.

    Args:
        state: state folder.
    """

    def __init__(self, state: str) -> None:
        self._state = state
        self._manifests: dict[str, tuple[int, str]] = {}
        self._gpus: dict[str, Any] | None = None
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def known(self, run: dict[str, Any], mirror: Mirror, workspace: str) -> dict[str, Any]:
        """The record of a run to be, with what is known at once."""
        run = dict(run, **(self._gpus or {}))
        generation, digest = self._manifests.get(workspace, (-1, ""))
        if generation == mirror.generation() and shared.has(self._state, shared.MANIFESTS, digest):
            run["manifest"] = digest
        if "diff" in run and not shared.has(self._state, shared.DIFFS, run["diff"]):
            del run["diff"]  # the client remembers it, but it was purged
        return run

    def complete(self, run: dict[str, Any], mirror: Mirror, workspace: str) -> None:
        """Finds out what was not known, and notes it with the run."""
        work = (run, mirror, workspace)
        if "manifest" in run and "gpus" in run:
            self._find_out(*work)  # a line in a file or two
            return
        thread = threading.Thread(target=self._find_out, args=work, daemon=True)
        self._threads = [*(one for one in self._threads if one.is_alive()), thread]
        thread.start()

    def finish(self) -> None:
        """Waits a moment for what is under way: the client has gone, the runs stay."""
        for thread in self._threads:
            thread.join(LAST_WORDS)

    def _find_out(self, run: dict[str, Any], mirror: Mirror, workspace: str) -> None:
        facts: dict[str, Any] = {}
        try:
            if "manifest" not in run:
                facts["manifest"] = self._manifest(mirror, workspace)
            if "gpus" not in run:
                facts.update(self._all_gpus())
            if facts:
                RunDir(self._state, run["id"]).note(facts)
            for kind, key in ((shared.MANIFESTS, "manifest"), (shared.DIFFS, "diff")):
                digest = facts.get(key) or run.get(key)
                if digest:
                    shared.refer(self._state, kind, digest, run["id"])
        except OSError:
            pass  # a full disk: the run itself says so

    def _manifest(self, mirror: Mirror, workspace: str) -> str | None:
        with self._lock:
            generation, digest = self._manifests.get(workspace, (-1, ""))
            if generation != mirror.generation() or not shared.has(self._state, shared.MANIFESTS, digest):
                generation, manifest = mirror.manifest()
                if generation < 0:
                    return None
                digest = shared.put(self._state, shared.MANIFESTS, manifest)
                self._manifests[workspace] = (generation, digest)
            return digest

    def _all_gpus(self) -> dict[str, Any]:
        with self._lock:
            if self._gpus is None:
                path = os.path.join(self._state, "gpus.json")
                kept = read_json(path) or {}
                # Cards don't change while a machine is up.
                if kept.get("boot") != boot_id():
                    from .stats import gpu_facts

                    kept = dict(gpu_facts(), boot=boot_id())
                    if not kept.get("gpu_error"):
                        write_json(path, kept)
                self._gpus = {"gpus": kept["gpus"]}
            return self._gpus
