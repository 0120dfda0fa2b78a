"""What environments are made with on a host, and what is said when one can't be made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from test_environments import UV, Lab, lab, said_by

from jupyter_remote.environments import create as environments
from jupyter_remote.environments.create import Plan
from jupyter_remote.environments.sources import read_source
from jupyter_remote.errors import BuildError

pytestmark = pytest.mark.slow

# Builders, versions, and what they say when it can't be.


def test_conda_makes_condas_files(lab: Lab) -> None:
    script = f'while [ "$1" != --prefix ]; do shift; done; exec {sys.executable} -m venv --without-pip "$2"'
    log = lab.fake("conda", script)
    path = lab.project / "environment.yml"
    path.write_text("name: made\ndependencies: [python=3.11, numpy]\n")
    assert lab.cli("create", "local", "-r", str(path))[0] == 0
    told = log.read_text()
    assert told.startswith("env create --prefix ") and " --file " in told
    (one,) = lab.listed()
    assert one["made_with"] == "conda" and one["names"] == ["made"]
    given = (lab.root / one["digest"] / "environment.yml").read_text()
    assert json.loads(given) == {"dependencies": ["python=3.11", "numpy"]}
    lab.fake("conda", "echo 'PackagesNotFoundError: nonsense'; exit 1")
    path.write_text("dependencies: [nonsense]\n")
    code, _, err = lab.cli("create", "local", "-r", str(path))
    assert code == 1 and "no versions fit together and this Python: PackagesNotFoundError: nonsense" in err


def test_a_python_without_ensurepip_says_what_will_do(lab: Lab) -> None:
    hidden = 'case "$*" in *"import ensurepip"*) exit 1;; *"pip --version"*) echo pip 20.0; exit;; esac'
    lab.fake("python3.98", f'{hidden}\nexec {sys.executable} "$@"')
    plan = lab.plan("six", offline=False, builder="venv", python="3.98")
    said = said_by(lab.start(plan), "failed", "stderr")
    # What it takes with --offline, where no Python is asked for its pip, is in test_environments_offline.py.
    assert "python3.98 has no ensurepip" in said and "With --offline pip comes from here" in said


@pytest.mark.parametrize(
    ("options", "text", "why"),
    [
        (
            {"python": "3.99", "builder": "venv"},
            "six",
            r"there is no Python 3\.99 on this host; there is: .*python3",
        ),
        ({"builder": "conda"}, "six", r"there is no mamba or conda or micromamba on this host"),
        ({}, "--no-index\nno-such-thing==1", "no versions fit together and this Python: .*No solution found"),
        (
            {},
            "not a requirement !!",
            r"uv failed with exit code \d+; the last it said:\n[^$]*not a requirement",
        ),
    ],
)
def test_why_it_cannot_be_made(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], text: str, why: str
) -> None:
    import re

    run = lab.start(lab.plan(text, offline=False, **options))
    said = said_by(run, "failed", "stderr")
    assert re.search(f"environment lab is not made: {why}", said), said


def test_the_pythons_that_a_project_allows(lab: Lab) -> None:
    path = lab.project / "pyproject.toml"
    path.write_text("[project]\nname = 'old'\nrequires-python = '<3.9'\ndependencies = []\n")
    code, _, err = lab.cli("create", "local", "-r", str(path))
    assert code == 1 and "pyproject.toml wants Python <3.9, and this would be 3." in err
    plan = Plan(read_source(str(path)), "old", offline=True)
    with pytest.raises(BuildError, match=r"pyproject.toml wants Python <3\.9"):
        environments.wheels_for(lab.remote, plan, lambda _: None)


def test_a_password_for_an_index_is_in_no_file(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    canary = "canary-4711"
    monkeypatch.setenv("INDEX_TOKEN", canary)
    (lab.project / "requirements.txt").write_text(
        "--index-url http://me:${INDEX_TOKEN}@127.0.0.1:9/simple\nsix\n"
    )
    code, out, err = lab.cli(
        "create", "local", "-r", "requirements.txt", "--with", "uv", "--pass-env", "INDEX_TOKEN"
    )
    assert code == 1 and "does not reach the package index" in err
    assert canary not in out + err
    places = [lab.root, Path(lab.remote.info["state"]), Path(os.environ["JUPYTER_DATA_DIR"])]
    for place in places:
        for path in place.rglob("*"):
            if path.is_file():
                assert canary.encode() not in path.read_bytes(), path


# Of a real index, as pip here is configured.


@pytest.mark.timeout(300)
def test_a_lock_of_uv_by_uv_and_by_pip(lab: Lab) -> None:
    path = lab.project / "pyproject.toml"
    path.write_text(
        "[project]\nname = 'locked'\nversion = '0'\nrequires-python = '>=3.9'\ndependencies = ['six']\n"
    )
    subprocess.run([UV, "lock", "-q"], check=True, cwd=lab.project)
    for builder in ("uv", "venv"):
        code, out, err = lab.cli("create", "local", "-r", "uv.lock", "--with", builder)
        assert code == 0, (out, err)
        assert "environment locked (" in out and "is made" in out
    assert sorted(one["made_with"] for one in lab.listed()) == ["uv", "venv"]


__all__ = ["lab"]
