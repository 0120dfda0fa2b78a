"""Campaigns, environments and forwards of hosts, as pages see them and change them."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from hosts import await_true
from pages import Json, Server, served, server

pytestmark = pytest.mark.slow

CLI = "import sys; from jupyter_remote.cli import main; sys.exit(main(sys.argv[1:]))"
DIGEST = "0123456789ab"


def test_a_campaign_is_seen_stopped_and_resumed(served: Server, tmp_path: Path) -> None:
    go = tmp_path / "go"
    waits = f"until [ -e {go} ]; do sleep 0.02; done"
    steps = [
        {"name": "quick", "shell": "echo done"},
        {"name": "slow", "shell": waits, "matrix": {"n": [1, 2]}, "after": "quick"},
    ]
    file = served.root / "sweep.yaml"
    file.write_text(json.dumps({"name": "sweep", "steps": steps}))
    told = served.get("/hosts/local/campaigns")
    assert told["campaigns"] == [] and told["seen"] is None, "nobody is logged in to because a page looks"
    served.done("/hosts/local/connect")
    subprocess.run(
        [sys.executable, "-c", CLI, "campaign", str(file), "--host", "local"], cwd=served.root, check=True
    )

    def campaign() -> Json:
        return next(iter(served.get("/hosts/local/campaigns")["campaigns"]), {})

    await_true(lambda: campaign().get("counts", {}).get("finished") == 1)
    with served.page() as page:
        page.subject("hello")
        result = served.done("/hosts/local/campaigns/sweep/stop")
        event = page.subject("campaigns", host="local")
    assert (
        event["campaigns"][0]["state"] in ("stopped", "ended") and result["campaigns"][0]["name"] == "sweep"
    )
    known = campaign()
    assert known["steps"][0]["state"] == "finished" and len(known["steps"]) == 3
    assert {step["params"].get("n") for step in known["steps"]} == {None, 1, 2}
    go.touch()
    served.done("/hosts/local/campaigns/sweep/resume")
    await_true(lambda: campaign()["counts"] == {"finished": 3})
    runs = [step["runs"][-1] for step in campaign()["steps"]]
    assert {served.get(f"/runs/{run}")["campaign"] for run in runs} == {"sweep"}
    refused = served.do("/hosts/local/campaigns/nothing/stop")
    assert refused["state"] == "failed" and refused["error"]["kind"] == "NotFound"


@pytest.fixture
def environment() -> Iterator[Path]:
    """One that looks as if it had been made there: to build one takes half a minute."""
    envs = Path(os.environ["XDG_STATE_HOME"], "jupyter-remote", "envs")
    folder = envs / DIGEST
    (folder / "env" / "bin").mkdir(parents=True)
    facts = {"python": "3.11.7", "packages": 3, "size": 4096, "created": 1.0}
    (folder / "env.json").write_text(json.dumps(facts))
    (envs / f"{DIGEST}.lock").touch()
    (envs / "names.json").write_text(json.dumps({"torch": DIGEST, "old": DIGEST}))
    yield folder
    assert not folder.exists()


def test_an_environment_is_listed_and_removed(served: Server, environment: Path) -> None:
    served.done("/hosts/local/connect")
    [one] = served.get("/hosts/local/environments")["environments"]
    assert one["names"] == ["old", "torch"] and one["size"] == 4096 and one["whole"]
    with served.page() as page:
        page.subject("hello")
        served.done("/hosts/local/environments/old", method="DELETE")
        event = page.subject("environments", host="local")
        assert [one["names"] for one in event["environments"]] == [["torch"]]
    refused = served.do("/hosts/local/environments/nothing", method="DELETE")
    assert refused["error"]["kind"] == "NotNow" and "nothing" in refused["error"]["message"]
    served.done("/hosts/local/environments/torch", method="DELETE")
    assert served.get("/hosts/local/environments")["environments"] == []


@pytest.fixture
def web(tmp_path: Path) -> Iterator[int]:
    """The port of a web server."""
    (tmp_path / "page.txt").write_text("from there")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(tmp_path))  # type: ignore[arg-type]

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as one:
        thread = threading.Thread(target=one.serve_forever)
        thread.start()
        yield one.server_port
        one.shutdown()
        thread.join()


def test_a_port_is_forwarded_and_ended(served: Server, web: int) -> None:
    with served.page() as page:
        assert page.subject("hello")["forwards"] == []
        [made] = served.done("/hosts/local/forwards", {"port": web})["forwards"]
        assert page.subject("forwards")["forwards"] == [made]
        with urllib.request.urlopen(f"{made['url']}page.txt", timeout=30) as answer:
            assert answer.read() == b"from there"
        assert served.get("/forwards")["forwards"] == [made]
        served.done(f"/forwards/{made['id']}", method="DELETE")
        assert page.subject("forwards")["forwards"] == []
    for body in ({}, {"port": 0}, {"port": 65536}, {"port": web, "to": "a b"}, {"port": web, "to": "-o"}):
        assert served.ask("POST", "/hosts/local/forwards", body).status == 422, body
    assert served.ask("DELETE", "/forwards/1-00000000").status == 404


__all__ = ["served", "server"]
