# SPDX-License-Identifier: MIT
"""The tunnel never hurts the job, and the job's end is the scheduler's: kill, break and starve what is around it."""

import os
import re
import secrets
import shutil
import signal

import pytest

import harness
import processes


@pytest.mark.sanitize
@pytest.mark.parametrize("status", [0, 3])
def test_the_exit_status_of_the_job_reaches_the_scheduler(cluster, status):
    name = cluster.berth.submit(*cluster.options, "--", "sh", "-c", f"exit {status}")
    job = cluster.berth.wait(name, "SUCCEEDED" if status == 0 else "FAILED")
    assert job["exit_code"] == status
    if cluster.slurm:
        state = "COMPLETED" if status == 0 else "FAILED"
        native = cluster.slurm.wait(int(job["native_id"]), "COMPLETED", "FAILED")
        assert (native["JobState"], native["ExitCode"]) == (state, f"{status}:0")


@pytest.mark.sanitize
def test_a_killed_tunnel_comes_back_and_the_job_never_notices(cluster):
    name = cluster.start("--", "sleep", "1000")
    cluster.ssh(name, "true").ok()
    job_dir = cluster.berth.job_dir(name)
    first = processes.tunnels_of(job_dir)
    assert first
    for pid in first:
        os.kill(pid, signal.SIGKILL)
    cluster.ssh(name, "true").ok()
    assert not set(first) & set(processes.tunnels_of(job_dir))
    assert cluster.berth.job(name)["state"] == "RUNNING"


def test_a_tunnel_that_dies_again_and_again_leaves_the_job_alone(cluster, tmp_path):
    name = cluster.start("--", "sh", "-c", f"while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; exit 9")
    job_dir = cluster.berth.job_dir(name)
    for _ in range(5):
        pids = harness.until(lambda: processes.tunnels_of(job_dir), "tunnel")
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        harness.until(lambda: not set(pids) & set(processes.tunnels_of(job_dir)), "end of the killed tunnel")
    (tmp_path / "go").touch()
    assert cluster.berth.wait(name, "FAILED")["exit_code"] == 9


def test_a_job_whose_tunnel_cannot_start_runs_to_its_end(cluster, build_dir, short_dir):
    shutil.copy(build_dir / "init" / "berth-init", short_dir)
    tunnel = short_dir / "berth-tunnel"
    real = build_dir / "tunnel" / "berth-tunnel"
    tunnel.write_text(f'#!/bin/sh\n[ "$1" != serve ] || exit 1\nexec {real} "$@"\n')
    tunnel.chmod(0o755)
    berth = cluster.berth.with_env(BERTH_BUNDLE=short_dir)
    name = berth.submit(*cluster.options, "--", "sh", "-c", "echo done; exit 3")
    assert berth.wait(name, "FAILED")["exit_code"] == 3
    assert berth("logs", name).ok().stdout == "done\n"


def test_the_tunnel_is_limited_and_what_users_start_is_not(cluster, tmp_path):
    look = "ulimit -Sd; ulimit -Sc; ulimit -Sn; cat /proc/self/oom_score_adj"
    name = cluster.start("--", "sh", "-c", f"({look}) >limits.new; mv limits.new limits; exec sleep 1000", cwd=tmp_path)
    harness.until((tmp_path / "limits").exists, "limits of the job")
    assert cluster.ssh(name, look).ok().stdout == (tmp_path / "limits").read_text()
    (tunnel,) = processes.tunnels_of(cluster.berth.job_dir(name))
    limits = processes.read(tunnel, "limits").decode()
    assert re.search(r"^Max data size +1073741824 ", limits, re.M), limits
    assert re.search(r"^Max core file size +0 ", limits, re.M), limits
    assert processes.read(tunnel, "oom_score_adj") == b"500\n"


def test_the_job_is_left_with_nothing_running(cluster, tmp_path):
    """Background processes of the command, of ssh sessions, and the tunnel end with the job."""
    marks = [f"432{i}.{secrets.randbelow(10**9)}" for i in (1, 2)]  # other tests run on this machine
    name = cluster.start("--", "sh", "-c", f"sleep {marks[0]} & while [ ! -e {tmp_path}/go ]; do sleep 0.05; done")
    job_dir = cluster.berth.job_dir(name)
    cluster.ssh(name, f"setsid sleep {marks[1]} >/dev/null 2>&1 </dev/null & true").ok()
    (tmp_path / "go").touch()
    cluster.berth.wait(name, "SUCCEEDED")

    def leftovers():
        words = [processes.argv(pid) for pid in processes.all_pids()]
        return [word for word in words if word in (["sleep", marks[0]], ["sleep", marks[1]])]
    harness.until(lambda: not leftovers() and not processes.tunnels_of(job_dir), "end of everything in the job")


def test_cancel_ends_a_job_that_ignores_requests(cluster):
    name = cluster.start("--", "sh", "-c", "trap '' TERM; while :; do sleep 0.1; done")
    cluster.berth("cancel", name).ok()
    cluster.berth.wait(name, "CANCELLED", limit=90)
    harness.until(lambda: not processes.tunnels_of(cluster.berth.job_dir(name)), "end of the tunnel")
