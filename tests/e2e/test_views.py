# SPDX-License-Identifier: MIT
"""What `berth get`, `describe` and `wait` show of jobs: filters, formats, a terminal."""

import csv
import io
import json
import subprocess

import pytest

from terminal import Terminal

pytestmark = pytest.mark.sanitize
INVALID, NOT_FOUND, UNAVAILABLE, SYSTEM = 64, 66, 69, 71


@pytest.fixture(scope="module")
def three(berth) -> dict:
    """One job that runs, one that failed, one that succeeded."""
    jobs = {"train-1": berth.submit("train-1", "--", "sleep", "1000"),
            "eval": berth.submit("eval", "--", "sh", "-c", "exit 3"),
            "train-2": berth.submit("train-2", "--", "true")}
    for name, state in ("train-1", "RUNNING"), ("eval", "FAILED"), ("train-2", "SUCCEEDED"):
        berth.wait(jobs[name], state)
    return jobs


def names(berth, *argv) -> list:
    return berth("get", "jobs", "-o", "name", *argv).ok().stdout.split()


def test_filters_are_joined_by_and(berth, three):
    running, failed, succeeded = three["train-1"], three["eval"], three["train-2"]
    assert names(berth) == [running, failed, succeeded]
    assert names(berth, "--state", "ended") == [failed, succeeded]
    assert names(berth, "--state", "running,FAILED") == [running, failed]
    assert names(berth, "--name", "train*") == [running, succeeded]
    assert names(berth, "--name", "train*", "--state", "open") == [running]
    assert names(berth, "--name", "train*", failed) == []
    assert names(berth, "--older-than", "1d") == [] == names(berth, "--queue", "gpu") == names(berth, "--node", "n1")


def test_a_job_that_is_named_twice_is_one(berth, three):
    running, failed = three["train-1"], three["eval"]
    assert names(berth, running, running[4:], "train-1", failed, running) == [running, failed]
    assert berth.job(running)["state"] == "RUNNING"
    assert berth("wait", failed, "eval").stdout == f"{failed} FAILED: exit status 3\n"
    assert berth("cancel", "--dry-run", running, running).ok().stdout == f"{running} (RUNNING): cancel\n"


def test_what_cannot_be_written_is_a_failure(berth, three):
    """Whatever the verb, and wherever it writes."""
    with open("/dev/full", "w") as full:
        for argv in (["--help"], ["get", "--help"], ["get", "jobs"], ["config", "show"], ["completion", "bash"],
                     ["cancel", "--all", "--dry-run"], ["get", "jobs", "-o", "csv", "--all"]):
            result = berth(*argv, stdout=full)
            assert result.status == UNAVAILABLE and "No space left" in result.stderr, result
            assert len(result.stderr.splitlines()) == 1, result
        assert berth("wait", "train-2", stdout=full).status == SYSTEM
        assert berth("wait", "eval", stdout=full).status == 3, "that of the job is worth more"


def test_options_of_every_verb_stand_before_it_or_behind(berth, three):
    assert berth("--cluster", "local", "get", "jobs", "-o", "name").ok().stdout.split() == list(three.values())
    assert berth("--cluster", "nowhere", "get", "jobs").status == NOT_FOUND
    assert berth("help", "get").ok().stdout == berth("get", "--help").ok().stdout
    assert "did you mean 'get'" in berth("help", "gte").stderr


def test_order_and_number_are_chosen(berth, three):
    running, failed, succeeded = three["train-1"], three["eval"], three["train-2"]
    assert names(berth, "--sort-by", "-name") == [succeeded, running, failed]
    assert names(berth, "--limit", "1") == [succeeded]
    assert names(berth, "--limit", "2", "--sort-by", "id") == [running, failed]
    for option in ("--sort-by", "size"), ("--state", "PENDING"), ("-o", "xml"):
        result = berth("get", "jobs", *option)
        assert result.status == INVALID and result.stdout == "" and len(result.stderr.splitlines()) == 1


def test_programs_read_the_same_in_every_format(berth, three):
    as_json = json.loads(berth("get", "jobs", "-o", "json").ok().stdout)
    rows = list(csv.DictReader(io.StringIO(berth("get", "jobs", "-o", "csv").ok().stdout)))
    assert [list(row) for row in rows] == [list(job) for job in as_json]
    for job, row in zip(as_json, rows):
        assert row == {key: "" if value is None else str(value) for key, value in job.items()}
    lines = berth("get", "jobs", "-o", "yaml").ok().stdout.splitlines()
    members = [line.strip().split(": ", 1) for line in lines if line != "-"]
    assert [(key, json.loads(value)) for key, value in members] == [item for job in as_json for item in job.items()]
    assert berth("get", "jobs", "--no-headers", "-o", "csv").ok().stdout.startswith("job-1,")
    assert berth("get", "jobs", "--no-headers").ok().stdout.startswith("job-1")


def test_watching_prints_again_what_changed(berth, short_dir):
    gate = short_dir / "gate"
    name = berth.submit("--", "sh", "-c", f"while [ ! -e {gate} ]; do sleep 0.02; done")
    berth.wait(name, "RUNNING")
    with subprocess.Popen([berth.program, "get", "jobs", name, "--watch", "--no-headers"], env=berth.env(),
                          stdout=subprocess.PIPE, text=True) as process:
        assert "RUNNING" in process.stdout.readline()
        gate.touch()
        assert "SUCCEEDED" in process.stdout.readline()
        process.terminate()
        assert process.stdout.read() == ""


def test_every_resource_can_be_watched(berth, three, short_dir):
    usage = berth("get", "--help").ok().stdout.partition("usage: berth get [options] ")[2].partition(" [NAME...]")[0]
    resources = [word.strip() for word in usage.split("|")]
    assert len(resources) > 11 and {"jobs", "queue-report"} <= set(resources)
    for resource in resources:
        of_cluster = resource in ("nodes", "queues", "resources", "scheduling-report", "queue-report")
        more = ("--backend", "local") if of_cluster else (three["train-1"],) if resource == "job-report" else ()
        argv = [berth.program, "get", resource, "--watch", *more]
        # A disk that is full ends it, and so does a cluster that has none of these.
        with open("/dev/full", "wb") as full:
            assert subprocess.run(argv, env=berth.env(), stdout=full, timeout=30).returncode in (SYSTEM, UNAVAILABLE), resource


def test_what_changes_of_a_resource_is_printed_anew(berth, short_dir):
    gate = short_dir / "gate"
    name = berth.submit("--", "sh", "-c", f"while [ ! -e {gate} ]; do sleep 0.02; done")
    berth.wait(name, "RUNNING")
    with subprocess.Popen([berth.program, "get", "job-counts", name, "--watch", "--no-headers"], env=berth.env(),
                          stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline().split() == ["RUNNING", "1"]
        gate.touch()
        assert process.stdout.readline().split() == ["SUCCEEDED", "1"]
        process.terminate()


def test_a_table_fits_the_terminal_and_has_colour_only_there(berth, three):
    with Terminal([berth.program, "get", "jobs"], berth.env(TERM="xterm"), columns=70) as terminal:
        assert terminal.end() == 0
    assert b"\033[31mFAILED\033[0m" in terminal.screen
    assert b"\033" not in berth("get", "jobs", env={"TERM": "xterm"}).ok().stdout.encode()
    with Terminal([berth.program, "get", "jobs"], berth.env(TERM="xterm", NO_COLOR="1"), columns=70) as terminal:
        assert terminal.end() == 0
    lines = terminal.screen.decode().splitlines()
    assert "\033" not in terminal.screen.decode() and "FAILED" in terminal.screen.decode()
    assert lines and all(len(line) <= 70 for line in lines)


def test_jobs_are_counted(berth, three):
    counts = json.loads(berth("get", "job-counts", "--group-by", "state", "-o", "json", "--name", "train*").ok().stdout)
    assert counts == [{"state": "RUNNING", "jobs": 1}, {"state": "SUCCEEDED", "jobs": 1}]
    by_user = json.loads(berth("get", "job-counts", "--group-by", "user,backend", "-o", "json").ok().stdout)
    assert [list(group) for group in by_user] == [["user", "backend", "jobs"]] and by_user[0]["backend"] == "local"
    assert berth("get", "job-counts", "--no-headers", three["eval"]).ok().stdout.split() == ["FAILED", "1"]
    assert berth("get", "job-counts", "--group-by", "colour").status == INVALID
    assert berth("get", "job-counts", "--limit", "1").status == INVALID


def test_a_description_tells_what_is_known_and_what_next(berth, three):
    running = berth("describe", "job", "train-1").ok().stdout
    assert f"Enter it:     ssh {three['train-1']}\n" in running and "Command:      sleep 1000\n" in running
    failed = berth("describe", "job", three["eval"], three["train-2"]).ok().stdout
    assert "Exit status:  3\n" in failed and "\n\nJob:          " in failed
    assert json.loads(berth("describe", "job", "eval", "-o", "json").ok().stdout) == [berth.job("eval")]
    assert berth("describe", "job", "nobody").status == NOT_FOUND
    assert berth("describe", "cloud", "n1").status == INVALID


def test_waiting_ends_as_the_job_did(berth, three):
    assert berth("wait", "train-2").status == 0
    result = berth("wait", "train-2", "eval")
    assert result.status == 3 and result.stdout.splitlines() == [f"{three['train-2']} SUCCEEDED",
                                                                  f"{three['eval']} FAILED: exit status 3"]
    assert berth("wait", berth.submit("--", "sh", "-c", "kill -9 $$")).status == 128 + 9
    assert berth("wait", berth.submit("-t", "300ms", "--", "sleep", "1000")).status == 124
    name = berth.start("--", "sleep", "1000")
    with subprocess.Popen([berth.program, "wait", name], env=berth.env(), stdout=subprocess.PIPE, text=True) as process:
        berth("cancel", name).ok()
        assert "CANCELLED" in process.stdout.read()
    assert process.returncode == 143


def test_waiting_for_a_state_and_no_longer_than_allowed(berth, three):
    assert berth("wait", "train-1", "--for", "RUNNING").ok().stdout == f"{three['train-1']} RUNNING\n"
    assert berth("wait", "train-2", "--for", "running").status == 0, "it was there"
    assert berth("wait", "train-2", "--for", "FAILED").status == 1
    assert berth("wait", "eval", "--for", "RUNNING").status == 3
    result = berth("wait", "train-1", "--timeout", "200ms")
    assert result.status == 75 and "not there yet" in result.stderr
    assert berth("wait", "train-1", "--for", "PENDING").status == INVALID
    assert berth("wait", "train-1", "--timeout", "0").status == 75, "a look, and no more"
    assert berth("wait", "train-2", "--timeout", "0").status == 0
    assert "is not a duration" in berth("wait", "train-1", "--timeout", "soon").stderr
