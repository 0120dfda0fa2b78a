"""What a client needs is there on every system: `docs/windows.md` promises it."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Modules of Python that Windows lacks. What ships to hosts may use them, and what only Linux takes (inotify).
IMPORT_ALL = """
import importlib, pkgutil, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name in ("fcntl", "grp", "pty", "pwd", "resource", "termios", "tty"):
            raise ModuleNotFoundError(name)

import IPython  # has its own ways on each system
for name in ("fcntl", "grp", "pty", "pwd", "resource", "termios", "tty"):
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Missing())
import jupyter_remote
OTHERS = (".agent.", ".environments.host", ".inotify", ".notebook_runner", ".stage0")
for module in pkgutil.walk_packages(jupyter_remote.__path__, "jupyter_remote."):
    if not any(part in module.name + "." for part in OTHERS):
        importlib.import_module(module.name)
print(len([name for name in sys.modules if name.startswith("jupyter_remote.")]))
"""


@pytest.mark.slow
def test_the_client_imports_nothing_that_windows_lacks() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORT_ALL], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 200
