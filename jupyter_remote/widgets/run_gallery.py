"""The pictures of a run: shown ones, and those among its artifacts; each is replaced when it changes."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import ipywidgets

from ..call import format_size
from .closing import close_all
from .looks import Html, box, escaped
from .run_follow import LARGEST_PICTURE, PICTURES, Picture

# Pictures that a saved notebook gets, in bytes altogether, and artifacts that are named.
KEPT = 1 << 20
NAMED = 20
_FORMATS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".gif": "gif"}


class Gallery:
    """Pictures side by side, with their names, and the names of all artifacts below.

    Attributes:
        widget: all of it.
    """

    def __init__(self) -> None:
        self._pictures: dict[str, tuple[object, Picture]] = {}
        self._views: dict[str, ipywidgets.VBox] = {}
        self._row = ipywidgets.Box(layout={"flex_flow": "row wrap", "display": "none"})
        self._names = ipywidgets.HTML()
        self.widget = ipywidgets.VBox([self._row, self._names])

    def draw(self, shown: Iterable[Picture], artifacts: Sequence[Any]) -> None:
        """Shows the newest; what is as before is not sent, and a file that has not changed is not read."""
        pictures: dict[str, tuple[object, Picture]] = {one.name: (id(one), one) for one in shown}
        for one in sorted(artifacts, key=lambda one: one.mtime):
            form = _FORMATS.get(Path(one.path).suffix.lower())
            if form is not None and one.local is not None and one.size <= LARGEST_PICTURE:
                mark: object = (one.mtime, one.size)
                known = self._pictures.get(one.path)
                if known is None or known[0] != mark:
                    known = (mark, Picture(one.path, form, _read(one.local)))
                pictures[one.path] = known
        newest = dict(list(pictures.items())[-PICTURES:])
        self._names.value = box(listed(artifacts)) if artifacts else ""
        for name in set(self._views) - set(newest):
            close_all(self._views.pop(name))
        for name, (mark, picture) in newest.items():
            if name not in self._views:
                self._views[name] = _view(picture)
            elif self._pictures[name][0] != mark:
                self._views[name].children[0].value = picture.data
        self._pictures = newest
        views = tuple(self._views[name] for name in newest)
        if views != self._row.children:
            self._row.children = views
            self._row.layout.display = "flex" if views else "none"

    def kept(self) -> Html:
        """The newest pictures as far as a saved notebook has room for them."""
        room, pieces = KEPT, []
        for _, picture in reversed(self._pictures.values()):
            room -= len(picture.data)
            if picture.data and room >= 0:
                source = (
                    f"data:image/{picture.format};base64,{base64.b64encode(picture.data).decode('ascii')}"
                )
                pieces.append(f'<img src="{source}" alt="{escaped(picture.name)}" style="max-width: 420px">')
        return Html("".join(reversed(pieces)))


def listed(artifacts: Sequence[Any]) -> Html:
    """The artifacts by name and size, the last ones."""
    words = [
        f"{one.path} ({format_size(one.size)}{'' if one.local else ', not here yet'})"
        for one in artifacts[-NAMED:]
    ]
    more = f"{len(artifacts) - NAMED:,} more, " if len(artifacts) > NAMED else ""
    return Html(f'<span class="jr-small">artifacts: {more}{escaped(", ".join(words))}</span>')


def _view(picture: Picture) -> ipywidgets.VBox:
    layout = {"max_width": "420px", "height": "auto"}
    image = ipywidgets.Image(value=picture.data, format=picture.format, layout=layout)
    return ipywidgets.VBox(
        [image, ipywidgets.HTML(box(Html(f'<span class="jr-small">{escaped(picture.name)}</span>')))]
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
