# SPDX-License-Identifier: MIT
"""Jobs on a Slurm that keeps accounts (slurmdbd, MariaDB): how they ended, and what its controller has forgotten."""

import json

import pytest

import harness

LIMIT, CANCELLED = 124, 143
HUNGRY = "x = bytearray(300 << 20)\nimport time\ntime.sleep(1000)"


@pytest.fixture(scope="module")
def here(home, berth, ledger):
    alone = type(berth)(berth.program, home).with_env(SLURM_CONF=ledger.config)
    alone.run = lambda *argv: alone.submit("-b", "slurm", *argv)
    return alone


def runs(here, name):
    return json.loads(here("get", "job-runs", name, "-o", "json").ok().stdout)


@pytest.fixture(scope="module")
def limited(here, ledger):
    """A job whose time is over soon; Slurm looks for such every half minute, while the other tests run."""
    name = here.run("-t", "1m", "--", "sleep", "1000")
    here.wait(name, "RUNNING")
    ledger.run("scontrol", "update", f"JobId={here.job(name)['native_id']}", "EndTime=now+1").ok()
    return name


def test_how_a_job_ended_is_told_as_it_was(here, ledger, limited):
    hungry = here.run("--mem", "50M", "--", "python3", "-c", HUNGRY)
    cancelled = here.run("--", "sleep", "1000")
    failed = here.run("--", "sh", "-c", "exit 7")
    here.wait(cancelled, "RUNNING")
    ledger.run("scancel", here.job(cancelled)["native_id"]).ok()
    assert here.wait(failed, "FAILED")["exit_code"] == 7
    assert here.wait(cancelled, "CANCELLED")["native_state"].startswith("CANCELLED")
    assert here("wait", cancelled).status == CANCELLED
    job = here.wait(hungry, "FAILED")
    assert (job["signal"], job["exit_code"]) == (9, None)
    if ledger.memory:
        assert job["native_state"] == runs(here, hungry)[0]["native_state"] == "OUT_OF_MEMORY"


def test_the_memory_that_a_job_used_is_in_the_accounts(here, ledger):
    """Slurm looks once a second: the job stays until it was seen."""
    name = here.run("--mem", "500M", "--", "python3", "-c", HUNGRY)
    here.wait(name, "RUNNING")

    def seen():
        result = here("stat", "--scheduler", "-o", "json", name)
        return result.status == 0 and json.loads(result.stdout)["max_rss"] > 300 << 20
    harness.until(seen, "all of the memory in sstat")
    here("cancel", name).ok()
    here.wait(name, "CANCELLED")
    harness.until(lambda: runs(here, name)[0]["max_rss"] > 300 << 20, "all of the memory in the accounts")


def test_each_attempt_of_a_job_is_kept(here, ledger):
    name = here.run("--requeue", "--", "sleep", "1000")
    here.wait(name, "RUNNING")
    native = here.job(name)["native_id"]
    ledger.run("scontrol", "requeue", native).ok()
    here.wait(name, "QUEUED")
    # Slurm lets it wait for two minutes, and does not hear of another time before all of the first attempt is gone.

    def runs_again():
        ledger.run("scontrol", "update", f"JobId={native}", "StartTime=now")
        return here.job(name)["state"] == "RUNNING"
    harness.until(runs_again, "another attempt", limit=300, interval=0.5)
    first, second = runs(here, name)
    assert (first["attempt"], first["native_state"]) == (1, "REQUEUED") and first["started"] and first["node_list"]
    assert (second["attempt"], second["state"], second["ended"]) == (2, "RUNNING", None)
    assert here.job(name)["attempts"] == 2
    use = harness.until(lambda: (lambda result: result.status == 0 and json.loads(result.stdout))(
        here("stat", "--scheduler", "-o", "json", name)), "what sstat measured")
    assert use["tasks"] == 1
    assert "TASKS" in here("stat", "--scheduler", name).ok().stdout
    here("cancel", name).ok()
    here.wait(name, "CANCELLED")


def test_a_job_that_its_limit_ended_says_so(here, limited):
    assert here.wait(limited, "TIMEOUT", limit=120)["native_state"] == "TIMEOUT"
    assert here("wait", limited).status == LIMIT


def test_what_the_controller_forgot_is_found_in_the_accounts(here, ledger):
    """Nothing was asked while they ran, and what they left in their directories is gone."""
    failed = here.run("bad", "--", "sh", "-c", "exit 5")
    done = here.run("good", "--array", "0-2", "--", "sh", "-c", "sleep 0.1")
    killed = here.run("killed", "--", "sleep", "1000")
    native = ledger.run("squeue", "--noheader", "--format=%A", "--name=killed").ok().stdout.strip()
    ledger.wait(int(native), "RUNNING")
    ledger.run("scancel", "--signal=KILL", "--full", native).ok()
    ledger.wait(int(native), "FAILED", "CANCELLED")

    def in_the_accounts():
        states = ledger.run("sacct", "-X", "-n", "-P", "--format=State", "--name=bad,good,killed").ok().stdout.split("\n")
        return len(states) == 6 and not {"RUNNING", "PENDING"} & set(states)
    harness.until(in_the_accounts, "all in the accounts")
    for path in here.home.berth_home.glob("jobs/*/status.*.json"):
        path.unlink()
    ledger.forget()
    job = here.job(failed)
    assert (job["state"], job["exit_code"], job["native_state"]) == ("FAILED", 5, "FAILED")
    assert job["started"] and job["ended"] and job["node_list"] == ledger.node
    assert here.job(killed)["state"] in ("FAILED", "CANCELLED")
    job = here.job(done)
    assert job["state"] == "SUCCEEDED" and [run["state"] for run in runs(here, done)] == ["SUCCEEDED"] * 3


def test_slurmrestd_finds_in_the_accounts_what_the_controller_forgot(here, ledger):
    ledger.configure(here.home, "api")
    failed, done, array = (here.submit("-b", "api", *argv) for argv in (
        ("worse", "--", "sh", "-c", "exit 5"), ("better", "--", "true"), ("more", "--array", "0-2", "--", "true")))

    def in_the_accounts():
        states = ledger.run("sacct", "-X", "-n", "-P", "--format=State", "--name=worse,better,more").ok().stdout
        return sorted(states.split()) == ["COMPLETED"] * 4 + ["FAILED"]
    harness.until(in_the_accounts, "all in the accounts")
    for path in here.home.berth_home.glob("jobs/*/status.*.json"):
        path.unlink()
    ledger.forget()
    assert here.job(done)["state"] == "SUCCEEDED" and here.job(done)["node_list"] == ledger.node
    assert here.job(failed)["state"] == "FAILED" and here.job(failed)["ended"]
    assert here.job(array)["state"] == "SUCCEEDED"
    assert [run["state"] for run in runs(here, array)] == ["SUCCEEDED"] * 3


def test_a_node_that_goes_down_takes_its_job_with_it(here, ledger):
    name = here.run("--no-requeue", "--", "sleep", "1000")
    here.wait(name, "RUNNING")
    ledger.node_down()
    job = here.wait(name, "FAILED")
    assert job["native_state"].startswith("NODE_FAIL") and job["exit_code"] is None
    ledger.node_up()
