"""Widgets of remote cells in a real kernel: what the front end is told, and what comes of its answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from test_fronts_local import Kernel, kernel, workspace

BAR = (
    "import time\nfrom tqdm.notebook import tqdm\nprint('a')\nfor _ in tqdm(range(3)): print('b')\nprint('c')"
)


def tell(kernel: Kernel, comm_id: str, state: dict[str, Any]) -> list[dict[str, Any]]:
    client = kernel.client
    data = {"method": "update", "state": state, "buffer_paths": []}
    message = client.session.msg("comm_msg", {"comm_id": comm_id, "data": data})
    client.shell_channel.send(message)
    name = message["header"]["msg_id"]
    told = []
    while True:
        answer = client.get_iopub_msg(timeout=60)
        print(answer["msg_type"], answer["content"], answer["parent_header"].get("msg_id") == name)
        if answer["parent_header"].get("msg_id") != name:
            continue
        if answer["content"].get("execution_state") == "idle":
            return told
        told.append(answer)


SLIDER = """
import ipywidgets as w
from IPython.display import display
s = w.IntSlider(); label = w.Label()
def changed(change):
    print('now', change['new'])
    label.value = str(change['new'] * 2)
s.observe(changed, 'value')
display(s, label)
print(s.comm.comm_id)
"""


def test_x(kernel: Kernel):
    for cell in (BAR, "%%remote local --quiet\n" + BAR):
        a = kernel.run(cell)
        for o in a["outputs"]:
            print({k: str(v)[:150] for k, v in o.items()})
        print()
    a = kernel.run("%%remote local --quiet\n" + SLIDER)
    cid = kernel.text(a, "stdout").strip()
    print(cid)
    tell(kernel, cid, {"value": 21})
    code = "from ipywidgets import interact\n@interact(x=(0, 10))\ndef f(x):\n    print('x is', x)\n    if x==9: 1/0\n    return x*x\n"
    for pre in ("", "%%remote local --quiet\n"):
        print("INTERACT", repr(pre))
        a = kernel.run(pre + code)
        for o in a["outputs"]:
            print({k: str(v)[:150] for k, v in o.items()})
        cid = [
            o["comm_id"]
            for o in a["outputs"]
            if o["kind"] == "comm_open" and o["data"]["state"].get("_model_name") == "IntSliderModel"
        ][0]
        tell(kernel, cid, {"value": 7})
        tell(kernel, cid, {"value": 9})
    assert 0
