"""What an error of the operating system is to the client. Errors of ours are told where they arise."""

from __future__ import annotations

import errno
import os

from . import messages as m


def os_failure(error: OSError) -> m.Failure:
    """The answer to a request that ended in it; a full disk is told apart."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        place = error.filename or "the disk"
        place = os.fsdecode(place) if isinstance(place, (bytes, str)) else str(place)
        why = "the quota is used up" if error.errno == errno.EDQUOT else "no space is left"
        return m.Failure("disk_full", f"{why}: {place}" if place not in str(error) else str(error))
    return m.Failure("os", str(error), details={"errno": error.errno})
