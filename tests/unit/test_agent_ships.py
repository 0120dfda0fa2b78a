"""What ships to the hosts, and what importing the package costs: promises about the code as a whole."""

from __future__ import annotations

import ast
import os
import shlex
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import jupyter_remote
from jupyter_remote.boot import agent_zip, command, handshake
from jupyter_remote.lean import for_type_checkers, lean, without_comments

PACKAGE = Path(jupyter_remote.__file__).parent
AGENT = PACKAGE / "agent"
MODULES = sorted(AGENT.rglob("*.py"))

HEAVY = (
    *("asyncio", "IPython", "click", "ipywidgets", "jupyter_core", "jupyter_server", "matplotlib", "numpy"),
    *("paramiko", "pydantic", "rich", "sqlite3", "yaml"),
)

# What a module may import from the user's environment; the worker loads it only where that is there.
GUESTS = {"shell_ipython.py": {"IPython", "traitlets"}, "comms.py": {"comm"}}


def relative(path: Path) -> str:
    return path.relative_to(AGENT).as_posix()


def interpreters() -> list[str]:
    """The oldest supported Python, wherever this machine keeps one, and the system's own python3."""
    found = [shutil.which("python3.8")]
    if found[0] and "shims" in Path(found[0]).parts:
        # A pyenv shim is on the PATH whether its Python is selected or not.
        found += map(str, Path(found[0]).parents[1].glob("versions/3.8*/bin/python3.8"))
    usable = [p for p in found if p and subprocess.run([p, "-c", ""], capture_output=True).returncode == 0]
    return [*usable[:1], *filter(None, [shutil.which("python3", path="/usr/bin:/bin")])]


@pytest.mark.parametrize("module", MODULES, ids=relative)
def test_imports_only_the_standard_library_and_itself(module: Path) -> None:
    foreign = []
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            foreign += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            foreign.append(node.module or "")
    allowed = sys.stdlib_module_names | GUESTS.get(relative(module), set())
    assert [name for name in foreign if name.partition(".")[0] not in allowed] == []


@pytest.mark.parametrize("module", MODULES, ids=relative)
def test_never_reaches_above_its_own_folder(module: Path) -> None:
    depth = len(module.relative_to(AGENT).parts)
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level <= depth, f"line {node.lineno} leaves the folder that ships"


def test_fits_into_96_kib() -> None:
    assert len(agent_zip()) < 96 * 1024


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["", "bz2"])
def test_the_agent_gets_to_a_python_with_and_without_bz2(missing: str, tmp_path: Path) -> None:
    python = tmp_path / "python3"
    boot = f"import sys; sys.modules.update({dict.fromkeys(missing.split())!r}); exec(sys.argv.pop(1))"
    python.write_text(
        f'#!/bin/sh\n[ "$1" = -I ] && shift 3\nexec {sys.executable} -I -S -c {shlex.quote(boot)} "$@"\n'
    )
    python.chmod(0o755)
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path)}
    with subprocess.Popen(
        ["sh", "-c", command()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        reading, sent = process.stdout.fileno(), list[bytes]()

        def write(data: bytes) -> None:
            sent.append(data)
            process.stdin.write(data)  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]

        assert handshake(lambda size: os.read(reading, size), write)[0]
        process.stdin.close()
    assert sent[0][24:] == agent_zip(not missing)


@pytest.mark.parametrize("module", MODULES, ids=relative)
def test_what_ships_is_the_same_code_on_the_same_lines(module: Path) -> None:
    source = module.read_bytes()
    shipped = lean(source)
    assert shipped.count(b"\n") == source.count(b"\n")
    assert code_of(shipped) == code_of(source)
    assert lean(shipped) == shipped  # a wheel has them so


def test_what_looks_like_a_comment_in_a_string_ships() -> None:
    source = b'''"""Doc."""\nX = """\n    # kept\n"""\n# gone\ndef f():  # "gone\n    """Only this."""\n'''
    assert lean(source) == b'""\nX = """\n    # kept\n"""\n\ndef f():\n ""\n'
    quotes = b'''X = ['\\'# ', "it's #", "\\\\", '"', """'#' "# """]  # it's "gone\n'''
    assert lean(quotes) == quotes.partition(b"  # it")[0] + b"\n"


def test_annotations_of_functions_and_imports_for_type_checkers_stay_here() -> None:
    source = b"""if TYPE_CHECKING:
    class T:
        'Doc.'
class A:
    x: int = 1
def f(a: dict[str, "\xc3\xa9"], *b: int, c: str = "x: int",
    **d: int) -> dict[str, int]:
    y: int = 2
"""
    shorter = b"""


class A:
 x: int = 1
def f(a, *b, c = "x: int",
 **d):
 y: int = 2
"""
    assert lean(source) == shorter


def test_a_wheel_has_the_other_modules_without_comments() -> None:
    source = b'"""Doc."""\n# why\nX = "# kept"  # because\n\ndef f():\n    # why\n    return """#\n"""\n'
    shorter = b'"""Doc."""\n\nX = "# kept"\n\ndef f():\n\n    return """#\n"""\n'
    assert without_comments(source) == shorter  # it says itself where it would be another module


def code_of(source: bytes) -> tuple[str, list[int]]:
    """The syntax tree without what only readers need, and on which line each statement begins."""
    tree = ast.parse(source)
    tree.body = [node for node in tree.body if not for_type_checkers(node)]
    for node in ast.walk(tree):
        if (
            isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
            and ast.get_docstring(node, False) is not None
        ):
            del node.body[0]
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
    return ast.dump(tree), [node.lineno for node in ast.walk(tree) if isinstance(node, ast.stmt)]


def test_holds_nothing_but_modules() -> None:
    files = [p for p in AGENT.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    assert [relative(p) for p in files if p.suffix != ".py"] == []


def test_vermin_finds_nothing_newer_than_3_8() -> None:
    vermin = Path(sys.executable).with_name("vermin")  # It can't be run with `python -m`.
    done = subprocess.run([vermin, AGENT], cwd=PACKAGE.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("python", interpreters())
def test_every_module_imports_bare_and_under_another_name(python: str, tmp_path: Path) -> None:
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(AGENT, tmp_path / "renamed", ignore=ignore)
    bare = [p for p in MODULES if p.name != "__main__.py" and relative(p) not in GUESTS]
    names = [".".join(("renamed", *p.relative_to(AGENT).with_suffix("").parts)) for p in bare]
    names = [name.removesuffix(".__init__") for name in names]
    program = (
        "import compileall, importlib, sys\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        f"assert compileall.compile_dir({str(tmp_path)!r}, quiet=1)\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
        "print(*[name for name in sys.modules if name.startswith('jupyter_remote')])\n"
    )
    done = subprocess.run([python, "-I", "-S", "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "", "the copy imported the installed package"


@pytest.mark.parametrize("statement", ["import jupyter_remote", "import jupyter_remote.agent.version"])
def test_import_loads_nothing_heavy(statement: str) -> None:
    program = f"import sys; {statement}; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


def test_loading_the_extension_adds_nothing_heavy() -> None:
    # IPython brings some of these itself; what counts is what the extension adds.
    program = (
        "import sys\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "before = set(sys.modules)\n"
        "shell.run_line_magic('load_ext', 'jupyter_remote')\n"
        f"print(*[name for name in {HEAVY!r} if name in sys.modules and name not in before])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


def test_many_hosts_get_one_zip_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from jupyter_remote import boot, lean

    together, made = threading.Barrier(8), [0]

    def counted(content: bytes) -> bytes:
        made[0] += 1
        return content

    def ask(_: int) -> bytes:
        together.wait(30)
        return agent_zip()

    monkeypatch.setattr(lean, "lean", counted)
    boot._zipped.cache_clear()
    try:
        with ThreadPoolExecutor(8) as threads:
            assert len(set(threads.map(ask, range(8)))) == 1
        assert made[0] == len(boot._sources())
    finally:
        boot._zipped.cache_clear()
