"""What an environment is made of: files read, told apart by a digest, refused with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.markers import Environment, default_environment
from packaging.requirements import Requirement

from jupyter_remote.environments.create import Plan
from jupyter_remote.environments.host.reasons import fits
from jupyter_remote.environments.requirements import read_requirements
from jupyter_remote.environments.sources import check_name, read_source
from jupyter_remote.environments.wheelhouse import platforms
from jupyter_remote.errors import UsageError

LOCKS = Path(__file__).parent / "locks"
WHEEL = "tiny-1.0-py3-none-any.whl"


def write(folder: Path, **files: str) -> Path:
    """Files by their stem; returns the first, `requirements.txt` unless the stem has another end."""
    paths = []
    for name, text in files.items():
        path = folder / (name.replace("_", ".") if "_" in name else f"{name}.txt")
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    return paths[0]


def digest(path: Path, python: str = "python3", builder: str = "") -> str:
    return read_source(str(path)).digest(python, builder)


# Requirements.


def test_what_is_included_is_read_and_what_is_said_beside_is_not(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    write(tmp_path / "sub", base="numpy>=1 \\\n  ; python_version > '3.8'\n", pins="numpy==2.0\n")
    path = write(tmp_path, requirements="# why\n\n-r sub/base.txt\n-csub/pins.txt\nsix  # small\n--pre\n")
    found = read_requirements(path)
    assert found.lines == ["numpy>=1 ; python_version > '3.8'", "six", "--pre"]
    assert found.constraints == ["numpy==2.0"]


def test_the_digest_is_of_the_content(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    first = write(one, requirements="-r more.txt\nsix\n", more="click\n")
    second = write(two, req="click # the same\n\n  six\n")
    assert digest(first) == digest(second)
    assert len({digest(first), digest(first, "3.11"), digest(first, builder="uv")}) == 3
    write(one, more="click<8\n")
    assert digest(first) != digest(second)


def test_wheels_here_are_known_by_their_content(tmp_path: Path) -> None:
    wheel = tmp_path / WHEEL
    wheel.write_bytes(b"one")
    path = write(tmp_path, requirements=f"./{WHEEL}\n")
    before = digest(path)
    wheel.write_bytes(b"two")
    assert digest(path) != before
    source = read_source(str(path))
    with pytest.raises(UsageError, match=r"on this machine only\nWith --offline"):
        Plan(source, "x").check()
    Plan(source, "x", offline=True).check()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("-e .", r"requirements.txt:1: -e \.: a folder of this machine can't be installed"),
        ("six\n./lib", r"requirements.txt:2: ./lib: of files here only wheels"),
        ("six @ file:///tmp/six.tar.gz", "only wheels can be installed"),
        (f"./{WHEEL}", "there is no file"),
        ("-r missing.txt", "cannot read .*missing.txt: No such file"),
        ("-r requirements.txt", "which includes it"),
        ("-r https://example.org/r.txt", "nobody knows what is in it"),
        ("--find-links nowhere", "there is no folder"),
        ("--index-url https://me:secret@example.org/simple", r"holds a password.*\n.*--pass-env NAME"),
        ("--extra-index-url https://token@example.org/simple", "holds a password"),
        ("lib @ git+https://token@example.org/lib.git", "holds a password"),
    ],
)
def test_what_no_host_can_do_is_refused_by_line(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why) as told:
        read_source(str(write(tmp_path, requirements=text + "\n")))
    assert "secret" not in str(told.value)


def test_an_address_may_name_a_variable_or_a_user(tmp_path: Path) -> None:
    lines = [
        "--index-url https://me:${TOKEN}@example.org/simple",
        "--extra-index-url https://${TOKEN}@example.org/simple",
        "lib @ git+ssh://git@example.org/lib.git",
    ]
    path = write(tmp_path, requirements="\n".join(lines))
    assert read_requirements(path).lines == lines


# pyproject.toml, environment.yml.

PROJECT = """
[project]
name = "My Vision"
requires-python = ">=3.9"
dependencies = ["six >= 1", "click"]
[project.optional-dependencies]
plot = ["tqdm"]
"""


def test_the_dependencies_of_a_project(tmp_path: Path) -> None:
    path = write(tmp_path, pyproject_toml=PROJECT)
    source = read_source(str(path))
    assert (source.name, source.requires_python) == ("My-Vision", ">=3.9")
    assert source.requirements.lines == ["six >= 1", "click"]
    assert read_source(f"{path}[plot]").requirements.lines == ["six >= 1", "click", "tqdm"]
    with pytest.raises(UsageError, match="has no extra draw; it has: plot"):
        read_source(f"{path}[draw]")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[tool.poetry]\nname = 'x'\n", r"no \[project\].*\n.*poetry export"),
        ("[project]\nname = 'x'\ndynamic = ['dependencies']\n", "computed when it is built"),
        ("[project\n", "pyproject.toml: "),
    ],
)
def test_a_project_that_does_not_say(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        read_source(str(write(tmp_path, pyproject_toml=text)))


def test_condas_file_without_what_belongs_to_one_machine(tmp_path: Path) -> None:
    (tmp_path / "pip.txt").write_text("six\n")
    text = "name: lab\nprefix: /home/me/lab\nchannels: [conda-forge]\ndependencies:\n- python=3.11\n"
    path = write(tmp_path, environment_yml=text + "- pip:\n  - -r pip.txt\n  - click\n")
    source = read_source(str(path))
    assert source.name == "lab" and "/home/me" not in source.conda
    assert '"six"' in source.conda and '"click"' in source.conda
    before = digest(path)
    path.write_text(path.read_text().replace("/home/me/lab", "/elsewhere").replace("name: lab", "name: b"))
    assert digest(path) == before
    with pytest.raises(UsageError, match="--with uv can't make it"):
        Plan(source, "lab", builder="uv").check()
    with pytest.raises(UsageError, match="--offline goes with uv or venv"):
        Plan(source, "lab", offline=True).check()
    with pytest.raises(UsageError, match="stands in it"):
        Plan(source, "lab", python="3.11").check()


def test_a_file_of_no_known_kind_lists_the_kinds(tmp_path: Path) -> None:
    for name in ("setup.py", "Pipfile.lock"):
        (tmp_path / name).touch()
        with pytest.raises(UsageError, match=r"requirements\.txt .* or uv\.lock"):
            read_source(str(tmp_path / name))
    with pytest.raises(UsageError, match="there is no file"):
        read_source(str(tmp_path / "requirements.txt"))


@pytest.mark.parametrize("name", ["", "a b", "-x", "../x", "0123456789ab", "x" * 65])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(UsageError, match="can't be the name"):
        check_name(name)


# uv.lock, beside what uv itself makes of it.


def chosen(lines: list[str], python: str, platform: str) -> dict[str, str]:
    about: Environment = {**default_environment(), "sys_platform": platform}  # type: ignore[misc]
    about["python_full_version"], about["python_version"] = python, ".".join(python.split(".")[:2])
    found = {}
    for line in lines:
        wanted = Requirement(line.partition(" --hash=")[0])
        if wanted.marker is None or wanted.marker.evaluate(dict(about)):  # type: ignore[arg-type]
            assert wanted.name not in found, "two versions of one package"
            found[wanted.name] = str(wanted.specifier)
    return found


@pytest.mark.parametrize("extra", ["", "plot"])
def test_a_lock_gives_what_uv_export_gives(extra: str) -> None:
    source = read_source(f"{LOCKS / 'uv.lock'}[{extra}]" if extra else str(LOCKS / "uv.lock"))
    assert (source.kind, source.name, source.requires_python) == ("lock", "vision-lab", ">=3.9")
    assert all(" --hash=sha256:" in line for line in source.requirements.lines)
    theirs = (LOCKS / f"export{'-' * bool(extra)}{extra}.txt").read_text().splitlines()
    for python in ("3.9.7", "3.10.1", "3.11.2", "3.13.0"):
        for platform in ("linux", "win32", "darwin"):
            ours = chosen(source.requirements.lines, python, platform)
            assert ours == chosen([line for line in theirs if line], python, platform)


LOCK = """version = 1
[[package]]
name = "own"
version = "0"
source = { editable = "." }
dependencies = [{ name = "lib" }]
[[package]]
name = "lib"
version = "2"
source = SOURCE
"""


def test_where_a_locked_package_comes_from(tmp_path: Path) -> None:
    path = tmp_path / "uv.lock"
    path.write_text(LOCK.replace("SOURCE", '{ git = "https://e.org/lib.git?rev=v2#0a1b" }'))
    assert read_source(str(path)).requirements.lines == ["lib @ git+https://e.org/lib.git@0a1b"]
    path.write_text(LOCK.replace("SOURCE", '{ directory = "../lib" }'))
    with pytest.raises(UsageError, match=r"lib comes from \.\./lib, which is on this machine only"):
        read_source(str(path))
    path.write_text(LOCK.replace("SOURCE", '{ git = "x" }').replace('"lib" }]', '"lib", version = "3" }]'))
    with pytest.raises(UsageError, match=r"lib 3 is needed and not in the lock"):
        read_source(str(path))
    path.write_text("version = 9\n")
    with pytest.raises(UsageError, match=r"no lock of uv that can be read here"):
        read_source(str(path))


# What fits a host.


@pytest.mark.parametrize(
    ("version", "wanted", "good"),
    [
        ("3.11.2", ">=3.9", True),
        ("3.8.20", ">=3.9,<4", False),
        ("3.11.2", "<3.11", False),
        ("3.11.2", "==3.11.*", True),
        ("3.11.2", "!=3.11.*", False),
        ("3.11.2", "~=3.9", True),
        ("3.11.2", "~=3.9.1", False),
        ("3.11.0", "==3.11", True),
        ("3.11.2", ">3.11", True),
        ("3.11.2", "", True),
    ],
)
def test_versions_of_python_that_will_do(version: str, wanted: str, good: bool) -> None:
    assert fits(version, wanted) is good


def test_platform_tags() -> None:
    linux = platforms({"platform": "linux-x86_64", "libc": "glibc 2.17", "mac": "", "bits": 64})
    assert linux[:2] == ["manylinux_2_17_x86_64", "manylinux2014_x86_64"]
    assert (
        linux[-1] == "linux_x86_64" and "manylinux1_x86_64" in linux and "manylinux_2_18_x86_64" not in linux
    )
    assert (
        platforms({"platform": "linux-aarch64", "libc": "", "mac": "", "bits": 64})[0]
        == "musllinux_1_2_aarch64"
    )
    assert (
        platforms({"platform": "linux-x86_64", "libc": "glibc 2.5", "mac": "", "bits": 32})[-1]
        == "linux_i686"
    )
    mac = platforms({"platform": "macosx-11.0-arm64", "libc": "", "mac": "13.2.1", "bits": 64})
    assert (
        mac[0] == "macosx_13_0_arm64" and "macosx_11_0_universal2" in mac and "macosx_14_0_arm64" not in mac
    )
