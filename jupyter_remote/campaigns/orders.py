"""From a planned step to the order of an ordinary run: record, session, code. Nothing is sent here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..call import run_arguments
from ..errors import ConfigError, RemoteError, UsageError
from ..options import LINE
from ..ordering import Order, Orders
from ..parsing import parse
from .plan import Plan, Step

if TYPE_CHECKING:
    from ..config import Config

PARAMETERS, INJECTED = "parameters", "injected-parameters"


@dataclass(frozen=True)
class StepOrder:
    """What a host needs to start one step as often as it takes.

    Args:
        step: of the plan.
        order: of its runs, with an id that stands for theirs.
    """

    step: Step
    order: Order

    def document(self) -> dict[str, Any]:
        """As the host keeps it, without the code."""
        step = self.step
        facts = {
            name: getattr(step, name) for name in ("key", "step", "params", "retries", "retry_wait", "folder")
        }
        return {
            **facts,
            "after": list(step.after),
            "pull": list(step.options.get("pull") or ()),
            "pass_env": list(self.order.pass_env),
            "order": {"run": self.order.run, "session": self.order.session},
        }


def draft(plan: Plan, config: Config, workspace: Path, run_id: str, campaign_id: str) -> list[StepOrder]:
    """The orders of all steps.

    Args:
        plan: the campaign.
        config: of the workspace.
        workspace: where scripts, cells and notebooks are.
        run_id: stands for the id of a step's run.
        campaign_id: tells this start of the campaign from others.

    Raises:
        ConfigError: a file is not there, or can't be run; all problems, one per line.
    """
    makers: dict[tuple[str, str | None], Orders] = {}
    orders: list[StepOrder] = []
    problems: dict[str, None] = {}
    for step in plan.steps:
        where = f"{plan.source.where('steps', step.number, step.kind)}"
        try:
            at = (step.host, step.python)
            if at not in makers:
                overrides = {"python": step.python} if step.python is not None else None
                makers[at] = Orders(config.host(step.host, overrides), workspace)
            notes = {
                "campaign": plan.name,
                "campaign_id": campaign_id,
                "step": step.key,
                "params": step.params,
            }
            order = _ordered(makers[at], step, workspace, notes)
            told = json.dumps([order.run, order.session], default=str).replace(str(order.run["id"]), run_id)
            run, session = json.loads(told)
            orders.append(StepOrder(step, replace(order, run=run, session=session)))
        except RemoteError as error:
            problems[f"{where}: {error.message}"] = None
    if problems:
        raise ConfigError("\n".join(problems))
    return orders


def _ordered(orders: Orders, step: Step, workspace: Path, notes: dict[str, Any]) -> Order:
    """A step's order: all that `run` takes, a step takes too, by the same code."""
    options = run_arguments({**_defaults(), **step.options, "notes": notes})
    del options["on_link"]  # nobody waits here when it starts
    if step.kind == "program":
        return orders.program(step.argv, **options)
    if step.kind == "shell":
        return orders.bash(step.what, **options)
    if step.kind == "script":
        _text(workspace / (step.options.get("cwd") or ""), step.what)
        return orders.words(["{python}", step.what, *step.argv], **options)
    if step.kind == "cell":
        # On one line in front of the first, so that a traceback's lines are nearly those of the file.
        given = "; ".join(f"{name} = {value!r}" for name, value in step.given.items())
        code = _text(workspace, step.what)
        fresh = step.session is None
        text = f"{given}\n{code}" if given else code
        return orders.cell(text, step.session or "default", fresh=fresh, **options)
    text = notebook_code(_text(workspace, step.what), step.given, Path(step.what).name)
    return orders.script(Path(step.what).stem + ".py", text, **options)


@cache
def _defaults() -> dict[str, Any]:
    """The values of `run` when no option is given."""
    (run,) = (command for command in LINE.subcommands if command.name == "run")
    return parse(run, ["local", "--", "program"])


def needs(orders: list[StepOrder]) -> dict[str, Any]:
    """What the host of these orders must have: programs by the sessions they start in, and files.

    A program of a step that sets its own PATH, or that lies in the workspace, is not looked for.
    """
    programs: dict[str, tuple[dict[str, Any], set[str]]] = {}
    files: set[str] = set()
    for order in orders:
        session = {key: order.order.session.get(key) for key in ("python", "env_setup", "env")}
        wanted = programs.setdefault(json.dumps(session, sort_keys=True), (session, set()))[1]
        if order.step.kind == "shell":
            wanted.add("bash")
        elif order.step.kind == "program" and "PATH" not in (order.order.run.get("env") or {}):
            name = order.step.argv[0]
            if not name.endswith(".py") and ("/" not in name or name.startswith(("/", "~"))):
                wanted.add(name)
            else:
                files.add(_relative(order, name))
        if order.step.kind == "script":
            files.add(_relative(order, order.step.what))
    return {
        "sessions": [[session, sorted(names)] for session, names in programs.values()],
        "files": sorted(files),
    }


def _relative(order: StepOrder, name: str) -> str:
    return str(Path(order.step.options.get("cwd") or "") / name)


def notebook_code(text: str, params: Mapping[str, Any], name: str) -> str:
    """The program that runs a notebook with parameters.

    Args:
        text: of the notebook.
        params: put into a cell behind the one tagged `parameters`, or in front of all when there is none.
        name: the executed copy's.

    Raises:
        UsageError: it is no notebook.
    """
    try:
        notebook = json.loads(text)
        cells = notebook["cells"]
        for cell in cells:
            cell["source"] = "".join(cell["source"])
            cell.get("metadata", {}).get("tags", [])
            if cell["cell_type"] == "code":
                cell.update(outputs=[], execution_count=None)
    except (ValueError, TypeError, LookupError, AttributeError):
        raise UsageError("it is no notebook (of format 4)") from None
    cells[:] = [cell for cell in cells if INJECTED not in cell.get("metadata", {}).get("tags", [])]
    tagged = [n for n, cell in enumerate(cells) if PARAMETERS in cell.get("metadata", {}).get("tags", [])]
    if params:
        source = "# Parameters\n" + "\n".join(f"{key} = {value!r}" for key, value in params.items())
        injected: dict[str, Any] = {"cell_type": "code", "metadata": {"tags": [INJECTED]}, "source": source}
        if any("id" in one for one in cells):
            injected["id"] = INJECTED
        cells.insert(tagged[0] + 1 if tagged else 0, {**injected, "outputs": [], "execution_count": None})
    runner = Path(__file__).with_name("notebook_runner.py").read_text(encoding="utf-8")
    return f"{runner}\n\nsys.exit(main(json.loads({json.dumps(notebook)!r}), {name!r}))\n"


def _text(folder: Path, name: str) -> str:
    try:
        path = folder / Path(name).expanduser()
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"`{name}` can't be read in {folder}: {reason}") from None
