"""Which launcher starts something, with which settings: those of the host, overlaid by those of the call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import UsageError

if TYPE_CHECKING:
    from ..config_models import HostConfig


def ordered(
    host: HostConfig,
    name: str,
    one_run: str | None,
    kind: str | None = None,
    resources: Mapping[str, str] | None = None,
) -> dict[str, Any] | None:
    """What the agent is to submit for a session; None when it starts the process itself.

    Args:
        host: the resolved settings.
        name: of the session.
        one_run: ``cell`` or ``program`` when it ends with that one run.
        kind: of the launcher; the host's when None.
        resources: settings of the launcher, over those of the host.

    Raises:
        UsageError: there is no such launcher, or it has no such setting, or not that value.
    """
    kind = kind or host.launcher
    if kind == "process" and not resources:
        return None  # nothing is imported for the most frequent kind
    from . import launcher
    from .job import Work

    chosen = launcher(kind)
    if resources:
        host = _overlaid(host, kind, chosen.SETTINGS, resources)
    order = chosen.order(host, Work(name, one_run))
    if order is None:
        return None
    document = order.document()
    return {**document, "asked": dict(resources)} if resources else document


def _overlaid(host: HostConfig, kind: str, section: str, resources: Mapping[str, str]) -> HostConfig:
    from ..config_file import complaints, nearest

    if not section:
        raise UsageError(
            f"--set {next(iter(resources))}=…: the launcher `{kind}` takes no settings; "
            "--launcher slurm or container would, or `launcher:` of the host"
        )
    settings = getattr(host, section)
    if isinstance(settings, Mapping):  # another package's, which says itself what may stand there
        return host.model_copy(update={section: {**settings, **resources}})
    model = type(settings)
    values: dict[str, Any] = {}
    typed: dict[str, str] = {}
    for key, value in resources.items():
        word = key.replace("-", "_")
        word = model.SYNONYMS.get(word, word)
        if word in model.OF_THE_HOST:
            raise UsageError(
                f"--set {key}: {section}.{word} is for the settings of the host, not for one call"
            )
        if word not in model.model_fields:
            valid = [name for name in model.model_fields if name not in model.OF_THE_HOST]
            close = nearest(word, valid)
            rest = [name for name in valid if name not in close]
            guess = f"; did you mean {close[0]}?" if close else "."
            raise UsageError(
                f"--set {key}: {kind} has no such setting{guess} Valid: {', '.join([*close, *rest])}"
            )
        several = model.model_fields[word].default == ()
        given = (value,) if word == "args" else tuple(value.split(",")) if several else value
        values[word], typed[word] = given, key
    if problems := complaints(model, values):
        told = "; ".join(
            f"--set {typed[str(path[0])]}={resources[typed[str(path[0])]]}: {text}" for path, text in problems
        )
        raise UsageError(told)
    overlaid = model.model_validate({**settings.model_dump(exclude_unset=True), **values})
    return host.model_copy(update={section: overlaid})
