# SPDX-License-Identifier: MIT
"""`berth run` killed with SIGKILL at each of its steps: what is left is a job that works, or nothing after `berth gc`.

strace kills it on entering its nth call of a kind, so that the program has no hooks for this. The calls are those by
which something outside of it changes: files, the database, the programs that it runs. Only berth itself is traced: what
it has started goes on, as it does after a kill.
"""

import collections
import json
import re
import shutil
import sqlite3

import pytest

import harness

STEPS = ("mkdir", "symlink", "rename", "clone", "clone3", "poll", "wait4", "pwrite64", "ftruncate", "exit_group")
# Of a kind with very many calls, this many are enough: spread over all of them.
EACH_MAX = 8
KILLED = 128 + 9
LONG_AGO = 7200


@pytest.fixture
def here(fresh_home, berth, slurm):
    if not shutil.which("strace"):
        pytest.skip("needs strace, to kill at a system call")
    return type(berth)(berth.program, fresh_home).with_env(SLURM_CONF=slurm.config)


def traced(here, trace: str, *options, env=None) -> harness.Result:
    argv = ["strace", "-qq", "-o", trace, *options, here.program, "run", "-q", "-b", "slurm", "--begin", "now+1hour",
            "--", "true"]
    return harness.run(argv, env=here.env(**(env or {})))


def count_steps(here, trace) -> collections.Counter:
    result = traced(here, str(trace), "-e", "trace=" + ",".join(STEPS))
    if "ptrace" in result.stderr:
        pytest.skip(f"strace cannot trace here: {result.stderr}")
    result.ok()
    return collections.Counter(re.findall(r"^(\w+)\(", trace.read_text(), re.M))


def points(counted: collections.Counter):
    for step, count in sorted(counted.items()):
        stride = -(-count // EACH_MAX)
        yield from ((step, n) for n in range(1, count + 1, stride))


def make_old(here) -> None:
    """What was begun long ago is not being submitted any more; for a test it is only said to be old."""
    store = sqlite3.connect(here.home.state_dir / "berth.db", timeout=30)
    with store:
        store.execute("UPDATE jobs SET created_ns = created_ns - ? * 1000000000", (LONG_AGO,))
    store.close()


def in_queue(slurm) -> set:
    return set(slurm.run("squeue", "--noheader", "--states=PENDING,RUNNING", "--format=%F").ok().stdout.split())


def records(here) -> list:
    return json.loads(here("get", "jobs", "--all", "-o", "json").ok().stdout)


def test_a_run_killed_at_any_step_leaves_a_job_that_works_or_nothing(here, slurm, short_dir):
    before = in_queue(slurm)
    # The bundle, the host key and the Include line are there already.
    here("run", "-q", "-b", "slurm", "--begin", "now+1hour", "--", "true").ok()
    table = list(points(count_steps(here, short_dir / "trace")))
    steps = {step for step, _ in table}
    assert steps >= {"mkdir", "rename", "wait4"} and steps & {"clone", "clone3"}, table
    for step, n in table:
        result = traced(here, "/dev/null", "-e", f"trace={step}", "-e", f"inject={step}:signal=KILL:when={n}")
        assert result.status in (-9, KILLED, 0), f"{step} {n}: {result}"
    make_old(here)
    here("gc", "--retention", "0s").ok()
    make_old(here)
    here("gc", "--retention", "0s").ok()
    jobs = {job["uid"]: job for job in records(here) if job["state"] == "QUEUED"}
    # Nobody is forgotten, and nobody is there who is not recorded.
    assert in_queue(slurm) - before == {job["native_id"] for job in jobs.values()}
    assert {job["state"] for job in records(here)} <= {"QUEUED", "FAILED"}
    home = here.home
    assert {path.name for path in (home.berth_home / "jobs").iterdir()} == set(jobs)
    assert {path.name for path in (home.state_dir / "keys").iterdir()} == {f"{uid}.json" for uid in jobs}
    blocks = {path.name for path in (home.ssh_dir / "berth").iterdir() if path.name != ".lock"}
    assert blocks == {f"{job['id']}.conf" for job in jobs.values()}
    harness.run(["ssh", "-G", "job-1"], env=here.env()).ok()
    here("cancel", "--all", "--yes").ok()
    harness.until(lambda: in_queue(slurm) == before, "an empty queue")


def test_a_job_whose_run_was_killed_after_sbatch_took_it_is_entered_as_any_other(here, slurm, ssh):
    here("run", "-q", "-b", "slurm", "--", "true").ok()
    # It waits for keygen first, then for sbatch.
    killed = harness.run(["strace", "-qq", "-o", "/dev/null", "-e", "trace=wait4", "-e",
                          "inject=wait4:signal=KILL:when=2", here.program, "run", "-b", "slurm", "--", "sleep", "1000"],
                         env=here.env())
    if "ptrace" in killed.stderr:
        pytest.skip(f"strace cannot trace here: {killed.stderr}")
    assert killed.status in (-9, KILLED)
    make_old(here)
    here("gc").ok()
    here.wait("job-2", "RUNNING")
    enter = type(ssh)(here.home).with_env(SLURM_CONF=slurm.config)
    assert enter("job-2", "echo in the job").ok().stdout == "in the job\n"
    here("cancel", "job-2").ok()
    here.wait("job-2", "CANCELLED")
