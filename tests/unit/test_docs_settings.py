"""Settings, variables, routes and anchors that the documents name exist."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import yaml
from doc_pages import DOCS, PAGES, ROOT, blocks, each, prose, spans, text
from pydantic import ValidationError

from jupyter_remote import plugins
from jupyter_remote.campaigns.file import CampaignFile, StepCommon, StepOwn, load, models
from jupyter_remote.campaigns.plan import make
from jupyter_remote.config import Config
from jupyter_remote.config_models import Archive, ConfigFile, HostSettings
from jupyter_remote.config_types import Section

PACKAGE = sorted((ROOT / "jupyter_remote").rglob("*.py"))
SOURCES = [*PACKAGE, *(path for path in (ROOT / "scripts").iterdir() if path.is_file()), ROOT / "Makefile"]


def sections() -> Iterator[tuple[str, type[Section]]]:
    """Every part of `hosts.yaml` and of a campaign's file that can stand by itself in a sentence."""
    yield from (("", model) for model in (ConfigFile, HostSettings, Archive, CampaignFile, *models()))
    for name, field in HostSettings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield name, field.annotation


SECTIONS = list(sections())


@pytest.fixture
def plugin_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kinds of tests/plugin, as docs/plugins.md registers them."""
    (block,) = blocks("docs/plugins.md", "toml")
    groups = tomllib.loads(block)["project"]["entry-points"]
    assert groups == tomllib.loads(text("tests/plugin/pyproject.toml"))["project"]["entry-points"]
    found = {
        group: {name: EntryPoint(name, value, group) for name, value in kinds.items()}
        for group, kinds in groups.items()
    }
    monkeypatch.syspath_prepend(ROOT / "tests" / "plugin")
    monkeypatch.setattr(plugins, "installed", lambda group: found[f"jupyter_remote.{group}"])


@pytest.mark.usefixtures("plugin_kinds")
@pytest.mark.parametrize(("page", "example"), list(each("yaml")))
def test_examples_of_yaml_are_read(
    page: str, example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_REMOTE_CONFIG_DIR", str(tmp_path))
    keys = yaml.safe_load(example)
    if "steps" in keys:
        (tmp_path / "sweep.yaml").write_text(example, encoding="utf-8")
        assert make(load(tmp_path / "sweep.yaml"), (), lambda words: words.split(",")).steps
        return
    (tmp_path / "hosts.yaml").write_text(example, encoding="utf-8")
    config = Config.load()
    for name in keys.get("hosts", {}):
        config.host(name)


def is_setting(span: str) -> bool:
    """Whether a span such as `launcher: slurm`, `ec2.idle_load` or `output_limit: null` is one."""
    if dotted := re.fullmatch(r"([a-z_0-9]+)\.([a-z_0-9]+)(?::.*)?", span):
        return any(name == dotted[1] and dotted[2] in model.model_fields for name, model in SECTIONS)
    try:
        given: Any = yaml.safe_load(f"{{{span}}}")
    except yaml.YAMLError:
        return False
    having = [model for _, model in SECTIONS if set(given) <= {*model.model_fields, *model.SYNONYMS}]
    # The options of a campaign's step are judged later, by the table of options: any value does here.
    own = set(given) <= set(StepOwn.model_fields)
    strict = [model for model in having if own or not issubclass(model, StepCommon)] or having
    return (span.endswith(":") and bool(having)) or any(_takes(model, given) for model in strict)


def _takes(model: type[Section], given: dict[str, Any]) -> bool:
    """Whether this section takes these values; what else it needs isn't asked."""
    try:
        model.model_validate({key: _example(value) for key, value in given.items()})
    except ValidationError as error:
        return all(one["type"] == "missing" for one in error.errors())
    return True


def _example(value: Any) -> Any:
    """`[...]` and `NAME` stand for whatever the reader writes there."""
    return [] if value == ["..."] else value


def settings_in(page: str) -> list[str]:
    """Spans that look like settings: `key: value`, `key:`, `section.key`."""
    first = "|".join(sorted({name for name, _ in SECTIONS if name}))
    form = rf"[a-z_0-9]+:(?: [^|]*)?|(?:{first})\.[a-z_0-9]+(?::.*)?"
    file = re.compile(r".*\.(py|ipynb|csv|jsonl|html|md|exe)")
    return [span for span in spans(page) if re.fullmatch(form, span) and not file.fullmatch(span)]


# What has the form of a setting and is none: a name of another package, a line that a program prints.
NOT_OURS = {
    "docs/ray.md": {"ray.remote"},
    "docs/metrics.md": {"key: value"},
    "docs/jump-hosts.md": {"ssh.proxy_jump"},  # what `show` calls a line of ~/.ssh/config
}


@pytest.mark.usefixtures("plugin_kinds")
def test_settings_in_sentences_exist() -> None:
    wrong = {page: [span for span in settings_in(page) if not is_setting(span)] for page in DOCS}
    assert {page: found for page in DOCS if (found := set(wrong[page]) - NOT_OURS.get(page, set()))} == {}


def test_what_is_no_setting_is_seen() -> None:
    assert is_setting("launcher: slurm")
    assert is_setting("output_limit: null")
    assert is_setting("ssh: {forward_agent: true}")
    assert not is_setting("launchr: slurm")
    assert not is_setting("launcher: slrum")
    assert not is_setting("ec2.idle_lod")
    assert not is_setting("ssh: {forward_agnt: true}")


# Between our own processes, or of the tests: nobody sets or reads them.
INNER = {"ASKPASS", "CHANNEL", "ENV_SETUP", "PYTHON", "RETRIED", "SESSION", "SSH_CONFIG"}


def test_variables_of_the_environment_are_those_that_the_documents_name() -> None:
    form = re.compile(r"\b_?JUPYTER_REMOTE_([A-Z_]*[A-Z])")
    read = {name for path in SOURCES for name in form.findall(path.read_text(encoding="utf-8"))}
    named = {name for page in PAGES for name in form.findall(text(page))}
    assert named - read == set()
    assert read - INNER - {name for page in DOCS for name in form.findall(text(page))} == set()


@pytest.mark.slow
def test_the_page_about_the_server_names_every_route_with_its_methods() -> None:
    document = yaml.safe_load(text("jupyter_remote/server/rest-api.yml"))
    verbs = {"get", "post", "put", "patch", "delete"}
    there = {
        path: {verb.upper() for verb in item if verb in verbs} for path, item in document["paths"].items()
    }
    rows = re.findall(r"(?m)^\| `(/[^`]*)` \| ([A-Z, ]+) \|", text("docs/server.md"))
    assert {path: set(methods.split(", ")) for path, methods in rows} == there
    mentioned = set(re.findall(r"`(/[a-z]+(?:/\{[a-z]+\})?[^`\s]*)`", text("docs/server.md")))
    assert mentioned <= set(there) | {"/events"}


def test_the_page_about_the_server_names_every_setting() -> None:
    from traitlets import TraitType

    from jupyter_remote.server.app import RemoteServerApp

    rows = re.findall(r"(?m)^\| `([a-z_]+)` \| (.*?) \|", text("docs/server.md"))
    own: dict[str, TraitType[Any, Any]] = RemoteServerApp.class_own_traits(config=True)
    assert {name for name, _ in rows} == set(own)
    for name, default in rows:
        value = own[name].default_value
        assert default in (f"{value:g}", str(value), f"{value >> 30} GiB" if value == 1 << 30 else ""), name


def anchors(page: Path) -> set[str]:
    """The names of a page's headings, as GitHub and MyST make them."""
    titles = re.findall(r"(?m)^#{1,3} (.+)$", page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def test_links_lead_to_pages_and_headings() -> None:
    for page in PAGES:
        check_links(page)


def check_links(page: str) -> None:
    for path, anchor in re.findall(r"\]\((?![a-z]+:)([^)#\s]*)(?:#([^)\s]+))?\)", prose(page)):
        target = (ROOT / page).parent / path if path else ROOT / page
        made = target.parent.name == "reference" and not target.exists()  # by Sphinx, from the program
        assert made or target.exists(), f"{page}: {path}"
        assert not anchor or anchor in anchors(target), f"{page}: {path}#{anchor}"
