"""The table of what `doctor` checks, and going through it: all is decided from facts, nothing is asked.

The checks themselves are in the `checks_*` modules, by subject; `docs/hosts.md` lists them all.
"""

from __future__ import annotations

from . import checks_around, checks_disk, checks_gpu, checks_python, checks_ssh
from .facts import Facts
from .findings import Check, Finding, failed, not_applicable

CHECKS: tuple[Check, ...] = (
    *checks_ssh.CHECKS,
    *checks_python.CHECKS,
    *checks_disk.CHECKS,
    *checks_gpu.CHECKS,
    *checks_around.CHECKS,
)

Findings = list[tuple[Check, Finding]]


def examine(facts: Facts) -> Findings:
    """Every check with its finding; without the host's answer only what is decided from here."""
    return [(check, _decide(check, facts)) for check in CHECKS]


def _decide(check: Check, facts: Facts) -> Finding:
    if not check.local and not facts.reached:
        return not_applicable("the host was not reached")
    try:
        return check.decide(facts)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        # A host may say anything, and one odd answer must not hide what the others mean.
        return failed(
            f"its answer can't be understood ({type(error).__name__}: {error})",
            "Please report this; `jupyter remote doctor HOST --json` shows the other checks.",
        )
