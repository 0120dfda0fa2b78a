"""rest-api.yml and the handlers say the same, in both directions; what it refuses before anybody sees it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from jupyter_remote.history_rows import COLUMNS
from jupyter_remote.server import contract
from jupyter_remote.server.app import route
from jupyter_remote.server.host_actions import HostActions
from jupyter_remote.server.models import run_document, sample_change, sample_document
from jupyter_remote.server.places import below
from jupyter_remote.server.problems import BadRequest, Invalid, NotFound
from jupyter_remote.server.routes import ROUTES
from jupyter_remote.server.run_actions import RunActions

VERBS = ("get", "post", "patch", "put", "delete")
RUN = "20261122-014500-7f3a"


def test_every_route_has_a_handler_and_every_handler_a_route() -> None:
    said = {
        (path, verb) for path, item in contract.document()["paths"].items() for verb in VERBS if verb in item
    }
    done = {(one.template, verb) for one in ROUTES for verb in VERBS if verb in vars(one)}
    assert said == done


def test_every_action_of_the_document_is_there_and_no_other() -> None:
    schemas = contract.document()["components"]["schemas"]
    for name, actions in (("HostAction", HostActions), ("RunAction", RunActions)):
        done = {word.removeprefix("_") for word in vars(actions) if word.startswith("_") and "__" not in word}
        assert set(schemas[name]["enum"]) == done - {"remote", "set_up", "place", "follow", "change"}


def test_the_page_about_it_names_every_route_method_and_setting() -> None:
    from jupyter_remote.server.app import RemoteServerApp

    page = (Path(__file__).parents[2] / "docs" / "server.md").read_text()
    told = dict(re.findall(r"^\| `(/\S+)` \| ([A-Z, ]+) \|", page, re.MULTILINE))
    paths = contract.document()["paths"]
    assert told == {path: ", ".join(v.upper() for v in VERBS if v in item) for path, item in paths.items()}
    settings = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    assert settings == {
        name for name, trait in RemoteServerApp.class_own_traits(config=True).items() if trait.help
    } - {"extension_url"}


def test_the_document_is_valid_openapi() -> None:
    validator = pytest.importorskip("openapi_spec_validator")
    validator.validate(contract.document())


def test_every_schema_is_used_and_resolves() -> None:
    text = json.dumps(contract.document())
    schemas = contract.document()["components"]["schemas"]
    messages = {"PageMessage", "ServerMessage"}  # of the websocket, which has no body
    unused = [name for name in schemas if f'"#/components/schemas/{name}"' not in text]
    assert set(unused) == messages
    for name in schemas:
        contract._validator(contract.schema(name))


def test_names_in_a_path_can_lead_nowhere() -> None:
    for template in (
        "/hosts/{host}",
        "/runs/{run}",
        "/runs/{run}/output",
        "/hosts/{host}/sessions/{session}",
    ):
        pattern = re.compile(route(template) + r"\Z")
        assert pattern.match(template.replace("{", "").replace("}", ""))
        assert not pattern.match(template.replace("{run}", "a/b").replace("{host}", "a/b"))


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "a\\b", "a\0", "a\n", "-a", "%2e", "é", "x" * 201])
def test_a_name_that_there_can_not_be_is_not_found(name: str) -> None:
    with pytest.raises(NotFound):
        contract.read_parameters("/hosts/{host}", "GET", {"host": name}, {})
    with pytest.raises(NotFound):
        contract.read_parameters("/runs/{run}", "GET", {"run": name}, {})
    with pytest.raises(NotFound):
        contract.read_parameters("/runs/{run}", "GET", {"run": RUN + name if name else name}, {})


def test_parameters_have_their_types_and_defaults() -> None:
    read = contract.read_parameters("/runs", "GET", {}, {"limit": "7", "deleted": "true", "since": "1e9"})
    assert read == {"limit": 7, "deleted": True, "since": 1e9}
    assert contract.read_parameters("/runs", "GET", {}, {"token": "x"})["limit"] == 100
    for query in ({"limit": "0"}, {"limit": "٣"}, {"limit": "1.5"}, {"since": "nan"}, {"state": "running,"}):
        with pytest.raises(Invalid):
            contract.read_parameters("/runs", "GET", {}, query)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", BadRequest),
        (b"{", BadRequest),
        (b"\xff\xfe", BadRequest),
        (b"[" * 100_000, BadRequest),
        (b"[]", Invalid),
        (b"{}", Invalid),
        (b'{"host": "a", "code": 1}', Invalid),
        (b'{"host": "../x", "code": ""}', Invalid),
        (b'{"host": "a\\n", "code": ""}', Invalid),
        (b'{"host": "a", "code": "", "more": 1}', Invalid),
        (b'{"host": "a", "code": "", "script": "../x"}', Invalid),
        (b'{"host": "a", "code": "", "timeout": 1e400}', Invalid),
    ],
)
def test_a_body_is_what_the_document_says(body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        contract.read_body("/runs", "POST", body)


@pytest.mark.parametrize(
    "path", ["..", "a/../../b", "/etc/passwd", "a\0b", "..\\x", "C:/x", "link/passwd", "link", "x" * 5000]
)
def test_no_path_leads_out_of_the_folder(tmp_path: Path, path: str) -> None:
    (tmp_path / "link").symlink_to("/etc")
    with pytest.raises(Invalid):
        below(tmp_path, path)


def test_a_path_below_is_found(tmp_path: Path) -> None:
    assert below(tmp_path, "") == tmp_path.resolve()
    assert below(tmp_path, "a/b c.ipynb") == tmp_path.resolve() / "a" / "b c.ipynb"


def test_a_row_of_the_history_is_a_run_whatever_it_knows() -> None:
    row = {**dict.fromkeys(COLUMNS), "id": RUN, "host": "h", "deleted": 0}
    row["metrics"] = '{"loss": 0.5, "bad": "NaN", "none": null}'
    run = run_document(row)
    contract.check(contract.schema("Run"), run)
    assert (run["state"], run["metrics"]) == ("queued", {"loss": 0.5, "bad": "NaN", "none": None})


def test_of_a_sample_only_what_changed_is_told() -> None:
    card = {
        "index": 0,
        "name": "H100",
        "uuid": "u",
        "utilization": 3.0,
        "memory_used": 1 << 30,
        "power": 70.4,
    }
    facts: dict[str, Any] = {
        "time": 1.0,
        "cpu": 3.14,
        "load": [0.123],
        "memory": {"total": 8, "available": 4},
    }
    first = sample_document({**facts, "gpus": [card, {**card, "index": 1}]})
    contract.check(contract.schema("Sample"), first)
    assert sample_change(None, first) == first
    again = sample_document({**facts, "time": 2.0, "gpus": [{**card, "power": 70.1}, {**card, "index": 1}]})
    assert sample_change(first, again) is None, "noise is no news"
    busy = sample_document({**facts, "time": 3.0, "gpus": [card, {**card, "index": 1, "utilization": 99.0}]})
    assert sample_change(first, busy) == {"time": 3.0, "gpus": [{"index": "1", "use": 99.0}]}
    fewer = sample_document({**facts, "gpus": [card]})
    assert sample_change(first, fewer) == fewer
