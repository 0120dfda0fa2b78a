"""What a host has that makes environments: uv, conda and its like, interpreters."""

from __future__ import annotations

import glob
import os
import shutil
import sys

from .reasons import Failed

PLACES = {
    "uv": ("~/.local/bin/uv", "~/.cargo/bin/uv"),
    "conda": tuple(
        f"{base}/{name}/bin/conda"
        for base in ("~", "/opt")
        for name in ("miniforge3", "mambaforge", "miniconda3", "anaconda3", "conda")
    ),
}
ADVICE = {
    "uv": "Leave --with out, and it is made with venv and pip.",
    "conda": "Load it in `env_setup` (a module), or give a requirements.txt instead.",
}


def tool(name: str, needed: bool = True) -> str | None:
    """The path of uv, or of what understands conda's files.

    Raises:
        Failed: it is needed and not there.
    """
    names = ("mamba", "conda", "micromamba") if name == "conda" else (name,)
    given = [os.environ[key] for key in ("MAMBA_EXE", "CONDA_EXE") if name == "conda" and os.environ.get(key)]
    for path in (*map(shutil.which, names), *given, *map(os.path.expanduser, PLACES[name])):
        if path and os.access(path, os.X_OK):
            return path
    if needed:
        raise Failed(f"there is no {' or '.join(names)} on this host (PATH, home, /opt). {ADVICE[name]}")
    return None


def base_python(asked: str) -> str:
    """The interpreter that a venv is made with.

    Args:
        asked: its version; "" for the one that runs this.

    Raises:
        Failed: there is none of that version.
    """
    own = sys.version.split()[0]
    if not asked or (own + ".").startswith(asked + "."):
        return sys.executable
    short = ".".join(asked.split(".")[:2])
    found = shutil.which("python" + short)
    if found is None:
        known = {os.path.basename(p) for d in os.get_exec_path() for p in glob.glob(d + "/python3.*[0-9]")}
        there = ", ".join(sorted(known | {"python" + own}))
        raise Failed(f"there is no Python {asked} on this host; there is: {there}. uv or conda can bring one")
    return found
