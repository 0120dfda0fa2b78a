"""`host_status`, `host_picker` and the notebook's own host: on real hosts and in a kernel, without a page."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from fake_gpus import FakeGpus
from hosts import await_true
from test_fronts_local import Kernel, Message, kernel, workspace

import jupyter_remote
from jupyter_remote.errors import UnknownHost, UsageError
from jupyter_remote.widgets import sampler
from jupyter_remote.widgets.picker import HostPicker
from jupyter_remote.widgets.sampler import Feed, News
from jupyter_remote.widgets.status import HostStatus

LOOP = "--loop-ms"
FAST = 0.05
# A minute of 50 updates a second, with `WIDGETS_MINUTE=1`; what they leave is told by a few seconds too.
UPDATES = 3000 if os.environ.get("WIDGETS_MINUTE") else 150
VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def followers() -> Iterator[list[tuple[Feed, Any]]]:
    """Those that follow a host; at the end none does."""
    made: list[tuple[Feed, Any]] = []
    yield made
    for feed, told in made:
        sampler.unfollow(feed, told)
    for feed, _ in made:
        feed.join(10)
    assert sampler.followed() == []
    await_true(lambda: sampler._watcher is None)


class Told:
    """What a follower has been told."""

    def __init__(self) -> None:
        self.news: list[News] = []

    def __call__(self, news: News) -> None:
        self.news.append(news)

    def state(self) -> str:
        return self.news[-1].state if self.news else ""


@pytest.mark.slow
def test_one_stream_for_all_who_follow(
    fake_gpus: FakeGpus, workspace: Path, followers: list[tuple[Feed, Any]]
) -> None:
    one, two = Told(), Told()
    for told in (one, two):
        followers.append((sampler.follow("local", told, FAST), told))
    assert followers[0][0] is followers[1][0]
    await_true(lambda: fake_gpus.calls(LOOP))
    fake_gpus.use(1, 20000, 87)
    for told in (one, two):
        await_true(lambda told=told: told.news and told.news[-1].facts["gpus"][1]["utilization"] == 87)
    assert len(fake_gpus.calls(LOOP)) == 1
    assert one.news[-1].facts["disk"]["home"]["total"]
    sampler.unfollow(*followers.pop(0))
    seen = len(two.news)
    await_true(lambda: len(two.news) > seen)
    sampler.unfollow(*followers.pop(0))
    await_true(lambda: not fake_gpus.running())


@pytest.mark.slow
def test_a_lost_host_is_told_with_the_reason_and_comes_back(
    workspace: Path, tmp_path: Path, followers: list[tuple[Feed, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    down, gate = tmp_path / "down", tmp_path / "gate"
    gate.write_text(f'#!/bin/sh\n[ -e {down} ] && {{ echo "switched off" >&2; exit 1; }}\nexec "$@"\n')
    gate.chmod(0o755)
    box = {"type": "command", "command": [str(gate)], "python": sys.executable}
    (tmp_path / "config" / "hosts.yaml").write_text(json.dumps({"hosts": {"box": box}}))
    told = Told()
    followers.append((sampler.follow("box", told, FAST), told))
    await_true(lambda: told.state() == "ready")
    facts = told.news[-1].facts
    remote = jupyter_remote.connect("box")
    down.touch()
    psutil.Process(int(remote.info["pid"])).send_signal(signal.SIGKILL)
    await_true(lambda: told.state() == "unreachable" and "switched off" in told.news[-1].why)
    assert told.news[-1].facts["cpu_count"] == facts["cpu_count"]  # the last ones stay
    down.unlink()
    await_true(lambda: told.state() == "ready")
    # And one that says nothing any more, though its link stands.
    monkeypatch.setattr(sampler, "_SILENT_S", 0.2)
    agent = psutil.Process(int(remote.info["pid"]))
    agent.send_signal(signal.SIGSTOP)
    try:
        await_true(lambda: told.state() == "unreachable")
    finally:
        agent.send_signal(signal.SIGCONT)
    assert "nothing has come from it" in next(n.why for n in reversed(told.news) if n.why)
    await_true(lambda: told.state() == "ready")
    sampler.unfollow(*followers.pop())
    remote.close()


@pytest.mark.slow
def test_gauges_rest_while_nobody_looks(fake_gpus: FakeGpus, workspace: Path) -> None:
    status = HostStatus(["local"], FAST)
    page = status.widget
    page._view_count = 1
    await_true(lambda: "jr-meter" in status._pages["local"].value)
    page._view_count = 0
    await_true(lambda: not status.following)
    assert "paused: it is shown nowhere" in status._pages["local"].value
    await_true(lambda: not fake_gpus.running())
    page._view_count = 1
    await_true(lambda: status.following and "paused" not in status._pages["local"].value)
    status.pause()
    assert not status.following
    await_true(lambda: not fake_gpus.running())
    await_true(lambda: sampler._watcher is None)


@pytest.mark.slow
def test_without_a_front_end_there_are_tables(
    fake_gpus: FakeGpus, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for shown, words in ((HostStatus(["local"]), "NVIDIA H100"), (HostPicker(), "this machine")):
        bundle = shown._repr_mimebundle_()
        assert set(bundle) == {"text/plain", "text/html"}
        assert words in bundle["text/plain"] and "ready" in bundle["text/plain"]
        assert "<table" in bundle["text/html"] and "As it was at" in bundle["text/html"]
        shown._ipython_display_()
        assert words in capsys.readouterr().out
        assert "\n" not in repr(shown)
    with pytest.raises(UnknownHost):
        jupyter_remote.host_status("nowhere")
    with pytest.raises(UsageError, match="is no interval"):
        jupyter_remote.host_status("local", interval=0)


# In a kernel.

DISPLAYED = (
    "import jupyter_remote, time, psutil\nstatus = jupyter_remote.host_status('local', interval=60)\nstatus"
)
FLOOD = """
from jupyter_remote.widgets.sampler import News
facts = status._news['local'].facts
def flood(count):
    for n in range(count):
        status._take('local', News('ready', {**facts, 'cpu': n % 100}, '', time.time()))
        time.sleep(0.02)
flood(50)
before = psutil.Process().memory_info().rss
"""
GROWN = "flood(%d)\nprint((psutil.Process().memory_info().rss - before) >> 10)"


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_fifty_updates_a_second_leave_nothing_behind(kernel: Kernel) -> None:
    copy, view = kernel.run(DISPLAYED)["outputs"][-2:]
    assert "text/html" in copy["data"] and VIEW in view["data"]
    kernel.run(FLOOD)
    sent: list[Message] = []
    answer = kernel.run(GROWN % UPDATES, sent.append)
    kinds = [one["kind"] for one in sent]
    # What a notebook would keep: not one output more. What a page is sent: five a second of the fifty.
    assert {"display_data", "update_display_data", "execute_result"}.isdisjoint(kinds)
    assert 0 < kinds.count("comm_msg") <= UPDATES / 8
    assert int(kernel.text(answer, "stdout")) < 2000  # KiB


@pytest.mark.slow
def test_the_kernels_last_act_is_to_leave_the_tables(kernel: Kernel) -> None:
    _, view = kernel.run(DISPLAYED)["outputs"][-2:]
    kernel.client.shutdown()
    left: dict[str, Message] = {}
    while len(left) < 2:
        message = kernel.client.get_iopub_msg(timeout=30)
        if message["msg_type"] == "update_display_data":
            left[message["content"]["transient"]["display_id"]] = message["content"]["data"]
    assert left[view["transient"]["display_id"]] == {"text/plain": ""}
    (copy,) = (data for data in left.values() if "text/html" in data)
    assert "<table" in copy["text/html"]


@pytest.mark.slow
def test_a_cell_without_a_host_goes_to_the_notebooks_own(kernel: Kernel, workspace: Path) -> None:
    failed = kernel.run("%%remote\n1")
    assert "host_picker()" in "".join(failed["traceback"])
    kernel.run("from jupyter_remote import default_host\ndefault_host._known = False")
    notebook = {"metadata": {"jupyter_remote": {"host": "local"}}}
    (workspace / "Untitled 1.ipynb").write_text(json.dumps(notebook))
    assert kernel.text(kernel.run("%%remote --quiet\nprint('there')"), "stdout") == "there\n"
    said = kernel.text(kernel.run("%autoremote --quiet"), "stdout")
    assert "every following cell goes to local" in said
    assert kernel.run("6 * 7")["outputs"][0]["data"]["text/plain"] == "→ local"
    assert "here again" in kernel.text(kernel.run("%autoremote off"), "stdout")
    # A page says another one, as our extension does.
    session = kernel.client.session
    content = {"comm_id": "page", "target_name": "jupyter_remote", "data": {"host": "nowhere"}}
    kernel.client.shell_channel.send(session.msg("comm_open", content))
    kernel.run("default_host.set(None); default_host._known = False")
    assert "no host named" in "".join(kernel.run("default_host.set(None)\n%autoremote --quiet")["traceback"])


@pytest.mark.slow
def test_what_the_picker_does_is_what_the_words_do(kernel: Kernel) -> None:
    kernel.run("import jupyter_remote\npicker = jupyter_remote.host_picker()\npicker")
    told = kernel.run("picker._do('doctor', 'local'); print(picker._parts['said'].value)")
    assert "%remote doctor local" in kernel.text(told, "stdout") and "leftovers" in kernel.text(
        told, "stdout"
    )
    told = kernel.run("print(picker._do('start', 'local')); print(picker._parts['said'].value)")
    assert "False" in kernel.text(told, "stdout")
    assert "only hosts of type ec2 can be started" in kernel.text(told, "stdout")
    kernel.run("picker._parts['filter'].value = 'loc'")
    chosen = kernel.run("picker._use_best(); print(picker._parts['own'].value)")
    assert "%%remote without a name runs on local." in kernel.text(chosen, "stdout")


__all__ = ["kernel", "workspace"]
