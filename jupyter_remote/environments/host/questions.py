"""What an interpreter is asked, as programs for it."""

from __future__ import annotations

FACTS = """\
import json, os, sys, platform, sysconfig
about = {
    "implementation_name": sys.implementation.name, "implementation_version": platform.python_version(),
    "os_name": os.name, "platform_machine": platform.machine(), "platform_release": platform.release(),
    "platform_system": platform.system(), "platform_version": platform.version(),
    "python_full_version": platform.python_version(), "sys_platform": sys.platform,
    "platform_python_implementation": platform.python_implementation(),
    "python_version": ".".join(platform.python_version_tuple()[:2]),
}
try:
    libc = os.confstr("CS_GNU_LIBC_VERSION") or ""
except (AttributeError, ValueError, OSError):
    libc = ""
print(json.dumps({"markers": about, "libc": libc, "platform": sysconfig.get_platform(),
                  "mac": platform.mac_ver()[0], "bits": 64 if sys.maxsize > 2**32 else 32}))
"""
# What each package says it has put there is there; a package without such a list counts as whole.
INVENTORY = """\
import json, sys, platform
from importlib.metadata import distributions
seen, missing = {}, []
for one in distributions():
    seen[(one.metadata["Name"] or "").lower()] = one.version
    for path in one.files or ():
        if path.suffix != ".pyc" and not path.locate().exists():
            missing.append(str(path))
print(json.dumps({"python": platform.python_version(), "packages": seen, "missing": missing[:5]}))
"""
