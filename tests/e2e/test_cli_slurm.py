# SPDX-License-Identifier: MIT
"""What `berth` does with jobs on a real Slurm."""

import json
import os
import shutil
import sqlite3
import subprocess

import pytest

import harness

pytestmark = pytest.mark.sanitize
UNAVAILABLE, INVALID = 69, 64


@pytest.fixture
def here(fresh_home, berth, slurm):
    """berth as a user of their own on the cluster; run() adds the backend."""
    alone = type(berth)(berth.program, fresh_home).with_env(SLURM_CONF=slurm.config)
    alone.run = lambda *argv: alone.submit("-b", "slurm", *argv)
    return alone


@pytest.fixture
def enter(here, ssh, slurm):
    return type(ssh)(here.home).with_env(SLURM_CONF=slurm.config)


def database(here, statement: str, *values):
    connection = sqlite3.connect(here.home.state_dir / "berth.db")
    try:
        with connection:
            return connection.execute(statement, values).fetchone()
    finally:
        connection.close()


def native_id(here, name: str) -> str:
    """Slurm's id of the job, without asking anybody about it."""
    return database(here, "SELECT native_id FROM jobs WHERE id = ?", name.split("-")[1])[0]


def set_native_id(here, name: str, value: str) -> None:
    database(here, "UPDATE jobs SET native_id = ? WHERE id = ?", value, name.split("-")[1])


def test_the_words_of_slurm_are_kept_beside_ours(here, slurm):
    short = here.run("--", "true")
    assert here.wait(short, "SUCCEEDED")["native_state"] == "COMPLETED"
    running = here.run("train", "--", "sleep", "1000")
    here.wait(running, "RUNNING")
    assert slurm.job(int(here.job(running)["native_id"]))["JobName"] == "train"
    slurm.run("scancel", here.job(running)["native_id"]).ok()
    assert here.wait(running, "CANCELLED")["native_state"].startswith("CANCELLED")


def test_the_end_of_a_command_is_told_as_it_was(here, slurm):
    failed = here.run("--", "sh", "-c", "exit 3")
    killed = here.run("--", "sh", "-c", "kill -9 $$")
    assert here.wait(failed, "FAILED")["exit_code"] == 3
    job = here.wait(killed, "FAILED")
    assert (job["exit_code"], job["signal"]) == (None, 9)
    assert slurm.job(int(job["native_id"]))["ExitCode"] == "137:0"


def test_every_task_is_a_rank_that_can_be_entered(here, enter):
    name = here.run("-n", "3", "--", "sleep", "1000")
    here.wait(name, "RUNNING")
    for rank in range(3):
        harness.until((here.job_dir(name) / f"endpoint.{rank}.json").exists, f"endpoint of rank {rank}")
        assert enter(f"{name}.{rank}", "echo $SLURM_PROCID").ok().stdout == f"{rank}\n"
    assert enter(f"{name}.slurm", "echo $SLURM_JOB_ID").ok().stdout == f"{native_id(here, name)}\n"
    assert f"{name} is on 'slurm', not on 'hpc'" in here("proxy", f"{name}.hpc").stderr
    assert "its ranks are 0 to 2" in here("ssh", f"{name}.3", "true").stderr
    here("cancel", name).ok()
    here.wait(name, "CANCELLED")


def test_words_reach_the_command_unchanged(here):
    words = ["", " ", "a b", "'", '"', "$HOME", "`id`", "; exit 9", "*", "\n", "\\", "--", "-q", "é", "../x", "%j"]
    name = here.run("-e", "A=b c,d", "--", "sh", "-c", 'printf "%s|" "$A" "$@"', "sh", *words)
    here.wait(name, "SUCCEEDED")
    assert here("logs", name).ok().stdout == "".join(word + "|" for word in ["b c,d", *words])


def test_a_job_that_slurm_forgot_is_known_by_what_it_left(here, slurm):
    ended, running = here.run("--", "sh", "-c", "exit 4"), here.run("--", "sleep", "1000")
    slurm.wait(int(native_id(here, ended)), "FAILED")
    slurm.wait(int(native_id(here, running)), "RUNNING")
    harness.until(lambda: list((here.home.berth_home / "jobs").glob("*/endpoint.0.json")), "endpoint")
    known = native_id(here, running)
    for name in ended, running:
        set_native_id(here, name, "99999999")
    job = here.job(ended)
    assert (job["state"], job["exit_code"]) == ("FAILED", 4)
    job = here.job(running)
    assert job["state"] == "UNKNOWN" and "does not know it" in job["reason"]
    set_native_id(here, running, known)
    assert here.job(running)["state"] == "RUNNING"


def test_a_refused_submission_is_one_line_and_leaves_nothing(here):
    result = here("run", "-b", "slurm", "-p", "nosuch", "--", "true")
    assert result.status == INVALID and len(result.stderr.splitlines()) == 1
    assert "partition" in result.stderr
    assert json.loads(here("get", "jobs", "-a", "-o", "json").ok().stdout) == []
    assert not list((here.home.berth_home / "jobs").glob("*"))


def test_without_an_answer_the_last_known_state_is_shown_and_nothing_collected(here, slurm, short_dir):
    name = here.run("--", "sleep", "1000")
    here.wait(name, "RUNNING")
    silent = short_dir / "slurm.conf"
    silent.write_text("ClusterName=none\nSlurmctldHost=localhost(127.0.0.1)\nSlurmctldPort=1\nMessageTimeout=2\n"
                      "NodeName=none\nPartitionName=none Nodes=none Default=YES\n")
    deaf = here.with_env(SLURM_CONF=silent)
    result = deaf("get", "jobs", timeout=120)
    assert result.status == UNAVAILABLE and f"{name}  " in result.stdout and "RUNNING" in result.stdout
    assert len(result.stderr.splitlines()) == 1 and "last known" in result.stderr
    assert deaf("gc", "--retention", "0s", timeout=120).status == UNAVAILABLE
    assert (here.home.ssh_dir / "berth" / f"{name}.conf").exists() and (here.job_dir(name) / "tunnel.json").exists()
    here("cancel", name).ok()
    here.wait(name, "CANCELLED")


def test_who_waits_goes_on_waiting_while_slurm_is_busy(here, short_dir):
    """Every site's slurmctld lets a question time out now and then."""
    name = here.run("w", "--", "sh", "-c", "echo begun; exec sleep 1000")
    here.wait(name, "RUNNING")
    program, busy, asked = short_dir / "squeue", short_dir / "busy", short_dir / "asked"
    program.write_text(f"#!/bin/sh\necho >>{asked}\n[ -e {busy} ] || exec {shutil.which('squeue')} \"$@\"\n"
                       "echo 'slurm_load_jobs error: Socket timed out on send/recv operation' >&2\nexit 1\n")
    program.chmod(0o755)
    env = here.env(PATH=f"{short_dir}:{os.environ['PATH']}")
    errors = {verb: short_dir / f"errors.{verb[0]}" for verb in (("wait",), ("logs", "-f"))}
    waiting = [subprocess.Popen([here.program, *verb, name], env=env, stdout=subprocess.PIPE, text=True, stderr=path.open("w"))
               for verb, path in errors.items()]
    harness.until(lambda: asked.exists() and asked.read_text().count("\n") >= 4, "two looks of each")
    busy.touch()
    harness.until(lambda: all("asked again" in path.read_text() for path in errors.values()), "a word about it")
    refused = here("wait", name, env={"PATH": f"{short_dir}:{os.environ['PATH']}"})
    assert refused.status == UNAVAILABLE and "timed out" in refused.stderr, "who begins to wait hears it"
    busy.unlink()
    here("cancel", name).ok()
    outputs = [process.communicate(timeout=60)[0] for process in waiting]
    assert [process.returncode for process in waiting] == [143, 0]
    assert outputs[0].startswith(f"{name} CANCELLED") and outputs[1] == "begun\n"
    assert all(len(path.read_text().splitlines()) == 1 for path in errors.values())


def test_nodes_queues_and_places_of_jobs_are_told(here, slurm):
    queue = json.loads(here("get", "queues", "-o", "json").ok().stdout)[0]
    assert (queue["name"], queue["state"], queue["nodes"], queue["time_limit"]) == ("debug", "up", 1, None)
    name = here.run("-c", "2", "--jobset", "night-7", "--", "sleep", "1000")
    job = here.wait(name, "RUNNING")
    assert job["jobset"] == "night-7" and "Jobset:       night-7\n" in here("describe", "job", name).ok().stdout
    assert (job["queue"], job["node_list"], job["attempts"]) == ("debug", slurm.node, 1)
    node = json.loads(here("get", "nodes", slurm.node, "-o", "json").ok().stdout)[0]
    assert node["name"] == slurm.node and node["queues"] == "debug" and node["cpus"] == 32 and node["cpus_used"] >= 2
    assert here("get", "nodes", "--no-headers").ok().stdout.startswith(slurm.node)
    text = here("describe", "node", slurm.node).ok().stdout
    assert f"Name:         {slurm.node}\n" in text and "Memory:       4.0G\n" in text and "Queues:       debug\n" in text
    assert "Node list:    " in here("describe", "queue", "debug").ok().stdout
    assert here("describe", "queue", "nosuch").status == 66
    assert here("get", "nodes", "nosuch*").status == 66 and here("get", "queues", "--state", "up").status == INVALID
    assert here("get", "queues", "-b", "local").status == UNAVAILABLE
    for option, value, found in (("--queue", "deb*", True), ("--queue", "gpu", False),
                                 ("--node", slurm.node, True), ("--node", "n", False),
                                 ("--jobset", "night-*", True), ("--jobset", "day", False)):
        assert (name in here("get", "jobs", option, value, "-o", "name").ok().stdout) == found
    assert here("cancel", "--jobset", "day", "--dry-run").ok().stdout == ""
    here("cancel", "--jobset", "night-7", "--yes").ok()
    assert here("wait", name).status == 143


def test_a_job_that_starts_again_is_the_same_job(here, slurm):
    name = here.run("--", "sleep", "1000")
    here.wait(name, "RUNNING")
    slurm.run("scontrol", "requeuehold", native_id(here, name)).ok()
    job = here.wait(name, "QUEUED")
    assert job["attempts"] >= 1 and not job["started"]
    here("cancel", name).ok()
    here.wait(name, "CANCELLED")
