# SPDX-License-Identifier: MIT
"""A job that is kept for inspection when its command has ended: berth run --hold, berth release."""

import harness


def hold(cluster, *options, status=3) -> str:
    name = cluster.start("--hold", "30m,on-failure", *options, "--", "sh", "-c", f"exit {status}")
    harness.until(lambda: cluster.berth.job(name)["reason"], "hold")
    return name


def test_a_failed_job_is_held_entered_and_released(cluster):
    name = hold(cluster)
    job = cluster.berth.job(name)
    assert (job["state"], job["exit_code"]) == ("RUNNING", None)
    assert job["reason"].startswith("held after exit 3, ") and job["reason"].endswith(" min left")
    assert cluster.ssh(name, "echo here").ok().stdout == "here\n"
    assert "released" in cluster.berth("release", name).ok().stdout
    assert cluster.berth.wait(name, "FAILED")["exit_code"] == 3
    result = cluster.berth("release", name)
    assert result.status == 69 and "ended: FAILED" in result.stderr


def test_a_held_job_can_be_cancelled(cluster):
    name = hold(cluster)
    cluster.berth("cancel", name).ok()
    cluster.berth.wait(name, "CANCELLED")


def test_a_job_that_succeeds_is_not_held_and_one_that_runs_is_not_released(cluster):
    name = cluster.berth.submit("--hold", "30m,on-failure", "--", "true")
    cluster.berth.wait(name, "SUCCEEDED")
    name = cluster.start("--", "sleep", "1000")
    result = cluster.berth("release", name)
    assert result.status == 69 and "is not held: its command has not ended" in result.stderr
    assert cluster.berth.job(name)["state"] == "RUNNING"
    cluster.berth("cancel", name).ok()


def test_a_hold_that_is_none_is_refused(cluster):
    result = cluster.berth("run", "--hold", "30m,on-success", "--", "true")
    assert result.status == 64 and "--hold: '30m,on-success'" in result.stderr


def test_every_rank_of_a_job_is_released(cluster):
    if cluster.name != "slurm":
        return
    name = hold(cluster, "--tasks", "2")
    assert "2" in cluster.ssh(name, "echo 2").ok().stdout
    cluster.berth("release", name).ok()
    assert cluster.berth.wait(name, "FAILED")["exit_code"] == 3
