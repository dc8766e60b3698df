# SPDX-License-Identifier: MIT
"""Jobs by slurmrestd, files by a login node: a real sshd whose sessions share neither home nor state with the workstation, and
know nothing of Slurm; a real slurmrestd is all that does."""

import os

import pytest

import harness
import loginnode

UNAVAILABLE = 69


@pytest.fixture(scope="module")
def node(start_login_node):
    return start_login_node("rest-login", "/nonexistent/slurm.conf")


@pytest.fixture(scope="module")
def remote(berth, node, slurmrest):
    here = berth.with_env(PATH=f"{node.dir / 'bin'}:{os.environ['PATH']}")
    home = berth.home
    home.config_dir.mkdir(parents=True, exist_ok=True)
    (home.config_dir / "token").write_text(slurmrest.token())
    rest = f"backend: slurmrest\n    url: {slurmrest.rest_url}\n    token_file: {home.config_dir}/token"
    (home.config_dir / "config.yaml").write_text(node.configuration().replace("backend: slurm", rest))
    yield here
    here.cancel_all()
    loginnode.close_masters(home)


@pytest.fixture(scope="module")
def job(remote):
    name = remote.submit("here", "-e", "MINE=a b'c", "--", "sh", "-c", "echo out $MINE; echo err >&2; pwd; sleep 1000")
    remote.wait(name, "RUNNING")
    return name


def test_files_are_there_and_jobs_are_asked_for_elsewhere(remote, node, slurmrest, job):
    uid, native = remote.job(job)["uid"], remote.job(job)["native_id"]
    assert (node.scratch / "berth" / "jobs" / uid / "tunnel.json").exists()
    assert not remote.home.berth_home.exists() or not list(remote.home.berth_home.iterdir())
    assert slurmrest.job(native)["JobState"] == "RUNNING"
    node.calls()
    assert slurmrest.node in remote("get", "nodes").ok().stdout
    assert node.calls() == 0


def test_what_it_prints_is_read_there(remote, node, job):
    def printed():
        text = remote("logs", job).ok().stdout
        return text if text.count("\n") == 2 else None
    assert harness.until(printed, "output") == f"out a b'c\n{node.home}\n"
    assert remote("logs", "--stderr", job).ok().stdout == "err\n"


def test_ssh_leads_into_the_job(remote, ssh, node, job):
    here = ssh.with_env(PATH=f"{node.dir / 'bin'}:{os.environ['PATH']}")
    words = harness.until(lambda: (found := here(job, "echo $MINE")).status == 0 and found, "ssh into the job").stdout
    assert words == "a b'c\n"
    assert here(job, "exit 7").status == 7
    assert here("here.job", "cat", input="data").ok().stdout == "data"


def test_ends_and_arrays_are_told_as_they_were(remote, node):
    array = remote.submit("--array", "0-2", "--", "sh", "-c", "echo of $SLURM_ARRAY_TASK_ID; exit $SLURM_ARRAY_TASK_ID")
    killed = remote.submit("--", "sh", "-c", "echo why >&2; kill -KILL $$")
    job = remote.wait(array, "FAILED")
    assert (job["exit_code"], job["reason"]) == (1, "2 FAILED, 1 SUCCEEDED")
    assert remote("logs", f"{array}_1").ok().stdout == "of 1\n"
    assert remote.wait(killed, "FAILED")["signal"] == 9
    assert "why" in remote("get", "error", killed).ok().stdout
    directory = node.scratch / "berth" / "jobs" / remote.job(killed)["uid"]
    assert directory.exists()
    remote("gc", "--retention", "0s").ok()
    assert not directory.exists()


def test_without_the_login_node_jobs_are_followed_and_cancelled_but_not_submitted(remote, node, slurmrest):
    name = remote.submit("--", "sleep", "1000")
    remote.wait(name, "RUNNING")
    before = slurmrest.run("squeue", "--noheader").ok().stdout.count("\n")
    with node.unreachable():
        refused = remote("run", "--", "true")
        assert refused.status == UNAVAILABLE and "127.0.0.1" in refused.stderr, refused
        assert slurmrest.run("squeue", "--noheader").ok().stdout.count("\n") == before
        assert remote.job(name)["state"] == "RUNNING"
        remote("cancel", name).ok()
        remote.wait(name, "CANCELLED")
