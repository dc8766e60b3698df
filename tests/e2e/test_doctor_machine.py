# SPDX-License-Identifier: MIT
"""`berth doctor`: this machine, its clusters, and a job; within five seconds whatever hangs, and nothing is changed."""

import json
import os
import pathlib
import shutil
import time

import pytest

import harness

# What waits for a host that says nothing waits for minutes.
LIMIT = 25


@pytest.fixture
def alone(fresh_home, berth):
    """berth as a user of their own, for one test."""
    return type(berth)(berth.program, fresh_home)


class Findings:
    def __init__(self, berth, *argv, **more):
        began = time.monotonic()
        result = berth("doctor", "-o", "json", *argv, **more)
        self.took, self.status = time.monotonic() - began, result.status
        assert result.stdout, result
        self.all = json.loads(result.stdout)
        assert self.took < LIMIT, result

    def about(self, check: str, word="") -> dict:
        found = [each for each in self.all if each["check"] == check and word in each["target"] + each["text"]]
        assert found, f"nothing about {check} in {self.all}"
        return found[0]

    def says(self, check: str, level: str, *words) -> None:
        found = self.about(check, words[0] if words else "")
        assert found["level"] == level and all(word in found["text"] for word in words), found


def snapshot(*roots) -> dict:
    return {path: path.lstat().st_mtime_ns for root in roots for path in [root, *pathlib.Path(root).rglob("*")]
            if path.exists()}


def script(directory, name: str, text: str) -> dict:
    """A program of this name in front of all others: the environment for it."""
    path = directory / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return {"PATH": f"{path.parent}:{os.environ['PATH']}"}


def test_a_new_machine_is_fine_and_stays_as_it_is(alone):
    before = snapshot(alone.home.root, alone.home.ssh_dir)
    found = Findings(alone)
    assert found.status == 0, found.all
    for check in "configuration", "database", "keys", "include", "programs":
        found.says(check, "ok")
    found.says("cluster", "ok" if shutil.which("bwrap") else "note", "local")
    assert snapshot(alone.home.root, alone.home.ssh_dir) == before


def test_what_is_wrong_with_this_machine_is_named(alone):
    alone.wait(alone.submit("--", "true"), "SUCCEEDED")
    host_key = next(alone.home.state_dir.rglob("host_key*"))
    config = pathlib.Path(alone("config", "path").ok().stdout.strip())
    host_key.chmod(0o644)
    (alone.home.ssh_dir / "config").write_text("Host *\n  User me\n")
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text("clusters:\n  hpc:\n    lgin: x\n")
    found = Findings(alone, env=script(alone.home.root, "ssh", "echo OpenSSH_7.2p1 >&2"))
    assert found.status == 2
    found.says("keys", "failure", f"chmod 600 {host_key}")
    found.says("include", "warning", "Include berth/*.conf")
    found.says("configuration", "failure", "config.yaml:3", "login")
    found.says("ssh", "failure", "7.3")
    found.says("database", "ok", "1 job")


def test_a_login_node_that_hangs_holds_nobody_up(alone):
    alone("config", "set", "clusters.hpc.login", "me@nowhere").ok()
    pid = alone.home.root / "pid"
    found = Findings(alone, env=script(alone.home.root, "ssh", f"echo $$ >{pid}; exec sleep 60"))
    assert found.status == 2
    found.says("cluster", "failure", "hpc", "no answer")
    found.says("configuration", "ok")
    found.says("cluster", "ok" if shutil.which("bwrap") else "note", "local")
    harness.until(lambda: not pathlib.Path(f"/proc/{pid.read_text().strip()}").exists(), "the end of what hung")


def test_a_command_for_tokens_that_hangs_holds_nobody_up(alone):
    path = pathlib.Path(alone("config", "path").ok().stdout.strip())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("clusters:\n  hpc:\n    backend: local\n    relays:\n      - url: https://relay.example.org\n"
                    f"        key: {'A' * 43}=\n        token_command: [sleep, '60']\n")
    found = Findings(alone)
    assert found.status == 2
    found.says("relays", "failure", "hpc", "no answer")


def test_a_job(alone):
    job = alone.start("--", "sleep", "600")
    found = Findings(alone, job)
    assert found.status == 0, found.all
    found.says("job", "ok", f"{job} is RUNNING")
    found.says("endpoint", "ok", "rank 0")
    found.says("direct", "ok", "proves its key")
    found.says("mtu", "ok")
    assert found.about("direct")["took_ms"] > 0
    assert "direct: the job proves its key" in alone("doctor", job).ok().stdout
    assert alone("exec", "--path", "direct", job, "--", "echo", "there").ok().stdout == "there\n"
    assert alone("ssh", "--path", "direct", job, "echo", "there").ok().stdout == "there\n"
    elsewhere = alone("exec", "--path", "relay", job, "--", "true")
    assert elsewhere.status == 64 and "relay" in elsewhere.stderr, elsewhere
    assert "no kind of path" in alone("ssh", "--path", "any", job).stderr
    alone("cancel", job).ok()
    alone.wait(job, "CANCELLED")
    found = Findings(alone, job)
    assert found.status == 2
    found.says("job", "failure", "CANCELLED", "berth logs")
    assert alone("doctor", "job-999").status == 66


def test_an_array_on_slurm(alone, slurm):
    here = alone.with_env(SLURM_CONF=slurm.config)
    job = here.submit("-b", "slurm", "--array", "2-5:3", "--", "sleep", "1000")
    harness.until((here.job_dir(job) / "endpoint.2.json").exists, "the endpoint of task 2")
    found = Findings(here, job)
    assert found.status == 0, found.all
    found.says("cluster", "ok", "slurm answers")
    found.says("endpoint", "ok", "rank 2")
    found.says("direct", "ok", "proves its key")
    here("cancel", job).ok()
    here.wait(job, "CANCELLED")
