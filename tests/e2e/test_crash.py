# SPDX-License-Identifier: MIT
"""`berth run` killed with SIGKILL at each of its steps: what is left is a job that works, or nothing after `berth gc`.

strace kills it on entering its nth call of a kind, so that the program has no hooks for this. The calls are those by
which something outside of it changes: files, the database, the programs that it runs. Only berth itself is traced: what
it has started goes on, as it does after a kill.
"""

import collections
import contextlib
import json
import os
import pathlib
import re
import shutil
import sqlite3
import time

import pytest

import harness

STEPS = ("mkdir", "symlink", "rename", "clone", "clone3", "poll", "wait4", "pwrite64", "ftruncate", "sendto", "recvfrom",
         "exit_group")
# Of a kind with very many calls, this many are enough: spread over all of them.
EACH_MAX = 8
KILLED = 128 + 9
LONG_AGO = 7200


class Scheduler:
    """Slurm: by its commands, or by slurmrestd."""

    def __init__(self, cluster, name: str):
        self.cluster, self.name = cluster, name
        self.waiting = ("-b", name, "--begin", "now+1hour", "--", "sleep", "1000")
        self.before = self.ids()

    def ids(self) -> set:
        listed = self.cluster.run("squeue", "--noheader", "--states=PENDING,RUNNING", "--format=%F").ok().stdout
        return set(listed.split())

    def new(self) -> set:
        """What it runs, or is going to, of ours."""
        return self.ids() - self.before

    @staticmethod
    def id_of(job: dict) -> str:
        return job["native_id"]

    def begin(self, job: dict) -> None:
        self.cluster.run("scontrol", "update", f"JobId={job['native_id']}", "StartTime=now").ok()


class Machine:
    """This machine, which begins at once."""
    waiting = ("-b", "local", "--", "sleep", "1000")
    name = "local"

    def __init__(self, home):
        self.pattern = re.compile(rb"[^\0]*/berth-init\0(?:[^\0]*\0)*%s/jobs/([^/\0]+)\0" % bytes(home.berth_home))

    def new(self) -> set:
        found = set()
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if match := self.pattern.match(path.read_bytes()):
                    found.add(match[1].decode())
        return found

    @staticmethod
    def id_of(job: dict) -> str:
        return job["uid"]

    def begin(self, job: dict) -> None:
        pass


@pytest.fixture(params=["slurm", "slurmrest", "local"])
def place(request, fresh_home):
    if request.param == "local":
        return Machine(fresh_home)
    cluster = request.getfixturevalue(request.param)
    if request.param == "slurmrest":
        cluster.configure(fresh_home, "rest")
    return Scheduler(cluster, "slurm" if request.param == "slurm" else "rest")


@pytest.fixture
def here(fresh_home, berth, place):
    if not shutil.which("strace"):
        pytest.skip("needs strace, to kill at a system call")
    here = type(berth)(berth.program, fresh_home)
    return here.with_env(SLURM_CONF=place.cluster.config) if place.name == "slurm" else here


def traced(here, place, trace: str, *options) -> harness.Result:
    return harness.run(["strace", "-qq", "-o", trace, *options, here.program, "run", "-q", *place.waiting], env=here.env())


def count_steps(here, place, trace) -> collections.Counter:
    result = traced(here, place, str(trace), "-e", "trace=" + ",".join(STEPS))
    if "ptrace" in result.stderr:
        pytest.skip(f"strace cannot trace here: {result.stderr}")
    result.ok()
    return collections.Counter(re.findall(r"^(\w+)\(", trace.read_text(), re.M))


def drop_spares(here) -> None:
    """The next submission makes its keys itself."""
    for path in (here.home.state_dir / "keys" / "spare").glob("*"):
        path.unlink(missing_ok=True)


def points(counted: collections.Counter):
    for step, count in sorted(counted.items()):
        stride = -(-count // EACH_MAX)
        yield from ((step, n) for n in range(1, count + 1, stride))


def make_old(here) -> None:
    """What was begun long ago is not being submitted any more; for a test it is only said to be old."""
    jobs = here.home.berth_home / "jobs"
    for path in [*jobs.glob("*/script.sh"), *jobs.iterdir()]:
        os.utime(path, (time.time() - LONG_AGO,) * 2, follow_symlinks=False)
    store = sqlite3.connect(here.home.state_dir / "berth.db", timeout=30)
    with store:
        store.execute("UPDATE jobs SET created_ns = created_ns - ? * 1000000000", (LONG_AGO,))
    store.close()


def records(here) -> list:
    return json.loads(here("get", "jobs", "--all", "-o", "json").ok().stdout)


def open_jobs(here) -> dict:
    return {job["uid"]: job for job in records(here) if job["state"] in ("QUEUED", "STARTING", "RUNNING")}


def secret(path: pathlib.Path) -> str:
    return json.loads(path.read_text())["secret"]


def test_a_run_killed_at_any_step_leaves_a_job_that_works_or_nothing(here, place, short_dir):
    # The bundle, the host key and the Include line are there already.
    here("run", "-q", *place.waiting).ok()
    counted = count_steps(here, place, short_dir / "trace")
    harness.until(lambda: list((here.home.state_dir / "keys" / "spare").glob("*.job")), "spare keys")
    drop_spares(here)
    table = list(points(counted | count_steps(here, place, short_dir / "trace")))
    steps = {step for step, _ in table}
    assert steps >= {"mkdir", "rename", "wait4"} and steps & {"clone", "clone3"}, table
    for at, (step, n) in enumerate(table):
        if at % 2:
            drop_spares(here)
        result = traced(here, place, "/dev/null", "-e", f"trace={step}", "-e", f"inject={step}:signal=KILL:when={n}")
        assert result.status in (-9, KILLED, 0), f"{step} {n}: {result}"
    unrecorded = {job["uid"] for job in records(here) if job["state"] == "DEFINED"}
    make_old(here)
    here("gc", "--retention", "0s").ok()
    make_old(here)
    here("gc", "--retention", "0s").ok()
    jobs = open_jobs(here)
    assert unrecorded & set(jobs) and unrecorded - set(jobs), "nothing was handed over and not recorded"
    # Nobody is forgotten, and nobody is there who is not recorded.
    assert place.new() == {place.id_of(job) for job in jobs.values()}
    assert {job["state"] for job in records(here)} <= {"QUEUED", "RUNNING", "FAILED"}
    home = here.home
    assert {path.name for path in (home.berth_home / "jobs").iterdir()} == set(jobs)
    keys = home.state_dir / "keys"
    assert {path.name for path in keys.iterdir()} - {"spare"} == {f"{uid}.json" for uid in jobs}
    # Each of them has a pair of keys of its own, which is nobody's spare.
    pairs = [(secret(keys / f"{uid}.json"), secret(home.berth_home / "jobs" / uid / "tunnel.json")) for uid in jobs]
    assert all(ours == theirs for ours, theirs in pairs) and len(set(pairs)) == len(jobs)
    assert not {secret(path) for path in (keys / "spare").glob("*.job")} & {ours for ours, _ in pairs}
    blocks = {path.name for path in (home.ssh_dir / "berth").iterdir() if path.name != ".lock"}
    assert blocks == {f"{job['id']}.conf" for job in jobs.values()}
    harness.run(["ssh", "-G", "job-1"], env=here.env()).ok()
    here("cancel", "--all", "--yes").ok()
    harness.until(lambda: not place.new(), "an end of all of them")


def test_a_job_whose_run_was_killed_after_it_was_taken_is_entered_as_any_other(here, place, ssh, short_dir):
    """The record of it is among the last things that are written; the last are the database's own."""
    here("run", "-q", *place.waiting).ok()
    for n in range(count_steps(here, place, short_dir / "trace")["pwrite64"], 0, -1):
        traced(here, place, "/dev/null", "-e", "trace=pwrite64", "-e", f"inject=pwrite64:signal=KILL:when={n}")
        job = max(records(here), key=lambda job: job["created"])
        if job["state"] == "DEFINED":
            break
    name = job["id"]
    make_old(here)
    here("gc").ok()
    place.begin(here.job(name))
    here.wait(name, "RUNNING")
    harness.until((here.job_dir(name) / "endpoint.0.json").exists, f"endpoint of {name}")
    enter = type(ssh)(here.home).with_env(**here.extra)
    assert enter(name, "echo in the job").ok().stdout == "in the job\n"
    here("cancel", name).ok()
    here.wait(name, "CANCELLED")
    here("cancel", "--all", "--yes").ok()
