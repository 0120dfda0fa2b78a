"""Tab and help in a `%%remote` cell: the session's namespace answers, in time or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hosts import Place, await_true, without_ipython
from test_fronts_local import Kernel, Message, kernel, workspace

from jupyter_remote.agent import messages as m
from jupyter_remote.remote import Remote


def asked(remote: Remote, code: str, what: str = "complete", session: str = "default") -> dict[str, Any]:
    """What the session says of the code, with the cursor at its end."""
    question = m.Consult(session, what, len(code))
    return remote.connection().ask(question, code.encode())


def texts(facts: dict[str, Any]) -> list[str]:
    return [match[0] for match in facts["matches"]]


def test_every_transport_asks_the_namespace(place: Place) -> None:
    place.run("zebra_one = 'text'\ndef zebra_two(size):\n    'Doubles it.'")
    assert set(texts(asked(place.remote, "x = 1\nzebra_"))) == {"zebra_one", "zebra_two"}
    assert "upper" in "".join(texts(asked(place.remote, "zebra_one.upp")))
    # The first look imports a lot, and a busy machine may be late with it.
    data = await_true(lambda: asked(place.remote, "zebra_two(", "inspect").get("data"))
    assert "Doubles it." in data["text/plain"]
    assert asked(place.remote, "no_such", "inspect") == {}


def test_a_shell_without_ipython_answers_too(local: Place, tmp_path: Path) -> None:
    with without_ipython(local, tmp_path) as remote:
        remote.run_cell("zebra = 'text'", session="plain").wait().check()
        assert asked(remote, "1 + zeb", session="plain")["matches"] == [["zebra", "", 4, 7]]
        assert texts(asked(remote, "zebra.uppe", session="plain")) == ["zebra.upper"]
        help_text = asked(remote, "zebra.upper(", "inspect", "plain")["data"]["text/plain"]
        assert "uppercase" in help_text


def test_a_busy_session_says_so_and_none_is_started(local: Place) -> None:
    assert asked(local.remote, "x", session="none") == {"busy": 1}
    assert local.remote.sessions() == []
    go = local.files / "go"
    run = local.remote.run_cell(f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)")
    await_true(lambda: run.state == "running" or next(run.events()))
    assert asked(local.remote, "x") == {"busy": 1}
    go.touch()
    assert run.wait().state == "finished"


def test_code_of_the_users_that_hangs_is_ended(local: Place) -> None:
    local.run(
        "import time\nclass Slow:\n    def __dir__(self):\n        while True: time.sleep(1)\n"
        "slow = Slow()\nfine = 1"
    )
    asked(local.remote, "slow.")
    await_true(lambda: "fine" in texts({"matches": [], **asked(local.remote, "fin")}))
    assert local.run("fine").check().result == {"text/plain": "1"}


def test_an_alarm_of_the_users_is_kept(local: Place) -> None:
    local.run("import signal\n_ = signal.signal(signal.SIGALRM, lambda *_: None)\n_ = signal.alarm(1000)")
    assert asked(local.remote, "sig") == {}
    assert local.run("signal.alarm(0) > 900").check().result == {"text/plain": "True"}


# A notebook's kernel.


def complete(kernel: Kernel, code: str) -> list[str]:
    reply: Message = kernel.client.complete(code, len(code), reply=True, timeout=60)["content"]
    start = reply["cursor_start"]
    return [code[:start] + match for match in reply["matches"]]


def inspect(kernel: Kernel, code: str) -> Message:
    return dict(kernel.client.inspect(code, len(code), reply=True, timeout=60)["content"])


def test_a_notebook_completes_and_helps_from_the_host(kernel: Kernel) -> None:
    # Local completions are only looked at in passing, and jedi reads files for seconds first.
    kernel.run("%config Completer.use_jedi = False\nzebra_here = 1")
    code = "%%remote local --quiet\nclass Zebra:\n    'Striped.'\n    legs = 4\nzebra_there = Zebra()"
    cell = "%%remote local\nprint(zebra_"
    assert complete(kernel, cell) == ["%%remote local\nprint(zebra_here"]
    kernel.run(code)
    await_true(lambda: complete(kernel, cell) == ["%%remote local\nprint(zebra_there"])
    await_true(
        lambda: complete(kernel, "%%remote local\nzebra_there.le")[:1] == ["%%remote local\nzebra_there.legs"]
    )
    await_true(lambda: "Striped." in str(inspect(kernel, "%%remote local\nzebra_there")["data"]))
    assert complete(kernel, "zebra_") == ["zebra_here"]
    assert not inspect(kernel, "zebra_there")["found"]
    kernel.run("%unload_ext jupyter_remote")
    assert complete(kernel, cell) == ["%%remote local\nprint(zebra_here"]
    assert not inspect(kernel, "%%remote local\nzebra_there")["found"]


__all__ = ["kernel", "workspace"]
