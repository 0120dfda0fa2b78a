"""Every kind of display, run here and as a remote cell: a notebook gets the same messages."""

from __future__ import annotations

import base64
import json
import re
import sys
import sysconfig
import venv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hosts import Place, await_true
from nbclient import NotebookClient
from sshd import SshHost

from jupyter_remote.events import Event

CELLS = {
    "streams": "import sys\nprint('out')\nprint('err', file=sys.stderr)",
    "result": "6 * 7",
    "silenced": "6 * 7;",
    "earlier results": "_ + 1, sorted(Out)[:0]",
    "names": "try:\n    from IPython.display import *\nexcept ImportError:\n    pass",
    "html": "HTML('<b>bold</b>')",
    "many at once": "display(Markdown('# a'), Latex('$x$'), SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"/>'))",
    "json": "display(JSON({'a': [1, 2]}, expanded=True))\nJavascript('1')",
    "raw mime": "display({'application/vnd.plotly.v1+json': {'data': [], 'layout': {}}}, raw=True)\n"
    "display({'application/vnd.vegalite.v5+json': {'mark': 'bar'}, 'text/plain': 'chart'},"
    " metadata={'application/vnd.vegalite.v5+json': {'w': 1}}, raw=True)",
    "bundle": "class B:\n    def _repr_mimebundle_(self, include=None, exclude=None):\n"
    "        return {'text/plain': 'b', 'text/x-own': 'own'}, {'text/x-own': {'k': 1}}\nB()",
    "update": "handle = display('one', display_id='same')\nhandle.update('two')\nprint('after')",
    "update of an earlier cell": "update_display('three', display_id='same')",
    "clear": "print('gone')\ndisplay('gone too')\nclear_output(wait=True)\nprint('stays')",
    "clear at once": "print('gone')\nclear_output()\nprint('stays')",
    "order": "for i in range(3):\n    print(i)\n    display(i)\nprint('end', end='')",
    "error": "def f():\n    return {}['missing']\nf()",
    "syntax": "1 +",
    "figure": "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.figure(figsize=(1, 1))\n"
    "plt.plot([1, 2])\nprint('before the figure')",
    "figures": "for _ in range(2):\n    plt.figure(figsize=(1, 1)); plt.plot([1])\n    plt.show()",
    "retina": "%config InlineBackend.figure_format = 'retina'\nplt.figure(figsize=(1, 1)); plt.plot([1]);",
    "svg": "from matplotlib_inline.backend_inline import set_matplotlib_formats\n"
    "plt.rcParams['svg.hashsalt'] = 'x'\nset_matplotlib_formats('svg', metadata={'Date': None})\n"
    "plt.figure(figsize=(1, 1)); plt.plot([1]);",
    "frame": "import pandas as pd\npd.DataFrame({'a': [1, 2]})",
    "styler": "pd.DataFrame({'a': [1, 2]}).style.set_uuid('u').highlight_max()",
    "shell": "!echo from the shell\n!echo to stderr >&2",
    "shell value": "x = !echo one; echo two\nx",
    "bash": "%%bash\necho from bash",
    "capture": "%%capture kept\nprint('captured'); display('kept')",
    "captured": "kept.show()",
    "time": "%timeit -n1 -r1 -q pass\n%who_ls str",
}
# These need no IPython on the host.
ANYWHERE = (
    *("streams", "result", "silenced", "names", "raw mime", "bundle", "update", "update of an earlier cell"),
    *("clear", "clear at once", "order"),
)
# The sizes of the logs of the two runs before.
LOG = """
import pathlib, os
logs = sorted(pathlib.Path(os.environ["XDG_STATE_HOME"], "jupyter-remote", "runs").glob("*/output.log"))
print(*[log.stat().st_size for log in logs[-2:]])
"""
_ADDRESS = re.compile(r"0x[0-9a-f]+")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_NUMBER = re.compile(r"In ?\[\d+\]")
FLOOD = "for i in range(300_000):\n    print(i)"
BAR = "import sys\nfor i in range(10_001):\n    sys.stderr.write(f'\\r{i:5}/10000'); sys.stderr.flush()"


def shows(cell: nbformat.NotebookNode) -> list[dict[str, Any]]:
    """What a cell shows, without what has to differ: numbers of cells and addresses; streams joined."""
    shown: list[dict[str, Any]] = []
    for out in cell.outputs:
        one = json.loads(_ADDRESS.sub("0x", json.dumps(out)))
        one.pop("execution_count", None)
        before = shown[-1] if shown else {}
        if one["output_type"] == "stream" and before.get("name") == one["name"]:
            before["text"] += one["text"]
        elif one["output_type"] == "error":
            # A failed remote cell raises an error of ours; what is seen of it is the remote traceback. A
            # kernel finds less of its own code to mark in colour, so colours only have to be there.
            lines = [_NUMBER.sub("In[]", _COLOUR.sub("", line)) for line in one["traceback"]]
            coloured = any("\x1b[31m" in line for line in one["traceback"])
            shown.append({"output_type": "error", "traceback": lines, "coloured": coloured})
        elif one.get("data") != {}:
            shown.append(one)
    return shown


def execute(cells: list[str], folder: Path) -> list[nbformat.NotebookNode]:
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(text, metadata={"tags": ["raises-exception"]}) for text in cells]
    )
    NotebookClient(
        notebook, timeout=90, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()
    return list(notebook.cells)


def differences(host: str, names: Iterable[str], folder: Path) -> dict[str, Any]:
    """What cells show on a host and here, where that is not the same."""
    cells = [CELLS[name] for name in names]
    remote = [f"%%remote {host} --quiet\n{text}" for text in cells]
    here = execute(cells, folder)
    there = execute(["%load_ext jupyter_remote", *remote, f"%remote sessions stop {host}"], folder)[1:]
    pairs = [(name, shows(one), shows(other)) for name, one, other in zip(names, here, there, strict=False)]
    return {name: (other, one) for name, one, other in pairs if one != other}


@pytest.mark.slow
def test_every_display_is_as_in_a_local_cell(tmp_path: Path) -> None:
    assert differences("local", CELLS, tmp_path) == {}


@pytest.mark.slow
def test_displays_come_over_ssh(ssh_host: SshHost, tmp_path: Path) -> None:
    assert differences("l1", ANYWHERE, tmp_path) == {}
    await_true(lambda: not ssh_host.processes())


@pytest.mark.slow
def test_every_display_comes_over_ssh(
    ssh_host: SshHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ssh_host.start_own("own")
    monkeypatch.setenv("JUPYTER_REMOTE_CONFIG_DIR", str(tmp_path))
    hosts = {"own": {"type": "ssh", "python": sys.executable}}
    (tmp_path / "hosts.yaml").write_text(json.dumps({"hosts": hosts}))
    assert differences("own", CELLS, tmp_path) == {}


@pytest.mark.slow
def test_a_notebook_stays_small(tmp_path: Path) -> None:
    cells = ["%load_ext jupyter_remote", f"%%remote local\n{FLOOD}", f"%%remote local\n{BAR}"]
    _, flood, bar, logged, _ = execute([*cells, LOG, "%remote sessions stop local"], tmp_path)
    # nothing is lost at either end, what is between is counted, and all of it is in the log
    shown = "".join(out.text for out in flood.outputs if out.output_type == "stream")
    assert shown.startswith("0\n1\n") and shown.endswith("\n299999\n")
    kept = sum(out.text.count("\n") for out in flood.outputs if out.output_type == "stream")
    (said,) = [out.data["text/plain"] for out in flood.outputs if "left out" in str(out.get("data"))]
    assert said.startswith(f"… {300_000 - kept:,} lines (") and "%remote logs 2" in said
    assert len(json.dumps(flood.outputs)) < 1_300_000
    frames = "".join(out.text for out in bar.outputs if out.output_type == "stream")
    assert frames.endswith("\r10000/10000") and frames.count("\r") < 1000
    # Of runs within one second nobody knows the order by their ids.
    assert sorted(logged.outputs[0].text.split()) == ["120012", "1988890"]


# A host whose Python has no IPython: what its `display` takes, and what comes of it.
PLAIN = """
import types
class Html:
    def __repr__(self): return "html"
    def _repr_html_(self): return "<b>html</b>"
    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/x-own": "own"}, {"text/x-own": {"k": 1}}
class Png:
    def __repr__(self): return "png"
    def _repr_png_(self): return b"\\x89PNG", {"width": 3}
exec("def show(value): display(value)", vars(types.ModuleType("imported")))
handle = display(Html(), display_id="same")
handle.update("two")
update_display("three", display_id="same")
display({"text/plain": "raw"}, raw=True)
display(Png())
clear_output(wait=True)
Html()
"""


def test_a_host_without_ipython_displays_too(local: Place, tmp_path: Path) -> None:
    venv.create(tmp_path / "bare")
    python = str(tmp_path / "bare" / "bin" / "python")
    local.remote.host = local.remote.host.model_copy(update={"python": python})
    assert "no IPython" in local.printed(
        "try:\n    import IPython\nexcept ImportError:\n    print('no IPython')"
    )
    seen: list[Event] = []
    local.remote.run_cell(PLAIN).wait(seen.append).check()
    shown = [one for one in seen if one.kind not in ("state", "end")]
    html = {"text/plain": "html", "text/html": "<b>html</b>", "text/x-own": "own"}
    assert [one.kind for one in shown] == [
        *("display", "update_display", "update_display", "display", "display", "clear_output", "result")
    ]
    assert shown[0].data["data"] == shown[6].data["data"] == html
    assert shown[0].data["metadata"] == {"text/x-own": {"k": 1}}
    assert {one.data["transient"]["display_id"] for one in shown[:3]} == {"same"}
    assert shown[3].data["data"] == {"text/plain": "raw"}
    assert shown[4].data["data"]["image/png"] == "iVBORw=="
    assert shown[5].data["wait"] is True
    failed = local.run("def f():\n    raise ValueError('bad')\nf()")
    assert failed.error is not None and "in f\n    raise ValueError('bad')" in failed.error["traceback"][0]


# Needs packages, but not IPython: what `pip install torch pandas matplotlib` gives a cluster's Python.
PACKAGES = """
import matplotlib.pyplot as plt, pandas as pd
plt.figure(figsize=(1, 1)); plt.plot([1, 2])
plt.show()
plt.figure(figsize=(2, 1)); plt.plot([2, 1])
pd.DataFrame({'a': [1, 2]})
"""


@pytest.mark.slow
def test_tables_and_figures_come_without_ipython(local: Place, tmp_path: Path) -> None:
    venv.create(tmp_path / "bare")
    (packages,) = (tmp_path / "bare").glob("lib/*/site-packages")
    (packages / "all.pth").write_text(
        f"{sysconfig.get_path('purelib')}\nimport sys; sys.modules['IPython'] = None\n"
    )
    python = str(tmp_path / "bare" / "bin" / "python")
    local.remote.host = local.remote.host.model_copy(update={"python": python})
    seen: list[Event] = []
    local.remote.run_cell(PACKAGES).wait(seen.append).check()
    shown = [one for one in seen if one.kind not in ("state", "end")]
    assert sorted(one.kind for one in shown) == ["display", "display", "result"]
    pictures = [one.data["data"]["image/png"] for one in shown if one.kind == "display"]
    assert all(base64.b64decode(one).startswith(b"\x89PNG") for one in pictures)
    (table,) = [one.data["data"] for one in shown if one.kind == "result"]
    assert "<table" in table["text/html"] and table["text/plain"].split() == ["a", "0", "1", "1", "2"]
    bar = "from tqdm.auto import tqdm\nfor _ in tqdm(range(3)): pass"
    assert "3/3" in local.printed(bar, "stderr")
