# SPDX-License-Identifier: MIT
"""When the job ends, every client ends at once, with one line that says how."""

import signal
import subprocess

import pytest

import harness
from ports import free_ports


@pytest.fixture
def beside(cluster, short_dir):
    """beside(command): a job that runs it once `go` exists, and clients in the job; (job, clients, go)."""
    clients = []

    def start(command):
        go = short_dir / "go"
        job = cluster.start("--", "sh", "-c", f"while ! [ -e {go} ]; do sleep 0.05; done; {command}")
        local, = free_ports(1)
        for argv in (["-T", job, "echo here; sleep 1000"], ["-tt", job, "echo here; sleep 1000"],
                     ["-R", "0:127.0.0.1:9", "-L", f"{local}:127.0.0.1:9", job, "echo here; sleep 1000"]):
            clients.append(subprocess.Popen(cluster.ssh.argv(*argv), env=cluster.ssh.env(), stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True))
            assert b"here" in clients[-1].stdout.readline()
        return job, clients, go
    yield start
    for client in clients:
        harness.kill_session(client)


def last_words(client) -> str:
    """What the tunnel said, which is one line; ssh adds some of its own."""
    _, errors = client.communicate(timeout=20 * harness.PATIENCE)
    assert client.returncode == 255, errors
    lines = [line for line in errors.decode().splitlines() if "berth" in line]
    assert len(lines) == 1, errors
    return lines[0].strip()


@pytest.mark.sanitize
@pytest.mark.parametrize("command, how", [("exit 3", "FAILED, exit code 3"), ("true", "SUCCEEDED"),
                                          ("kill -KILL $$", "FAILED, signal KILL")])
def test_every_client_hears_how_the_job_ended(beside, command, how):
    job, clients, go = beside(command)
    go.touch()
    for client in clients:
        assert last_words(client).endswith(f"{job}: the job has ended: {how}")


def test_a_cancelled_job_is_an_end_too(beside, cluster):
    job, clients, _ = beside("true")
    cluster.berth("cancel", job).ok()
    for client in clients:
        assert f"{job}: the job has ended" in last_words(client)


def test_a_killed_tunnel_is_not_the_end_of_the_job(beside, cluster):
    job, clients, go = beside("exit 4")
    pid = int(cluster.ssh(job, "echo $PPID").ok().stdout)
    cluster.ssh(job, f"kill -{int(signal.SIGKILL)} {pid}")
    for client in clients:
        assert f"{job}: the tunnel of the job was restarted" in last_words(client)
    # It was started again, and knows the end as well.
    client = subprocess.Popen(cluster.ssh.argv(job, "echo here; sleep 1000"), env=cluster.ssh.env(),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert client.stdout.readline() == b"here\n"
    go.touch()
    assert last_words(client).endswith("the job has ended: FAILED, exit code 4")
