# SPDX-License-Identifier: MIT
"""`berth run` killed at each of its steps with a container engine: a job that works, or nothing after `berth gc`.

The steps are those where the engine is told something or has answered, and where files of the job are made; test_crash.py
has those of the database and the keys, which are the same for each backend. Once the engine is asked as one elsewhere is:
through TCP, with archives and a volume in place of directories that are bound.
"""

import contextlib
import shutil
import subprocess

import pytest

import engines
import harness
import test_crash
from conftest import Ssh
from ports import free_ports

STEPS = {"docker": ("mkdir", "rename", "sendto", "recvfrom"), "elsewhere": ("sendto",), "podman": ("sendto",)}


@contextlib.contextmanager
def through_tcp(socket: str):
    """DOCKER_HOST of an engine that does not see our files."""
    if not shutil.which("socat"):
        pytest.skip("no socat: apt-get install socat")
    port = free_ports(1)[0]
    process = subprocess.Popen(["socat", f"TCP-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr", f"UNIX-CONNECT:{socket}"])
    try:
        yield f"tcp://127.0.0.1:{port}"
    finally:
        harness.stop(process)


class Place:
    """What test_crash.traced() wants to know."""

    def __init__(self, engine, name):
        self.engine, self.name = engine, name
        self.waiting = ("-b", "docker", "--network", "host", "--image", engine.image("busybox"), "--", "sleep", "1000")
        self.before = set(engine.left())

    def left(self) -> set:
        return set(self.engine.left()) - self.before


@pytest.fixture(params=["docker", "elsewhere", "podman"])
def place(request):
    if request.param == "podman":
        return Place(request.getfixturevalue("podman_service"), "podman")
    return Place(engines.Dockerd(request.getfixturevalue("docker")), request.param)


@pytest.fixture
def alone(place, berth, fresh_home):
    """A user whose database nobody else has."""
    if not shutil.which("strace"):
        pytest.skip("needs strace, to kill at a system call")
    with contextlib.ExitStack() as stack:
        url = place.engine.url
        if place.name == "elsewhere":
            url = stack.enter_context(through_tcp(url.removeprefix("unix:")))
        yield type(berth)(berth.program, fresh_home).with_env(DOCKER_HOST=url)


def collect(here) -> None:
    test_crash.make_old(here)
    here("gc", "--retention", "0s", timeout=90).ok()


class Found:
    """What was found of runs that were killed before they could say how they went."""

    def __init__(self, here, place):
        self.here, self.place = here, place
        self.taken, self.lost = 0, 0

    def check(self) -> None:
        unrecorded = {job["uid"] for job in test_crash.records(self.here) if job["state"] == "DEFINED"}
        collect(self.here)
        jobs = test_crash.open_jobs(self.here)
        # A container for each job, a job for each container; the volume is in use.
        assert {name for name in self.place.left() if "bundle" not in name} == {f"berth-{uid}" for uid in jobs}
        assert {path.name for path in (self.here.home.berth_home / "jobs").iterdir()} == set(jobs)
        enter = Ssh(self.here.home, self.here.extra)
        for uid in unrecorded & set(jobs):
            assert enter(jobs[uid]["id"], "echo in").ok().stdout == "in\n"
        self.taken += len(unrecorded & set(jobs))
        self.lost += len(unrecorded - set(jobs))

    def clear(self) -> None:
        self.check()
        self.here("cancel", "--all", "--yes", timeout=90).ok()
        collect(self.here)
        assert not self.place.left()
        assert not list((self.here.home.berth_home / "jobs").iterdir())
        assert {path.name for path in (self.here.home.state_dir / "keys").iterdir()} <= {"spare"}


def kill_at(here, place, step, n) -> None:
    result = test_crash.traced(here, place, "/dev/null", "-e", f"trace={step}", "-e", f"inject={step}:signal=KILL:when={n}")
    assert result.status in (-9, test_crash.KILLED, 0), f"{step} {n}: {result}"


def test_a_run_killed_at_any_step_leaves_a_job_that_works_or_nothing(alone, place, short_dir):
    found = Found(alone, place)
    alone("run", "-q", *place.waiting).ok()
    if place.name == "elsewhere":
        found.clear()  # and so the volume is filled once more, with each of them
    counted = test_crash.count_steps(alone, place, short_dir / "trace")
    table = [(step, n) for step, n in test_crash.points(counted) if step in STEPS[place.name]]
    assert {"sendto"} <= {step for step, _ in table}, table
    for step, n in table[::2] if place.name == "elsewhere" else table:
        if place.name == "elsewhere":
            found.clear()
        kill_at(alone, place, step, n)
    # One that was started, and whose record is not written: that is the last thing that is.
    for n in range(test_crash.count_steps(alone, place, short_dir / "trace")["pwrite64"], 0, -1):
        kill_at(alone, place, "pwrite64", n)
        if max(test_crash.records(alone), key=lambda job: job["created"])["state"] == "DEFINED":
            break
    found.clear()
    assert found.taken and found.lost, "nothing was handed over and not recorded"
