"""Remote cells in a real JupyterLab: what they show, and what a user does in them."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from conftest import HOSTS, Open
from playwright.sync_api import expect

pytestmark = pytest.mark.slow

FIGURE = """import matplotlib.pyplot as plt
plt.figure(figsize=(4, 2))
plt.plot([1, 4, 9])
plt.title('loss')
plt.show()
"""
FRAME = """import pandas as pd
pd.DataFrame({'epoch': [1, 2], 'loss': [0.5, 0.25]})
"""
ERROR = """def step(batch):
    return {}['missing']
step(1)
"""
# Prints a line whenever there is a file of the name of the next one.
PRINTS = """import os, time
for step in range(3):
    while not os.path.exists(GO + str(step)):
        time.sleep(0.01)
    print('step', step, flush=True)
"""
STATUS = re.compile(r"([✓✗]) \w+ · (?:[\w ]+ · )?[\d.]+ s · run (\d{8}-\d{6}-[0-9a-f]{4})")


@pytest.mark.parametrize("host", HOSTS)
def test_figures_tables_and_errors_look_as_local_ones(notebook: Open, host: str) -> None:
    lab = notebook([f"%%remote {host}\n{cell}" for cell in (FIGURE, FRAME, ERROR)])
    lab.run(1, 2, 3)
    figure, frame, error = (lab.output(index) for index in (1, 2, 3))
    image = figure.locator("img[src^='data:image/png']")
    expect(image).to_have_count(1)
    assert image.evaluate("one => one.naturalWidth") > 100
    expect(frame.locator("table.dataframe th", has_text="loss")).to_be_visible()
    expect(frame.locator("table.dataframe tbody tr")).to_have_count(2)
    expect(error).to_contain_text("KeyError: 'missing'")
    expect(error.locator(".ansi-red-fg, .ansi-red-intense-fg").first).to_be_visible()
    assert "jupyter_remote" not in error.inner_text()
    for output, mark in ((figure, "✓"), (frame, "✓"), (error, "✗")):
        found = STATUS.search(output.inner_text())
        assert found is not None and found[1] == mark
    lab.picture()


def test_tab_and_help_answer_from_the_session(notebook: Open, host: str) -> None:
    code = "class Zebra:\n    'Striped.'\n    legs = lemma = 4\nzebra_there = Zebra()"
    # jedi reads files for seconds first, on a busy machine for longer than the page waits.
    lab = notebook([f"%%remote {host} --quiet\n{code}", "%config Completer.use_jedi = False"])
    lab.run(1, 2)
    lab.type(2, f"%%remote {host}\nzebra_there.le")
    matches = lab.page.locator(".jp-Completer:visible .jp-Completer-item")
    lab.press("Tab", matches.first)
    assert matches.all_inner_texts()
    expect(matches.filter(has_text="legs")).to_be_visible()
    expect(matches.filter(has_text="lemma")).to_be_visible()
    lab.picture()
    lab.page.keyboard.press("Enter")
    expect(lab.cell(2).locator(".cm-content")).to_contain_text("zebra_there.legs")
    lab.type(2, f"%%remote {host}\nZebra(")
    help_text = lab.page.locator(".jp-Tooltip", has_text="Striped.")
    lab.press("Shift+Tab", help_text)


def test_a_question_is_asked_and_answered_in_the_page(notebook: Open, host: str) -> None:
    code = "name = input('name? ')\nimport getpass\nsize = len(getpass.getpass('key? '))\nprint(name, size)"
    lab = notebook([f"%%remote {host} --quiet\n{code}"])
    lab.start(1)
    field, prompt = (lab.output(1).locator(f".jp-Stdin-{part}").last for part in ("input", "prompt"))
    expect(prompt).to_contain_text("name?")
    lab.picture()
    field.fill("Ada")
    field.press("Enter")
    expect(prompt).to_contain_text("key?")
    assert field.get_attribute("type") == "password"
    field.fill("s3cret")
    field.press("Enter")
    lab.ended(1)
    expect(lab.output(1)).to_contain_text("Ada 6")
    lab.save()
    assert "s3cret" not in lab.path.read_text()


def test_a_reload_in_the_middle_loses_nothing(notebook: Open, host: str, tmp_path: Path) -> None:
    go = str(tmp_path / "go")
    lab = notebook([f"%%remote {host}\n{PRINTS.replace('GO', repr(go))}"])
    lab.start(1)
    Path(go + "0").touch()
    expect(lab.output(1)).to_contain_text("step 0")
    lab.save()
    lab.reload()
    Path(go + "1").touch()
    Path(go + "2").touch()
    lab.idle()
    index = lab.insert("print(_run.id)")
    lab.run(index)
    run = lab.output(index).inner_text().strip()
    index = lab.insert(f"%remote attach {run}")
    lab.run(index)
    for step in range(3):
        expect(lab.output(index)).to_contain_text(f"step {step}")
    lab.run(lab.insert(f"%%remote {host} --quiet\nprint('usable', step)"))
    expect(lab.output(index + 1)).to_contain_text("usable 2")


FLOOD = """from tqdm import tqdm
for line in range(1_000_000):
    print('line', line)
for _ in tqdm(range(10_000), mininterval=0):
    pass
"""
SHOWN = """count => {
    const cells = document.querySelectorAll('.jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook .jp-Cell');
    return cells[1].querySelector('.cm-content').textContent.length === count;
}"""
# What all of a run's log has: lines, and frames of the bar.
LOG = """import subprocess, sys
code = 'import sys; from jupyter_remote.cli import main; sys.exit(main())'
done = subprocess.run([sys.executable, '-c', code, 'logs', 'RUN'], stdout=-1, stderr=-1)
whole = done.stdout + done.stderr
print(sum(line.startswith(b'line ') for line in whole.splitlines()), whole.count(b'\\r'))
"""


def test_a_flood_leaves_the_page_responsive_and_the_notebook_small(notebook: Open, host: str) -> None:
    lab = notebook(["", f"%%remote {host}\n{FLOOD}"])
    output, prompt = lab.output(2), lab.cell(2).locator(".jp-InputPrompt")
    lab.start(2)
    expect(output).to_contain_text("line 1")
    lab.cell(1).locator(".cm-content").click()
    trips: list[float] = []
    while prompt.inner_text() == "[*]:":
        started = time.monotonic()
        lab.page.keyboard.press("x")
        lab.page.wait_for_function(SHOWN, arg=len(trips) + 1)
        trips.append(1000 * (time.monotonic() - started))
    lab.ended(2)
    trips.sort()
    print(
        f"\n{host}: {len(trips)} keys while it printed, each shown after {trips[len(trips) // 2]:.0f} ms"
        f" (median), {trips[-1]:.0f} ms (worst)"
    )
    text = output.inner_text()
    assert "line 0\n" in text and "line 999999\n" in text and "left out" in text
    assert "10000/10000" in text
    size = lab.save()
    print(f"{host}: the notebook has {size:,} bytes")
    assert size < 2_000_000
    run = STATUS.search(text)
    assert run is not None
    index = lab.insert(LOG.replace("RUN", run[2]))
    lab.run(index)
    lines, frames = map(int, lab.output(index).inner_text().split())
    assert lines == 1_000_000 and frames > 10_000
