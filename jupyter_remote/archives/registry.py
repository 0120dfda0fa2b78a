"""The kinds of archives (`type:` in hosts.yaml) as a table to read, and opening one by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import Config
from ..errors import ConfigError, UsageError
from ..plugins import Kinds
from .archive import Archive
from .store import Store

if TYPE_CHECKING:
    from ..config_models import Archive as Settings


@dataclass(frozen=True)
class Kind:
    """One kind of archive.

    Attributes:
        summary: what it is, for lists.
        needs: the key that an entry can't do without; "" when there is none.
        open: the store; its module is imported then.
    """

    summary: str
    needs: str
    open: Callable[[Settings], Store]


def _folder(settings: Settings) -> Store:
    from .folder import FolderStore

    return FolderStore(Path(settings.path or "").expanduser().absolute())


def _s3(settings: Settings) -> Store:
    from .s3 import S3Store  # boto3 takes a third of a second

    return S3Store.open(settings)


_OURS = {
    "s3": Kind("a bucket of Amazon S3, or of another service that speaks its protocol", "bucket", _s3),
    "folder": Kind("a folder of this machine: a disk, a share", "path", _folder),
}

KINDS: Mapping[str, Kind] = Kinds("archives", _OURS)


def open_archive(name: str) -> Archive:
    """The archive of that name in hosts.yaml.

    Raises:
        UsageError: there is none.
        ConfigError: its entry lacks something.
        ArchiveError: it can't be used.
    """
    archives = Config.load(Path.cwd()).archives
    if name not in archives:
        valid = f"Valid: {', '.join(archives)}" if archives else "None is defined: `archives:` in hosts.yaml"
        raise UsageError(
            f"there is no archive {name}; {valid}", hint="docs/archives.md shows how one is defined."
        )
    settings = archives[name]
    kind = KINDS[settings.type]
    if kind.needs and not getattr(settings, kind.needs):
        raise ConfigError(f"archives.{name}: `type: {settings.type}` needs `{kind.needs}`")
    return Archive(name, kind.open(settings))
