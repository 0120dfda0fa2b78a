"""Code on a host that asks: every way to, through every transport and front, each question answered once."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cuts import open_remote, way_to
from hosts import PATIENCE_S, Place, await_true, without_ipython
from proxy import Proxy
from sshd import SshHost
from test_fronts_local import MAIN, Kernel, Message, kernel, workspace

import jupyter_remote
from jupyter_remote.events import Event
from jupyter_remote.follow import follow
from jupyter_remote.remote import Remote
from jupyter_remote.run import Run

ASK = """import getpass, sys
print('hello', end=' ')
print(input('name? '), len(getpass.getpass('pass? ')), repr(sys.stdin.readline()), list(sys.stdin))"""
EOF = ("eof",)

Answer = str | tuple[str]


def answer_all(run: Run, answers: list[Answer]) -> list[Event]:
    """Takes all events, with these answers to its questions; all of them must be asked for."""
    seen: list[Event] = []

    def take(event: Event) -> None:
        seen.append(event)
        if event.kind == "input_request":
            request = event.data["request"]
            assert run.question() == request
            answer = answers.pop(0)
            if isinstance(answer, str):
                run.answer(request, answer)
            else:
                run.answer(request, how=answer[0])

    run.wait(take)
    assert answers == []
    return seen


def text_of(events: list[Event], kind: str = "stdout") -> str:
    return "".join(event.text for event in events if event.kind == kind)


def test_every_way_to_ask_is_answered_and_no_answer_is_kept(place: Place) -> None:
    run = place.remote.run_cell(ASK)
    seen = answer_all(run, ["bob", "s3cr3t-pw", "a line", "1", "2", EOF])
    assert text_of(seen) == "hello bob 9 'a line\\n' ['1\\n', '2\\n']\n"
    asked = [(one.data["prompt"], one.data["password"]) for one in seen if one.kind == "input_request"]
    assert asked == [("name? ", 0), ("pass? ", 1), ("", 0), ("", 0), ("", 0), ("", 0)]
    kept = b"".join(path.read_bytes() for path in place.folder(run).rglob("*") if path.is_file())
    assert b"pass? " in kept
    assert b"s3cr3t-pw" not in kept


def test_the_end_of_input_and_nobody_to_ask_are_errors_there(local: Place) -> None:
    for how, name in (("eof", "EOFError"), ("refused", "StdinNotImplementedError")):
        run = local.remote.run_cell("input('x')")
        answer_all(run, [(how,)])
        assert run.error is not None
        assert run.error["ename"] == name
    run = local.remote.run_cell("try: input()\nexcept NotImplementedError: print('caught')")
    assert text_of(answer_all(run, [("refused",)])) == "caught\n"


def test_an_interrupt_takes_the_question_back(local: Place) -> None:
    run = local.remote.run_cell("x = 1\ninput('never')")
    for event in run.events():
        if event.kind == "input_request":
            run.interrupt()
    assert run.error is not None
    assert run.error["ename"] == "KeyboardInterrupt"
    assert run.question() is None
    run.answer(1, "too late")
    run = local.remote.run_cell("input('x? ') + str(x)")
    answer_all(run, ["a"])
    assert run.result == {"text/plain": "'a1'"}


def test_a_debugger_is_talked_to(local: Place) -> None:
    run = local.remote.run_cell("y = 5\nbreakpoint()\nprint(y)")
    shown = text_of(answer_all(run, ["p y + 1", "y = 7", "c"]))
    assert "6\n" in shown
    assert shown.endswith("7\n")
    # One that steps out of the cell ends with it, wherever it has got to.
    run = local.remote.run_cell("x = 1\nbreakpoint()")
    for event in run.events():
        if event.kind == "input_request":
            run.answer(event.data["request"], "n")
    assert local.run("x").check().result == {"text/plain": "1"}
    local.run("def f(): q = 41; 1 / 0\nf()")
    run = local.remote.run_cell("%debug")
    assert "42\n" in text_of(answer_all(run, ["p q + 1", "q"]))
    assert run.state == "finished"


def test_a_shell_without_ipython_asks_too(local: Place, tmp_path: Path) -> None:
    with without_ipython(local, tmp_path) as remote:
        run = remote.run_cell("import sys; 'IPython' in sys.modules, input('a'), input('b')", session="plain")
        answer_all(run, ["1", "2"])
    assert run.result == {"text/plain": "(False, '1', '2')"}


def test_a_thread_that_asks_ends_with_its_cell(local: Place) -> None:
    code = (
        "import threading\ndef ask():\n    try: said.append(input('?'))\n"
        "    except EOFError as e: said.append(str(e))\n"
        "said = []; asker = threading.Thread(target=ask); asker.start()\n"
    )
    run = local.remote.run_cell(code + "asker.join(); said")
    answer_all(run, ["yes"])
    assert run.result == {"text/plain": "['yes']"}
    local.run(code)
    run = local.run("asker.join(); [one.split(',')[1] for one in said]")
    assert run.result == {"text/plain": "[' so nobody can be asked']"}


def test_the_first_answer_counts(local: Place) -> None:
    run = local.remote.run_cell("input('x') + input('y')")
    other = local.open()

    replies: list[Event] = []

    def twice(event: Event) -> None:
        if event.kind == "input_reply":
            replies.append(event)
        if event.kind == "input_request":
            request = event.data["request"]
            run.answer(request, "1")
            other.attach(run.id).answer(request, "2")

    run.wait(twice)
    assert run.result == {"text/plain": "'11'"}
    assert len(replies) == 2


@pytest.fixture
def cut(ssh_host: SshHost, tmp_path: Path) -> Iterator[tuple[Remote, Proxy]]:
    with way_to(ssh_host) as way, open_remote("paramiko", tmp_path) as remote:
        yield remote, way
        remote.stop_sessions()


def test_an_answer_survives_a_cut(cut: tuple[Remote, Proxy]) -> None:
    remote, way = cut
    run = remote.run_cell("input('x') + '!'")
    for event in run.events():
        if event.kind == "input_request":
            way.cut()
            await_true(lambda: remote.link.live is None)
            run.answer(event.data["request"], "late")
    assert run.check().result == {"text/plain": "'late!'"}


def test_an_interrupt_at_the_prompt_is_one_there(local: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_prompt: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.input", interrupted)
    run = local.remote.run_cell("try: input('x')\nexcept KeyboardInterrupt: print('there')")
    seen: list[Event] = []
    follow(run, seen.append)
    assert (run.state, text_of(seen)) == ("finished", "there\n")


def test_a_question_that_another_viewer_answers_is_asked_no_longer(
    local: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = local.remote.run_cell("input('x')")
    other = local.open().attach(run.id)

    def nobody_types(_prompt: str) -> str:
        other.answer(1, "from there")
        await_true(lambda: False)
        return "never"

    monkeypatch.setattr("builtins.input", nobody_types)
    follow(run, lambda _: None)
    assert (run.state, run.result) == ("finished", {"text/plain": "'from there'"})


# The command line.


def detached(workspace: Path, code: str) -> Run:
    run = jupyter_remote.connect("local", workspace=workspace).run_cell(code, session="asks")
    run.detach()
    return run


def test_a_terminal_answers_what_it_attaches_to(workspace: Path) -> None:
    run = detached(workspace, "import getpass; print(input('name? '), len(getpass.getpass('pass? ')))")
    ours, theirs = pty.openpty()
    words = [sys.executable, "-c", MAIN, "attach", run.id, "--host", "local"]
    with subprocess.Popen(
        words, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        shown = b""
        for expected, typed in ((b"name? ", b"bob\n"), (b"pass? ", b"s3cr3t\n"), (b"bob 6", b"")):
            while expected not in shown:
                assert select.select([ours], [], [], PATIENCE_S)[0]
                shown += os.read(ours, 1 << 16)
            os.write(ours, typed)
        assert process.wait(PATIENCE_S) == 0
    os.close(ours)
    assert b"s3cr3t" not in shown


def test_a_viewer_that_cannot_ask_leaves_the_question_to_others(workspace: Path) -> None:
    run = detached(workspace, "print(input('name? '))")
    words = [sys.executable, "-c", MAIN, "attach", run.id, "--host", "local", "--quiet"]
    with subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        said = process.stderr.readline().decode()
        assert f"run {run.id} on local waits for input ('name? ')" in said
        run.answer(1, "bob")
        assert process.stdout.read() == b"bob\n"
        assert process.wait(PATIENCE_S) == 0


# A notebook's kernel.


class Asked(Kernel):
    """The same kernel, whose front answers."""

    def __init__(self, other: Kernel) -> None:
        self.client = other.client

    def ask(self, code: str, *answers: str, allow: bool = True) -> tuple[Message, list[Message]]:
        """Run a cell with these answers; return its reply, and what was asked."""
        left, asked = list(answers), []

        def hook(message: Message) -> None:
            asked.append(message["content"])
            self.client.input(left.pop(0))

        outputs: list[Message] = []
        reply = self.client.execute_interactive(
            code,
            output_hook=lambda message: outputs.append({"kind": message["msg_type"], **message["content"]}),
            stdin_hook=hook,
            allow_stdin=allow,
            timeout=90,
            stop_on_error=False,
        )
        assert left == []
        return {**reply["content"], "outputs": outputs}, asked


@pytest.fixture
def front(kernel: Kernel) -> Asked:
    return Asked(kernel)


def test_a_notebook_answers(front: Asked) -> None:
    answer, asked = front.ask(f"%%remote local --quiet\n{ASK}", "bob", "pw", "a", "b", "\x04")
    assert asked[:2] == [{"prompt": "name? ", "password": False}, {"prompt": "pass? ", "password": True}]
    assert front.text(answer, "stdout") == "hello bob 2 'a\\n' ['b\\n']\n"


def test_a_front_without_input_gets_a_clear_error(front: Asked) -> None:
    answer, asked = front.ask("%%remote local --quiet\ninput('x')", allow=False)
    assert (answer["status"], asked) == ("error", [])
    assert "StdinNotImplementedError" in json.dumps(answer["traceback"])


def test_who_attaches_answers_what_nobody_has(front: Asked) -> None:
    code = "%%remote local --quiet --detach\nprint(input('first? '))\nprint(input('second? '))"
    assert front.run(code)["status"] == "ok"
    name = front.text(front.run("print(_run.id)"), "stdout").strip()
    answer, asked = front.ask(f"%remote attach {name} --quiet", "1", "2")
    assert [one["prompt"] for one in asked] == ["first? ", "second? "]
    assert front.text(answer, "stdout") == "1\n2\n"
    answer, asked = front.ask(f"%remote attach {name} --quiet")
    assert (front.text(answer, "stdout"), asked) == ("1\n2\n", [])


__all__ = ["kernel", "workspace"]
