"""Variables to a session and back over a real connection: in the run's turn, all or none, and gone after."""

from __future__ import annotations

import contextlib
import json
import re
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hosts import Place, await_true
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import jupyter_remote
from jupyter_remote.agent import messages as m
from jupyter_remote.agent.exchange import incoming
from jupyter_remote.errors import LaunchError, RunError, UsageError
from jupyter_remote.ordering import new_run_id, session_settings
from jupyter_remote.remote import Remote


@contextlib.contextmanager
def client(place: Place, **settings: Any) -> Iterator[Remote]:
    """Another client of the host; its sessions run in the Python of the tests, which has numpy and pandas."""
    host = place.remote.host.model_copy(update={"python": sys.executable, **settings})
    with Remote(host, place.workspace) as remote:
        yield remote


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state folder for the built-in host in each test, so that what is left there is this test's."""
    monkeypatch.setenv("JUPYTER_REMOTE_STATE", str(tmp_path / "state"))


def left(place: Place) -> list[Path]:
    """Files with variables on the built-in host."""
    found = [*place.state.glob("runs/*/variables*"), *place.state.glob("sessions/*/variables/*")]
    return [path for path in found if path.is_file()]


def test_values_of_many_types_go_there_and_come_back(local: Place) -> None:
    table = pd.DataFrame({"t": pd.date_range("2020", periods=3, tz="UTC"), "c": pd.Categorical([*"aba"])})
    values = {
        "array": np.arange(12.0).reshape(3, 4).T,
        "table": table,
        "plain": {"a": (1, 2**80, b"x"), 5: {"s"}, "list": [np.float32(1), None]},
        "text": "ä" * 300_000,
    }
    with client(local) as remote:
        run = remote.run_cell(
            "kinds = {k: type(v).__name__ for k, v in globals().copy().items() if k in KEYS}\n"
            "total = float(array.sum()); table2 = table.assign(n=1)",
            send={**values, "KEYS": list(values)},
            fetch=[*values, "kinds", "total", "table2"],
        )
        found = run.fetch()
    assert found["kinds"] == {"array": "ndarray", "table": "DataFrame", "plain": "dict", "text": "str"}
    assert found["total"] == 66 and found["plain"] == values["plain"] and found["text"] == values["text"]
    np.testing.assert_array_equal(found["array"], values["array"])
    pd.testing.assert_frame_equal(found["table"], table)
    pd.testing.assert_frame_equal(found["table2"], table.assign(n=1))
    assert run.sent is not None and run.sent.names == (*values, "KEYS") and run.sent.bytes > 600_000
    assert left(local) == []


def test_tensors_go_there_and_come_back(local: Place) -> None:
    # `make test-torch` has it.
    torch = pytest.importorskip("torch")
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    values = {"tensor": torch.arange(12, dtype=torch.bfloat16).reshape(3, 4).T, "state": model.state_dict()}
    code = (
        "kind = type(tensor).__name__\ntwice = tensor * 2\n"
        "state2 = {name: one + 1 for name, one in state.items()}"
    )
    with client(local) as remote:
        found = remote.run_cell(code, send=values, fetch=[*values, "kind", "twice", "state2"]).fetch()
    assert found["kind"] == "Tensor"
    assert torch.equal(found["tensor"], values["tensor"]) and torch.equal(
        found["twice"], values["tensor"] * 2
    )
    assert type(found["state"]) is type(values["state"]) and found["state"].keys() == values["state"].keys()
    for name, one in values["state"].items():
        assert torch.equal(found["state"][name], one) and torch.equal(found["state2"][name], one + 1)
    model.load_state_dict(found["state"], strict=True)
    assert left(local) == []


def test_send_and_fetch_without_a_cell(place: Place) -> None:
    large = {"bytes": bytes(range(256)) * 20_000, "numbers": [0.5] * 300_000}
    place.remote.send(large)
    assert place.remote.fetch([*large]) == large
    place.remote.send({"x": 1, "y": [2]})
    place.remote.send({"x": 3}, session="other")
    assert place.remote.fetch(["y", "x"]) == {"y": [2], "x": 1}
    assert place.remote.fetch(["x"], session="other") == {"x": 3}
    assert place.printed("print(x + y[0])", fresh=True, send={"x": 1, "y": [5]}) == "6\n"
    assert place.run("z = x", fresh=True, send={"x": 7}, fetch=["z"]).fetch() == {"z": 7}


def test_a_run_that_waits_changes_nothing_before_it_was_fetched(local: Place) -> None:
    gate = local.files / "gate"
    code = f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.01)\nx = x + 1"
    first = local.remote.run_cell(code, send={"x": 1}, fetch=["x"])
    second = local.remote.run_cell("x = x * 100", send={"x": 5}, fetch=["x"])
    gate.touch()
    second.wait().check()
    assert first.fetch() == {"x": 2}
    assert second.fetch() == {"x": 500}


def test_a_run_keeps_what_it_left_until_somebody_has_it(local: Place) -> None:
    run = local.remote.run_cell("x = 'kept'", fetch=["x"]).wait()
    (file,) = left(local)
    assert file == local.folder(run) / "variables"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    local.remote.close()
    assert local.open().attach(run.id).fetch() == {"x": "kept"}
    assert left(local) == []
    with pytest.raises(UsageError, match="were fetched"):
        local.open().attach(run.id).fetch()


def test_a_failed_cell_fetches_nothing(local: Place) -> None:
    run = local.remote.run_cell("x = 1; 1 / 0", fetch=["x"])
    with pytest.raises(RunError, match="ZeroDivisionError"):
        run.fetch()
    assert run.fetched == {} and left(local) == []
    assert local.remote.fetch(["x"]) == {"x": 1}


def test_what_can_not_come_is_named_and_the_rest_comes(local: Place) -> None:
    run = local.remote.run_cell(
        "import threading\ngood = 1; lock = threading.Lock()", fetch=["nope", "good", "lock"]
    )
    with pytest.raises(UsageError) as caught:
        run.fetch()
    assert "local: nope is not defined; lock: a _thread.lock has no safe form" in str(caught.value)
    assert "trust: pickle" in caught.value.hint
    assert run.fetched == {"good": 1} and run.state == "finished"


def test_what_can_not_go_is_refused_before_anything_runs(local: Place) -> None:
    with pytest.raises(UsageError, match="can't send to local: f: a lambda"):
        local.remote.run_cell("print('ran')", send={"x": 1, "f": lambda: 1})
    assert not (local.state / "runs").exists()
    for name in ("a b", "class", "1", ""):
        with pytest.raises(UsageError, match="can't be the name of a variable"):
            local.remote.run_cell("1", send={name: 1})
        with pytest.raises(UsageError, match="can't be the name of a variable"):
            local.remote.run_cell("1", fetch=[name])


def test_without_numpy_there_it_says_so_and_sends_nothing(local: Place, tmp_path: Path) -> None:
    bare = tmp_path / "python-bare"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    bare.chmod(0o755)
    with client(local, python=str(bare)) as remote:
        remote.send({"good": 0})
        run = remote.run_cell("print('ran')", send={"good": 1, "new": 1, "array": np.arange(3)}).wait()
        with pytest.raises(UsageError) as caught:
            run.check()
        assert "local: array: a numpy array needs numpy, which " in str(caught.value)
        assert "Install numpy there" in str(caught.value)
        assert remote.fetch(["good"]) == {"good": 0}
        with pytest.raises(UsageError, match="new is not defined"):
            remote.fetch(["new"])
        assert remote.run_cell("x = good + 1", send={"good": 1}, fetch=["x"]).fetch() == {"x": 2}
    assert left(local) == []


def test_functions_go_and_come_back_only_where_the_host_is_trusted(local: Place) -> None:
    space: dict[str, Any] = {"__name__": "__main__"}
    import linecache

    source = "def double(x):\n    return x * FACTOR\n"
    linecache.cache["<doubling>"] = (len(source), None, source.splitlines(True), "<doubling>")
    exec(compile(source, "<doubling>", "exec"), space)
    code = "FACTOR = 3\nprint(double(2))\ndef mine(): return 5\nclass Own: pass\nown = Own()"
    assert local.printed(code, send={"double": space["double"]}) == "6\n"
    with pytest.raises(UsageError, match="mine: a function has no safe form"):
        local.remote.fetch(["mine"])
    with pytest.raises(UsageError, match=r"own: a __main__\.Own has no safe form"):
        local.remote.fetch(["own"])
    with client(local, trust="pickle") as remote:
        assert remote.fetch(["mine"])["mine"]() == 5
        remote.send({"array": [contextlib.nullcontext(4)]})
        assert remote.fetch(["array"])["array"][0].enter_result == 4


def test_a_pickle_of_another_python_is_refused_there(local: Place) -> None:
    with client(local, trust="pickle") as remote:
        remote.run_cell("import sys; sys.version_info = (2, 7, 0, 'final', 0)").wait().check()
        with pytest.raises(UsageError, match=r"thing: it was pickled by Python 3\.\d+, and this one is 2\.7"):
            remote.send({"thing": contextlib.nullcontext(4)})


def test_what_a_cut_link_left_is_cleared_by_the_next(local: Place) -> None:
    local.run("1").check()
    remote, run_id = local.open(), new_run_id()
    settings = session_settings(remote.host, remote.mirror, "default", None)
    stream = remote.connection().request(m.Put(settings, run_id))
    stream.send(m.Data(), b"x" * 1000)
    path = Path(incoming(str(local.state / "sessions" / "default"), run_id))
    await_true(lambda: list(path.parent.glob("*.part")))
    agent = remote.info["pid"]
    remote.close()
    await_true(lambda: not Path(f"/proc/{agent}").exists())
    local.remote.send({"x": 1})
    assert left(local) == []
    stream = local.remote.connection().request(m.Put(settings, run_id))
    stream.send(m.Data(), b"x" * 1000)
    stream.send(m.End())
    with pytest.raises(UsageError, match="did not arrive as they were sent: its digest is wrong"):
        stream.receive()
    assert left(local) == []
    with pytest.raises(UsageError, match="is not the id of a run"):
        stream = local.remote.connection().request(m.Put(settings, "../../evil"))
        stream.receive()


def test_an_execute_whose_variables_did_not_come_starts_nothing(local: Place) -> None:
    remote = local.remote
    remote.run_cell("1").wait().check()
    settings = session_settings(remote.host, remote.mirror, "default", None)
    run = {"id": new_run_id(), "kind": "cell", "send": ["x"], "fetch": []}
    put = remote.connection().request(m.Put(settings, "no id"))
    stream = remote.connection().request(m.Execute(run, settings, values=put.number), b"print(1)")
    with pytest.raises(UsageError, match="variables could not be brought there"):
        stream.receive()
    assert not (local.state / "runs" / str(run["id"])).exists()


def test_variables_that_got_lost_fail_the_run(local: Place) -> None:
    remote = local.remote
    settings = session_settings(remote.host, remote.mirror, "default", None)
    run = {"id": new_run_id(), "kind": "cell", "send": ["x"], "fetch": []}
    stream = remote.connection().request(m.Execute(run, settings), b"print(1)")
    stream.receive()
    attached = remote.attach(str(run["id"])).wait()
    with pytest.raises(UsageError, match="No such file"):
        attached.check()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")
def test_an_array_costs_its_size_once_on_each_end(local: Place) -> None:
    import subprocess

    size = 100_000_000
    program = f"""
import numpy, re, sys
from pathlib import Path
from jupyter_remote.config import Config
from jupyter_remote.remote import Remote

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

THERE = (
    "import re\\ntext = open('/proc/self/status').read()\\n"
    "peak = int(re.search(r'VmHWM:\\\\s+(\\\\d+)', text)[1]) * 1024"
)
host = Config.load(Path(sys.argv[1])).host("local", {{"workspace": sys.argv[2]}})
with Remote(host, Path(sys.argv[1])) as remote:
    x = numpy.arange({size} // 8)
    remote.send({{"x": x[:1000]}}); remote.fetch(["x"])
    there = [remote.run_cell(THERE, fetch=["peak"]).fetch()["peak"]]
    here = [peak()]
    remote.send({{"x": x}})
    here.append(peak())
    there.append(remote.run_cell(THERE, fetch=["peak"]).fetch()["peak"])
    y = remote.fetch(["x"])["x"]
    here.append(peak())
    there.append(remote.run_cell(THERE, fetch=["peak"]).fetch()["peak"])
    assert (y == x).all()
    remote.stop_sessions()
print(*(b - a for a, b in [*zip(here, here[1:]), *zip(there, there[1:])]))
"""
    command = [sys.executable, "-c", program, str(local.workspace), str(local.files / "mirror")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    sending, fetching, loading, saving = map(int, done.stdout.split())
    assert sending < 0.2 * size and fetching < 1.2 * size, done.stdout
    assert loading < 1.2 * size and saving < 0.2 * size, done.stdout


def test_an_unknown_session_python_says_so(local: Place) -> None:
    with client(local, python="/nowhere/python") as remote, pytest.raises(LaunchError):
        remote.run_cell("1", session="nowhere", send={"x": 1}).wait().check()


# The magic.


@pytest.fixture
def shell(local: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """IPython with the extension; cells run on the built-in host."""
    config = tmp_path / "config"
    config.mkdir()
    (config / "hosts.yaml").write_text(
        json.dumps({"hosts": {"local": {"workspace": str(tmp_path / "mirror")}}})
    )
    monkeypatch.setenv("JUPYTER_REMOTE_CONFIG_DIR", str(config))
    monkeypatch.chdir(local.workspace)
    made = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    jupyter_remote.load_ipython_extension(made)
    yield made
    jupyter_remote.connect("local", workspace=local.workspace).close()
    InteractiveShell.clear_instance()


def test_a_cell_takes_names_and_leaves_names(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.run_cell("a = 2\ndef double(x): return 2 * x\nimport numpy as np").raise_error()
    code = "%%remote local -i a,double -i 'np' -o b,c --send a\nb = double(a); c = np.zeros(1500000); b"
    shell.run_cell(code).raise_error()
    assert shell.user_ns["b"] == 4 and shell.user_ns["c"].shape == (1_500_000,)
    said = capsys.readouterr().err
    assert re.search(r"^local: fetched b, c \(11\.4 MiB in \d+\.\d s\)$", said, re.MULTILINE)
    assert "sent" not in said
    shell.run_cell("%%remote local -i c\nd = 1").raise_error()
    assert "local: sent c (11.4 MiB in" in capsys.readouterr().err
    failed = shell.run_cell("%%remote local -o d,nope\nd = 5")
    assert isinstance(failed.error_in_exec, UsageError) and "nope is not defined" in str(failed.error_in_exec)
    assert shell.user_ns["d"] == 5


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("-i missing", "--send: missing is not defined here"),
        ("-i 5x", "'5x' is not a variable's name; several are separated by commas"),
        ("-i ,", "no variable is named"),
        ("-o class", "'class' is not a variable's name"),
        ("-i shell --bash", "--send needs a session of Python's, so it can't go with --bash"),
        ("-o x --script f.py", "--fetch needs a session of Python's, so it can't go with --script"),
    ],
)
def test_a_bad_line_runs_nothing(shell: InteractiveShell, local: Place, line: str, says: str) -> None:
    failed = shell.run_cell(f"%%remote local {line}\nprint('ran')")
    assert isinstance(failed.error_in_exec, UsageError) and says in str(failed.error_in_exec)
    assert not (local.state / "runs").exists()
