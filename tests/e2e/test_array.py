# SPDX-License-Identifier: MIT
"""Arrays of jobs on a real Slurm: one submission, and each task is a rank by its index."""

import json
import re

import pytest

import harness

INVALID, NOT_FOUND, UNSUPPORTED, UNAVAILABLE, LIMIT = 64, 66, 69, 69, 69


@pytest.fixture(scope="module")
def here(home, berth, slurm):
    alone = type(berth)(berth.program, home).with_env(SLURM_CONF=slurm.config)
    alone.run = lambda *argv: alone.submit("-b", "slurm", *argv)
    return alone


@pytest.fixture(scope="module")
def enter(here, ssh, slurm):
    return type(ssh)(here.home).with_env(SLURM_CONF=slurm.config)


@pytest.fixture(scope="module")
def running(here):
    """An array with gaps, of which two tasks run at a time."""
    name = here.run("sweep", "--array", "2-11:3%2", "--", "sh", "-c",
                    "echo out $SLURM_ARRAY_TASK_ID; echo err $SLURM_ARRAY_TASK_ID >&2; exec sleep 1000")
    harness.until(lambda: sorted(path.name for path in here.job_dir(name).glob("endpoint.*.json")) ==
                  ["endpoint.2.json", "endpoint.5.json"], "two endpoints")
    yield name
    here("cancel", name).ok()
    here.wait(name, "CANCELLED")


def runs(here, name):
    return {run["id"].split("_")[1]: run for run in json.loads(here("get", "job-runs", name, "-o", "json").ok().stdout)}


def test_an_array_is_one_job_whose_tasks_are_ranks(here, running, slurm):
    job = here.job(running)
    assert (job["state"], job["array"], job["ranks"]) == ("RUNNING", "2-11:3%2", 4)
    assert job["reason"] == "2 RUNNING, 2 QUEUED"
    tasks = runs(here, running)
    assert {task: run["state"] for task, run in tasks.items()} == {
        "2": "RUNNING", "5": "RUNNING", "8": "QUEUED", "11": "QUEUED"}
    assert tasks["2"]["attempt"] == 1 and tasks["2"]["node_list"] == slurm.node
    assert tasks["8"]["attempt"] == 0 and tasks["8"]["reason"] == "JobArrayTaskLimit"
    assert json.loads(here("get", "jobs", f"{running}_8", "-o", "json").ok().stdout)[0]["state"] == "QUEUED"
    text = here("describe", "job", f"{running}_5").ok().stdout
    assert re.search(rf"^Job: +{running}_5$", text, re.M) and re.search(r"^State: +RUNNING", text, re.M)


def test_a_task_is_entered_by_its_index(here, enter, running):
    for host, task in (f"{running}_5", 5), (f"{running}.2", 2), ("sweep.job_5", 5), (running, 2):
        assert enter(host, "echo $SLURM_ARRAY_TASK_ID").ok().stdout == f"{task}\n"
    assert here("exec", f"{running}_5", "--", "printenv", "SLURM_ARRAY_TASK_ID").ok().stdout == "5\n"
    assert "CPU" in here("stat", f"{running}_2").ok().stdout
    assert "its array is 2-11:3%2" in here("ssh", f"{running}_3", "true").stderr


def test_the_host_block_of_an_array_names_no_task_and_no_quote(here, running):
    config = (here.home.ssh_dir / "berth" / f"{running}.conf").read_text()
    assert len(re.findall("^Host ", config, re.M)) == 1 and f"{running}_2" not in config

    def proxy(host):
        return "proxycommand" in harness.run(["ssh", "-G", host], env=here.env()).stdout
    assert proxy(f"{running}_2") and proxy(f"{running}_11") and proxy(running) and proxy("sweep.job.5")
    assert not proxy(f"{running}_';id;'") and not proxy(f"{running}0_2")


def test_each_task_has_a_log_of_its_own(here, running):
    assert here("logs", f"{running}_5").ok().stdout == "out 5\n"
    assert here("logs", "--stderr", f"{running}_2").ok().stdout == "err 2\n"
    assert here("logs", running).ok().stdout == "out 2\nout 5\n"
    assert here("logs", f"{running}_8").ok().stdout == ""
    assert here("logs", f"{running}_3").status == NOT_FOUND


def test_a_single_task_is_held_released_and_cancelled(here, running):
    here("hold", f"{running}_11").ok()
    assert runs(here, running)["11"]["reason"].startswith("JobHeld")
    assert runs(here, running)["8"]["reason"] == "JobArrayTaskLimit"
    here("release", f"{running}_11").ok()
    harness.until(lambda: runs(here, running)["11"]["reason"] == "JobArrayTaskLimit", "released")
    here("cancel", f"{running}_5").ok()
    here("wait", f"{running}_5", "--timeout", "60s")
    harness.until(lambda: runs(here, running)["8"]["state"] == "RUNNING", "the next task")
    assert runs(here, running)["5"]["state"] == "CANCELLED"
    assert here.job(running)["state"] == "RUNNING"
    refused = here("exec", f"{running}_5", "--", "true")
    assert refused.status == UNAVAILABLE and f"{running}_5 ended: CANCELLED" in refused.stderr
    here("cancel", f"{running}_[8,11]").ok()
    assert here("wait", f"{running}_[8,11]", "--timeout", "60s").status == 143
    assert here.job(running)["reason"] == "1 RUNNING, 3 CANCELLED"


def test_an_array_ends_as_its_worst_task(here):
    name = here.run("--array", "0-3", "--", "sh", "-c", "exit $SLURM_ARRAY_TASK_ID")
    assert here("wait", name, "--timeout", "60s").status == 1
    job = here.job(name)
    assert (job["state"], job["exit_code"], job["reason"]) == ("FAILED", 1, "3 FAILED, 1 SUCCEEDED")
    tasks = runs(here, name)
    assert [tasks[str(task)]["exit_code"] for task in range(4)] == [0, 1, 2, 3]
    assert all(run["max_rss"] for run in tasks.values())
    assert here("wait", f"{name}_3").status == 3
    here("gc", "--retention", "0s").ok()
    assert not here.job_dir(name).exists()
    assert runs(here, name) == tasks


def test_a_script_with_an_array_is_taken_as_it_is(here, short_dir):
    path = short_dir / "sweep.sh"
    path.write_text(f"#!/bin/sh\n#SBATCH -a 1-2 -o {short_dir}/%x-%A_%a.out\necho task $SLURM_ARRAY_TASK_ID\n")
    name = here("submit", path, "--quiet").ok().stdout.strip()
    here("wait", name, "--timeout", "60s").ok()
    native = here.job(name)["native_id"]
    assert (short_dir / f"sweep.sh-{native}_2.out").read_text() == "task 2\n"
    assert here("logs", f"{name}_2").ok().stdout == "task 2\n"
    assert here("logs", name).ok().stdout == "task 1\ntask 2\n"


def test_a_rank_of_a_job_that_is_no_array_cannot_be_touched_alone(here):
    name = here.run("-n", "2", "--", "sh", "-c", "echo rank $SLURM_PROCID")
    assert here("cancel", f"{name}.1").status == INVALID
    refused = here("signal", "USR1", f"{name}.0")
    assert refused.status == INVALID and "its ranks start and end together" in refused.stderr
    assert f"{name}.1\n" in here("describe", "job", f"{name}.1").ok().stdout
    here("wait", name, "--timeout", "60s").ok()
    assert here("logs", f"{name}.1").ok().stdout == "rank 1\n"
    assert here("logs", name).ok().stdout == "rank 0\nrank 1\n"
    (run,) = json.loads(here("get", "job-runs", f"{name}.1", "-o", "json").ok().stdout)
    assert (run["id"], run["state"], run["exit_code"], run["task"]) == (f"{name}.1", "SUCCEEDED", 0, None) and run["max_rss"]
    assert here("get", "jobs", f"{name}.1", name, "-o", "name").ok().stdout == f"{name}.1\n{name}\n"
    assert "its ranks are 0 to 1" in here("get", "jobs", f"{name}.2").stderr


def test_what_cannot_be_an_array_is_refused(here):
    for options in ["--array", "9-0"], ["--array", "0-1000000", "-n", "4000"]:
        result = here("run", "-b", "slurm", *options, "--", "true")
        assert result.status in (INVALID, LIMIT) and "--array" in result.stderr
    assert here("run", "--array", "0-3", "--", "true").status == UNSUPPORTED
