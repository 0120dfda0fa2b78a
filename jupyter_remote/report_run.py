"""What a report says of one run, as blocks. Nothing is asked here, and no format is known.

Secrets stay out: of `--pass-env` only the names are known; values of variables whose names look like secrets
are hidden wherever they turn up, in what was typed, run and printed.
"""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from .call import count, format_size
from .comparison_looks import number
from .durations import format_duration
from .masking import Mask
from .report_blocks import Block, Code, Facts, Heading, Picture, Table, Text
from .report_sources import MOST_PATHS, Told

# Of a command as the client sends it: filled in by the host.
_PLACES = ("{python}", "{script}")

# Final, lowest and highest of a metric.
Spans = Mapping[str, tuple[float, float, float]]


def blocks_of(
    told: Told, spans: Spans, pictures: Sequence[Picture], title: str, level: int, facts: Mapping[str, Any]
) -> Iterator[Block]:
    """The blocks of a run.

    Args:
        told: what is known of it.
        spans: of its metrics: last, lowest and highest value.
        pictures: its metrics, drawn.
        title: of its section.
        level: of its heading.
        facts: of its host, as `setup` has noted them.
    """
    record = told.record
    mask = Mask(record.get("env") or {}, record.get("pass_env") or ())
    yield Heading(level, title)
    if told.why:
        yield Text(
            f"What follows is what the local history has of this run, as its host was not asked: {told.why}"
        )
    yield from _facts(_outcome(told))
    yield Heading(level + 1, "What ran")
    yield from _facts(_inputs(told, mask))
    if told.code.strip():
        yield Code(mask.text(told.code), "sh" if _is_shell(record) else "python")
    yield Heading(level + 1, "Where")
    yield from _facts(_place(told, facts))
    yield from _gpus(record)
    yield from _packages(told)
    if spans:
        yield Heading(level + 1, "Metrics")
        rows = tuple(
            (name, number(last), number(low), number(high)) for name, (last, low, high) in spans.items()
        )
        yield Table(("metric", "last", "lowest", "highest"), rows)
        yield from pictures
    if told.pictures or told.artifacts:
        yield Heading(level + 1, "Artifacts")
        yield from _artifacts(told)
        yield from told.pictures
    if told.log.strip():
        yield Heading(level + 1, "End of the log")
        yield Code(mask.text(told.log))


def clock(moment: object) -> str:
    """A time for a reader, in UTC: a report is read elsewhere than where it was made."""
    if not isinstance(moment, (int, float)) or not moment:
        return ""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(moment))


def _facts(facts: Mapping[str, object]) -> Iterator[Facts]:
    rows = tuple((name, str(value)) for name, value in facts.items() if value not in (None, "", [], {}))
    if rows:
        yield Facts(rows)


def _outcome(told: Told) -> dict[str, object]:
    run, record = told.run, told.record
    used = record.get("used") or record
    job = record.get("job") or {}
    return {
        "run": run.id,
        "host": run.host,
        "state": run.state,
        "exit code": run.exit_code,
        "reason": record.get("reason"),
        "label": run.label,
        "campaign": run.campaign,
        "step": run.step,
        "try": record.get("attempt"),
        "call on several hosts": run.group,
        "started": clock(run.started),
        "ended": clock(record.get("ended")),
        "wall time": "" if run.seconds is None else format_duration(run.seconds),
        "CPU time": _duration(used.get("cpu_seconds")),
        "peak memory": _size(used.get("peak_memory")),
        "peak GPU memory": _size(used.get("gpu_memory")),
        "job": f"{job.get('launcher')} {job.get('id')}" if job else "",
        "again of": record.get("rerun_of"),
    }


def _inputs(told: Told, mask: Mask) -> dict[str, object]:
    record = told.record
    argv = [str(word) for word in record.get("argv") or () if word not in _PLACES]
    return {
        "typed": mask.text(record.get("command") or ""),
        "command there": mask.text(shlex.join(map(str, record.get("remote_command") or ()))),
        "script": record.get("script"),
        "arguments": mask.text(shlex.join(argv)),
        "parameters": _pairs(told.run.params, mask),
        "folder": record.get("cwd"),
        "variables": _pairs(mask.env, mask),
        "variables handed over": ", ".join(map(str, record.get("pass_env") or ())),
        "sent": ", ".join(map(str, record.get("send") or ())),
        "fetched": ", ".join(map(str, record.get("fetch") or ())),
        "time limit": _duration(record.get("timeout")),
        "notebook": record.get("notebook"),
        "session": "" if record.get("fresh") else record.get("session"),
    }


def _place(told: Told, facts: Mapping[str, Any]) -> dict[str, object]:
    record, environment = told.record, told.environment or {}
    settings, git = record.get("settings") or {}, record.get("git") or {}
    dirty = f", with changes ({git.get('untracked', 0)} files untracked)" if git.get("dirty") else ""
    if not git and record.get("git_commit"):
        git, dirty = {"commit": record["git_commit"]}, ", with changes" if record.get("git_dirty") else ""
    return {
        "host": told.run.host,
        "machine": settings.get("hostname"),
        "kind": ", ".join(str(one) for one in (settings.get("type"), settings.get("launcher")) if one),
        "system": environment.get("platform"),
        **{name.replace("_", " "): _word(value) for name, value in facts.items()},
        "workspace": record.get("workspace"),
        "workspace's digest": record.get("manifest") or record.get("workspace_digest"),
        "run's folder": told.folder,
        "git commit": git.get("commit") and f"{git['commit']}{_of_branch(git)}{dirty}",
        "environment": record.get("in_env"),
        "Python": environment.get("python"),
        "interpreter": environment.get("executable"),
    }


def _of_branch(git: Mapping[str, Any]) -> str:
    return f" ({git['branch']})" if git.get("branch") else ""


def _gpus(record: Mapping[str, Any]) -> Iterator[Block]:
    leased = {str(one.get("index")) for one in record.get("leased") or () if isinstance(one, Mapping)}
    rows = [
        (
            str(gpu.get("index", "")),
            str(gpu.get("name", "")),
            _size(gpu.get("memory_total")),
            str(gpu.get("driver", "")),
            "leased" if str(gpu.get("index")) in leased else "",
        )
        for gpu in record.get("gpus") or ()
        if isinstance(gpu, Mapping)
    ]
    if rows:
        yield Table(("GPU", "name", "memory", "driver", "of this run"), tuple(rows))


def _packages(told: Told) -> Iterator[Block]:
    packages = (told.environment or {}).get("packages")
    if isinstance(packages, Mapping) and packages:
        listed = "\n".join(f"{name}=={version}" for name, version in sorted(packages.items()))
        digest = blake2b(listed.encode(), digest_size=8).hexdigest()
        yield Code(listed, summary=f"{count([*packages], 'package')}, digest {digest}")


def _artifacts(told: Told) -> Iterator[Block]:
    if not told.artifacts:
        return
    here = told.here or {}
    rows = tuple((path, here.get(path, "")) for path in told.artifacts[:MOST_PATHS])
    yield Table(("path in the workspace there", "here"), rows)
    if len(told.artifacts) > MOST_PATHS:
        yield Text(f"and {len(told.artifacts) - MOST_PATHS} more")


def _pairs(values: Mapping[str, object], mask: Mask) -> str:
    return ", ".join(f"{name}={mask.text(value)}" for name, value in values.items())


def _is_shell(record: Mapping[str, Any]) -> bool:
    argv = [str(word) for word in record.get("argv") or ()]
    return bool(argv) and argv[0].rpartition("/")[2] in ("bash", "sh")


def _word(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _duration(seconds: object) -> str:
    return format_duration(float(seconds)) if isinstance(seconds, (int, float)) else ""


def _size(size: object) -> str:
    return format_size(float(size)) if isinstance(size, (int, float)) else ""
