"""A file that is given up when the disk is full, so that the end of a log can still be written."""

from __future__ import annotations

import os

CONTENT = bytes(1 << 16)


class Reserve:
    """The reserve of one session.

    Args:
        folder: the session's.
    """

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, "reserve")

    def make(self) -> None:
        """Sets it aside.

        Raises:
            OSError: there is no room for it.
        """
        with open(self._path, "wb") as file:
            file.write(CONTENT)

    def give_up(self) -> None:
        """Makes room, once."""
        if os.path.exists(self._path):
            os.unlink(self._path)
