"""Taking widgets out of a page and of the kernel, with all that is in them: neither keeps what has gone."""

from __future__ import annotations

from typing import Any

import ipywidgets


def close_all(root: ipywidgets.DOMWidget, holder: ipywidgets.Box | None = None) -> None:
    """Closes a widget and all that is in it.

    Args:
        root: the widget.
        holder: a box that has nothing else; it is empty then.
    """
    found: dict[int, Any] = {}
    open_ones = [root]
    while open_ones:
        one = open_ones.pop()
        if id(one) not in found:
            found[id(one)] = one
            open_ones += getattr(one, "children", ())
    for one in found.values():
        if one._view_count is not None:
            one._view_count = None  # else the page would tell of a view less, to a widget that is no more
        if isinstance(one, ipywidgets.Play):
            one.playing = False
    if holder is not None:
        holder.children = ()
    for one in found.values():
        for part in (getattr(one, "style", None), one.layout, one):
            if part is not None:
                part.close()
