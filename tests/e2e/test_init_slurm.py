# SPDX-License-Identifier: MIT
"""berth-init in jobs of a real Slurm: what Slurm sends reaches the command exactly once, however it is sent.

Slurm tells only the processes that it started (proctrack/cgroup, as most sites have it) or every process of the job
(proctrack/linuxproc, and SignalChildrenProcesses): the same jobs run on a Slurm of either sort, side by side.
"""

import json
import pathlib
import signal

import pytest

import docker
import harness
import processes
import slurm as slurm_module
from initrun import PROGRAM
from tunnelrun import Tunnel

KILL_WAIT = 5  # seconds, as in slurm.conf

HUP, USR1, USR2, TERM, CONT = (int(getattr(signal, f"SIG{name}")) for name in ("HUP", "USR1", "USR2", "TERM", "CONT"))


class Job:
    """A job that records what it is sent, in one file a task."""

    def __init__(self, site, name: str, tasks=1, options=(), script=None, init_options=()):
        self.site, self.dir = site, site.dir / name
        self.dir.mkdir(mode=0o755)
        self.tasks = tasks
        init = f"{PROGRAM} {' '.join(map(str, init_options))} -- {site.probe} signals 1000"
        script = script or (f"exec {init}" if tasks == 1 else f"srun --output={self.dir}/%t {init}")
        result = site.slurm.run("sbatch", "--parsable", f"--ntasks={tasks}", "--open-mode=append",
                                f"--output={self.dir}/0" if tasks == 1 else "--output=/dev/null", *options,
                                "--wrap", script).ok()
        self.id = int(result.stdout.split(";")[0])

    def lines(self, task=0) -> list:
        path = self.dir / str(task)
        return path.read_text().splitlines() if path.exists() else []

    def ready(self, times=1) -> "Job":
        harness.until(lambda: all(self.lines(task).count("ready") == times for task in range(self.tasks)),
                      f"start of {self.dir.name}", limit=60)
        return self

    def got(self, task=0) -> list:
        return [json.loads(line)["signal"] for line in self.lines(task) if line.startswith("{")]

    def expect(self, *signals: int, limit=30) -> None:
        """Waits until each task got these signals; in which order is Slurm's."""
        for task in range(self.tasks):
            harness.until(lambda: set(signals) <= set(self.got(task)), f"{signals} at task {task} of {self.dir.name}",
                          limit)
            assert sorted(self.got(task)) == sorted(signals)

    def scancel(self, *options: str) -> None:
        self.site.slurm.run("scancel", *options, str(self.id)).ok()

    def end(self) -> dict:
        return self.site.slurm.wait(self.id, "COMPLETED", "FAILED", "CANCELLED", "TIMEOUT")


class Site:
    """A Slurm, and the jobs that the tests share."""

    def __init__(self, slurm, dir: pathlib.Path, build: pathlib.Path, probe: pathlib.Path):
        self.slurm, self.dir, self.probe = slurm, dir, probe
        dir.mkdir(mode=0o755)
        # Slurm warns when it looks at time limits next, which it does twice a minute, if the time left is shorter then.
        self.warned = Job(self, "warned", options=["--time=1", "--signal=B:USR1@60"])
        self.batch = Job(self, "batch")
        self.tunnel = Tunnel(dir, build)
        self.steps = Job(self, "steps", tasks=2,
                         init_options=["--dir", self.tunnel.job, "--tunnel", self.tunnel.program])
        self.requeued = Job(self, "requeued", options=["--requeue"])


@pytest.fixture(scope="module")
def sites(slurm, session_dir, build_dir):
    """Both, or a word why there is only one."""
    try:
        probe = docker.make_probe(session_dir, "-static")
    except docker.Unavailable as reason:
        pytest.skip(str(reason))
    found = {"linuxproc": Site(slurm, session_dir / "linuxproc", build_dir, probe)}
    path = session_dir / "slurm-cgroup"
    path.mkdir(mode=0o755)
    other = slurm_module.Slurm(path, "cgroup")
    try:
        other.start()
        found["cgroup"] = Site(other, session_dir / "cgroup", build_dir, probe)
    except slurm_module.Unavailable as reason:
        found["cgroup"] = f"no Slurm with proctrack/cgroup: {reason}"
    yield found
    slurm.run("scancel", "--user=root")
    other.stop()


@pytest.fixture(params=["cgroup", "linuxproc"])
def site(request, sites):
    site = sites[request.param]
    if isinstance(site, str):
        pytest.skip(site)
    return site


def test_the_batch_script_alone_is_told(site):
    """scancel --batch: the batch script is berth-init, and passes it on."""
    site.batch.ready().scancel("--batch", "--signal=USR1")
    site.batch.expect(USR1)


def test_a_batch_script_and_its_group_are_told(site):
    """scancel --full"""
    site.batch.ready().scancel("--full", "--signal=HUP")
    site.batch.expect(USR1, HUP)


def test_each_rank_of_a_step_is_told_once(site):
    """scancel --signal: every step, and not the batch script."""
    for rank in range(2):
        harness.until((site.tunnel.job / f"endpoint.{rank}.json").exists, f"endpoint of rank {rank}")
    before = processes.tunnels_of(site.tunnel.job)
    assert len(before) == 2
    site.steps.ready().scancel("--signal=USR2")
    site.steps.expect(USR2)
    # Who is told everything is the tunnel too, and that is nothing to end of.
    assert processes.tunnels_of(site.tunnel.job) == before


def test_each_rank_has_an_endpoint_and_a_status_of_its_own(site):
    for rank in range(2):
        endpoint = json.loads((site.tunnel.job / f"endpoint.{rank}.json").read_text())
        status = json.loads((site.tunnel.job / f"status.{rank}.json").read_text())
        assert (endpoint["rank"], status["rank"], status["state"]) == (rank, rank, "running")
    ports = {json.loads((site.tunnel.job / f"endpoint.{rank}.json").read_text())["addresses"][-1] for rank in range(2)}
    assert len(ports) == 2


def test_a_job_that_is_queued_again_starts_anew(site):
    site.requeued.ready()
    site.slurm.run("scontrol", "requeue", str(site.requeued.id)).ok()
    harness.until(lambda: site.slurm.job(site.requeued.id)["JobState"] == "PENDING", "queue", limit=30)
    site.slurm.run("scontrol", "update", f"JobId={site.requeued.id}", "StartTime=now").ok()
    site.requeued.ready(times=2)
    assert all(site.requeued.got().count(number) <= 1 for number in (CONT, TERM)), site.requeued.got()


def test_a_cancelled_job_is_told_once_and_has_its_time(site):
    """SIGCONT and SIGTERM, KillWait seconds, SIGKILL."""
    site.steps.scancel()
    site.batch.scancel()
    site.batch.expect(USR1, HUP, CONT, TERM)
    site.steps.expect(USR2, CONT, TERM)
    assert site.slurm.job(site.batch.id)["JobState"] in ("CANCELLED", "COMPLETING")
    harness.until(lambda: "EndTime" in site.batch.end(), "end", limit=KILL_WAIT + 30)
    assert sorted(site.batch.got()) == sorted((USR1, HUP, CONT, TERM))


def test_a_warning_before_the_end_of_the_time_arrives_once(site):
    """sbatch --signal=B:USR1@60"""
    harness.until(lambda: USR1 in site.warned.ready().got(), "warning", limit=90)
    # Slurm continues before it tells.
    assert sorted(site.warned.got()) in ([USR1], [USR1, CONT])
    site.warned.scancel()
