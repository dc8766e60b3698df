# SPDX-License-Identifier: MIT
"""Slurm's jobs in containers: with podman, for real."""

import os
import random

import pytest

import containers
import harness
from test_slurm_options import PIECES

INVALID, UNSUPPORTED = 64, 69


@pytest.fixture(scope="module")
def podman(session_dir):
    try:
        return containers.Podman(session_dir / "podman")
    except containers.Unavailable as reason:
        pytest.skip(f"no podman: {reason}")


@pytest.fixture(scope="module", params=["slurm", "slurmrest"])
def here(request, berth, podman):
    cluster = request.getfixturevalue(request.param)
    options = ["-b", "slurm"]
    if request.param == "slurmrest":
        cluster.configure(berth.home, "rest")
        options = ["-b", "rest", "--export", ",".join(podman.env)]
    here = berth.with_env(SLURM_CONF=cluster.config, **podman.env)
    here.run = lambda *argv, **more: here.submit(*options, "--launcher=podman", "--image", podman.name, *argv, **more)
    return here


def test_a_job_runs_in_the_container_and_its_exit_status_comes_out(here, podman):
    name = here.run("-C", "/tmp", "--", "sh", "-c", "cat /etc/inside; pwd; echo $OF_IMAGE $SLURM_JOB_ID; exit 7")
    job = here.wait(name, "FAILED")
    assert job["exit_code"] == 7, here("logs", "--stderr", name)
    assert here("logs", name).ok().stdout == f"yes\n/tmp\nimage {here.job(name)['native_id']}\n"
    assert podman.left() == ""


def test_ssh_lands_in_the_container(here, ssh, podman):
    name = here.run("-e", "WINS=user", "--", "sleep", "1000")
    here.wait(name, "RUNNING")
    ssh = ssh.with_env(SLURM_CONF=here.extra["SLURM_CONF"])
    assert ssh(name, "cat /etc/inside; echo $OF_IMAGE $WINS").ok().stdout == "yes\nimage user\n"
    ssh(name, "kill -TERM $(pidof sleep)")  # the job may end before the command does
    job = here.wait(name, "FAILED")
    assert (job["exit_code"], job["signal"]) in ((143, 0), (-1, 15), (None, 15))
    harness.until(lambda: podman.left() == "", "no container left")


def test_a_cancelled_job_ends_with_its_container(here, podman):
    name = here.run("--", "sh", "-c", "trap 'echo told; exit 0' TERM; trap 'echo usr1' USR1; echo up; while :; do sleep 0.1; done")
    harness.until(lambda: here("logs", name).stdout == "up\n", "output")
    here("signal", "USR1", name).ok()
    harness.until(lambda: here("logs", name).stdout == "up\nusr1\n", "the signal")
    here("cancel", name).ok()
    here.wait(name, "CANCELLED")
    harness.until(lambda: podman.left() == "", "no container left")


def test_every_word_and_value_reaches_the_command_in_the_container_as_it_is(here):
    seed = int.from_bytes(os.urandom(4), "little")
    draw = random.Random(seed)

    def word():
        return "".join(draw.choices(PIECES, k=draw.randrange(8)))
    words, values = ["\r\n", *(word() for _ in range(40))], [word() for _ in range(20)]
    script = r'printf "%s\0" "$@"; ' + " ".join(rf'printf "%s\0" "$V{i}";' for i in range(len(values)))
    name = here.run(*(part for i, value in enumerate(values) for part in ("-e", f"V{i}={value}")),
                    "--", "sh", "-c", script, "sh", *words)
    here.wait(name, "SUCCEEDED")
    assert (here.job_dir(name) / "stdout").read_bytes().decode().split("\0")[:-1] == words + values, f"seed {seed}"


@pytest.mark.parametrize("options, said", [
    (["--image", "ubuntu:24.04"], "--launcher"), (["--launcher", "podman"], "--image"),
    (["--image", "x", "--launcher", "warp"], "warp"), (["--image", "-x", "--launcher", "podman"], "dash"),
    (["--image", "a\nb", "--launcher", "podman"], "line break"), (["--image", "x", "--launcher", "none"], "none"),
    (["--image", "x", "--launcher", "podman", "--edf", "y"], "--edf")])
def test_what_cannot_be_started_is_refused(berth, options, said):
    result = berth("run", "-b", "slurm", *options, "--", "true", env={"SLURM_CONF": "/nonexistent"})
    assert result.status == INVALID and said in result.stderr and len(result.stderr.splitlines()) == 1


def test_this_machine_takes_no_launcher(berth):
    assert berth("run", "--launcher", "podman", "--", "true").status == UNSUPPORTED
