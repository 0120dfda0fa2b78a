"""The programs of a stand-in for OpenPBS (`pbs_server.py`): what they answer is as a recorded 23.06 has it.

`pbs_programs.py FOLDER PROGRAM WORDS...`; standard library only, because each test starts them often.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

SERVER = "nbh1"
NEVER = "Can Never Run: Insufficient amount of resource: ngpus (R: 9 A: 2 T: 2)"


@contextmanager
def locked(folder: Path) -> Iterator[dict[str, Any]]:
    """The jobs, kept by nobody else meanwhile."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        path = folder / "jobs.json"
        jobs: dict[str, Any] = json.loads(path.read_text())
        _reap(folder, jobs)
        yield jobs
        (folder / "jobs.new").write_text(json.dumps(jobs))
        (folder / "jobs.new").replace(path)


def _reap(folder: Path, jobs: dict[str, Any]) -> None:
    """Notes which have ended; a server without history forgets them."""
    for name, job in list(jobs.items()):
        ended = folder / f"{name}.exit"
        if job["job_state"] in ("R", "E") and ended.exists() and ended.read_text():
            code = int(ended.read_text())
            job["job_state"] = "F"
            job["Exit_status"] = job.pop("ends", code if code >= 0 else 256 - code)
            job["comment"] = job.pop("why", job.get("comment", ""))
            job["resources_used"] = {"cput": "00:00:01", "mem": "5120kb", "walltime": "00:00:01"}
            job["substate"] = 91 if job.pop("deleted", False) else 92 if code == 0 else 93
        if job["job_state"] == "F" and not (folder / "history").exists():
            del jobs[name]


def alive(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def end(folder: Path, name: str, status: int | None, comment: str) -> None:
    with locked(folder) as jobs:
        job = jobs[name]
        if status is not None:
            job.update(ends=status, why=comment)  # which is said when it is over, not while it ends
        else:
            job["deleted"] = True
        job["job_state"] = "E"
        pid = job["pid"]
    # TERM to all of it, and KILL to what does not obey; the recorded server waits 5 s, a test has no time.
    signal_all(pid, signal.SIGTERM)
    deadline = time.monotonic() + 2
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    signal_all(pid, signal.SIGKILL)


def signal_all(session: int, number: int) -> None:
    """To all processes of a session, as the server has it."""
    for entry in Path("/proc").iterdir():
        with suppress(OSError, IndexError, ValueError):
            if entry.name.isdigit():
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == session and int(entry.name) != os.getpid():
                    os.kill(int(entry.name), number)


# The programs.


def main(folder: Path, program: str, argv: list[str]) -> int:
    """One of them; returns its exit code."""
    with (folder / "calls").open("a") as log:
        log.write(f"{program} {' '.join(argv)}\n")
    if argv == ["--version"]:
        print("pbs_version = 23.06.06")
        return 0
    if (folder / "down").exists():
        print(
            f"Connection refused\n{program}: cannot connect to server {SERVER} (errno=111)", file=sys.stderr
        )
        return 111
    return {"qsub": qsub, "qstat": qstat, "qselect": qselect, "qdel": qdel, "qrls": qrls}[program](
        folder, argv
    )


def _words(argv: list[str], flags: str) -> tuple[dict[str, list[str]], list[str]]:
    """Options with a value each but for the flags, and what is left."""
    found: dict[str, list[str]] = {}
    rest = list(argv)
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        found.setdefault(option[1:2], []).append(
            option[2:] if option[2:] else "" if option[1:2] in flags else rest.pop(0)
        )
    return found, rest


def qsub(folder: Path, argv: list[str]) -> int:
    """Takes a job, and starts it unless it has to wait."""
    options, rest = _words(argv, "hV")
    wanted: dict[str, str] = {}
    for text in options.get("l", []):
        for part in text.split(","):
            key, _, value = part.partition("=")
            wanted[key] = value
            for inner in value.split(":")[1:] if key == "select" else []:
                wanted[inner.partition("=")[0]] = inner.partition("=")[2]
    queue = options.get("q", ["workq"])[0]
    if queue not in ("workq", "gpuvolta", "normal"):
        print("qsub: Unknown queue", file=sys.stderr)
        return 170
    if unknown := set(wanted) - {"select", "ncpus", "ngpus", "mem", "walltime", "storage", "place", "jobfs"}:
        print(f"qsub: Unknown resource: {unknown.pop()}", file=sys.stderr)
        return 189
    waits = (folder / "wait").read_text() if (folder / "wait").exists() else ""
    if int(wanted.get("ngpus", 0)) > 2:
        waits = NEVER
    with locked(folder) as jobs:
        counter = folder / "counter"
        number = int(counter.read_text())
        counter.write_text(str(number + 1))
        name = f"{number}.{SERVER}"
        state = "H" if "h" in options else "Q" if waits else "R"
        job = jobs[name] = {
            "Job_Name": options.get("N", ["STDIN"])[0],
            "Job_Owner": f"user@{SERVER}",
            "job_state": state,
            "queue": queue,
            "substate": {"R": 42, "Q": 10, "H": 20}[state],
            "Resource_List": {"ncpus": 1, "nodect": 1, **wanted},
            "Submit_arguments": " ".join(argv),
            "script": rest[0],
            "output": options["o"][0],
            "project": options.get("P", ["_pbs_project_default"])[0],
        }
        if waits:
            job["comment"] = waits
        if state == "R":
            _run(folder, name, job)
    print(name)
    return 0


def _run(folder: Path, name: str, job: dict[str, Any]) -> None:
    """Starts the script as the login shell of a node would: with what it is given and no more."""
    job.update(job_state="R", substate=42, exec_host=f"{SERVER}/0", stime=time.strftime("%c"))
    job["comment"] = f"Job run at {time.strftime('%a %b %d at %H:%M')} on ({SERVER}:ncpus=1)"
    env = dict(os.environ)
    env.update(PBS_JOBID=name, PBS_ENVIRONMENT="PBS_BATCH", PBS_NODEFILE=str(folder / "nodes"))
    keep = [sys.executable, "-I", "-S", __file__, str(folder), "job", name, job["script"], job["output"]]
    with Path(os.devnull).open("r+b") as nothing:
        child = subprocess.Popen(
            keep, stdin=nothing, stdout=nothing, stderr=nothing, env=env, cwd="/", start_new_session=True
        )
    job["pid"] = child.pid


def run_job(folder: Path, name: str, script: str, output: str) -> int:
    """What the node's daemon does: runs the script in this session, and tells how it ended."""
    signal.signal(signal.SIGTERM, lambda *_: None)
    with Path(script).open("rb") as text, Path(output).open("ab") as log:
        # The shell reads the script from its input, as there.
        child = subprocess.Popen(["/bin/sh"], stdin=text, stdout=log, stderr=log)
    code = child.wait()
    (folder / f"{name}.exit").write_text(str(code))
    return 0


def qstat(folder: Path, argv: list[str]) -> int:
    """Tells of jobs, as JSON or text."""
    flags = {letter for word in argv if word.startswith("-") for letter in word[1:]}
    ids = [word for word in argv if not word.startswith("-") and word != "json"]
    if "x" in flags and not (folder / "history").exists():
        print("qstat: PBS is not configured to maintain job history", file=sys.stderr)
        return 191
    code, found = 0, {}
    with locked(folder) as jobs:
        for name in ids or [name for name, job in jobs.items() if job["job_state"] != "F"]:
            if name not in jobs:
                print(f"qstat: Unknown Job Id {name}", file=sys.stderr)
                code = 153
            elif jobs[name]["job_state"] == "F" and "x" not in flags:
                print(
                    f"qstat: {name} Job has finished, use -x or -H to obtain historical job information",
                    file=sys.stderr,
                )
                code = 35
            else:
                hidden = ("script", "output", "pid", "ends", "why", "deleted")
                found[name] = {key: value for key, value in jobs[name].items() if key not in hidden}
    if "F" in flags:
        head = {"timestamp": int(time.time()), "pbs_version": "23.06.06", "pbs_server": SERVER}
        print(json.dumps({**head, **({"Jobs": found} if found else {})}, indent=4))
        return code
    for name, job in found.items():
        print(f"Job Id: {name}")
        for key, value in job.items():
            for inner, one in value.items() if isinstance(value, dict) else [("", value)]:
                print(f"    {key}.{inner} = {one}" if inner else f"    {key} = {one}")
        print()
    return code


def qselect(folder: Path, argv: list[str]) -> int:
    """Lists the ids of jobs."""
    options, _ = _words(argv, "x")
    if "x" in options and not (folder / "history").exists():
        print("qselect: PBS is not configured to maintain job history", file=sys.stderr)
        return 191
    with locked(folder) as jobs:
        for name, job in jobs.items():
            if (
                ("x" in options or job["job_state"] != "F")
                and job["job_state"] in options.get("s", [job["job_state"]])[0]
                and options.get("q", [job["queue"]])[0] == job["queue"]
            ):
                print(name)
    return 0


def qdel(folder: Path, argv: list[str]) -> int:
    """Ends jobs."""
    code = 0
    for name in argv:
        with locked(folder) as jobs:
            job = jobs.get(name)
            if job is None or job["job_state"] == "F":
                print(f"qdel: Unknown Job Id {name}", file=sys.stderr)
                code = 153
                continue
            waits = job["job_state"] in ("Q", "H")
            if waits:  # no Exit_status, as it has not run
                job.update(job_state="F", substate=91, comment="Job was deleted")
        if not waits:
            end(folder, name, None, job.get("comment", ""))
    return code


def qrls(folder: Path, argv: list[str]) -> int:
    """Lets jobs go that wait."""
    with locked(folder) as jobs:
        for name in argv:
            if jobs[name]["job_state"] in ("Q", "H"):
                _run(folder, name, jobs[name])
    return 0


if __name__ == "__main__":
    where, which, *words = sys.argv[1:]
    if which == "job":
        sys.exit(run_job(Path(where), *words))
    sys.exit(main(Path(where), which, words))
