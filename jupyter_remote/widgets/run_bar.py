"""A row of buttons for runs, a line to type in when one of them wants words, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import ipywidgets

from .hearing import on_press, on_value
from .looks import Html, box
from .run_actions import Background


class Bar:
    """The buttons, and what is below them.

    Args:
        buttons: what each does, by its word.
        act: called with the word of a button that was pressed.
        worded: called with a button's word and what was typed for it.

    Attributes:
        widget: all of it.
        background: does what takes longer, and tells of it here.
    """

    def __init__(
        self, buttons: Mapping[str, str], act: Callable[[str], None], worded: Callable[[str, str], None]
    ) -> None:
        self._act, self._worded = act, worded
        self.background = Background(self.tell)
        self._buttons = {word: self._button(word, tip) for word, tip in buttons.items()}
        self._beside = ipywidgets.HTML()
        self._said = ipywidgets.HTML()
        self._wanted_by = ""
        self._words = ipywidgets.Text(layout={"width": "32em"}, continuous_update=False)
        on_value(self._words, lambda: None, self._enter)
        enter = ipywidgets.Button(description="OK", layout={"width": "auto"})
        on_press(enter, self._enter)
        self._line = ipywidgets.HBox([self._words, enter], layout={"display": "none"})
        row = ipywidgets.HBox([*self._buttons.values(), self._beside], layout={"flex_flow": "row wrap"})
        self.widget = ipywidgets.VBox([row, self._line, self._said])

    def _button(self, word: str, tip: str) -> ipywidgets.Button:
        button = ipywidgets.Button(description=word, tooltip=tip, layout={"width": "auto"})
        on_press(button, lambda: self._pressed(word))
        return button

    def enable(self, word: str, usable: bool) -> None:
        """Whether a button can be pressed now."""
        self._buttons[word].disabled = not usable

    def rename(self, word: str, shown: str) -> None:
        """What stands on a button now; it keeps its word."""
        self._buttons[word].description = shown

    def beside(self, *parts: object) -> None:
        """What stands beside the buttons."""
        self._beside.value = box(*parts)

    def tell(self, said: Html) -> None:
        """What stands below the buttons."""
        self._said.value = box(said) if said else ""

    def ask(self, word: str, wanted: str) -> None:
        """Has the user type what a button needs."""
        self._wanted_by = word
        self._words.value = ""
        self._words.placeholder = wanted
        self._line.layout.display = "flex"
        self._words.focus()

    def _pressed(self, word: str) -> None:
        self._line.layout.display = "none"
        self._act(word)

    def _enter(self) -> None:
        word, self._wanted_by = self._wanted_by, ""
        self._line.layout.display = "none"
        if word:  # Enter and the button beside it both come here
            self._worded(word, self._words.value.strip())
