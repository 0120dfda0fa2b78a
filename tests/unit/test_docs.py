"""The documents are a contract: the commands, options, targets, settings and paths they name exist."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from doc_pages import PAGES, ROOT, text

from jupyter_remote.campaigns.file import CampaignFile, load, models
from jupyter_remote.campaigns.plan import make
from jupyter_remote.config import Config
from jupyter_remote.config_models import ContainerOptions
from jupyter_remote.config_schedulers import PbsOptions, RayOptions, SlurmOptions
from jupyter_remote.config_types import Section
from jupyter_remote.hosts.checks import CHECKS
from jupyter_remote.hosts.imports import FORMATS
from jupyter_remote.options import CELL, walk

COMMANDS = {" ".join(words): command for words, command in walk()}
FLAGS = {flag for command in [CELL, *COMMANDS.values()] for flag in command.flags}


@pytest.mark.parametrize("page", PAGES)
def test_commands_exist_with_their_options(page: str) -> None:
    for line in re.findall(r"(?:jupyter remote|(?<!%)%remote) ([a-z][^`\n]*)", text(page)):
        words = line.partition(" -- ")[0].split()
        if len(words) > 1 and " ".join(words[:2]) in COMMANDS:
            command = COMMANDS[" ".join(words[:2])]
        else:
            assert words[0] in COMMANDS, f"{page} names the command {words[0]!r}"
            command = COMMANDS[words[0]]
        assert {word for word in words if word.startswith("--")} <= set(command.flags), line


def test_the_list_of_commands_is_complete() -> None:
    (listed,) = re.findall(r"take the same words:(.*?);", text("README.md"), re.DOTALL)
    named = set(re.findall(r"`([a-z-]+)`", listed))
    assert named == {words.partition(" ")[0] for words in COMMANDS}


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "CHANGELOG.md",
        "docs/input.md",
        "docs/runs.md",
        "docs/compare.md",
        "docs/hosts-many.md",
        "docs/hosts.md",
        "docs/gpus.md",
        "docs/environments.md",
        "docs/forward.md",
        "docs/archives.md",
        "docs/slurm.md",
        "docs/containers.md",
        "docs/campaigns.md",
        "docs/pbs.md",
        "docs/ray.md",
    ],
)
def test_options_in_code_spans_exist(page: str) -> None:
    assert set(re.findall(r"`(--[a-z-]+)`", text(page))) <= FLAGS


def test_the_page_about_runs_names_all_that_can_be_done_to_them() -> None:
    named = re.findall(r"(?:`|remote )(runs [a-z]+|history|clean)\b", text("docs/runs.md"))
    about = {words for words in COMMANDS if words.partition(" ")[0] in ("runs", "history", "clean")}
    assert set(named) == about - {"runs"}
    flags = {flag for words in about for flag in COMMANDS[words].flags} - {"--json", "--quiet"}
    assert set(re.findall(r"(--[a-z-]+)", text("docs/runs.md"))) >= flags


def test_the_page_about_hosts_names_every_check_and_every_kind_of_file() -> None:
    page = text("docs/hosts.md")
    table = page.partition("<!-- checks: begin -->")[2].partition("<!-- checks: end -->")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")][1:]
    assert rows == [[check.name + " *" * check.local, check.help] for check in CHECKS]
    for kind in FORMATS.values():
        name, _, tool = kind.title.removeprefix("a ").partition(" of ")
        assert f"| `{name}` of {tool}" in page


@pytest.mark.parametrize("page", PAGES)
def test_make_targets_exist(page: str) -> None:
    targets = re.findall(r"^([a-z0-9-]+):", text("Makefile"), re.MULTILINE)
    assert set(re.findall(r"(?:^|`)make ([a-z0-9-]+)", text(page), re.MULTILINE)) <= set(targets)


@pytest.mark.parametrize("page", PAGES)
def test_paths_exist(page: str) -> None:
    links = re.findall(r"\]\(([^):]+)\)", text(page))
    spans = re.findall(
        r"`((?:jupyter_remote|tests|scripts|benchmarks|notebooks|docs|\.ci)/[\w./]*)`", text(page)
    )
    folder = (ROOT / page).parent
    assert [path for path in links if not (folder / path.partition("#")[0]).exists()] == []
    assert [path for path in spans if not (ROOT / path).exists()] == []


def test_code_map_names_modules_that_exist() -> None:
    code_map = (
        text("CONTRIBUTING.md").partition("<!-- code map: begin -->")[2].partition("<!-- code map: end")[0]
    )
    cells = [line.split("|")[1] for line in code_map.splitlines() if line.startswith("| `")]
    paths = re.findall(r"`([\w./]+)`", "".join(cells))
    assert paths
    assert sorted(set(paths)) == sorted(paths), "a module stands there twice"
    assert [
        p for p in paths if not any((base / p).exists() for base in (ROOT, ROOT / "jupyter_remote"))
    ] == []


def test_the_example_of_containers_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", text("docs/containers.md"), re.DOTALL)
    (tmp_path / "hosts.yaml").write_text(example, encoding="utf-8")
    monkeypatch.setenv("JUPYTER_REMOTE_CONFIG_DIR", str(tmp_path))
    assert Config.load().host("dgx").container.env == ("HF_TOKEN",)
    keys = re.findall(
        r"`([a-z]+)`", text("docs/containers.md").partition("Keys are")[2].partition(". A missp")[0]
    )
    assert set(keys) == set(ContainerOptions.model_fields)


@pytest.mark.parametrize(
    ("kind", "model", "until"),
    [
        ("slurm", SlurmOptions, "and every"),
        ("pbs", PbsOptions, "A misspelt"),
        ("ray", RayOptions, "(further"),
    ],
)
def test_the_example_and_the_keys_of_a_launcher_are_valid(
    kind: str, model: type[Section], until: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = text(f"docs/{kind}.md")
    (example,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "hosts.yaml").write_text(example, encoding="utf-8")
    monkeypatch.setenv("JUPYTER_REMOTE_CONFIG_DIR", str(tmp_path))
    (name,) = re.findall(r"(?m)^  (\w+):$", example)
    assert Config.load().host(name).launcher == kind
    named = re.findall(r"`([a-z_]+)`", page.partition("Keys are")[2].partition(until)[0])
    assert named
    assert set(named) <= set(model.model_fields) | set(model.SYNONYMS)


def test_example_configuration_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", text("README.md"), re.DOTALL)
    (tmp_path / "hosts.yaml").write_text(example, encoding="utf-8")
    monkeypatch.setenv("JUPYTER_REMOTE_CONFIG_DIR", str(tmp_path))
    assert Config.load().host("gpu1").python == "/opt/envs/ml/bin/python"


def test_example_setting_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from jupyter_remote.config_edit import set_host

    (settings,) = re.findall(r"jupyter remote set gpu1 (.*?)`", text("README.md"))
    monkeypatch.setenv("JUPYTER_REMOTE_CONFIG_DIR", str(tmp_path))
    set_host("gpu1", dict(pair.split("=") for pair in settings.split()))
    assert Config.load().host("gpu1").user == "me"


def test_the_page_about_campaigns_has_a_file_that_can_be_planned_and_names_every_key(tmp_path: Path) -> None:
    page = text("docs/campaigns.md")
    (example,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "sweep.yaml").write_text(example)
    plan = make(load(tmp_path / "sweep.yaml"), (), lambda words: words.split(","))
    assert len(plan.steps) == 2 + 6 + 1
    step, _ = models()
    keys = {*step.model_fields, *CampaignFile.model_fields}
    assert keys - {key for key in keys if re.search(rf"\b{key}\b", page)} == set()
    named = re.findall(r"(?:`|remote )(campaign [a-z]+)\b", page)
    about = {words for words in COMMANDS if words.startswith("campaign ")}
    assert about - {"campaign list"} <= set(named)


def test_the_page_about_notebooks_names_each() -> None:
    named = re.findall(r"(?m)^\| `([a-z-]+\.ipynb)`", text("docs/notebooks.md"))
    assert sorted(named) == sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebooks_are_saved_as_a_fresh_kernel_leaves_them(path: Path) -> None:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    data = [output.get("data", {}) for cell in cells for output in cell["outputs"]]
    assert not [mime for one in data for mime in one if "widget-view" in mime], "of a kernel that is gone"
    assert not re.search(r"Looking in (indexes|links)|/root/", json.dumps(cells)), "a machine's own paths"
