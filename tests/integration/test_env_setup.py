"""`env_setup`: shell lines before a session or program, what they change, and how their failure is told."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hosts import Place, await_true

from jupyter_remote.agent import processes
from jupyter_remote.errors import LaunchError

MODULES = Path("/usr/share/modules/init/bash")


def prepare(local: Place, text: str, **settings: object) -> None:
    update = {"env_setup": text, **settings}
    local.remote.host = local.remote.host.model_copy(update=update)


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    """A folder with two modules of its own; the `module` command must be installed."""
    if not MODULES.exists():
        reason = "the `module` command is not installed (package environment-modules)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    folder = tmp_path / "modules"
    (folder / "tool").mkdir(parents=True)
    (tmp_path / "tool" / "bin").mkdir(parents=True)
    tool = tmp_path / "tool" / "bin" / "mytool"
    tool.write_text("#!/bin/sh\necho mytool runs\n")
    tool.chmod(0o755)
    (folder / "tool" / "2.0").write_text(
        f"#%Module\nsetenv TOOL_VERSION 2.0\nprepend-path PATH {tmp_path}/tool/bin\n"
    )
    return folder


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("echo one\nexit 3", r"failed with exit code 3\none"),
        ("echo one\nfalse", r"failed with exit code 1 in line 2: false\none"),
        (
            "set -e\ncat /no/such/file\ntrue",
            r"failed with exit code 1 in line 2: cat /no/such/file\n.*No such file",
        ),
        ("set -u\necho $NEVER_SET\ntrue", r"failed with exit code \d+.*\n.*NEVER_SET: unbound"),
        (
            "if true; then\n  conda activate nothing\nfi\ntrue",
            "failed with exit code 127 in line 2: conda activate nothing",
        ),
        ("if true; then", r"failed with exit code \d+"),
        ("exit 0", "ended the shell, so nothing could be started after it"),
    ],
)
def test_a_failure_says_so_with_its_line_and_last_output(local: Place, text: str, how: str) -> None:
    prepare(local, text)
    with pytest.raises(LaunchError, match=rf"^local: env_setup of local {how}"):
        local.run("1", session="failing").check()
    run = local.remote.run_bash("echo never").wait()
    assert run.state == "failed"
    with pytest.raises(LaunchError, match=r"^local: env_setup of local "):
        run.check()


def test_what_may_fail_without_harm_does(local: Place) -> None:
    lines = [
        "false",
        "[ -f /no/such/file ] && echo there",
        "if ! true; then exit 1; fi",
        "set -- a b c",
        "set -u",
    ]
    prepare(local, "\n".join([*lines, "trap 'echo bye' EXIT", "export DONE=yes"]))
    assert local.printed("import os; print(os.environ['DONE'])") == "yes\n"


def test_modules_of_the_site_are_there_although_the_shell_is_no_login_shell(
    local: Place, modules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BASH_ENV", raising=False)
    prepare(local, f"module use {modules}\nmodule load tool/2.0")
    code = "import os\nprint(os.environ['TOOL_VERSION'])\nfound = !mytool\nprint(*found)"
    assert local.printed(code, session="modular") == "2.0\nmytool runs\n"
    seen: list[str] = []
    local.remote.run_bash("mytool; module list 2>&1").wait(
        lambda e: seen.append(getattr(e, "text", ""))
    ).check()
    assert "mytool runs" in "".join(seen) and "tool/2.0" in "".join(seen)


def test_an_unknown_module_is_a_failure_wherever_it_stands(local: Place, modules: Path) -> None:
    prepare(local, f"module use {modules}\nmodule load nothing/9\nexport X=1")
    match = r"(?s)env_setup of local failed with exit code 1 in line 2: module load nothing/9\n.*nothing/9"
    with pytest.raises(LaunchError, match=match) as told:
        local.run("1", session="modular").check()
    assert "jupyter remote set local env_setup" in str(told.value)


def test_a_python_that_only_the_setup_puts_on_the_path(local: Place, tmp_path: Path) -> None:
    program = tmp_path / "own" / "python-of-a-module"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nMODULAR=yes exec {sys.executable} "$@"\n')
    program.chmod(0o755)
    prepare(local, f"PATH={program.parent}:$PATH", python=program.name)
    assert local.printed("import os; print(os.environ['MODULAR'])", session="own") == "yes\n"
    seen: list[str] = []
    run = local.remote.run_script("s.py", "import os; print(os.environ['MODULAR'])")
    run.wait(lambda event: seen.append(event.text) if event.kind == "stdout" else None).check()
    assert "".join(seen) == "yes\n"
    prepare(local, "true", python="no-such-python")
    with pytest.raises(LaunchError, match="there is no no-such-python on the host's PATH"):
        local.run("1", session="none").check()


def test_variables_functions_and_noise(local: Place) -> None:
    text = (
        "echo noise; echo more >&2; greet() { echo hello $1; }; export -f greet; export PATH=/own/bin:$PATH"
    )
    prepare(local, text)
    assert local.printed(
        "import os; print(os.environ['PATH'].split(':')[0])\nfirst = !echo $PATH | cut -d: -f1\nprint(*first)"
    ) == ("/own/bin\n/own/bin\n")
    seen: list[str] = []
    local.remote.run_bash("greet you").wait(
        lambda e: seen.append(e.text) if e.kind == "stdout" else None
    ).check()
    assert "".join(seen).endswith("hello you\n")


def test_a_state_folder_with_a_blank_in_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setenv("JUPYTER_REMOTE_STATE", str(tmp_path / "a b"))
    local: Place = request.getfixturevalue("local")
    prepare(local, "false; true; export A=1")
    assert local.printed("import os; print(os.environ['A'])") == "1\n"
    prepare(local, "true\nfalse")
    with pytest.raises(LaunchError, match="failed with exit code 1 in line 2: false"):
        local.run("1", session="failing").check()


def test_one_that_hangs_is_ended_and_said(local: Place) -> None:
    prepare(local, "echo waiting for a licence\nsleep 600", env_setup_timeout=0.3)
    match = r"env_setup of local did not end within 0\.3 s \(env_setup_timeout\)"
    with pytest.raises(LaunchError, match=match + "\nwaiting for a licence"):
        local.run("1", session="hanging").check()
    with pytest.raises(LaunchError, match=match):
        local.remote.run_bash("echo never").wait().check()
    await_true(lambda: not [p for p in processes.marked() if "sleep 600" in processes.command_of(p)])
    # A time limit that is over is not held against what the session does afterwards.
    prepare(local, "true", env_setup_timeout=0.1)
    assert (
        local.printed("import time; time.sleep(0.5); print('still here')", session="later") == "still here\n"
    )
