# SPDX-License-Identifier: MIT
"""Jobs of a site whose FirecREST has PBS behind it (pbs.py in the stand-in): what is submitted, every state and end."""

import json

import pytest

import firecrest
import harness
import pbs

INVALID, UNSUPPORTED = 64, 69

CONFIG = """\
context: site
clusters:
  site:
    backend: firecrest
    scheduler: {scheduler}
    url: {server.url}
    system: cluster
    token_file: {token}
    max_age: 0s
"""


@pytest.fixture(scope="module")
def server(session_dir, slurm):
    missing = firecrest.programs_missing()
    if missing:
        pytest.skip(f"no {', '.join(missing)}")
    path = session_dir / "firecrest-pbs"
    path.mkdir()
    try:
        server = firecrest.Server(path, slurm).start()
    except firecrest.Unavailable as reason:
        pytest.skip(f"no FirecREST: {reason}")
    server.pbs = pbs.Queue(path)
    yield server
    server.stop()
    server.pbs.stop()


@pytest.fixture(scope="module")
def site(server, berth, ssh, home):
    (home.root / "token").write_text(server.token + "\n")
    home.config_dir.mkdir(parents=True, exist_ok=True)
    berth.configure = lambda scheduler: (home.config_dir / "config.yaml").write_text(
        CONFIG.format(server=server, token=home.root / "token", scheduler=scheduler))
    berth.configure("pbs")
    berth.server, berth.ssh = server, ssh
    yield berth
    berth.cancel_all()


def there(site, name):
    return site.server.scratch / site.server.user / ".berth" / "jobs" / site.job(name)["uid"]


def queued(site, name) -> pbs.Job:
    return site.server.pbs.jobs[site.job(name)["native_id"]]


def test_what_the_scheduler_is_has_to_be_said(site):
    site.configure("slurm")
    result = site("run", "--", "true")
    site.configure("pbs")
    assert result.status == INVALID and "set 'scheduler: pbs'" in result.stderr
    assert not site.server.pbs.jobs


def test_a_job_gets_what_it_asks_for_and_is_entered(site):
    name = site.submit("named", "-c", "4", "--mem", "2G", "-G", "2", "-t", "90m", "-p", "fast", "-A", "science",
                       "--reservation", "later", "-e", "WORD=it's one", "--no-requeue", "--",
                       "sh", "-c", 'echo "$WORD"; pwd; echo no >&2; exec sleep 1000')
    site.wait(name, "RUNNING")
    job = queued(site, name)
    assert job.lines == [("l", "select=1:ncpus=4:mem=2048mb:ngpus=2"), ("l", "walltime=01:30:00"), ("r", "n")]
    assert {key: job.description[key] for key in ("name", "partition", "account", "reservation", "standardOutput")} == {
        "name": "named", "partition": "fast", "account": "science", "reservation": "later", "standardOutput": "/dev/null"}
    assert "it's" not in job.description["script"]
    harness.until((there(site, name) / "endpoint.0.json").exists, "its tunnel")
    assert site.ssh(name, "echo $PBS_JOBID; exit 7").status == 7
    # What it prints is there while it runs.
    assert site("logs", name).ok().stdout == f"it's one\n{site.server.users / site.server.user}\n"
    assert site("logs", "--stderr", name).ok().stdout == "no\n"
    site("cancel", name).ok()
    assert site.wait(name, "CANCELLED")["native_state"] == "F"


def test_a_warm_submission_makes_four_requests(site):
    site.submit("--", "true")  # what the nodes are is asked once for each queue
    with site.server.counting() as made:
        name = site.submit("--", "true")
    assert [request.split("/")[-1] for request in made] == ["upload", "extract", "jobs", "rm"]
    site.wait(name, "SUCCEEDED")


def test_every_end_is_told(site):
    failed = site.submit("--", "sh", "-c", "exit 7")
    killed = site.submit("--", "sh", "-c", "kill -KILL $$")
    assert site.wait(failed, "FAILED")["exit_code"] == 7
    assert site.wait(killed, "FAILED")["signal"] == 9
    site.server.pbs.held = True
    try:
        waits, refused = site.submit("--", "true"), site.submit("--", "true")
        for letter, state in (("Q", "QUEUED"), ("H", "QUEUED"), ("W", "QUEUED"), ("T", "QUEUED"), ("B", "RUNNING"),
                              ("R", "RUNNING"), ("E", "RUNNING"), ("S", "RUNNING"), ("U", "RUNNING"), ("?", "UNKNOWN")):
            queued(site, waits).letter = letter
            assert (site.job(waits)["state"], site.job(waits)["native_state"]) == (state, letter)
        queued(site, waits).letter = "Q"
        site("cancel", waits).ok()
        assert site.wait(waits, "CANCELLED")["native_state"] == "F"
        queued(site, refused).status, queued(site, refused).letter = -3, "F"  # JOB_EXEC_RETRY, and no more tries
        assert site.wait(refused, "FAILED")["exit_code"] == 126
        moved = site.submit("--", "true")
        queued(site, moved).letter = "M"
        site.wait(moved, "CANCELLED")
    finally:
        site.server.pbs.held = False


def test_scripts_ask_in_lines_of_pbs(site, home):
    script = home.root / "batch.sh"
    script.write_text("#!/bin/sh\n#PBS -l place=free\n# a remark\n#PBS -m n\necho in $PBS_JOBNAME\n#PBS -l too=late\n")
    name = site("submit", "-f", script).ok().stdout.split()[0]
    site.wait(name, "SUCCEEDED")
    assert site("logs", name).ok().stdout.startswith("in ")
    assert queued(site, name).lines == [("l", "select=1:ncpus=1"), ("l", "place=free"), ("m", "n")]
    shown = site("submit", "--dry-run", "-f", script).ok().stdout
    assert shown.startswith("# POST /compute/cluster/jobs {") and "\n#PBS -l place=free\n" in shown


@pytest.mark.parametrize("options, words", ((("--array", "0-3"), "no name for an array"), (("-N", "2"), "one rank"),
                                            (("--qos", "high"), "--qos: not for PBS")), ids=lambda value: value[0])
def test_what_pbs_does_not_take_is_refused(site, options, words):
    with site.server.counting() as made:
        result = site("run", *options, "--", "true")
    assert result.status == UNSUPPORTED and words in result.stderr
    assert "POST /compute/{system_name}/jobs" not in made


def test_what_there_is_no_call_for_is_told(site):
    name = site.submit("--", "sleep", "1000")
    site.wait(name, "RUNNING")
    result = site("signal", "USR1", name)
    assert result.status == UNSUPPORTED and "not supported in PBS" in result.stderr
    assert json.loads(site("get", "job-runs", name, "-o", "json").ok().stdout)[0]["state"] == "RUNNING"
    site("cancel", name).ok()
