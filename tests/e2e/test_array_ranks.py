# SPDX-License-Identifier: MIT
"""Arrays whose tasks have several ranks, on a real Slurm of two nodes: each rank is a place of its own, job-7_3.1."""

import json
import subprocess

import pytest

import harness

INVALID, NOT_FOUND, UNAVAILABLE = 64, 66, 69

# Says where it is, and what it is told.
WAITS = """\
trap 'echo told $SLURM_ARRAY_TASK_ID.$SLURM_PROCID' USR1
echo "out $SLURM_ARRAY_TASK_ID.$SLURM_PROCID"
echo "err $SLURM_ARRAY_TASK_ID.$SLURM_PROCID" >&2
while :; do sleep 1000 & wait; done
"""
# Each task ends another way, by its rank 1: with 0, 1, 2, a signal.
ENDS = """\
[ "$SLURM_PROCID" = 1 ] || exit 0
[ "$SLURM_ARRAY_TASK_ID" != 3 ] || kill -KILL $$
echo "why $SLURM_ARRAY_TASK_ID" >&2
exit "$SLURM_ARRAY_TASK_ID"
"""
WHERE = "echo $SLURM_ARRAY_TASK_ID.$SLURM_PROCID on $SLURMD_NODENAME"


@pytest.fixture(scope="module")
def here(home, berth, ledger):
    ledger.configure(home, "api")
    return type(berth)(berth.program, home).with_env(SLURM_CONF=ledger.config)


@pytest.fixture(scope="module")
def enter(here, ssh, ledger):
    return type(ssh)(here.home).with_env(SLURM_CONF=ledger.config)


def runs(here, name):
    return {run["id"].split("_")[1]: run for run in json.loads(here("get", "job-runs", name, "-o", "json").ok().stdout)}


def endpoints(here, name):
    return {int(path.name.split(".")[1]) for path in here.job_dir(name).glob("endpoint.*.json")}


@pytest.fixture(scope="module")
def running(here):
    """Four tasks, two of which run at a time, on both nodes."""
    name = here.submit("grid", "-b", "slurm", "--array", "1-7:2%2", "--nodes", "2", "--tasks", "2", "--", "sh", "-c", WAITS)
    harness.until(lambda: endpoints(here, name) == {2, 3, 6, 7}, "the endpoints of two tasks")
    yield name
    here("cancel", name).ok()
    here.wait(name, "CANCELLED")


def test_each_rank_of_each_task_is_entered_where_it_is(here, enter, running, ledger):
    job = here.job(running)
    assert (job["state"], job["array"], job["ranks"], job["nodes"]) == ("RUNNING", "1-7:2%2", 8, 2)
    assert job["reason"] == "2 RUNNING, 2 QUEUED"
    for host, rank, node in ((f"{running}_3.1", "3.1", ledger.second), (f"{running}_3", "3.0", ledger.node),
                             ("grid.job_1.1", "1.1", ledger.second), (running, "1.0", ledger.node),
                             (f"{running}_1.0", "1.0", ledger.node)):
        assert enter(host, WHERE).ok().stdout == f"{rank} on {node}\n"
    assert here("exec", f"{running}_3.1", "--", "sh", "-c", WHERE).ok().stdout == f"3.1 on {ledger.second}\n"
    assert here("ssh", "grid_3.1", WHERE).status == NOT_FOUND  # that would be a name
    assert "CPU" in here("stat", f"{running}_3.1").ok().stdout
    assert "in each task" in here("describe", "job", running).ok().stdout
    told = here("describe", "job", f"{running}_3.1").ok().stdout
    assert f"{running}_3.1\n" in told and f"ssh {running}_3.1" in told and "in each task" not in told
    assert "ssh" in here("doctor", f"{running}_3.1").stdout


def test_what_is_no_rank_is_refused_with_those_there_are(here, enter, running):
    for name, words in ((f"{running}_3.2", f"{running}_3 has no rank 2: its ranks are 0 to 1"),
                        (f"{running}_2.0", "its array is 1-7:2%2")):
        for argv in ("logs", name), ("exec", name, "--", "true"), ("ssh", name, "true"):
            refused = here(*argv)
            assert refused.status == NOT_FOUND and words in refused.stderr, refused
        assert words in enter(name, "true").stderr
    for verb in ("cancel",), ("signal", "USR1"):
        refused = here(*verb, f"{running}_3.1")
        assert refused.status == INVALID and f"say {running}_3" in refused.stderr, refused


def test_ranks_and_tasks_have_logs_of_their_own(here, running):
    assert here("logs", f"{running}_3.1").ok().stdout == "out 3.1\n"
    assert here("logs", "--stderr", f"{running}_3").ok().stdout == "err 3.0\nerr 3.1\n"
    assert here("logs", running).ok().stdout == "out 1.0\nout 1.1\nout 3.0\nout 3.1\n"
    assert here("logs", f"{running}_5.0").ok().stdout == ""
    harness.until(lambda: (here.job_dir(running) / "stdout.3.1.times").exists(), "when rank 1 printed")
    assert here("logs", "--since", "1h", f"{running}_3.1").ok().stdout == "out 3.1\n"


def test_a_task_is_followed_and_cancelled_with_its_ranks(here, enter, running):
    with subprocess.Popen([here.program, "logs", "-f", f"{running}_3.1"], env=here.env(), stdout=subprocess.PIPE) as follower:
        here("cancel", f"{running}_3").ok()
        assert follower.communicate(timeout=60)[0] == b"out 3.1\n"
    assert runs(here, running)["3"]["state"] == "CANCELLED"
    harness.until(lambda: {10, 11} <= endpoints(here, running), "the next task")
    assert enter(f"{running}_5.1", WHERE).ok().stdout.startswith("5.1 on ")
    refused = here("exec", f"{running}_3.1", "--", "true")
    assert refused.status == UNAVAILABLE and "ended: CANCELLED" in refused.stderr


def told(here, name):
    lines = here("logs", name).ok().stdout.splitlines()
    return {line.split()[1]: sum(other == f"told {line.split()[1]}" for other in lines) for line in lines if "out" in line}


@pytest.mark.parametrize("backend", ["slurm", "api"])
def test_a_signal_reaches_tasks_that_run_once_though_others_wait(here, ledger, backend):
    """Of one process, and of two."""
    if backend == "api" and (23, 2) <= ledger.version < (24, 11):
        pytest.skip("slurmrestd of this Slurm takes a task for its array")
    one, two = (here.submit("-b", backend, "--array", "3-6%2", *options, "--", "sh", "-c", WAITS)
                for options in ((), ("-n", "2")))
    harness.until(lambda: len(told(here, one)) == 2 and len(told(here, two)) == 4, "all that run")
    said = here("signal", "USR1", one, f"{two}_3").ok().stdout
    assert said == f"{one} has got the signal\n{two}_3 has got the signal\n"
    harness.until(lambda: sum(told(here, one).values()) == 2 and sum(told(here, two).values()) == 2, "all told")
    assert told(here, two) == {"3.0": 1, "3.1": 1, "4.0": 0, "4.1": 0}
    assert set(told(here, one).values()) == {1}
    refused = here("signal", "USR1", f"{one}_5")
    assert refused.status == UNAVAILABLE and f"{one}_5 is QUEUED: only a job that runs" in refused.stderr
    here("cancel", one, two).ok()


@pytest.mark.parametrize("backend", ["slurm", "api"])
def test_a_task_ends_as_its_worst_rank(here, backend):
    name = here.submit("-b", backend, "--array", "0-3", "-n", "3", "--", "sh", "-c", ENDS)
    assert here("wait", name, "--timeout", "120s").status == 1
    job = here.job(name)
    assert (job["state"], job["exit_code"], job["reason"]) == ("FAILED", 1, "3 FAILED, 1 SUCCEEDED")
    tasks = runs(here, name)
    assert [(tasks[n]["exit_code"], tasks[n]["signal"]) for n in "0123"] == [(0, None), (1, None), (2, None), (None, 9)]
    assert all(run["max_rss"] for run in tasks.values())
    assert here("wait", f"{name}_2").status == 2
    assert here("logs", "--stderr", f"{name}_2.1").ok().stdout == "why 2\n"
    ranks = [json.loads(here("get", "job-runs", f"{name}_2.{rank}", "-o", "json").ok().stdout) for rank in range(3)]
    assert [[(run["state"], run["exit_code"]) for run in rank] for rank in ranks] == [
        [("SUCCEEDED", 0)], [("FAILED", 2)], [("SUCCEEDED", 0)]]
    errors = here("get", "error", f"{name}_1").ok().stdout
    assert "exit" in errors, errors
