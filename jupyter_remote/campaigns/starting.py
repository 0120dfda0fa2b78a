"""How a campaign is started: everything is looked at on every host first, then each is handed its part."""

from __future__ import annotations

import os
import secrets as random_source
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import history
from ..call import some_hosts, typed
from ..config import Config
from ..errors import HistoryError, RemoteError, UsageError
from ..hosts.registry import KINDS
from ..ordering import new_run_id
from . import hostside
from .campaign import Campaign
from .file import load
from .orders import StepOrder, draft, needs
from .plan import Plan, make

if TYPE_CHECKING:
    from ..remote import Remote


class Prepared:
    """A campaign that is in order here; nothing was asked of a host yet.

    Args:
        source: the file, or a mapping of what it would say.
        hosts: words for hosts, instead of the file's.
        workspace: the local project folder; the current one when None.

    Raises:
        ConfigError: the file can't be run as it is; all problems, one per line.
        UsageError: a variable of `pass_env` is not set here.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | Mapping[str, Any],
        hosts: str | Sequence[str] | None = None,
        workspace: Path | None = None,
    ) -> None:
        self.workspace = Path(workspace or Path.cwd()).resolve()
        self.id = random_source.token_hex(8)
        self._run_id = new_run_id()
        words = [hosts] if isinstance(hosts, str) else list(hosts or ())
        read = load(source if isinstance(source, Mapping) else Path(source))
        self.file = str(read.document.path)
        self.plan: Plan = make(read, words, some_hosts)
        config = Config.load(self.workspace)
        self.orders: list[StepOrder] = draft(self.plan, config, self.workspace, self._run_id, self.id)
        self.secrets: dict[str, str] = {}
        for order in self.orders:
            for name in order.order.pass_env:
                if name not in os.environ:
                    where = self.plan.source.where("steps", order.step.number, "pass_env")
                    raise UsageError(f"{where}: {name} is not set here")
                self.secrets[name] = os.environ[name]

    def of(self, host: str) -> list[StepOrder]:
        """The orders of one host."""
        return [order for order in self.orders if order.step.host == host]

    # With the hosts.

    def check(self, *, dry_run: bool = False) -> None:
        """Brings the workspace to every host, or only compares it, and looks for all that the steps need.

        Raises:
            ConnectError, SyncError: a host can't be used.
            UsageError: something is missing; all of it on all hosts, one per line. Nothing was started.
        """
        found = hostside.on_hosts(
            self.plan.hosts, lambda remote: self._lacks(remote, dry_run), self.workspace
        )
        errors = [answer for _, answer in found if isinstance(answer, RemoteError)]
        lines = [line for _, answer in found if not isinstance(answer, RemoteError) for line in answer]
        if len(errors) == 1 and not lines:
            raise errors[0]
        if errors or lines:
            texts = [
                f"{host}: {one.message.removeprefix(f'{host}: ')}"
                for host, one in found
                if isinstance(one, RemoteError)
            ]
            raise UsageError("\n".join([*texts, *lines]), hint="Nothing was started.")

    def start(self) -> Campaign:
        """Hands every host its part.

        Raises:
            RemoteError: a host could not be told; those that were are named.
        """
        answers = hostside.on_hosts(self.plan.hosts, self._hand_over, self.workspace)
        campaign = Campaign(self.plan.name, self.plan.hosts, self.workspace, self.id)
        begun = [host for host, answer in answers if not isinstance(answer, RemoteError)]
        failed = [(host, answer) for host, answer in answers if isinstance(answer, RemoteError)]
        with suppress(HistoryError):  # the hosts know it, and can be asked
            history.store().remember(self.plan.name, self.id, self.plan.hosts, self.workspace)
        if failed:
            text = "; ".join(f"{host}: {error.message}" for host, error in failed)
            name = self.plan.name
            hint = f"It goes on on {', '.join(begun)}; `campaign stop {name}` ends it there." if begun else ""
            raise RemoteError(f"campaign {name} was not started on {text}", hint=hint)
        return campaign

    def _hand_over(self, remote: Remote) -> hostside.Part:
        KINDS[remote.host.type].prepare(remote.host, remote.connection())
        return hostside.start(remote, self._document(remote.host.name), self.secrets)

    def _lacks(self, remote: Remote, dry_run: bool) -> list[str]:
        orders = self.of(remote.host.name)
        wanted = needs(orders)
        report = remote.sync(dry_run=dry_run)
        if dry_run:
            coming = set(report.sent)
            wanted = {
                **wanted,
                "files": [name for name in wanted["files"] if os.path.normpath(name) not in coming],
            }
        said = hostside.missing(remote, wanted)
        part = hostside.look(remote, self.plan.name)
        if part is not None and part.driven and not part.ended:
            name = self.plan.name
            said.append(f"{remote.host.name}: campaign {name} goes on there; `campaign stop {name}` ends it")
        return said

    def _document(self, host: str) -> dict[str, Any]:
        codes: dict[str, int] = {}
        steps = []
        for order in self.of(host):
            number = codes.setdefault(order.order.code, len(codes))
            document = order.document()
            document["order"]["run"]["command"] = typed.get()
            steps.append({**document, "code": number})
        git, diff = _git(self.workspace)
        for step in steps:
            step["order"]["run"].update(git)
        return {
            "name": self.plan.name,
            "id": self.id,
            "file": self.file,
            "created": time.time(),
            "hosts": list(self.plan.hosts),
            "workspace": steps[0]["order"]["run"]["workspace"],
            "concurrency": self.plan.concurrency,
            "stop_on_failure": self.plan.stop_on_failure,
            "pass_env": sorted(self.secrets),
            "run_id": self._run_id,
            "codes": list(codes),
            "diff": diff,
            "steps": steps,
        }


def campaign(
    source: str | os.PathLike[str] | Mapping[str, Any],
    hosts: str | Sequence[str] | None = None,
    *,
    workspace: Path | None = None,
) -> Campaign:
    """Starts a campaign: many runs from one file, which the hosts run by themselves.

    Args:
        source: the YAML file, or a mapping of what it would say; see docs/campaigns.md.
        hosts: names, groups (`@gpus`) or `any`, instead of the file's.
        workspace: the local project folder; the current one when None.

    Returns:
        The campaign; it goes on whatever happens here.

    Raises:
        ConfigError: the file can't be run as it is; all problems, one per line, with the file's lines.
        UsageError: a host lacks something. Nothing was started, as with the errors before.
        RemoteError: a host could not be used.
    """
    prepared = Prepared(source, hosts, workspace)
    prepared.check()
    return prepared.start()


def _git(workspace: Path) -> tuple[dict[str, Any], str | None]:
    """What git says of the workspace, for the records: once, as all steps run on what was synced now."""
    from ..provenance import MAX_DIFF
    from ..sync.worktree import GitMissing, commit_state, enclosing

    try:
        if enclosing(str(workspace)) is None:
            return {}, None
        state, diff = commit_state(str(workspace), MAX_DIFF)
    except (GitMissing, RemoteError):
        return {}, None
    return {"git": state}, diff.decode("utf-8", "replace") or None
