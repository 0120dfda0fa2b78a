"""What `import jupyter_remote` and `%load_ext jupyter_remote` cost, each in fresh processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from .harness import Row, at_most, interleaved

_LOAD_EXT = """
import time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
start = time.perf_counter()
shell.run_line_magic("load_ext", "jupyter_remote")
print(time.perf_counter() - start)
"""


def measure(quick: bool) -> Iterator[Row]:
    n = 3 if quick else 7
    _import(), _load_ext()  # The first ones write byte code.
    imported, loaded = interleaved(n, _import, _load_ext)
    yield at_most("import jupyter_remote", imported, 0.060, n)
    yield at_most("%load_ext jupyter_remote", loaded, 0.120, n)


def _import() -> float:
    command = [sys.executable, "-X", "importtime", "-c", "import jupyter_remote"]
    report = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    # "import time: self [us] | cumulative | imported package", the package itself comes last.
    cumulative, name = report.splitlines()[-1].split("|")[1:]
    if name.strip() != "jupyter_remote":
        raise RuntimeError(f"the last line of -X importtime is about {name.strip()!r}")
    return int(cumulative) / 1e6


def _load_ext() -> float:
    command = [sys.executable, "-c", _LOAD_EXT]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
