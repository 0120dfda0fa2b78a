"""Links that break, fall silent and come back, and what a run and its viewers have of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cuts import open_remote, way_to
from hosts import Place, await_true
from proxy import Proxy
from sshd import SshHost

import jupyter_remote
from jupyter_remote.errors import AuthenticationError, UsageError
from jupyter_remote.events import Event
from jupyter_remote.linkstate import LinkState
from jupyter_remote.remote import Remote
from jupyter_remote.run import Run
from jupyter_remote.whereabouts import find_run

WAIT = """import os, time
print('on', flush=True)
while not os.path.exists({go!r}): time.sleep(0.01)
print('off')
"""


@pytest.fixture
def way(ssh_host: SshHost) -> Iterator[Proxy]:
    with way_to(ssh_host) as proxy:
        yield proxy


@pytest.fixture(params=["paramiko", "openssh"])
def remote(request: pytest.FixtureRequest, way: Proxy, tmp_path: Path) -> Iterator[Remote]:
    """A host behind a proxy, with a short keepalive."""
    with open_remote(request.param, tmp_path) as remote:
        yield remote
        remote.stop_sessions()


def first_line(run: Run) -> str:
    for event in run.events():
        if event.kind == "stdout":
            return event.text
    raise AssertionError("it printed nothing")


def test_a_silent_link_is_dead_and_made_again(remote: Remote, way: Proxy, ssh_host: SshHost) -> None:
    go = ssh_host.new_home() / "go"
    run = remote.run_cell(WAIT.format(go=str(go)))
    assert first_line(run) == "on\n"
    told: list[LinkState] = []

    def on_link(state: LinkState) -> None:
        told.append(state)
        if state.up:
            go.touch()

    run.on_link = on_link
    way.strand()
    late = threading.Timer(25, way.cut)  # a link that nobody gives up is noticed so
    late.daemon = True
    late.start()
    seen: list[Event] = []
    run.wait(seen.append).check()
    assert "".join(event.text for event in seen) == "off\n"
    late.cancel()
    assert "not answered" in told[0].why and told[-1].up


def test_a_silent_run_over_a_living_link_is_left_alone(remote: Remote, way: Proxy, ssh_host: SshHost) -> None:
    go = ssh_host.new_home() / "go"
    run = remote.run_cell(WAIT.format(go=str(go)))
    assert first_line(run) == "on\n"
    connection, told = remote.connection(), list[LinkState]()
    run.on_link = told.append
    # Many signs of life have come when so many bytes have, and the run itself has said nothing.
    start = way.received
    waiting = threading.Thread(target=run.wait)
    waiting.start()
    await_true(lambda: way.received > start + 400)
    go.touch()
    waiting.join(30)
    assert (told, run.state, remote.connection() is connection) == ([], "finished", True)


def test_interrupts_of_a_lost_link_are_sent_when_it_is_back(remote: Remote, way: Proxy) -> None:
    run = remote.run_cell("print('on', flush=True)\nwhile True: pass")
    assert first_line(run) == "on\n"
    told: list[LinkState] = []

    def on_link(state: LinkState) -> None:
        told.append(state)
        if len(told) == 1:
            run.interrupt()
        if state.owed:
            way.thaw()

    run.on_link = on_link
    way.freeze()
    way.cut()
    run.wait()
    assert run.state == "stopped"
    assert 1 in {state.owed for state in told} and told[-1].owed == 0


def test_a_run_is_started_once_though_the_link_broke(remote: Remote, way: Proxy, ssh_host: SshHost) -> None:
    home = ssh_host.new_home()
    remote.run_cell("pass").wait().check()
    for number, after in enumerate((1, 40, 200)):
        file = home / f"file{number}"
        way.trip(after, way.cut)
        remote.run_cell(f"print('once', file=open({str(file)!r}, 'a'))", sync=False).wait().check()
        assert file.read_text() == "once\n"


def test_a_refused_login_ends_the_waiting(way: Proxy, ssh_host: SshHost, tmp_path: Path) -> None:
    authorized = ssh_host.folder / "authorized_keys"
    keys = authorized.read_text()
    with open_remote("paramiko", tmp_path) as remote:
        run = remote.run_cell("print('on', flush=True)\nwhile True: pass")
        assert first_line(run) == "on\n"
        try:
            authorized.write_text("")
            way.cut()
            with pytest.raises(AuthenticationError, match=f"attach {run.id}"):
                run.wait()
        finally:
            authorized.write_text(keys)
        remote.stop_sessions()
        # The events that had not come yet still can.
        assert run.wait().state == "stopped"


def test_twenty_viewers_see_the_same_and_a_slow_one_delays_nobody(local: Place) -> None:
    go = local.files / "go"
    text = "".join(f"{i:06} {'x' * 90}\\n" for i in range(30))
    code = (
        f"import os, time\nprint('on', flush=True)\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)\n"
        f"for i in range(1000): print({text!r}, end='')"
    )
    run = local.remote.run_cell(code)
    slow = local.open().attach(run.id)
    assert next(slow.events()).kind == "state"  # and no more: its credit is never given back
    seen: list[bytes] = []

    def view(one: Run) -> None:
        parts: list[bytes] = []
        one.wait(lambda event: parts.append(event.raw))
        seen.append(b"".join(parts))

    viewers = [threading.Thread(target=view, args=(local.remote.attach(run.id),)) for _ in range(20)]
    for viewer in viewers:
        viewer.start()
    go.touch()
    run.wait().check()
    for viewer in viewers:
        viewer.join(60)
    log = (local.folder(run) / "output.log").read_bytes()
    assert len(log) > 2 << 20
    assert [one == log for one in seen] == [True] * 20
    rest = b"".join(event.raw for event in slow.events())
    assert rest == log


def test_a_run_is_found_by_the_beginning_of_its_id(local: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    run = local.run("print('here')")
    found = find_run(run.id[:-1], "local")
    try:
        assert found.id == run.id
        assert find_run(run.id, "local").remote() is found.remote()
        with pytest.raises(UsageError, match="no run 19700101 on local"):
            find_run("19700101", "local")
        local.run("1")
        with pytest.raises(UsageError, match="several runs begin with 20"):
            find_run("20", "local")
        with pytest.raises(UsageError, match="not the id"):
            find_run("../x", "local")
    finally:
        found.remote().close()
        jupyter_remote.connect("local").close()


def test_the_end_of_a_log_is_found_from_behind(local: Place) -> None:
    run = local.run("import sys\nfor i in range(50_000): print(i)\nprint('half', end='')")
    whole = b"".join(local.remote.log(run.id))
    assert whole == (local.folder(run) / "output.log").read_bytes()
    lines = whole.splitlines(keepends=True)
    for count in (0, 1, 2, 100, 20_000, len(lines), len(lines) + 5):
        expected = b"".join(
            lines[len(lines) - count :] if 0 < count <= len(lines) else lines if count else []
        )
        assert b"".join(local.remote.log(run.id, count)) == expected, count
    assert local.remote.log(run.id, 1).seq == run.seq
    with pytest.raises(UsageError, match="there is no run"):
        local.remote.log("20200101-000000-0000")


def test_what_follows_a_log_misses_and_doubles_nothing(local: Place) -> None:
    run = local.remote.run_cell("import time\nfor i in range(300): print(i, flush=True); time.sleep(0.001)")
    first_line(run)
    log = local.remote.log(run.id)
    parts = [*log]
    local.remote.attach(run.id, log.seq).wait(lambda event: parts.append(event.raw)).check()
    assert b"".join(parts) == "".join(f"{i}\n" for i in range(300)).encode()
