"""What must not be shown to others: values of variables that look like secrets, wherever they turn up."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping

HIDDEN = "•••"
# Shorter ones are ordinary words and numbers, and would be found everywhere.
SHORTEST = 6
_SECRET = re.compile(
    r"token|secret|passw|passphrase|credential|(?:^|_)(?:key|auth|pwd|pat)(?:$|_)|api_?key|private",
    re.IGNORECASE,
)


def is_secret(name: str) -> bool:
    """Whether a variable of that name is likely to hold a secret."""
    return _SECRET.search(name) is not None


class Mask:
    """Hides values in texts.

    Args:
        env: variables that were given with their values: those whose names look like secrets are hidden.
        passed: names of variables that were handed over (`--pass-env`): hidden are the values they have here.
    """

    def __init__(self, env: Mapping[str, object], passed: Iterable[str] = ()) -> None:
        values = {str(value) for name, value in env.items() if is_secret(name)}
        values |= {os.environ.get(name, "") for name in passed}
        # A value may be a part of another one.
        self._values = sorted((one for one in values if len(one) >= SHORTEST), key=len, reverse=True)
        self._env = {name: HIDDEN if is_secret(name) else self.text(value) for name, value in env.items()}

    @property
    def env(self) -> dict[str, str]:
        """The variables, as they may be shown."""
        return dict(self._env)

    def text(self, text: object) -> str:
        """The text without the hidden values."""
        shown = str(text)
        for value in self._values:
            shown = shown.replace(value, HIDDEN)
        return shown
