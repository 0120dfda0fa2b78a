"""`%autoremote HOST`: every following cell goes there, until `%autoremote off`.

An input transformer puts a magic's line before the cell; what that magic does is `cell.py`. Loaded by
`%load_ext`, so nothing heavy is imported here.
"""

from __future__ import annotations

from typing import Any

MAGIC = "%%autoremote"
LOCAL = "%%local"
OFF = "off"
# Cells that begin so are about this machine, or say themselves where they go.
_STAY = ("%%", "%remote", "%autoremote", "%load_ext", "%reload_ext", "%unload_ext")


class AutoRemote:
    """Whether cells go to a host by themselves, and the transformer that sends them.

    Args:
        shell: IPython's.
    """

    # A terminal that asks whether a cell is complete is to look at what was typed.
    has_side_effects = True

    def __init__(self, shell: Any) -> None:
        self.line = ""
        self._shell = shell
        self._running = 0

    def on(self, line: str) -> None:
        """Sends every following cell with these words of `%%remote`."""
        self.off()
        self.line = line
        # First of all, because those that follow change what was typed.
        self._shell.input_transformers_cleanup.insert(0, self)
        self._shell.events.register("pre_run_cell", self._begins)
        self._shell.events.register("post_run_cell", self._ends)

    def off(self) -> None:
        """Lets cells run here again; no error when they do."""
        self.line = ""
        self._running = 0
        if self in self._shell.input_transformers_cleanup:
            self._shell.input_transformers_cleanup.remove(self)
            self._shell.events.unregister("pre_run_cell", self._begins)
            self._shell.events.unregister("post_run_cell", self._ends)

    def __call__(self, lines: list[str]) -> list[str]:
        """The lines of a cell, sent where it is one that goes."""
        first = next((line.strip() for line in lines if line.strip()), "")
        if first.split(maxsplit=1)[:1] == [LOCAL]:
            at = next(number for number, line in enumerate(lines) if line.strip())
            return lines[at + 1 :] or ["\n"]
        if not self._goes(lines):
            return lines
        return [f"{MAGIC} {self.line}\n", *lines]

    def _goes(self, lines: list[str]) -> bool:
        said = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
        if not said or said[0].startswith("%%") or said[0].partition(" ")[0] in _STAY:
            return False
        if said[0].endswith("?") or said[0].startswith("?"):
            return False  # help is about the objects here
        # While a cell runs, magics (`%%time`) transform pieces of it, which are here already or there.
        return not self._running and not self._silent()

    def _silent(self) -> bool:
        """Whether a front asks for something of its own, which the user never typed."""
        kernel = getattr(self._shell, "kernel", None)
        if kernel is None:
            return False
        content = (kernel.get_parent("shell") or {}).get("content") or {}
        return bool(content.get("silent"))

    def _begins(self, _info: object = None) -> None:
        self._running += 1

    def _ends(self, _result: object = None) -> None:
        # The cell that switched it on has an end, and no beginning here.
        self._running = max(0, self._running - 1)
