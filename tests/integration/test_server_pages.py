"""What pages see and do: a real server process, real websockets, real hosts."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hosts import await_true
from pages import Json, Page, Server, launch, served, server, tidy
from sshd import HOST, SshHost

PASSWORD = "c4n4ry-pa55 w0rd"


@pytest.fixture
def password(ssh_host: SshHost) -> Iterator[str]:
    """An address that takes a password only, and whose key nobody knows yet."""
    server = ssh_host.start(["PasswordAuthentication yes", "PubkeyAuthentication no"], known=False)
    subprocess.run(["chpasswd"], input=f"{ssh_host.user}:{PASSWORD}", text=True, check=True)
    yield f"{ssh_host.user}@{HOST}:{server.port}"
    subprocess.run(["usermod", "-p", "*", ssh_host.user], check=True)


class Viewer:
    """The view of a run's log in a page.

    Args:
        server: has what the events only count.
        run: which run.
    """

    def __init__(self, server: Server, run: str) -> None:
        self.lines: list[str] = []
        self._server = server
        self._run = run
        self._settled = 0

    def follow(self, page: Page, until: int | None = None) -> Json:
        """Takes what comes until it is complete, or so many lines are settled; returns the last event."""
        del self.lines[self._settled :]
        page.say(subscribe=[f"output:{self._run}"], lines={self._run: self._settled})
        while True:
            told = page.subject("output", run=self._run)
            assert told["from_line"] <= len(self.lines), "a line was left out"
            lines = told.get("lines")
            if lines is None:
                wanted = {"from_line": told["from_line"], "lines": 2000}
                lines = self._server.get(f"/runs/{self._run}/output", **wanted)["lines"]
            self.lines[told["from_line"] :] = [line["text"] for line in lines]
            self._settled = told["settled"]
            if told["complete"] or (until is not None and self._settled >= until):
                return told


@pytest.mark.slow
def test_a_cell_is_run_watched_and_found_again(served: Server) -> None:
    (served.root / "notes.ipynb").write_text("{}")
    with served.page() as page:
        hello = page.subject("hello")
        assert not hello["resumed"] and [one["name"] for one in hello["hosts"]["hosts"]] == ["local"]
        assert served.done("/hosts/local/connect") == {"host": "local"}
        # That it connects may be told, or be over before there is time to tell it.
        page.next(lambda one: one["subject"] == "host" and one["host"]["state"] == "connected")
        page.say(subscribe=["samples:local"])
        assert page.subject("sample", host="local")["sample"]["cpu_count"]
        code = "import sys\nfor n in range(300): print('line', n)\nprint('bad', file=sys.stderr)\n6 * 7"
        run = served.run(code, notebook="notes.ipynb", cell="c1", label="first")
        view = Viewer(served, run)
        assert view.follow(page)["state"] == "finished"
        # It is told of before or after the end of its output.
        ours = [one for one in page.seen if one["subject"] == "run" and one["id"] == run]
        assert ours or page.subject("run", id=run)
    assert view.lines[:300] == [f"line {n}" for n in range(300)] and view.lines[-1] == "42"
    found = served.await_run(run)
    assert (found["state"], found["label"], found["code"]) == ("finished", "first", code)
    assert found["notebook"] == str(served.root / "notes.ipynb")
    assert [one["id"] for one in served.get("/runs", text="LINE", notebook=found["notebook"])["runs"]] == [
        run
    ]
    assert served.get("/runs", text="100%_")["runs"] == []
    part = served.get(f"/runs/{run}/output", from_line=298, lines=3)
    assert [line["text"] for line in part["lines"]] == ["line 298", "line 299", "bad"]
    assert part["lines"][2]["stream"] == "stderr"
    last = served.get(f"/runs/{run}/output", from_line=-1)
    assert [line["text"] for line in last["lines"]] == ["42"] and last["complete"]
    cell = served.get(f"/runs/{run}/cell")
    assert [one["output_type"] for one in cell["outputs"]] == ["stream", "stream", "execute_result"]
    served.done("/hosts/local/refresh")
    [session] = await_true(lambda: served.get("/sessions")["sessions"])
    assert session["name"].startswith("notes-")


@pytest.mark.slow
def test_runs_are_changed_compared_and_drawn(served: Server) -> None:
    served.done("/hosts/local/connect")
    code = "for n in range(3): print(f'step={n} loss={1 / (n + RATE)}')"
    first, second = (served.run(code.replace("RATE", rate)) for rate in "12")
    served.await_run(first), served.await_run(second)
    metrics = await_true(lambda: (told := served.get(f"/runs/{first}/metrics"))["names"] and told)
    [series] = [one for one in metrics["series"] if one["name"] == "loss"]
    assert (series["steps"], series["values"][0]) == ([0, 1, 2], 1.0)
    await_true(lambda: served.get(f"/runs/{second}/metrics")["names"])
    await_true(lambda: all(served.get(f"/runs/{one}")["metrics"] for one in (first, second)))
    compared = served.get("/compare", ids=f"{first},{second}", metric="loss")
    names = [column["name"] for column in compared["columns"]]
    assert [row[names.index("host")] for row in compared["rows"]] == ["local", "local"]
    assert {one["run"] for one in compared["series"]} == {first, second}
    assert served.done(f"/runs/{first}", {"label": "best"}, method="PATCH")["run"]["label"] == "best"
    again = served.done(f"/runs/{second}/rerun")["run"]
    assert again["rerun_of"] == second
    served.await_run(again["id"])
    assert served.done(f"/runs/{again['id']}/delete")["run"]["deleted"]
    assert [one["id"] for one in served.get("/runs", deleted="true")["runs"]] == [again["id"]]
    assert not served.done(f"/runs/{again['id']}/restore")["run"]["deleted"]
    refused = served.do(f"/runs/{again['id']}/purge")
    assert refused["state"] == "failed" and refused["error"]["kind"] == "NotNow"
    served.done(f"/runs/{again['id']}/delete")
    served.done(f"/runs/{again['id']}/purge")
    assert served.ask("GET", f"/runs/{again['id']}").status == 404
    endless = served.run("while True: pass", session="other")
    assert served.done(f"/runs/{endless}/stop")["run"]["state"] == "stopped"


@pytest.mark.slow
def test_a_host_with_a_password_and_a_new_key_is_added_on_the_page(served: Server, password: str) -> None:
    with served.page() as page:
        page.subject("hello")
        answer = served.ask("POST", "/hosts", {"target": password, "name": "lab", "group": "gpus"})
        operation = answer.json["id"]
        key = page.next(lambda one: one["subject"] == "prompt" and one["prompt"])["prompt"]
        assert (key["kind"], key["choices"], key["host"]) == ("host_key", ["yes", "once", "no"], "lab")
        assert "SHA256:" in key["text"] and key["operation"] == operation
        assert served.ask("POST", f"/prompts/{key['id']}", {"answer": "yes"}).status == 204
        login = page.next(lambda one: one["subject"] == "prompt" and one["prompt"])["prompt"]
        assert (login["kind"], login["secret"]) == ("login", True)
        assert served.ask("POST", f"/prompts/{login['id']}", {"answer": PASSWORD}).status == 204
        assert served.ask("POST", f"/prompts/{login['id']}", {"answer": PASSWORD}).status == 404
        ended = served.ended(operation)
        assert ended["state"] == "done" and ended["result"]["host"] == "lab", ended
        assert page.next(
            lambda one: one["subject"] == "host" and (one["host"] or {}).get("state") == "connected"
        )
        said = repr(page.seen)
    assert PASSWORD not in said + served.log.read_text() + repr(served.get("/operations"))
    hosts = served.get("/hosts")
    assert hosts["groups"] == {"gpus": ["lab"]}
    run = served.run("print('there')", "lab")
    assert served.await_run(run)["state"] == "finished"
    assert not served.get("/prompts")["prompts"], "it was asked once"
    findings = served.ask("POST", "/hosts/lab/doctor")
    login = served.prompt()
    served.ask("POST", f"/prompts/{login['id']}", {"cancel": True})
    ended = served.ended(findings.json["id"])
    assert "cancelled" in repr(ended) and PASSWORD not in repr(ended)


@pytest.mark.slow
def test_the_code_asks_and_the_page_answers(served: Server) -> None:
    served.done("/hosts/local/connect")
    run = served.run("print('got', input('name? '))")
    asked = served.prompt()
    assert (asked["kind"], asked["text"], asked["run"]) == ("input", "name? ", run)
    assert served.ask("POST", f"/prompts/{asked['id']}", {"answer": "Ada"}).status == 204
    assert served.await_run(run)["state"] == "finished"
    await_true(lambda: served.get(f"/runs/{run}/output")["complete"])
    assert "got Ada" in [line["text"] for line in served.get(f"/runs/{run}/output")["lines"]]
    assert served.get("/prompts")["prompts"] == []


@pytest.mark.slow
def test_after_a_cut_nothing_is_lost_or_doubled(served: Server) -> None:
    served.done("/hosts/local/connect")
    code = """
import pathlib, time
for n in range(900):
    print('line', n)
    while n == 300 and not pathlib.Path('go').exists():
        time.sleep(0.01)
"""
    run = served.run(code)
    view = Viewer(served, run)
    with served.page() as page:
        hello = page.subject("hello")
        view.follow(page, until=200)
        seq = max([hello["seq"], *(one.get("seq", 0) for one in page.seen)])
        page.cut()
    settings = served.get("/hosts/local")["settings"]
    mirror = Path(settings["workspace"].replace("{project}", "work")).expanduser()
    (mirror / "go").touch()
    served.await_run(run)
    with served.page(since=seq, server=hello["server"]) as page:
        assert page.subject("hello")["resumed"]
        page.next(lambda one: one["subject"] == "run" and one["run"]["state"] == "finished")
        numbers = [one["seq"] for one in page.seen[1:]]
        assert numbers == sorted(set(numbers)) and numbers[0] > seq
        assert view.follow(page)["total"] == 900
    assert view.lines == [f"line {n}" for n in range(900)]
    with served.page(since=seq, server="another") as page:
        assert not page.subject("hello")["resumed"], "what another server has counted means nothing"


@pytest.mark.slow
def test_artifacts_are_pulled_and_downloaded_and_nothing_else(served: Server) -> None:
    served.done("/hosts/local/connect")
    run = served.run("open('plot.svg', 'w').write('<svg onload=alert(1)>')")
    served.await_run(run)
    assert served.get(f"/runs/{run}/artifacts")["artifacts"] == []
    assert served.ask("GET", f"/runs/{run}/artifact", path="plot.svg").status == 404
    assert served.done(f"/runs/{run}/pull", {"paths": ["plot.svg"]})["files"] == ["plot.svg"]
    [artifact] = served.get(f"/runs/{run}/artifacts")["artifacts"]
    assert (artifact["path"], artifact["local"], artifact["size"]) == ("plot.svg", True, 21)
    answer = served.ask("GET", f"/runs/{run}/artifact", path="plot.svg")
    assert answer.body == b"<svg onload=alert(1)>"
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    (served.root / "secret").write_text("x")
    for path in (
        "secret",
        "../work/secret",
        "/etc/passwd",
        "plot.svg/../secret",
        ".jupyter-remote/pulled.json",
        "\0",
    ):
        assert served.ask("GET", f"/runs/{run}/artifact", path=path).status in (404, 422), path
    (served.root / "plot.svg").unlink()
    (served.root / "plot.svg").symlink_to("/etc/passwd")
    assert served.ask("GET", f"/runs/{run}/artifact", path="plot.svg").status == 404
    (served.root / "plot.svg").unlink()


@pytest.mark.slow
def test_two_servers_see_the_same_runs(served: Server, tmp_path: Path) -> None:
    other = launch(tmp_path / "other")
    try:
        with other.page() as page:
            page.subject("hello")
            await_true(lambda: other.get("/runs") is not None)
            served.done("/hosts/local/connect")
            run = served.run("print('seen by both')")
            assert page.subject("run", id=run)["run"]["host"] == "local"
            view = Viewer(other, run)
            assert view.follow(page)["state"] == "finished"
            assert view.lines == ["seen by both"]
        assert served.get("/version")["server"] != other.get("/version")["server"]
    finally:
        other.stop()


@pytest.mark.slow
def test_a_server_ends_soon_and_leaves_only_what_shall_go_on(tmp_path: Path) -> None:
    served = launch(tmp_path / "work")
    try:
        served.done("/hosts/local/connect")
        agents = psutil.Process(served.process.pid).children(recursive=True)
        run = served.run("import time\nprint('on')\ntime.sleep(600)")
        with served.page() as page:
            page.say(subscribe=[f"output:{run}", "samples:local"])
            page.subject("output", run=run)
            page.subject("sample")
            assert served.stop() < 15
    finally:
        served.stop()
    assert agents and served.process.returncode in (0, -signal.SIGTERM)
    await_true(lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in agents))
    again = launch(served.root)
    try:
        again.done("/hosts/local/connect")
        assert again.get(f"/runs/{run}")["state"] in ("starting", "running")
        assert again.done(f"/runs/{run}/stop")["run"]["state"] == "stopped"
        tidy(again)
    finally:
        again.stop()


def test_nothing_of_a_token_is_in_the_log(served: Server) -> None:
    with served.page() as page:
        page.subject("hello")
        page.say(subscribe=["samples:../../etc"])
        assert page.subject("problem")["problem"]["kind"] == "Invalid"
        page._socket.send("[" * 100_000)
        assert page.subject("problem")["problem"]["kind"] == "BadRequest"
    assert not re.search(served.token, served.log.read_text())


__all__ = ["served", "server"]
