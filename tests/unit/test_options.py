"""The table of options, and what the parser made of it understands and refuses."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_remote.commands import HANDLERS
from jupyter_remote.errors import UsageError
from jupyter_remote.options import CELL, LINE, Command, help_text, walk
from jupyter_remote.parsing import build, invoke, parse, split_line

LEAVES = [(words, command) for words, command in walk() if not command.subcommands]


def cell(line: str) -> dict[str, Any]:
    return parse(CELL, split_line(line))


def complaint(line: str) -> str:
    with pytest.raises(UsageError) as caught:
        cell(line)
    return str(caught.value)


def command(*words: str) -> dict[str, Any]:
    """What a command of `%remote` is called with."""
    seen: dict[str, Any] = {}
    group = build(LINE, {path: lambda values, _: seen.update(values) for path, _ in LEAVES})
    invoke(group, words, "%remote")
    return seen


def test_a_file_starts_a_campaign_and_a_name_is_a_word() -> None:
    for words in (["campaign", "sweep.yaml", "--wait"], ["campaign", "start", "sweep.yaml", "--wait"]):
        seen = command(*words)
        assert (seen["file"], seen["wait"], seen["dry_run"]) == ("sweep.yaml", True, False)
    assert command("campaign", "./sweep", "--host", "a,b")["host"] == "a,b"
    assert command("campaign", "status", "sweep.v2")["name"] == "sweep.v2"
    with pytest.raises(UsageError, match=r"unknown command gpu\.lab of %remote sessions"):
        command("sessions", "gpu.lab")


def test_every_command_has_a_handler_and_every_handler_a_command() -> None:
    assert {words for words, _ in LEAVES} == set(HANDLERS)


@pytest.mark.parametrize(("words", "entry"), [*walk(), (("cell",), CELL)], ids=lambda value: str(value)[:30])
def test_every_entry_is_documented(words: tuple[str, ...], entry: Command) -> None:
    keys = [option.key for option in entry.options] + [argument.key for argument in entry.arguments]
    assert len(keys) == len(set(keys))
    assert entry.help.endswith(".")
    assert all(option.help and not option.help.endswith(".") for option in entry.options)
    assert all(option.metavar for option in entry.options if option.kind != "flag")
    assert set(entry.exclusive) <= set(keys)


def test_help_names_everything() -> None:
    text = help_text()
    for option in CELL.options:
        assert option.flag in text
    for words, entry in LEAVES:
        assert " ".join((*words, entry.usage)) in text


@pytest.mark.parametrize(("words", "entry"), LEAVES, ids=lambda value: str(value)[:30])
def test_every_command_has_a_help_page(
    words: tuple[str, ...], entry: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(build(LINE, HANDLERS), [*words, "--help"], "jupyter remote") == 0
    page = capsys.readouterr().out
    assert f"jupyter remote {' '.join(words)}" in page
    for flag in entry.flags:
        assert flag in page


def test_a_cell_line_in_full() -> None:
    values = cell(
        "dgx01 --no-sync --session s1 --cwd 'my runs' --env A=1 --env 'B=x=y z' --pass-env HOME"
        " --launcher slurm --set gpus=1 --set time=2h"
        " --timeout 1h30m --label=first --dry-run --quiet --output 2M"
    )
    assert values == {
        "hosts": "dgx01",
        "no_sync": True,
        "session": "s1",
        "fresh": False,
        "bash": False,
        "script": None,
        "send": (),
        "fetch": (),
        "pull": (),
        "cwd": "my runs",
        "env": (("A", "1"), ("B", "x=y z")),
        "pass_env": ("HOME",),
        "gpus": None,
        "min_free": None,
        "wait": None,
        "launcher": "slurm",
        "set": (("gpus", "1"), ("time", "2h")),
        "timeout": 5400.0,
        "detach": False,
        "label": "first",
        "metrics": (),
        "metric_files": (),
        "dry_run": True,
        "quiet": True,
        "output": 2 << 20,
    }


def test_options_may_come_before_the_host() -> None:
    assert cell("--fresh dgx01")["hosts"] == "dgx01"


@pytest.mark.parametrize(
    ("line", "script"),
    [
        ("h --script train.py", ("train.py",)),
        (
            "h --quiet --script train.py --epochs 3 -o x -- --quiet",
            ("train.py", "--epochs", "3", "-o", "x", "--", "--quiet"),
        ),
        # Directly after the file the dashes are ours, as between options and a program.
        ("h --script train.py -- --quiet --label=x", ("train.py", "--quiet", "--label=x")),
        ("h --script train.py -- -- x", ("train.py", "--", "x")),
        ("h --script=train.py -v", ("train.py", "-v")),
    ],
)
def test_a_script_takes_the_rest_of_the_line(line: str, script: tuple[str, ...]) -> None:
    values = cell(line)
    assert values["hosts"] == "h"
    assert values["script"] == script


def test_a_value_that_looks_like_script_is_a_value() -> None:
    values = cell("h --label --script --quiet")
    assert (values["label"], values["script"], values["quiet"]) == ("--script", None, True)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (
            "h --sesion x",
            "unknown option --sesion of %%remote; did you mean --session? Valid: --no-sync, --session",
        ),
        ("h --zzz", "unknown option --zzz of %%remote. Valid: --no-sync"),
        ("h -x", "unknown option -x of %%remote"),
        ("h --detatch", "unknown option --detatch"),
        ("h --help", "unknown option --help"),
        ("a b", "unexpected extra argument"),
        ("h --session", "--session"),
        ("h --script", "--script needs a FILE"),
        (
            "h --script train.py --lr 1 --gpus 2",
            "--gpus comes after --script train.py: put it before --script if it is meant for us, or all that "
            "is the program's after --: --script train.py -- --lr 1 --gpus 2",
        ),
        ("h --script=train.py --label=x", "--label=x comes after --script train.py"),
        ("h --session 'a b'", "'a b' is not a session's name"),
        ("h --session --fresh", "'--fresh' is not a session's name"),
        ("h --env A", "'A' has no KEY=VALUE form"),
        ("h --env 1A=2", "'1A' is not a variable's name"),
        ("h --pass-env A=2", "'A=2' is not a variable's name"),
        ("h --timeout soon", "--timeout: 'soon' is not a duration"),
        ("h --fresh --session s", "--session and --fresh exclude each other"),
        ("h --bash --script x", "--bash and --script exclude each other"),
        ("h --label 'open", "no closing quotation"),
        ("h --fresh=1", "--fresh"),
    ],
)
def test_a_bad_line_answers_in_one_clear_line(line: str, says: str) -> None:
    text = complaint(line)
    assert says in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["lst"], "unknown command lst of %remote; did you mean list? Valid: list, test, show"),
        (
            ["sessions", "stpo"],
            "unknown command stpo of %remote sessions; did you mean stop? Valid: list, stop",
        ),
        (["show"], "%remote show needs HOST"),
        (["test"], "%remote test needs HOST"),
        (["list", "--jsn"], "unknown option --jsn of %remote list; did you mean --json? Valid: --json"),
        (["--verbose"], "unknown option --verbose of %remote"),
        (["set", "h", "port"], "'port' has no KEY=VALUE form"),
        (["run", "h", "sh", "-c", "x"], "a program with options of its own comes after --"),
        (["run", "h", "--script", "a.py", "--x"], ""),
        (["run", "h", "prog", "--script", "a.py"], "--script and PROGRAM exclude each other"),
        (["campain"], "unknown command campain of %remote; did you mean campaign?"),
        (["campaign"], "%remote campaign start needs FILE"),
        (["campaign", "statsu"], "unknown command statsu of %remote campaign; did you mean status?"),
    ],
)
def test_bad_words_answer_in_one_clear_line(words: list[str], says: str) -> None:
    if not says:
        command(*words)
        return
    with pytest.raises(UsageError) as caught:
        command(*words)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_program_comes_after_the_dashes() -> None:
    values = command("run", "h", "--env", "A=1", "--", "python", "-c", "--", "x", "--script", "y")
    assert values["program"] == ("python", "-c", "--", "x", "--script", "y")
    assert values["env"] == (("A", "1"),)
    assert values["script"] is None


def test_sessions_alone_lists_them() -> None:
    assert command("sessions") == {"hosts": (), "json": False}
