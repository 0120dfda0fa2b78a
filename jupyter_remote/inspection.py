"""Shift-Tab and the help panel in a `%%remote` cell: the kernel's answer comes from the cell's session.

IPython's shell is only told a name, never the cell it stands in, so it is the kernel's `do_inspect` that is
stood in for. A terminal has no such question; `name?` in a cell is run on the host in any case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


class Inspecting:
    """Stands in for a kernel's `do_inspect`.

    Args:
        shell: whose namespace names the session.
        local: the kernel's own.
    """

    def __init__(self, shell: InteractiveShell, local: Any) -> None:
        self._shell = shell
        self._local = local

    def __call__(self, code: str, cursor_pos: int, detail_level: int = 0, *more: Any, **named: Any) -> Any:
        """The host's answer, or the kernel's own where the host has none."""
        if code.startswith("%%remote"):
            data = self._of_host(code, cursor_pos, detail_level)
            if data:
                return {"status": "ok", "found": True, "data": data, "metadata": {}}
        return self._local(code, cursor_pos, detail_level, *more, **named)

    def _of_host(self, code: str, cursor_pos: int, detail: int) -> dict[str, str] | None:
        from .consulting import cell_of, consult

        cell = cell_of(code)
        if cell is None or cursor_pos < cell.offset:
            return None
        facts = consult(cell, self._shell.user_ns, "inspect", cursor_pos - cell.offset, detail)
        data = (facts or {}).get("data")
        return {str(mime): str(text) for mime, text in data.items()} if isinstance(data, dict) else None


def install(shell: InteractiveShell) -> None:
    """Stands in, where there is a kernel."""
    uninstall(shell)
    kernel: Any = getattr(shell, "kernel", None)
    if kernel is not None:
        kernel.do_inspect = Inspecting(shell, kernel.do_inspect)


def uninstall(shell: InteractiveShell) -> None:
    """Lets the kernel answer by itself again."""
    kernel: Any = getattr(shell, "kernel", None)
    if isinstance(getattr(kernel, "__dict__", {}).get("do_inspect"), Inspecting):
        del kernel.do_inspect
