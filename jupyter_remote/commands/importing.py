"""`import`: hosts of other tools' files into hosts.yaml. What becomes of what is in `hosts/imports.py`."""

from __future__ import annotations

from pathlib import Path

from ..call import Show, configuration, count
from ..config import HOSTS_FILE, config_dir
from ..config_save import save_entries
from ..hosts.imports import plan
from ..parsing import Values
from ..tables import print_json, print_table


def import_file(values: Values, show: Show) -> None:
    """`import FILE [--dry-run] [--replace]`.

    Raises:
        UsageError: there is no such file, or no tool that is known wrote it.
        ConfigError: hosts.yaml is not valid.
    """
    made = plan(Path(values["file"]).expanduser())
    config = configuration()
    taken = [] if values["replace"] else [name for name in made.hosts if name in config.names()]
    taken_archives = [] if values["replace"] else [name for name in made.archives if name in config.archives]
    hosts = {name: entry for name, entry in made.hosts.items() if name not in taken}
    archives = {name: entry for name, entry in made.archives.items() if name not in taken_archives}
    skipped = [*taken, *taken_archives]
    if (hosts or archives) and not values["dry_run"]:
        save_entries(hosts, archives)
    if values["json"]:
        document = {"hosts": hosts, "archives": archives, "existing": skipped, "lost": made.lost}
        print_json({"file": values["file"], "kind": made.title, "written": not values["dry_run"], **document})
        return
    rows = [("host", name, _text(entry)) for name, entry in hosts.items()]
    rows += [("archive", name, _text(entry)) for name, entry in archives.items()]
    print(f"{values['file']} is {made.title}.")
    if rows:
        print_table(("KIND", "NAME", "SETTINGS"), rows)
    for name in skipped:
        print(
            f"{name} is there already "
            f"({config.where(name) if name in taken else 'archives'}); --replace takes it"
        )
    if made.lost:
        print("\nNot taken over:")
        for line in made.lost:
            print(f"  {line}")
    done = f"{count(list(hosts), 'host')} and {count(list(archives), 'archive')}"
    file = config_dir() / HOSTS_FILE
    print(f"\n{done} would be written to {file}." if values["dry_run"] else f"\n{done} written to {file}.")
    if hosts and not values["dry_run"]:
        print(f"Next: jupyter remote setup {next(iter(hosts))}")


def _text(entry: dict[str, object]) -> str:
    # Of a table of its own the names are enough here.
    said = {key: "/".join(value) if isinstance(value, dict) else str(value) for key, value in entry.items()}
    return ", ".join(f"{key}={value.strip()}".replace("\n", "; ") for key, value in said.items())
