"""The controls of the host picker, and where they stand. What they do is `picker.py`'s."""

from __future__ import annotations

from typing import Any

from .looks import STYLE

_STYLE = (
    STYLE
    + """<style>
.jr-picker select { font-family: var(--jp-code-font-family, monospace);
  font-size: var(--jp-code-font-size, 13px); }
.jr-picker .widget-button { width: auto; }
</style>"""
)
_ROWS = 8
_BUTTONS = {
    "use": (
        "Use for this notebook",
        "%%remote without a name runs there; Enter in the box or the list above does the same",
    ),
    "forget": ("No default", "%%remote needs a name again"),
    "refresh": ("Refresh", "ask the hosts that the list shows how they are"),
    "test": ("Test", "every check by name, with what to do about each failure: %remote doctor"),
    "start": ("Start", "switch the machine on"),
    "stop": ("Stop", "switch the machine off; its disk stays"),
    "add": ("Add a host…", "look at a machine and keep it: %remote setup"),
    "setup": ("Set up", "connect, check, and save it in hosts.yaml"),
}


def make_parts() -> dict[str, Any]:
    """Return the controls by name; `whole` has them all."""
    import ipywidgets as w

    parts: dict[str, Any] = {
        name: w.Button(description=label, tooltip=help) for name, (label, help) in _BUTTONS.items()
    }
    # The list's Enter presses it: `labextension/src/notebook/widgetKeys.ts`.
    parts["use"].add_class("jr-picker-use")
    wide = {"width": "auto"}
    # Text it must be: without our extension JupyterLab takes the arrow keys from whatever else has the focus.
    parts["filter"] = w.Combobox(
        placeholder="name or words; Enter chooses", continuous_update=True, layout={"width": "24em"}
    )
    parts["list"] = w.Select(rows=_ROWS, layout=wide)
    parts["own"], parts["why"], parts["said"] = w.HTML(), w.HTML(), w.HTML()
    for name, text in (
        ("target", "USER@HOST, or an alias of ~/.ssh/config"),
        ("name", "its name here (may be left out)"),
        ("group", "group (may be left out)"),
    ):
        parts[name] = w.Text(placeholder=text, layout={"width": "20em"})
    form = w.HBox(
        [parts[name] for name in ("target", "name", "group", "setup")], layout={"flex_flow": "row wrap"}
    )
    form.layout.display = "none"
    parts["form"] = form
    buttons = ("use", "forget", "refresh", "test", "start", "stop", "add")
    whole = w.VBox(
        [
            w.HTML(_STYLE),
            parts["filter"],
            parts["list"],
            parts["why"],
            parts["own"],
            w.HBox([parts[name] for name in buttons], layout={"flex_flow": "row wrap"}),
            form,
            parts["said"],
        ]
    )
    whole.add_class("jr-picker")
    parts["whole"] = whole
    return parts
