"""PBS: what it answers, as recorded of each of its three languages, and what that means for runs."""

from __future__ import annotations

import json

import pytest

from jupyter_remote.jobs import Job, verdict
from jupyter_remote.launchers import pbs, pbs_answers
from jupyter_remote.launchers.job import Answer, NoAnswer, Standing

# How jobs stand.

RECORDED = {
    "timestamp": 1763777940,
    "pbs_version": "23.06.06",
    "pbs_server": "nbh1",
    "Jobs": {
        "0.nbh1": {
            "job_state": "R",
            "substate": 41,
            "queue": "workq",
            "comment": "Job run at Sun Nov 22 at 02:19 on (nbh1:ncpus=1:ngpus=1)",
            "exec_host": "nbh1/0*2+nbh2/0",
            "Resource_List": {"ncpus": 1, "ngpus": 1, "walltime": "01:00:00"},
            "Variable_List": {"PBS_O_HOME": "/root"},
        },
        "1.nbh1": {"job_state": "F", "Exit_status": 0, "substate": 92},
        "2.nbh1": {"job_state": "F", "Exit_status": 3, "substate": 93},
        "3.nbh1": {"job_state": "F", "Exit_status": 271, "substate": 91},
        "4.nbh1": {"job_state": "F", "Exit_status": -29, "comment": "job 4.nbh1 exceeded resource walltime"},
        "5.nbh1": {
            "job_state": "Q",
            "queue": "workq",
            "comment": "Not Running: Insufficient amount of resource: ngpus (R: 2 A: 0 T: 2)",
            "estimated": {"start_time": "Thu Jan  2 10:40:00 2020"},
        },
        "6.nbh1": {"job_state": "F", "substate": 91},
        "7.nbh1": {"job_state": "E"},
    },
}
TORQUE = """Job Id:\t41
\tJob_Name = jr-default
\tjob_state = R
\tqueue = main
\tResource_List.walltime = 01:00:00

Job Id: 42.server
    job_state = C
    exit_status = 271
    resources_used.walltime = 01:00:08
    Resource_List.walltime = 01:00:00
    comment = a long one that
\tgoes on
Job Id: 43.server
    job_state = C
    exit_status = 271
    resources_used.walltime = 00:00:08
    Resource_List.walltime = 01:00:00
Job Id: 44
\tjob_state = C
Job Id: 45.server
    job_state = C
    exit_status = -10
"""
GRID_ENGINE = """<?xml version='1.0'?>
<job_info><queue_info>
<job_list state="running"><JB_job_number>7</JB_job_number><JB_name>x</JB_name><state>r</state>
<queue_name>all.q@n1</queue_name><slots>1</slots></job_list>
</queue_info><job_info>
<job_list state="pending"><JB_job_number>8</JB_job_number><state>Eqw</state><queue_name></queue_name>
</job_list>
<job_list state="pending"><JB_job_number>9</JB_job_number><state>hqw</state><queue_name></queue_name>
</job_list>
</job_info></job_info>
"""


def test_how_jobs_stand_by_openpbs() -> None:
    found = pbs.standings(Answer(0, json.dumps(RECORDED, indent=4)))
    assert found["0.nbh1"].phase == "running"
    assert found["0.nbh1"].nodes == "nbh1,nbh2"
    assert [found[f"{n}.nbh1"].phase for n in range(1, 8)] == [*["ended"] * 4, "waiting", "ended", "running"]
    assert [found[f"{n}.nbh1"].exit_code for n in (1, 2, 3, 4, 6)] == [0, 3, 271, -29, 271]
    assert found["5.nbh1"].start == "2020-01-02T10:40:00"


def test_json_that_somebodys_variable_breaks_is_read_all_the_same() -> None:
    text = json.dumps(RECORDED, indent=4).replace('"/root"', '"say "hello""')
    with pytest.raises(ValueError, match="delimiter"):
        json.loads(text)
    whole, broken = pbs.standings(Answer(0, json.dumps(RECORDED))), pbs.standings(Answer(0, text))
    assert broken == whole
    with pytest.raises(NoAnswer, match="no JSON"):
        pbs.standings(Answer(0, "{ nothing"))


def test_how_jobs_stand_by_torque_and_grid_engine() -> None:
    found = pbs.standings(Answer(0, TORQUE))
    assert found["41"].phase == "running"
    assert found["42.server"].reason == "a long one thatgoes on"
    assert [pbs.verdict(found[n]).exit_code for n in ("42.server", "43.server", "45.server")] == [
        124,
        143,
        137,
    ]
    assert found["44"] == Standing("gone", "C", id="44"), "what its script left says more"
    found = pbs.standings(Answer(0, GRID_ENGINE))
    assert [(n, one.phase, one.word) for n, one in found.items()] == [
        ("7", "running", "r"),
        ("8", "waiting", "Eqw"),
        ("9", "waiting", "hqw"),
    ]


def test_a_job_that_is_forgotten_is_told_from_a_server_that_is_down() -> None:
    one = json.dumps({"Jobs": {"1.n": {"job_state": "R"}}})
    assert list(pbs.standings(Answer(153, one, "qstat: Unknown Job Id 0.nbh1"))) == ["1.n"]
    assert pbs.standings(Answer(35, "", "qstat: 0.n Job has finished, use -x or -H to obtain")) == {}
    assert pbs.standings(Answer(0, "")) == {}
    with pytest.raises(NoAnswer, match=r"^qselect: cannot connect to server nbh1"):
        pbs.standings(
            Answer(111, "", "Connection refused\nqselect: cannot connect to server nbh1 (errno=111)")
        )
    with pytest.raises(NoAnswer, match="exit code 3"):
        pbs.standings(Answer(3, ""))


@pytest.mark.parametrize(
    ("standing", "ahead", "line"),
    [
        (
            Standing("waiting", "Q", "Not Running: Insufficient amount of resource: ngpus (R: 2 A: 0 T: 2)"),
            12,
            "queued (12 ahead): Insufficient amount of resource: ngpus (R: 2 A: 0 T: 2)",
        ),
        (Standing("waiting", "Q", "", "2000-01-02T10:40:00"), 0, "queued (next, est. 2000-01-02 10:40)"),
        (
            Standing(
                "waiting", "Q", "Can Never Run: Insufficient amount of resource: ngpus (R: 9 A: 2 T: 2)"
            ),
            0,
            "queued, but will not start: Can Never Run: Insufficient amount of resource: ngpus "
            "(R: 9 A: 2 T: 2); interrupt it, and ask for something else",
        ),
        (
            Standing("waiting", "H", id="5.n"),
            3,
            "queued: held; `qrls 5.n` lets it go, or a job that it depends on",
        ),
        (
            Standing("waiting", "Eqw", id="8"),
            None,
            "queued, but will not start: it could not be started; `qstat -j 8` on the host says why; "
            "interrupt it, and ask for something else",
        ),
        (Standing("waiting", "Q"), None, "queued"),
        (Standing("running", "R"), None, "starting on its node"),
    ],
)
def test_a_job_that_waits_in_words(standing: Standing, ahead: int | None, line: str) -> None:
    assert pbs.line(standing, ahead) == line


def test_how_many_are_ahead() -> None:
    standing = Standing("waiting", "Q", queue="workq", id="5.n")
    assert pbs.queue(standing) == ["qselect", "-s", "Q", "-q", "workq"]
    assert pbs.queue(Standing("waiting", "qw")) is None
    assert pbs.ahead(Answer(0, "3.n\n4.n\n5.n\n9.n\n"), standing) == 2
    assert pbs.ahead(Answer(0, "all.q\n"), standing) is None
    assert pbs.ahead(Answer(127, "", "there is no qselect here"), standing) is None


@pytest.mark.parametrize(
    ("standing", "state", "code", "said"),
    [
        (Standing("ended", "deleted", exit_code=271), "stopped", 143, "was deleted (qdel)"),
        (Standing("ended", "F", exit_code=271), "stopped", 143, "was deleted (qdel)"),
        (Standing("ended", "deleted", exit_code=265), "stopped", 143, "was deleted (qdel)"),
        (Standing("ended", "F", exit_code=-29), "stopped", 124, "over its time limit (walltime)"),
        (Standing("ended", "F", exit_code=-27), "failed", 137, "used more memory than it had asked for"),
        (Standing("ended", "F", exit_code=-25), "failed", 137, "used more CPUs"),
        (Standing("ended", "F", exit_code=-28), "stopped", 124, "processor time"),
        (Standing("ended", "F", exit_code=-1, nodes="n7"), "failed", 1, " on n7: it could not be started"),
        (Standing("ended", "F", exit_code=-4), "lost", 1, "its node was restarted"),
        (Standing("ended", "F", exit_code=-10), "failed", 1, "your account is not valid"),
        (Standing("ended", "C", exit_code=-10), "failed", 137, "over one of its limits"),
        (Standing("ended", "F", "why", exit_code=-99), "failed", 1, "PBS ended it with status -99: why"),
        (Standing("ended", "F", exit_code=3), "failed", 3, "without a word of its own (exit code 3)"),
        (Standing("ended", "F", exit_code=0), "failed", 1, "without a word of its own"),
        (Standing("ended", "F", exit_code=265), "failed", 137, "(SIGKILL)"),
        (Standing("ended", "F", exit_code=139), "failed", 139, "(SIGSEGV)"),
        (Standing("gone", "C", id="12"), "lost", 1, "job 12 is over and left no exit code: it was killed"),
        (Standing("gone", id="12.n"), "lost", 1, "PBS does not know job 12.n any more"),
    ],
)
def test_ends_are_told_apart(standing: Standing, state: str, code: int, said: str) -> None:
    found = pbs.verdict(standing)
    assert (found.state, found.exit_code) == (state, code)
    assert said in found.reason


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("7 20 01:00:00\n", 7),
        ("143 20 01:00:00\n", 143),
        ("143 3601 01:00:00\n", 124),
        ("143 3601 -\nJob Id: 5.n\n    Resource_List.walltime = 01:00:00\n", 124),
        ("143 3601 -\nqstat: Unknown Job Id 5.n\n", 143),
        ("0 3601 01:00:00\n", 1),
        ("137 5 -\n", 137),
        ("", 1),
    ],
)
def test_what_the_script_left_tells_the_end_when_the_server_has_forgotten(text: str, code: int) -> None:
    assert pbs.verdict(pbs.ended(text)).exit_code == code


def test_what_a_script_leaves_is_waited_for_a_moment_when_the_server_tells_no_exit_status() -> None:
    job, over = Job({"key": "k", "id": "5"}), Standing("gone", "C", id="5")
    assert verdict("pbs", job, over, {"started": 1, "quiet": 2.0, "age": 100.0}) is None
    killed = verdict("pbs", job, over, {"started": 1, "quiet": 6.0, "age": 100.0})
    assert killed is not None
    assert killed.state == "lost"
    assert verdict("pbs", job, Standing("gone", id="5"), {"started": 1, "quiet": 6.0, "age": 100.0}) is None
    left = verdict("pbs", job, over, {"started": 1, "end": "143 5 -\n", "age": 100.0})
    assert left is not None
    assert (left.state, left.exit_code) == ("stopped", 143)


def test_what_jobs_have_used() -> None:
    jobs = {
        "1.n": {
            "job_state": "F",
            "Exit_status": 0,
            "resources_used": {"cput": "00:00:03", "mem": "5120kb", "walltime": "00:01:01"},
            "Resource_List": {"ncpus": 4, "ngpus": 1, "mem": "16gb"},
        }
    }
    assert pbs.used(Answer(0, json.dumps({"Jobs": jobs}))) == {
        "1.n": {
            "state": "COMPLETED",
            "elapsed_seconds": 61,
            "cpu_time": "00:00:03",
            "peak_memory": 5120 << 10,
            "exit_code": "0",
            "tres": "ncpus=4,ngpus=1,mem=16gb",
        }
    }
    with pytest.raises(NoAnswer, match="not configured"):
        pbs.used(Answer(191, "", "qstat: PBS is not configured to maintain job history"))
    assert pbs_answers.used("") == {}


@pytest.mark.parametrize(
    ("said", "message", "advice"),
    [
        ("qsub: Unknown queue", "c: PBS refused the job: Unknown queue", "qstat -q"),
        ("qsub: Job exceeds queue and/or server resource limits", "Job exceeds queue", "qstat -Qf"),
        ("qsub: would exceed queue generic's per-user limit", "would exceed", "wait for your other jobs"),
        ("Connection refused\nqsub: cannot connect to server n (errno=111)", "cannot connect", "qstat -B"),
        ("qsub: Unknown resource: jobsf", "Unknown resource: jobsf", "pbsnodes"),
        ("sh: 1: exec: qsub: not found", "there is no qsub here", "PATH"),
        (
            "option -S is ignored, specify shell\nThere was an error running the Slurm sbatch command.\nThe "
            "command was:\n'/usr/bin/sbatch'\nand the output was:\n"
            "'sbatch: error: invalid partition specified: x\n'",
            "c: PBS refused the job: invalid partition specified: x",
            "qstat -q",
        ),
        ("", "qsub ended with exit code 3", ""),
    ],
)
def test_a_refusal_comes_with_advice(said: str, message: str, advice: str) -> None:
    error = pbs.refused("c", said, 3)
    assert message in error.message
    assert advice in (error.hint or "")
