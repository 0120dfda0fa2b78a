"""A campaign's file, judged and planned: what is refused with which words, and what holds for every plan."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_remote.campaigns.file import load, step_options
from jupyter_remote.campaigns.filling import FillError, combinations, fill, fill_value, folder_name, words_of
from jupyter_remote.campaigns.hostside import _part
from jupyter_remote.campaigns.orders import notebook_code
from jupyter_remote.campaigns.plan import Plan, make
from jupyter_remote.errors import ConfigError, ProtocolError, UnknownHost, UsageError
from jupyter_remote.options import LINE

HOSTS = ("a", "b", "c")
REMOTE = SimpleNamespace(host=SimpleNamespace(name="a"))


def expand(words: str) -> Sequence[str]:
    names: list[str] = []
    for word in words.split(","):
        names += HOSTS if word == "@all" else [word]
        if names[-1] not in HOSTS:
            raise UnknownHost(f"there is no host `{word}`")
    return names


def planned(hosts: Sequence[str] = ("a", "b"), **source: Any) -> Plan:
    return make(load(source), hosts, expand)


def complaints(text: str, folder: Path) -> list[str]:
    path = folder / "sweep.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        make(load(path), (), expand)
    return [line.removeprefix(f"{path}:") for line in str(caught.value).splitlines()]


BAD = {
    "hosts: a": "1: steps: this key is needed",
    "hosts: a\nsteps: []": "2: steps: valid is a list of steps, each with a `name` and what it runs",
    "hosts: a\nconcurency: 2\nsteps: [{name: x, shell: y}]": "2: concurency: unknown key; did you mean",
    "hosts: a\nsteps:\n- name: x\n  shel: y": "4: steps[0].shel: unknown key; did you mean `shell`?",
    "hosts: a\nsteps:\n- name: x\n  shell: y\n  script: z": "3: steps[0]: what it runs is exactly one of",
    "hosts: a\nsteps:\n- name: x": "3: steps[0]: what it runs is exactly one of `script`",
    "hosts: a\nsteps:\n- shell: x": "3: steps[0].name: this key is needed",
    "hosts: a\nsteps:\n- {name: x, shell: y}\n- {name: x, shell: y}": "4: steps[1].name: two steps",
    "hosts: a\nsteps:\n- {name: ../x, shell: y}": "3: steps[0].name: `../x` can't be a step's name",
    "hosts: a\nname: a b\nsteps:\n- {name: x, shell: y}": "2: name: `a b` can't be a campaign's name",
    "hosts: z\nsteps:\n- {name: x, shell: y}": "1: hosts: there is no host `z`",
    "steps:\n- {name: x, shell: y}": "1: hosts: no host is named: give `hosts:` in the file, or --host",
    "hosts: a\nsteps:\n- {name: x, shell: y, after: z}": "3: steps[0].after: there is no step `z`; Valid: x",
    "hosts: a\nsteps:\n- {name: x, shell: y, after: y}\n- {name: y, shell: y, after: x}": (
        "3: steps[0].after: it comes after itself: x after y after x"
    ),
    "hosts: a\nsteps:\n- {name: x, shell: y}\n- {name: z, shell: y, each: true, after: x}": (
        "4: steps[1].after: with `each`, what it comes after is on every host too; set `each` for `x`"
    ),
    "hosts: [a, b]\nsteps:\n- {name: x, shell: y, hosts: a}\n- {name: z, shell: y, hosts: b, after: x}": (
        "3: steps[0].hosts: no host may run both `x` and all that comes after it; such steps share one"
    ),
    "hosts: a\nsteps:\n- name: x\n  script: y\n  args: ['{lrr}']\n  matrix: {lr: [1]}": (
        "5: steps[0].args: there is no parameter `lrr`; did you mean `{lr}`? Valid: lr, host, step, campaign."
    ),
    "hosts: a\nsteps:\n- name: x\n  shell: y\n  matrix: {lr: []}": "5: steps[0].matrix: `lr` has no values",
    "hosts: a\nsteps:\n- name: x\n  shell: y\n  matrix: {lr: 1}": "5: steps[0].matrix.lr: found `1`",
    "hosts: a\nsteps:\n- name: x\n  shell: y\n  matrix: {host: [1]}": "5: steps[0].matrix.host: `host` can't",
    "hosts: a\nsteps:\n- name: x\n  shell: y\n  matrix: {n: [1]}\n  exclude: [{n: 2}]": (
        "6: steps[0].exclude: no combination has n=2"
    ),
    "hosts: a\nsteps:\n- name: x\n  shell: y\n  matrix: {n: [1]}\n  include: [{m: 2}]": (
        "6: steps[0].include: m=2 has not exactly the parameters n"
    ),
    "hosts: a\ndefaults:\n  timeout: soon\nsteps:\n- {name: x, shell: y}": "3: defaults.timeout: 'soon'",
    "hosts: a\nsteps:\n- name: x\n  shell: y\n  env: {1A: b}": "5: steps[0].env: '1A' is not a variable",
    "hosts: a\nsteps:\n- {name: x, shell: y, retries: -1}": "3: steps[0].retries: found `-1`; valid is",
    "hosts: a\nsteps:\n- {name: x, shell: y, session: z}": "3: steps[0].session: only a step with",
    'hosts: a\nsteps:\n- {name: x, program: "a \'b"}': "3: steps[0].program: no closing quotation",
    "hosts: a\nsteps:\n- {name: x, shell: ''}": "3: steps[0].shell: there is nothing to run",
    "hosts: a\nsteps: [": "2: this is no valid YAML",
    "- a": "1: a campaign is a mapping; it needs `steps`, a list",
}


@pytest.mark.parametrize(("text", "said"), BAD.items(), ids=range(len(BAD)))
def test_what_is_wrong_is_told_with_its_line(text: str, said: str, tmp_path: Path) -> None:
    found = complaints(text, tmp_path)
    assert len(found) == 1
    assert found[0].startswith(said)


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    found = complaints("hosts: a\nconcurrency: 0\nsteps:\n- {name: x}\n- {shell: y, timeot: 3}", tmp_path)
    assert [line.partition(":")[0] for line in found] == ["2", "4", "5", "5"]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no\.yaml can't be read: No such file"):
        load(tmp_path / "no.yaml")


def test_a_step_takes_every_option_that_run_takes() -> None:
    (run,) = (command for command in LINE.subcommands if command.name == "run")
    of_the_call = {"no_sync", "script", "detach", "dry_run", "quiet"}
    assert set(step_options()) == {option.key for option in run.options} - of_the_call
    step = {
        "env": {"A": "{n}", "B": True},
        "timeout": "1h",
        "pull": "out/{n}/**",
        "cwd": "sub",
        "label": "run {n}",
    }
    plan = planned(steps=[{"name": "x", "shell": "y", "matrix": {"n": [1]}, **step}])
    assert dict(plan.steps[0].options) == {
        "env": (("A", "1"), ("B", "true")),
        "timeout": 3600.0,
        "pull": ("out/1/**",),
        "cwd": "sub",
        "label": "run 1",
    }


def test_gpus_are_waited_for() -> None:
    steps = [
        {"name": "x", "shell": "y", "gpus": 1},
        {"name": "z", "shell": "y", "gpus": [0, 1], "wait": "5m"},
    ]
    first, second = planned(steps=steps).steps
    assert (first.options["gpus"], first.options["wait"]) == ("1", float("inf"))
    assert (second.options["gpus"], second.options["wait"]) == ("0,1", 300.0)


def test_defaults_are_under_the_steps_and_env_is_joined() -> None:
    defaults = {"env": {"A": 1, "B": 1}, "retries": 2, "matrix": {"n": [1, 2]}, "params": {"k": "{n}"}}
    steps = [{"name": "x", "shell": "y", "env": {"B": 2}}, {"name": "c", "cell": "c.py", "retries": 0}]
    plan = planned(defaults=defaults, steps=steps)
    assert [step.key for step in plan.steps] == ["x[n=1]", "x[n=2]", "c[n=1]", "c[n=2]"]
    assert plan.steps[0].options["env"] == (("A", "1"), ("B", "2"))
    assert [step.retries for step in plan.steps] == [2, 2, 0, 0]
    assert plan.steps[3].given == {"k": 2}


def test_what_comes_after_is_on_the_same_host_and_each_is_on_all() -> None:
    steps = [
        {"name": "fetch", "shell": "y", "each": True},
        {"name": "train", "script": "t.py", "matrix": {"n": [1, 2, 3, 4]}, "after": "fetch"},
        {"name": "prepare", "shell": "y"},
        {"name": "report", "shell": "y", "matrix": {"n": [1, 2, 3]}, "after": ["prepare"]},
    ]
    plan = planned(hosts=["@all"], steps=steps)
    at = {(step.key, step.host) for step in plan.steps}
    assert {host for key, host in at if key == "fetch"} == set(HOSTS)
    assert {host for key, host in at if key.startswith("train")} == set(HOSTS)
    assert len({host for key, host in at if key.startswith(("prepare", "report"))}) == 1
    (prepared,) = (step for step in plan.steps if step.step == "prepare")
    assert all(step.after == ("prepare",) for step in plan.of(prepared.host) if step.step == "report")


def test_placeholders() -> None:
    values = {"lr": 0.1, "none": None, "yes": True}
    assert fill("--lr={lr} {{lr}} ${lr} {yes}{none}", values) == "--lr=0.1 {lr} ${lr} true"
    assert fill("awk '{print}' {lr} {{x}}", values, strict=False) == "awk '{print}' 0.1 {{x}}"
    assert fill_value({"a": "{lr}", "b": ["{lr}x", 3]}, values) == {"a": 0.1, "b": ["0.1x", 3]}
    with pytest.raises(FillError, match="no parameter `l`"):
        fill("{l}", {})


NAMES = st.sampled_from(["lr", "seed", "mode"])
WORD = st.one_of(st.integers(-3, 3), st.booleans(), st.sampled_from(["a", "b", "1"]), st.none())
MATRIX = st.dictionaries(NAMES, st.lists(WORD, min_size=1, max_size=4), min_size=1)


@given(MATRIX, st.data())
def test_combinations_are_those_of_the_matrix_each_once(
    matrix: dict[str, list[Any]], data: st.DataObject
) -> None:
    every = combinations(matrix, [], [])
    assert len({words_of(one) for one in every}) == len(every) <= max(1, 4 ** len(matrix))
    assert all(one[name] in matrix[name] for one in every for name in matrix)
    entry = data.draw(st.sampled_from(every))
    name = data.draw(st.sampled_from(sorted(matrix)))
    out = {name: entry[name]}
    try:
        left = combinations(matrix, [], [out])
    except FillError as error:
        assert str(error) == "no combination is left"
        left = []
    assert [one for one in every if words_of({name: one[name]}) != words_of(out)] == left
    assert combinations(matrix, [entry], []) == every
    assert combinations({}, [entry], []) == [entry]


STEP = st.fixed_dictionaries(
    {
        "matrix": st.dictionaries(NAMES, st.lists(st.integers(0, 5), min_size=1, max_size=3), max_size=2),
        "each": st.booleans(),
        "after": st.sets(st.integers(0, 5), max_size=2),
        "hosts": st.one_of(st.none(), st.lists(st.sampled_from(HOSTS), min_size=1, max_size=2, unique=True)),
    }
)


@given(st.lists(STEP, min_size=1, max_size=6))
def test_every_plan_is_whole_local_and_free_of_circles(drawn: list[dict[str, Any]]) -> None:
    steps = [
        {
            "name": f"s{number}",
            "shell": "true",
            **{key: value for key, value in step.items() if value and key != "after"},
            "after": [f"s{other}" for other in step["after"] if other < number],
        }
        for number, step in enumerate(drawn)
    ]
    try:
        plan = planned(hosts=HOSTS, steps=steps)
    except ConfigError as error:
        assert ".after: " in str(error) or ".hosts: no host may run both" in str(error)
        return
    by_name = {step["name"]: step for step in steps}
    at = {(step.host, step.key) for step in plan.steps}
    assert len(at) == len(plan.steps)
    for name, step in by_name.items():
        count = len(combinations(step.get("matrix", {}), [], []))
        found = [one for one in plan.steps if one.step == name]
        hosts = {one.host for one in found}
        assert hosts <= set(step.get("hosts") or HOSTS)
        assert len(found) == count * (len(hosts) if step.get("each") else 1)
    for one in plan.steps:
        # What it waits for is on the same host, all of it, and stands before it.
        assert all((one.host, key) in at for key in one.after)
        expected = {s.key for s in plan.steps if s.host == one.host and s.step in by_name[one.step]["after"]}
        assert set(one.after) == expected
        missing = [
            name for name in by_name[one.step]["after"] if not any(s.step == name for s in plan.of(one.host))
        ]
        assert not missing
    again = planned(hosts=HOSTS, steps=json.loads(json.dumps(steps)))
    assert again.steps == plan.steps


@given(st.lists(st.text(min_size=1, max_size=150), unique=True, min_size=2, max_size=6))
def test_names_of_folders_are_distinct_and_harmless(keys: list[str]) -> None:
    names = [folder_name(f"x[{key}]") for key in keys]
    assert len(set(names)) == len(names)
    assert all(name and "/" not in name and not name.startswith(".") and len(name) < 120 for name in names)


def test_a_notebook_gets_its_parameters_behind_the_tagged_cell() -> None:
    def cell(source: str, *tags: str) -> dict[str, Any]:
        return {
            "cell_type": "code",
            "metadata": {"tags": [*tags]},
            "source": [source],
            "outputs": [1],
            "id": source,
        }

    cells = [
        cell("import x"),
        cell("lr = 1", "parameters"),
        cell("lr = 2", "injected-parameters"),
        cell("print(lr)"),
    ]
    code = notebook_code(json.dumps({"nbformat": 4, "cells": cells}), {"lr": "o'k", "n": None}, "x.ipynb")
    compile(code, "x.py", "exec")
    line = code.splitlines()[-1]
    notebook: dict[str, Any] = {}
    exec(
        line.replace("sys.exit(main(", "keep(("),
        {"json": json, "keep": lambda got: notebook.update(got[0])},
    )
    assert [one["source"] for one in notebook["cells"]] == [
        "import x",
        "lr = 1",
        '# Parameters\nlr = "o\'k"\nn = None',
        "print(lr)",
    ]
    assert all(not one["outputs"] for one in notebook["cells"])
    with pytest.raises(UsageError, match="no notebook"):
        notebook_code("[]", {}, "x")


TOLD: dict[str, Any] = {
    **{"name": "x", "id": "1", "file": "f", "created": 1.0, "hosts": ["a"], "driven": 1, "stopping": 0},
    **{"pass_env": [], "stop_on_failure": 0, "workspace": "/w"},
}
STEP_TOLD: dict[str, Any] = {
    **{"key": "s[n=1]", "step": "s", "params": {"n": 1}, "state": "active", "runs": ["20261122-014500-7f3a"]},
    **{"folder": "s-n=1", "pull": []},
}
LIES: list[dict[str, Any]] = [
    {"steps": 3},
    {"steps": [3]},
    {"steps": [{**STEP_TOLD, "runs": ["../x"]}]},
    {"steps": [{**STEP_TOLD, "folder": "../x"}]},
    {"steps": [{**STEP_TOLD, "folder": ".."}]},
    {"steps": [{**STEP_TOLD, "exit_code": "x"}]},
    {"steps": [], "hosts": 3},
    {"steps": [], "created": None},
]


def test_what_a_host_says_of_a_campaign_is_looked_at() -> None:
    told = _part(cast("Any", REMOTE), {**TOLD, "steps": [STEP_TOLD]})
    assert told is not None
    assert (told.steps[0].state, told.ended, told.abandoned) == ("starting", False, False)
    assert _part(cast("Any", REMOTE), {}) is None


@pytest.mark.parametrize("lie", LIES, ids=range(len(LIES)))
def test_a_host_that_lies_about_a_campaign_is_not_believed(lie: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError, match="the host's word on the campaign is broken"):
        _part(cast("Any", REMOTE), {**TOLD, **lie})
