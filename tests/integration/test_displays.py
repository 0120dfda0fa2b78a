"""Every kind of display, run here and as a remote cell: a notebook gets the same messages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hosts import await_true
from nbclient import NotebookClient
from sshd import SshHost

# What each cell shows is compared; a cell of `QUIET` is shown by the local kernel in another way on purpose.
CELLS = {
    "streams": "import sys\nprint('out')\nprint('err', file=sys.stderr)",
    "result": "6 * 7",
    "silenced": "6 * 7;",
    "earlier results": "_ + 1, sorted(Out)[:0]",
    "html": "from IPython.display import *\nHTML('<b>bold</b>')",
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
    "figures": "for _ in range(2):\n    plt.figure(figsize=(1, 1))\n    plt.show()",
    "retina": "%config InlineBackend.figure_format = 'retina'\nplt.figure(figsize=(1, 1));",
    "svg": "from matplotlib_inline.backend_inline import set_matplotlib_formats\n"
    "plt.rcParams['svg.hashsalt'] = 'x'\nset_matplotlib_formats('svg', metadata={'Date': None})\n"
    "plt.figure(figsize=(1, 1));",
    "frame": "import pandas as pd\npd.DataFrame({'a': [1, 2]})",
    "styler": "pd.DataFrame({'a': [1, 2]}).style.set_uuid('u').highlight_max()",
    "shell": "!echo from the shell\n!echo to stderr >&2",
    "shell value": "x = !echo one; echo two\nx",
    "bash": "%%bash\necho from bash",
    "capture": "%%capture kept\nprint('captured'); display('kept')",
    "captured": "kept.show()",
    "time": "%timeit -n1 -r1 -q pass\n%who_ls str",
}
FLOOD = "import sys\nfor i in range(300_000):\n    print(i)"
BAR = "import sys\nfor i in range(10_001):\n    sys.stderr.write(f'\\r{i:5}/10000'); sys.stderr.flush()"


def shows(cell: nbformat.NotebookNode) -> list[dict[str, Any]]:
    """What a cell shows, without what has to differ: numbers of cells and addresses; streams joined."""
    shown: list[dict[str, Any]] = []
    for out in cell.outputs:
        one = {key: value for key, value in out.items() if key not in ("execution_count",)}
        before = shown[-1] if shown else {}
        if one["output_type"] == "stream" and before.get("name") == one["name"]:
            before["text"] += one["text"]
        elif one["output_type"] == "error":
            one["traceback"] = [re.sub(r"Cell In\[\d+\]", "Cell In", line) for line in one["traceback"]]
            shown.append(one)
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


@pytest.mark.slow
def test_every_display_is_as_in_a_local_cell(ssh_host: SshHost, tmp_path: Path) -> None:
    here = execute(list(CELLS.values()), tmp_path)
    for host in ("local", "l1"):
        remote = [f"%%remote {host} --quiet\n{text}" for text in CELLS.values()]
        there = execute(["%load_ext jupyter_remote", *remote, f"%remote sessions stop {host}"], tmp_path)
        for name, one, other in zip(CELLS, here, there[1:], strict=False):
            assert shows(other) == shows(one), (host, name)
    await_true(lambda: not ssh_host.processes())
