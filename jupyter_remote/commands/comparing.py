"""`compare` and `runs report`: runs side by side, drawn, and written down. Nothing is changed here."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import jupyter_remote

from ..call import Show
from ..live_line import in_kernel
from ..parsing import Values
from ..tables import print_json

if TYPE_CHECKING:
    from ..comparison import Comparison


def compare(values: Values, show: Show) -> None:
    """`compare ID… [--campaign NAME] [--metric NAME] [--plot FILE]`."""
    path = None
    if values["plot"]:
        from ..plots import check_path

        path = check_path(values["plot"])  # before any host is asked
    found = jupyter_remote.compare(
        values["runs"],
        campaign=values["campaign"],
        metric=values["metric"],
        best=values["best"],
        local=values["local"],
    )
    document = found.document() if values["json"] else {}
    if not values["json"]:
        _show(found)
    if path is not None:
        from ..plots import save

        figure = found.plot(
            x=values["x"] or "step",
            by=values["by"],
            kind=values["kind"] or "auto",
            theme=values["theme"] or "auto",
            log=values["log"],
        )
        document["plot"] = str(save(figure, path))
        if not values["json"]:
            if in_kernel():
                _display(figure)
            print(f"drawn into {path}")
    if values["json"]:
        print_json(document)


def report(values: Values, show: Show) -> None:
    """`runs report ID… [--campaign NAME] [--output FILE]`."""
    from ..reports import check_path

    path = check_path(values["output"]) if values["output"] else None
    made = jupyter_remote.report(
        values["runs"], campaign=values["campaign"], tail=values["tail"] or 60, local=values["local"]
    )
    for line in made.missing:
        print(line, file=sys.stderr)
    written = made.save(path) if path is not None else []
    if values["json"]:
        print_json({"runs": made.runs, "files": [str(one) for one in written], "missing": made.missing})
    elif written:
        more = f", with {len(written) - 1} pictures beside it" if len(written) > 1 else ""
        print(f"report of {len(made.runs)} run{'s' if len(made.runs) != 1 else ''} written to {path}{more}")
    elif in_kernel():
        _display(made)
    else:
        print(made.markdown())


def _show(found: Comparison) -> None:
    if in_kernel():
        _display(found)
    else:
        print(found)


def _display(value: object) -> None:
    from IPython.display import display

    display(value)  # type: ignore[no-untyped-call]
