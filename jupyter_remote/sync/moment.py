"""When the call was made that a thread works for: a look at the workspace since then is new enough for it.

Only that moment, because the fronts set it and needn't load what syncs.
"""

from __future__ import annotations

import math
from contextvars import ContextVar

# By `time.monotonic`. Several hosts of one call may use one look, and all get the workspace as it was then.
called: ContextVar[float] = ContextVar("called", default=math.inf)
