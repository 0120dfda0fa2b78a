"""`%%remote` and `%remote` in a real IPython shell, as far as no host is needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell

import jupyter_remote
from jupyter_remote.errors import ConfigError, RemoteError, UsageError
from jupyter_remote.notebook import notebook_path, session_name

HEAVY = {"click", "IPython", "ipywidgets", "matplotlib", "numpy", "paramiko", "pydantic", "rich", "yaml"}


@pytest.fixture
def loaded(
    shell: InteractiveShell, two_hosts: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> InteractiveShell:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    monkeypatch.chdir(workspace)
    jupyter_remote.load_ipython_extension(shell)
    return shell


def error_of(result: ExecutionResult) -> Exception:
    assert isinstance(result.error_in_exec, Exception), result
    return result.error_in_exec


@pytest.mark.parametrize(
    ("cell", "kind", "says"),
    [
        ("%%remote\n1", UsageError, "no host named. Valid: dgx01, dgx02, local, or an alias"),
        ("%%remote --quiet\n1", UsageError, "no host named. Valid: dgx01"),
        ("%%remote dgx1\n1", ConfigError, "there is no host `dgx1`; did you mean `dgx01`?"),
        (
            "%%remote dgx01 --sesion s\n1",
            UsageError,
            "unknown option --sesion of %%remote; did you mean --session?",
        ),
        ("%%remote dgx01 --timeout soon\n1", UsageError, "'soon' is not a duration"),
        ("%%remote dgx01 --label 'x\n1", UsageError, "no closing quotation"),
        ("%%remote dgx01,dgx03\n1", ConfigError, "there is no host `dgx03`"),
        ("%%remote dgx01,dgx02\n \n", UsageError, "the cell is empty"),
        ("%%remote @gpu\n1", ConfigError, "there is no group `gpu`"),
        ("%%remote dgx01,any\n1", UsageError, "stands alone"),
        ("%%remote dgx01\n\n  \n", UsageError, "the cell is empty"),
        ("%remote lst", UsageError, "unknown command lst of %remote; did you mean list?"),
        ("%remote show dgx1", ConfigError, "there is no host `dgx1`"),
        ("%remote set dgx01 port=abc", ConfigError, "port: found `abc`; valid is a whole number"),
        ("%remote set dgx01 prot=22", ConfigError, "did you mean `port`?"),
        ("%remote run dgx01", UsageError, "nothing to run on dgx01"),
        ("%remote run dgx01 --script nowhere.py", UsageError, "cannot read --script nowhere.py"),
        ("%remote sync @gpus", UsageError, "@gpus means 2 hosts (dgx01, dgx02); this takes one"),
    ],
)
def test_a_bad_line_fails_the_cell_with_one_message_and_no_traceback(
    loaded: InteractiveShell,
    cell: str,
    kind: type[RemoteError],
    says: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = error_of(loaded.run_cell(cell))
    assert isinstance(error, kind)
    assert says in str(error)
    shown = "".join(capsys.readouterr())
    assert says in shown
    assert "Traceback" not in shown
    assert len(shown.strip().splitlines()) == 1


def test_a_bad_file_is_named_with_its_line(
    loaded: InteractiveShell, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config" / "hosts.yaml"
    file.write_text("hosts:\n  dgx01: {port: abc}\n  dgx02: [\n")
    assert isinstance(error_of(loaded.run_cell("%%remote dgx01\n1")), ConfigError)
    file.write_text("hosts:\n  dgx01:\n    port: abc\n")
    assert isinstance(error_of(loaded.run_cell("%%remote dgx01\n1")), ConfigError)
    shown = "".join(capsys.readouterr())
    assert f"{file}:3: hosts.dgx01.port: found `abc`" in shown
    assert "Traceback" not in shown


def test_the_line_magic_prints_what_the_command_line_prints(
    loaded: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    assert loaded.run_cell("%remote list").success
    assert capsys.readouterr().out.splitlines()[0].split() == ["HOST", "TYPE", "ADDRESS", "DEFINED", "IN"]
    assert loaded.run_cell("%remote").success
    assert "Commands:" in capsys.readouterr().out


def test_names_in_the_line_are_expanded_as_ipython_does(loaded: InteractiveShell) -> None:
    loaded.user_ns["where"] = "elsewhere"
    assert "`elsewhere`" in str(error_of(loaded.run_cell("%%remote $where\n1")))
    assert "`elsewhere`" in str(error_of(loaded.run_cell("%%remote {where}\n1")))


def test_help_is_the_table(loaded: InteractiveShell) -> None:
    magic = loaded.find_cell_magic("remote")
    assert magic == loaded.find_line_magic("remote")
    assert "--session NAME" in magic.__doc__


def test_the_session_is_named_after_the_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/me/My analysis (1).ipynb")
    name = session_name({})
    assert name.startswith("My-analysis-1-")
    assert name == session_name({})
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/you/My analysis (1).ipynb")
    assert session_name({}) != name
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/me/…" + "x" * 300 + ".ipynb")
    assert len(session_name({})) <= 64


def test_a_notebook_of_vs_code_goes_by_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/me/a-jvsc-1234.ipynb")
    namespace: dict[str, object] = {"__vsc_ipynb_file__": "/home/me/a.ipynb"}
    assert notebook_path(namespace) == "/home/me/a.ipynb"
    assert session_name(namespace).startswith("a-")


def test_a_plain_python_has_a_session_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    assert notebook_path({}) is None
    assert session_name({}).startswith("terminal-")
    assert session_name({}) == session_name({})


def test_the_public_names_are_pinned() -> None:
    assert set(jupyter_remote.__all__) == {
        "Remote", "Run", "__version__", "campaign", "campaign_board", "compare", "connect", "errors",
        "host_picker", "host_status", "hosts", "load_ipython_extension", "metrics", "plot", "report",
        "run_view", "runs_table", "unload_ipython_extension",
    }  # fmt: skip
    for name in jupyter_remote.__all__:
        assert getattr(jupyter_remote, name) is not None
    assert set(jupyter_remote.__all__) <= set(dir(jupyter_remote))
    with pytest.raises(AttributeError, match="no attribute 'conect'"):
        jupyter_remote.conect  # noqa: B018


def loaded_by(code: str, setup: str = "") -> set[str]:
    """The heavy packages of which a new interpreter loads modules in `code`."""
    script = (
        f"import sys\n{setup}\nbefore = set(sys.modules)\n{code}\n"
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return HEAVY & set(done.stdout.split())


def test_the_import_loads_nothing_heavy() -> None:
    assert loaded_by("import jupyter_remote; jupyter_remote.__version__") == set()


def test_the_extension_loads_nothing_heavy() -> None:
    setup = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "from traitlets.config import Config\n"
        "shell = InteractiveShell(config=Config({'HistoryManager': {'enabled': False}}))"
    )
    assert loaded_by("shell.run_line_magic('load_ext', 'jupyter_remote')", setup) <= {"IPython"}
