"""The commands of `%remote` and `jupyter remote`, one function per word of the table in `options.py`.

A command takes its parsed values and the front's way to show a run, prints facts on stdout, and returns its
exit code (None is 0) or raises a `RemoteError`. It never reads the command line and never ends the process.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..parsing import Handler
from . import (
    archiving,
    campaigns,
    cleaning,
    comparing,
    environments,
    forwarding,
    importing,
    machines,
    manage,
    past,
    power,
    runs,
    setting_up,
    settings,
    ssh_setup,
    transfer,
    viewing,
)

HANDLERS: Mapping[tuple[str, ...], Handler] = {
    ("list",): settings.list_all,
    ("show",): settings.show,
    ("set",): settings.change,
    ("remove",): settings.remove,
    ("setup",): setting_up.setup,
    ("doctor",): setting_up.doctor,
    ("import",): importing.import_file,
    ("ssh-setup",): ssh_setup.ssh_setup,
    ("test",): machines.test,
    ("start",): power.start,
    ("stop",): power.stop,
    ("status",): machines.status,
    ("sessions", "list"): machines.list_sessions,
    ("sessions", "stop"): machines.stop_sessions,
    ("forward",): forwarding.forward,
    ("sync",): runs.sync,
    ("push",): transfer.push,
    ("pull",): transfer.pull,
    ("run",): runs.run,
    ("attach",): viewing.attach,
    ("watch",): viewing.watch,
    ("logs",): viewing.logs,
    ("env", "create"): environments.create,
    ("env", "list"): environments.list_all,
    ("env", "remove"): environments.remove,
    ("campaign", "start"): campaigns.start,
    ("campaign", "status"): campaigns.status,
    ("campaign", "list"): campaigns.list_all,
    ("campaign", "stop"): campaigns.stop,
    ("campaign", "resume"): campaigns.resume,
    ("campaign", "logs"): campaigns.logs,
    ("campaign", "pull"): campaigns.pull,
    ("compare",): comparing.compare,
    ("runs", "list"): past.list_runs,
    ("runs", "info"): past.info,
    ("runs", "label"): manage.label,
    ("runs", "stop"): manage.stop,
    ("runs", "delete"): manage.delete,
    ("runs", "restore"): manage.restore,
    ("runs", "purge"): manage.purge,
    ("runs", "push"): archiving.push,
    ("runs", "pull"): archiving.pull,
    ("runs", "rerun"): manage.rerun,
    ("runs", "diff"): past.diff,
    ("runs", "report"): comparing.report,
    ("history",): past.history,
    ("clean",): cleaning.clean,
    ("version",): settings.version,
}
