"""`python -m benchmarks [--json FILE] [--quick] [NAME…]`: measure, print one table, write JSON.

The exit code is 1 when a figure missed its bar.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from importlib import import_module
from pathlib import Path

from .harness import Row, print_table, write_json

# In the order of the table; a name is a module of this folder.
SUBJECTS = (
    "warm_cell",
    "many_hosts",
    "asking_hosts",
    "cold_cell",
    "environments",
    "streaming",
    "logs",
    "metrics",
    "imports",
    "history",
    "run_tables",
    "comparing",
    "sync_many",
    "sync_large",
    "sync_wan",
    "viewing",
    "server",
    "notebook_output",
    "variables",
    "gpus",
    "host_widgets",
    "forward",
    "campaigns",
    "containers",
    "slurm",
    "panel",
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"which of {', '.join(SUBJECTS)}; all by default"
    )
    parser.add_argument("--json", type=Path, default=Path("build/bench.json"), metavar="FILE")
    parser.add_argument("--quick", action="store_true", help="few measurements: does it run at all?")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(SUBJECTS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; valid: {', '.join(SUBJECTS)}")
    rows: list[Row] = []
    failed: list[str] = []
    for name in arguments.names or SUBJECTS:
        print(f"==> {name}", file=sys.stderr, flush=True)
        try:
            rows.extend(import_module(f".{name}", __package__).measure(arguments.quick))
        except Exception:  # what the others measured, and are about to, is not to be lost
            traceback.print_exc()
            failed.append(name)
        write_json(arguments.json, rows)
    print_table(rows)
    print(f"\nwritten to {arguments.json.absolute()}")
    if failed:
        print(f"could not be measured: {', '.join(failed)}", file=sys.stderr)
    return 0 if not failed and all(row.passed for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
