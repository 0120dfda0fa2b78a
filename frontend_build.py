"""Builds the JupyterLab panel, makes a wheel small and adds a manual page.

It is hatchling's build hook, and `scripts/panel`'s program.

What is built depends on the sources alone, so it is left alone while they are as they were. An sdist
has it, and needs no Node.js. Without Node.js a source tree is installed without the panel, and says so.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
SOURCES = ROOT / "labextension"
OUTPUT = ROOT / "jupyter_remote" / "labextension"
STAMP = OUTPUT / "sources.sha256"
# What the bundler (rspack 2) runs on.
NEEDED = "Node.js 20.19 or newer (of 22: 22.12 or newer)"
# Its value "1" makes a missing Node.js an error; set in continuous integration.
REQUIRE = "JR_REQUIRE_LABEXTENSION"
# Its value "1" leaves the panel as it is, built or not.
SKIP = "JR_SKIP_LABEXTENSION"


def sources_digest() -> str:
    """Of all that the built panel is made of."""
    names = ["package.json", "yarn.lock", ".yarnrc.yml", "tsconfig.json", "install.json"]
    files = [SOURCES / name for name in names]
    for folder in ("src", "schema", "style"):
        found = sorted(path for path in (SOURCES / folder).rglob("*") if path.is_file())
        files += [path for path in found if "__tests__" not in path.parts]
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.relative_to(SOURCES).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def is_current() -> bool:
    """Whether the built panel is there and made of the sources as they are."""
    return STAMP.exists() and STAMP.read_text(encoding="ascii").strip() == sources_digest()


def missing_node() -> str:
    """Why the panel can't be built here, or an empty text."""
    node = shutil.which("node") or shutil.which("nodejs")
    if node is None:
        return f"{NEEDED} was not found"
    said = subprocess.run([node, "--version"], capture_output=True, text=True).stdout.strip()
    found = re.match(r"v(\d+)\.(\d+)", said)
    version = (int(found[1]), int(found[2])) if found else (0, 0)
    if version < (20, 19) or version[0] == 21 or (22, 0) <= version < (22, 12):
        return f"{NEEDED} is needed; {node} is {said or 'none'}"
    return ""


def build(*, install_only: bool = False) -> bool:
    """Builds the panel where it isn't current.

    Args:
        install_only: fetch what it takes (`node_modules`), and build nothing.

    Returns:
        Whether it is there now.

    Raises:
        RuntimeError: the build failed, or Node.js is missing where it is required.
    """
    if os.environ.get(SKIP) == "1" or (is_current() and not install_only):
        return OUTPUT.exists()
    if reason := missing_node():
        if os.environ.get(REQUIRE) == "1":
            raise RuntimeError(f"{reason}, and {REQUIRE}=1 asks for the JupyterLab panel")
        print(f"WARNING: {reason}: going on without the JupyterLab panel", file=sys.stderr)
        return False
    if install_only:
        if not _packages_are_current():
            _jlpm("install", "--immutable")
        return False
    shutil.rmtree(OUTPUT, ignore_errors=True)
    _jlpm("install", "--immutable")
    _jlpm("run", "build:prod")
    if not (OUTPUT / "static" / "style.js").exists():
        raise RuntimeError(f"{OUTPUT} was not built")
    shutil.copy(SOURCES / "install.json", OUTPUT)
    STAMP.write_text(sources_digest() + "\n", encoding="ascii")
    return True


def _packages_are_current() -> bool:
    state = SOURCES / "node_modules" / ".yarn-state.yml"
    wanted = max((SOURCES / name).stat().st_mtime for name in ("package.json", "yarn.lock"))
    return state.exists() and state.stat().st_mtime >= wanted


def _jlpm(*arguments: str) -> None:
    beside = Path(sys.executable).parent
    path = os.pathsep.join([str(beside), os.environ.get("PATH", "")])
    jlpm = shutil.which("jlpm", path=path)
    if jlpm is None:
        raise RuntimeError("jlpm was not found; it comes with the package jupyter-builder")
    env = {**os.environ, "PATH": path, **_registry()}
    done = subprocess.run([jlpm, *arguments], cwd=SOURCES, env=env, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"jlpm {' '.join(arguments)} failed:\n{(done.stdout + done.stderr)[-6000:]}")


def _registry() -> dict[str, str]:
    """npm's registry for yarn, which doesn't read npm's configuration."""
    name = "YARN_NPM_REGISTRY_SERVER"
    npm = shutil.which("npm")
    if name in os.environ or npm is None:
        return {}
    got = subprocess.run([npm, "config", "get", "registry"], capture_output=True, text=True, cwd=ROOT.anchor)
    url = got.stdout.strip()
    return {name: url} if got.returncode == 0 and url.startswith("http") else {}


def lean_modules(folder: Path) -> dict[str, str]:
    """What a wheel has of the modules: of the agent what hosts get of it, all others without comments.

    It makes the wheel a tenth smaller. What is sent to hosts as text stays as it is.

    Args:
        folder: where the files are made.

    Returns:
        File made -> its path in the wheel.
    """
    spec = importlib.util.spec_from_file_location("lean", ROOT / "jupyter_remote" / "lean.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made = {}
    package = ROOT / "jupyter_remote"
    as_text = {package / "stage0.py", package / "campaigns" / "notebook_runner.py"}
    for source in sorted(package.rglob("*.py")):
        if source in as_text or source.parent == package / "environments" / "host":
            continue
        shorter = module.lean if source.parent == package / "agent" else module.without_comments
        target = folder / source.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(shorter(source.read_bytes()))
        made[str(target)] = source.relative_to(ROOT).as_posix()
    return made


def man_page(folder: Path) -> Path:
    """Writes the manual page, which is made of the table of options.

    Args:
        folder: where the file is made.
    """
    path = folder / "jupyter-remote.1"
    code = "import sys; from jupyter_remote.man_page import page; sys.stdout.buffer.write(page().encode())"
    path.write_bytes(subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, stdout=-1).stdout)
    return path


def install(prefix: Path) -> None:
    """Copies the built panel to where a JupyterLab of this environment looks for it."""
    target = prefix / "share" / "jupyter" / "labextensions" / "jupyter-remote"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(OUTPUT, target)


try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # `scripts/panel` needs no hatchling
    pass
else:

    class PanelHook(BuildHookInterface[Any]):
        """hatchling calls it before it collects files, for sdists, wheels and editable installs."""

        PLUGIN_NAME = "custom"
        made: tempfile.TemporaryDirectory[str] | None = None

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            build()
            if self.target_name == "wheel" and version != "editable":
                # Outside of the project: only then do they take the place of the files that are there.
                self.made = tempfile.TemporaryDirectory()
                build_data["force_include"].update(lean_modules(Path(self.made.name)))
                page = man_page(Path(self.made.name))
                build_data["shared_data"][str(page)] = f"share/man/man1/{page.name}"

        def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
            if self.made is not None:
                self.made.cleanup()


if __name__ == "__main__":
    try:
        if "--node-modules" in sys.argv:
            build(install_only=True)
        elif build():
            install(Path(sys.prefix))
    except RuntimeError as error:
        sys.exit(f"frontend_build.py: {error}")
