"""How a process is started on a host: one module per kind, pure text and argv.

A launcher decides and never acts: it takes settings and answers, and returns text, argv and judgements.
What it returns is carried out by the agent on the host (`agent/jobs.py`, `agent/polling.py`), so no module
here opens a connection, a file or a process, and each of them can be tested with strings.

**The contract.** A module is a launcher when it has these (`Launcher` below says it to the type checker):

``SETTINGS``
    The section of `hosts.yaml` that is this launcher's (`slurm`, `pbs`, ...); `--set KEY=VALUE` overlays it.
    Its `poll` says how many seconds may be between two questions.
``order(host, work)``
    What is submitted for a session or a program: an :class:`~.job.Order`, or None when the agent starts the
    process itself (`process`). Its script has to run ``{python} {boot} {state} {session} -1 -1`` (the
    supervisor, words already quoted for sh) and to leave the exit code and what the scheduler says in
    ``{folder}/end``, by a rename, as its last act. Raises `UsageError` for a setting that can't be meant.
``poll(host)``
    The argv whose one answer tells how all jobs of this user stand; a word ``{state}`` is the host's state
    folder.
``standings(answer)``
    From that answer, how each job stands, by id. Raises :class:`~.job.NoAnswer` when the scheduler could
    not be asked: that is not a job that is gone.
``line(standing)`` / ``queue(standing)``, ``ahead(answer, standing)``
    What the status line says of a job that has not started; the argv that tells how many are before it (None:
    not known), and that number.
``ended(text)``
    How a job stood by what its script left in ``end``.
``verdict(standing)``
    What the end of a job means for a run that has none in its log: state, exit code, reason.
``refused(host, said, code)``
    The error for a job that was not taken, with advice.
``accounting(ids)``, ``used(answer)``
    The argv that tells what jobs have used (None: there is none), and that, by id.

The registry is this dict, and behind it the launchers of other packages (docs/plugins.md). One that has
``GIVES_GPUS = True`` as well hands out GPUs itself, by its setting `gpus`; without it they are leased.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from ..errors import UsageError
from ..plugins import Kinds
from .job import Answer, Order, Standing, Verdict, Work

if TYPE_CHECKING:
    from ..config_models import HostConfig
    from ..errors import LaunchError

# Imported when they are used: most hosts need `process`, which is nothing.
_OURS = {
    "process": ".process",
    "container": ".container",
    "slurm": ".slurm",
    "pbs": ".pbs",
    "ray": ".ray",
}


class Launcher(Protocol):
    """What each module of this package is."""

    SETTINGS: str

    def order(self, host: HostConfig, work: Work) -> Order | None:
        """What is submitted; None when the agent starts the process itself."""

    def poll(self, host: HostConfig) -> list[str]:
        """The argv that asks how all jobs of this user stand."""

    def standings(self, answer: Answer) -> dict[str, Standing]:
        """How each job stands, by id, from the answer to `poll`."""

    def line(self, standing: Standing, ahead: int | None) -> str:
        """What the status line says of a job that has not started, `ahead` of which are so many."""

    def queue(self, standing: Standing) -> list[str] | None:
        """The argv that tells how many are before a job."""

    def ahead(self, answer: Answer, standing: Standing) -> int | None:
        """How many are, from the answer to `queue`; None when it does not tell."""

    def ended(self, text: str) -> Standing:
        """How a job stood, from the `text` that its script left."""

    def verdict(self, standing: Standing) -> Verdict:
        """What the end of a job means for a run that has none in its log."""

    def refused(self, host: str, said: str, code: int) -> LaunchError:
        """The error for a job that was not taken: what was said, and the exit code."""

    def accounting(self, ids: list[str]) -> list[str] | None:
        """The argv that tells what the jobs with these ids have used; None when none does."""

    def used(self, answer: Answer) -> dict[str, dict[str, object]]:
        """What jobs have used, by id, from the answer to `accounting`."""


LAUNCHERS: Mapping[str, str | Launcher] = Kinds("launchers", _OURS)


def launcher(kind: str) -> Launcher:
    """The launcher of that kind.

    Raises:
        UsageError: there is none; the valid ones.
        ConfigError: it is another package's, which can't be imported.
    """
    if kind not in LAUNCHERS:
        near = get_close_matches(kind, LAUNCHERS, n=1)
        guess = f"; did you mean {near[0]}?" if near else "."
        raise UsageError(f"there is no launcher {kind!r}{guess} Valid: {', '.join(LAUNCHERS)}")
    found = LAUNCHERS[kind]
    module: Launcher = import_module(found, __name__) if isinstance(found, str) else found
    return module
