"""What a command printed to stderr, kept for messages: bounded, and harmless to print."""

from __future__ import annotations

import threading
import unicodedata

LIMIT = 64 * 1024


class Tail:
    """The last `LIMIT` bytes of a stream; may be fed by one thread and read by another."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._lock = threading.Lock()

    def feed(self, data: bytes) -> None:
        """Takes more data; what is older than the last `LIMIT` bytes is dropped."""
        with self._lock:
            self._data += data
            if len(self._data) > LIMIT:
                del self._data[:-LIMIT]

    def text(self) -> str:
        """What was fed, as text without control characters."""
        with self._lock:
            return printable(bytes(self._data).decode("utf-8", "replace"))


def printable(text: str) -> str:
    """`text` with every control character but newline and tab written out.

    A host must not be able to move the cursor or to recolour the terminal through an error message.
    """
    plain = text.replace("\r\n", "\n")
    return "".join(
        ch if ch in "\n\t" or unicodedata.category(ch)[0] != "C" else f"\\x{ord(ch):02x}" for ch in plain
    )
